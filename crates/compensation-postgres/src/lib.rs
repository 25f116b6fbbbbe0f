//! A store for durable sagas that several processes share: PostgreSQL 13 or newer.
//!
//! [`PostgresRepository`] is a [`Repository`] for the [`Engine`](compensation::Engine) of the crate
//! `compensation`. Writes of many sagas share one statement and one sync of the server's disk (group commit).
//!
//! Several processes, on one machine or many, may use one schema. Each saga belongs to the process that runs it:
//! its session holds a lock that the server releases when the session ends, and every write proves that nobody
//! has found it dead. What a dead process left is taken over by the others.
//!
//! In a transaction of your own, beside your own tables: [`PostgresRepository::start_in`] starts a saga, and
//! [`Barrier`] gives an action or an undo its effect once.
//!
//! [`PostgresRecords`] keeps records of undos that programs run themselves.
//!
//! The tables are open to other tools: the views `sagas` and `records` list them in words.
//!
//! ```no_run
//! use compensation::{Engine, Saga, SagaId, StepContext, StepError};
//! use compensation_postgres::PostgresRepository;
//!
//! async fn greet(cx: StepContext<String>) -> Result<String, StepError> {
//!     Ok(format!("hello {}", cx.input()))
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut greeting = Saga::<String>::builder("greeting");
//! greeting.step("greet", greet).no_undo("words can't be taken back").add();
//!
//! let store = PostgresRepository::open("postgres://shop@db.example/shop").await?;
//! let engine = Engine::open(store).register(greeting.build()?).start().await?;
//! let outcome = engine.run("greeting", SagaId::new("first")?, "world").await?;
//! assert!(outcome.is_completed());
//! # Ok(())
//! # }
//! ```

mod address;
mod barrier;
mod clock;
mod connection;
mod error;
mod office;
mod options;
mod read;
mod records;
mod rows;
mod schema;
mod session;
mod start;
mod tls;
mod writer;

use std::sync::Arc;

use compensation::{
    SagaId, Timestamp,
    repository::{
        Acquired, Append, Counts, Created, Letter, NewSaga, Page, Pending, Posted, Query, Reply,
        Repository, RepositoryError, SagaKey, StoredSaga,
    },
};

pub use barrier::{Barrier, BarrierError};
use connection::Target;
pub use options::PostgresOptions;
use read::{AnyLetter, Ask, Count, List, Load, Readers, ReplyTo};
pub use records::PostgresRecords;
use rows::Plans;
use session::Post;
use writer::{Work, Writer};

/// The schema, where nobody says another.
pub(crate) const SCHEMA: &str = "compensation";

/// A store of sagas in a PostgreSQL database. One value is one owner of sagas; several, in one process or in
/// many, may use one schema.
///
/// It has a thread of its own, with one connection that writes, and a few for reading that are made as they are
/// needed. A connection that is lost is made anew; the sagas stay this store's unless another one has found it
/// dead meanwhile, and then its writes to them are refused.
///
/// Dropping it finishes the writes that were asked for, lets its sagas go, and blocks for as long as that takes:
/// some milliseconds, or a few seconds where the server can't be reached.
#[derive(Debug)]
pub struct PostgresRepository {
    target: Target,
    post: Post,
    writer: Writer,
    readers: Arc<Readers>,
}

impl PostgresRepository {
    /// Opens the store in that database, and makes its tables where there are none.
    ///
    /// The address is `postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE&…`, with percent-encoding. Of
    /// PostgreSQL's own options are known `sslmode` (as there: `prefer` by default; only `verify-ca` and
    /// `verify-full` check who answers), `sslrootcert` (a file; by default the system's issuers),
    /// `application_name`, `connect_timeout`, `options` and the like; `schema` is this crate's.
    ///
    /// # Errors
    /// [`ErrorKind::Permanent`](compensation::repository::ErrorKind::Permanent) where the address can't be
    /// read, the server refuses the role or its password, the role lacks a privilege, the server is too old,
    /// or the schema is not a store, or a newer version's; `Temporary` where the server can't be reached.
    pub async fn open(url: &str) -> Result<Self, RepositoryError> {
        PostgresOptions::new().open(url).await
    }

