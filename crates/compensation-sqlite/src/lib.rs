//! The embedded store for durable sagas: one SQLite file.
//!
//! [`SqliteRepository`] is a [`Repository`] for the [`Engine`](compensation::Engine) of the crate
//! `compensation`. Writes of many sagas share one transaction and one sync of the disk (group commit);
//! what is acknowledged survives `kill -9` and the loss of power.
//!
//! Several processes may use one file on one machine. Each saga belongs to the process that runs it,
//! which an operating-system lock proves; what a dead process left is taken over by the others.
//!
//! The file is open to other tools: the view `sagas` lists them in words.
//!
//! [`Barrier`] gives an action or an undo its effect once, in a transaction of your own database.
//!
//! [`SqliteRecords`] keeps records of undos that programs run themselves, in the same file or in another.
//!
//! ```
//! use compensation::{Engine, Saga, SagaId, StepContext, StepError};
//! use compensation_sqlite::SqliteRepository;
//!
//! async fn greet(cx: StepContext<String>) -> Result<String, StepError> {
//!     Ok(format!("hello {}", cx.input()))
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("sagas.db");
//! let mut greeting = Saga::<String>::builder("greeting");
//! greeting.step("greet", greet).no_undo("words can't be taken back").add();
//!
//! let store = SqliteRepository::open(&path)?;
//! let engine = Engine::open(store).register(greeting.build()?).start().await?;
//! let outcome = engine.run("greeting", SagaId::new("first")?, "world").await?;
//! assert!(outcome.is_completed());
//! # engine.drain().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

/// The examples of the README are compiled with this crate, which is the last that they need.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

mod barrier;
mod commit;
mod connection;
mod error;
mod listing;
mod mail;
mod options;
mod owner;
mod read;
mod records;
mod rows;
mod schema;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use compensation::{
    SagaId, Timestamp,
    repository::{
        Acquired, Append, Counts, Created, Letter, NewSaga, Page, Pending, Posted, Query, Reply,
        Repository, RepositoryError, SagaKey, StoredSaga,
    },
};

pub use barrier::Barrier;
pub use options::SqliteOptions;
use read::Readers;
pub use records::SqliteRecords;
use writer::{Work, Writer};

/// A store of sagas in a SQLite file. One value is one owner of sagas, from its first write on: what only reads
/// writes nothing. Several, in one process or in many, may use one file.
///
/// Beside the file stand SQLite's own `-wal` and `-shm`, and `-owner-N` for each living owner: a lock
/// that the operating system releases when its process dies. All of them belong on a local disk.
///
/// Dropping it finishes the writes that were asked for, lets its sagas go, and blocks for as long as that
/// takes.
#[derive(Debug)]
pub struct SqliteRepository {
    path: PathBuf,
    writer: Writer,
    readers: Arc<Readers>,
}

impl SqliteRepository {
    /// Opens the store in that file, and creates it where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Permanent`](compensation::repository::ErrorKind::Permanent) where it is not a store
    /// of sagas, a newer version wrote it, or it or its directory can't be written; `Temporary` and `Exhausted` as
    /// SQLite tells. That the disk has no locks, which prove who owns sagas, the first write tells, and so the start
    /// of an engine that recovers.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RepositoryError> {
        SqliteOptions::new().open(path)
    }

    /// The same where the file must be there already.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where there is no such file.
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, RepositoryError> {
        SqliteOptions::new().create(false).open(path)
    }

    fn with(path: &Path, options: SqliteOptions) -> Result<Self, RepositoryError> {
        let path = connection::locate(path, options.create)?;
        let writer = Writer::start(path.clone(), options.clone())?;
        let readers = Arc::new(Readers::new(path.clone(), options, writer.own()));
        Ok(Self { path, writer, readers })
    }

    /// Where the file is, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Repository for SqliteRepository {
    fn create(&self, saga: NewSaga) -> Pending<'_, Created> {
        Box::pin(self.writer.ask(|reply| Work::Create(saga, reply)))
    }

    fn append(&self, append: Append) -> Pending<'_, ()> {
        Box::pin(self.writer.ask(|reply| Work::Append(append, reply)))
    }

    fn park(&self, key: SagaKey, reason: String) -> Pending<'_, ()> {
        Box::pin(self.writer.ask(move |reply| Work::Park(key, reason, reply)))
    }

    fn release(&self, keys: Vec<SagaKey>) -> Pending<'_, ()> {
        Box::pin(self.writer.ask(|reply| Work::Release(keys, reply)))
    }

    fn recover(&self) -> Pending<'_, u64> {
        Box::pin(self.writer.ask(Work::Recover))
    }

    fn claim(&self, limit: usize) -> Pending<'_, Vec<StoredSaga>> {
        Box::pin(self.writer.ask(move |reply| Work::Claim(limit, reply)))
    }

    fn acquire(&self, id: &SagaId) -> Pending<'_, Acquired> {
        let id = id.clone();
        Box::pin(self.writer.ask(|reply| Work::Acquire(id, reply)))
    }

    fn load(&self, id: &SagaId) -> Pending<'_, Option<StoredSaga>> {
        let id = id.clone();
        Box::pin(self.readers.load(id))
    }

    fn load_all(&self, ids: Vec<SagaId>) -> Pending<'_, Vec<StoredSaga>> {
        Box::pin(self.readers.load_all(ids))
    }

    fn list(&self, query: Query) -> Pending<'_, Page> {
        Box::pin(self.readers.list(query))
    }

    fn counts(&self) -> Pending<'_, Counts> {
        Box::pin(self.readers.counts())
    }

    fn purge(&self, before: Timestamp, limit: usize) -> Pending<'_, u64> {
        Box::pin(self.writer.ask(move |reply| Work::Purge(before, limit, reply)))
    }

    fn post(&self, letter: Letter) -> Pending<'_, Posted> {
        Box::pin(self.writer.ask(|reply| Work::Post(letter, reply)))
    }

    fn inbox(&self, limit: usize) -> Pending<'_, Vec<Letter>> {
        Box::pin(self.readers.inbox(limit))
    }

    fn take(&self, key: &str) -> Pending<'_, bool> {
        let key = key.to_owned();
        Box::pin(self.writer.ask(|reply| Work::Take(key, reply)))
    }

    fn answer(&self, key: &str, answer: String) -> Pending<'_, ()> {
        let key = key.to_owned();
        Box::pin(self.writer.ask(|reply| Work::Answer(key, answer, reply)))
    }

    fn reply(&self, key: &str) -> Pending<'_, Reply> {
        let key = key.to_owned();
        Box::pin(self.readers.read(move |db, _| mail::reply(db, &key)))
    }

    fn withdraw(&self, key: &str) -> Pending<'_, bool> {
        let key = key.to_owned();
        Box::pin(self.writer.ask(|reply| Work::Withdraw(key, reply)))
    }

    /// SQLite tells nobody.
    fn changed(&self) -> Pending<'static, ()> {
        Box::pin(std::future::pending())
    }
}
