//! Records of undos in the same file, or in one of their own.

mod read;
mod rows;
mod schema;
mod write;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use compensation::{
    Timestamp,
    records::{
        Mark, RecordFilter, RecordId, RecordPage, RecordRepository, RecordSummary, Recording,
        UndoRecord,
    },
    repository::RepositoryError,
};
use rusqlite::Connection;

pub(crate) use schema::TABLES;
use writer::Writer;

use crate::{connection, options::SqliteOptions, read::Readers};

/// A [`RecordRepository`] in a SQLite file, which may be one that holds sagas too. Several values, in one
/// process or in many, may use one file.
///
/// What is acknowledged survives `kill -9` and the loss of power; changes that wait at once share one sync
/// of the disk. A page of a listing is found by an index, however many records there are; only where a
/// workflow *and* an activity are asked for, it reads through the records of that workflow.
///
/// The file is open to other tools: the view `records` lists them in words.
///
/// Dropping it finishes the changes that were asked for, and blocks for as long as that takes.
///
/// ```
/// use compensation::{CompensationStatus, records::{RecordRepository, UndoRecord}};
/// use compensation_sqlite::SqliteRecords;
///
/// # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("records.db");
/// let records = SqliteRecords::open(&path)?;
/// let charge = records.save(UndoRecord::new("order-4711", "charge-card")).await?;
/// records.mark_started(charge.id).await?;
/// drop(records);
///
/// let records = SqliteRecords::open_existing(&path)?;
/// let history = records.history("order-4711").await?;
/// assert_eq!(history[0].status, CompensationStatus::Running);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SqliteRecords {
    path: PathBuf,
    writer: Writer,
    readers: Arc<Readers>,
}

impl SqliteRecords {
    /// Opens the records in that file, and creates it where there is none.
    ///
    /// # Errors
    /// As [`SqliteRepository::open`](crate::SqliteRepository::open).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RepositoryError> {
        SqliteOptions::new().open_records(path)
    }

    /// The same where the file must be there already.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where there is no such file.
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, RepositoryError> {
        SqliteOptions::new().create(false).open_records(path)
    }

    pub(crate) fn with(path: &Path, options: SqliteOptions) -> Result<Self, RepositoryError> {
        let path = connection::locate(path, options.create)?;
        let writer = Writer::start(path.clone(), options.clone())?;
        // Records have no owners, so nobody is asked whether one lives.
        let readers = Arc::new(Readers::new(path.clone(), options, Arc::default()));
        Ok(Self { path, writer, readers })
    }

    /// Where the file is, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn mark(&self, id: RecordId, mark: Mark) -> Recording<'_, UndoRecord> {
        Box::pin(self.writer.ask(move |db| write::mark(db, id, &mark)))
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Recording<'_, T> {
        Box::pin(async { Ok(self.readers.read(|db, _| read(db)).await?) })
    }
}

impl RecordRepository for SqliteRecords {
    fn save(&self, record: UndoRecord) -> Recording<'_, UndoRecord> {
        Box::pin(self.writer.ask(move |db| write::save(db, &record)))
    }

    fn get(&self, id: RecordId) -> Recording<'_, Option<UndoRecord>> {
        self.read(move |db| rows::find(db, id))
    }

    fn history(&self, workflow_id: &str) -> Recording<'_, Vec<UndoRecord>> {
        let workflow = workflow_id.to_owned();
        self.read(move |db| read::history(db, &workflow))
    }

    fn list(&self, filter: RecordFilter) -> Recording<'_, RecordPage> {
        self.read(move |db| read::list(db, &filter))
    }

    fn mark_started(&self, id: RecordId) -> Recording<'_, UndoRecord> {
        self.mark(id, Mark::Started)
    }

    fn mark_completed(&self, id: RecordId) -> Recording<'_, UndoRecord> {
        self.mark(id, Mark::Completed)
    }

    fn mark_failed(&self, id: RecordId, error: String) -> Recording<'_, UndoRecord> {
        self.mark(id, Mark::Failed(error))
    }

    fn mark_skipped(&self, id: RecordId, reason: String) -> Recording<'_, UndoRecord> {
        self.mark(id, Mark::Skipped(reason))
    }

    fn increment_retries(&self, id: RecordId) -> Recording<'_, UndoRecord> {
        self.mark(id, Mark::Retried)
    }

    fn summary(&self, workflow_id: &str) -> Recording<'_, RecordSummary> {
        let workflow = workflow_id.to_owned();
        self.read(move |db| read::summary(db, &workflow))
    }

    fn pending_retry(&self, max_retries: u32, limit: usize) -> Recording<'_, Vec<UndoRecord>> {
        self.read(move |db| read::pending_retry(db, max_retries, limit))
    }

    fn delete_history(&self, workflow_id: &str) -> Recording<'_, u64> {
        let workflow = workflow_id.to_owned();
        Box::pin(self.writer.ask(move |db| write::delete_history(db, &workflow)))
    }

    fn purge_older_than(&self, moment: Timestamp, limit: usize) -> Recording<'_, u64> {
        Box::pin(self.writer.ask(move |db| write::purge(db, moment, limit)))
    }
}