    /// The same where the tables must be there already.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where there is no store.
    pub async fn open_existing(url: &str) -> Result<Self, RepositoryError> {
        PostgresOptions::new().create(false).open(url).await
    }

    async fn with(url: &str, options: PostgresOptions) -> Result<Self, RepositoryError> {
        let target = Target::of(url, &options)?;
        let post = Post::of(&target.schema);
        let plans = Arc::new(Plans::default());
        let writer = writer::start(
            target.clone(),
            post.clone(),
            plans.clone(),
            options.max_batch,
            options.silence,
        )?;
        let (opened, create) = (target.clone(), options.create);
        writer.aside(async move { open(&opened, create).await }).await?;
        let readers = Readers::new(target.pool(options.readers)?, target.place(), plans);
        Ok(Self { target, post, writer, readers: Arc::new(readers) })
    }

    /// Where it is, without the password: `postgres://USER@HOST:PORT/DATABASE`.
    #[must_use]
    pub fn place(&self) -> &str {
        self.target.place()
    }

    /// The schema that its tables are in.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.target.schema
    }

    fn read<A: Ask>(&self, ask: A) -> Pending<'_, A::Found> {
        let readers = self.readers.clone();
        Box::pin(self.writer.aside(async move { readers.read(ask).await }))
    }
}

/// Looks at the database, and makes the tables where that must be.
async fn open(target: &Target, create: bool) -> Result<(), RepositoryError> {
    let (mut client, connection) = target.connect().await?;
    let driven = tokio::spawn(connection);
    let opened = async {
        target.greet(&client).await?;
        schema::prepare(&mut client, target, create).await
    };
    let opened = opened.await;
    drop(client);
    // What it says at its end concerns nobody.
    let _ = driven.await;
    opened
}

impl Repository for PostgresRepository {
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
        let found = self.load_all(vec![id.clone()]);
        Box::pin(async move { Ok(found.await?.into_iter().next()) })
    }

    fn load_all(&self, ids: Vec<SagaId>) -> Pending<'_, Vec<StoredSaga>> {
        self.read(Load(ids))
    }

    fn list(&self, query: Query) -> Pending<'_, Page> {
        self.read(List(query))
    }

    fn counts(&self) -> Pending<'_, Counts> {
        self.read(Count)
    }

    fn purge(&self, before: Timestamp, limit: usize) -> Pending<'_, u64> {
        Box::pin(self.writer.ask(move |reply| Work::Purge(before, limit, reply)))
    }

    fn post(&self, letter: Letter) -> Pending<'_, Posted> {
        Box::pin(self.writer.ask(|reply| Work::Post(letter, reply)))
    }

    fn inbox(&self, limit: usize) -> Pending<'_, Vec<Letter>> {
        let letters = self.read(AnyLetter);
        Box::pin(async move {
            // Asked several times a second: only where there is a letter is the owner asked.
            if !letters.await? {
                return Ok(Vec::new());
            }
            self.writer.ask(move |reply| Work::Inbox(limit, reply)).await
        })
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
        self.read(ReplyTo(key.to_owned()))
    }

    fn withdraw(&self, key: &str) -> Pending<'_, bool> {
        let key = key.to_owned();
        Box::pin(self.writer.ask(|reply| Work::Withdraw(key, reply)))
    }

    fn changed(&self) -> Pending<'static, ()> {
        let mut changes = self.post.changed.subscribe();
        Box::pin(async move {
            match changes.changed().await {
                Ok(()) => Ok(()),
                // The store has gone, and nothing more will come.
                Err(_) => std::future::pending().await,
            }
        })
    }
}
