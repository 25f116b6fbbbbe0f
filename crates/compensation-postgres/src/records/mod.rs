//! Records of undos, in the same schema as sagas or in one of their own.

mod read;
mod rows;
mod write;

use std::{sync::Arc, time::Duration};

use compensation::{
    Timestamp,
    records::{
        Mark, RecordFilter, RecordId, RecordPage, RecordRepository, RecordSummary, Recording,
        UndoRecord,
    },
    repository::RepositoryError,
};

use crate::{
    connection::Target,
    office::Office,
    options::PostgresOptions,
    read::{Ask, Readers},
    rows::Plans,
    session::Post,
};
use write::{Change, Desk};

/// How often the connection that writes is looked at while nothing is written.
const BEAT: Duration = Duration::from_secs(30);

/// A [`RecordRepository`] in a PostgreSQL database, in a schema that may hold sagas too. Several values, in one
/// process or in many, may use one schema.
///
/// What is acknowledged is durable as the server makes it; changes that wait at once share a statement and a
/// sync. A page of a listing is found by an index, however many records there are; only where a workflow *and*
/// an activity are asked for, it reads through the records of that workflow.
///
/// The view `records` lists them in words. Dropping it finishes the changes that were asked for, and blocks for
/// as long as that takes.
///
/// ```no_run
/// use compensation::records::{RecordRepository, UndoRecord};
/// use compensation_postgres::PostgresRecords;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let records = PostgresRecords::open("postgres://shop@db.example/shop").await?;
/// let charge = records.save(UndoRecord::new("order-4711", "charge-card")).await?;
/// records.mark_started(charge.id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PostgresRecords {
    target: Target,
    writer: Office<Change>,
    readers: Arc<Readers>,
}

impl PostgresRecords {
    /// Opens the records in that database, and makes the tables where there are none.
    ///
    /// # Errors
    /// As [`PostgresRepository::open`](crate::PostgresRepository::open).
    pub async fn open(url: &str) -> Result<Self, RepositoryError> {
        PostgresOptions::new().open_records(url).await
    }

    /// The same where the tables must be there already.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where there are none.
    pub async fn open_existing(url: &str) -> Result<Self, RepositoryError> {
        PostgresOptions::new().create(false).open_records(url).await
    }

    pub(crate) async fn with(url: &str, options: PostgresOptions) -> Result<Self, RepositoryError> {
        let target = Target::of(url, &options)?;
        let desk = Desk::new(target.clone(), Post::of(&target.schema));
        let writer = Office::open("record-writer", options.max_batch, BEAT, move || desk)?;
        let (opened, create) = (target.clone(), options.create);
        writer.aside(async move { crate::open(&opened, create).await }).await?;
        let pool = target.pool(options.readers)?;
        let readers = Readers::new(pool, target.place(), Arc::new(Plans::default()));
        Ok(Self { target, writer, readers: Arc::new(readers) })
    }

    /// Where it is, without the password.
    #[must_use]
    pub fn place(&self) -> &str {
        self.target.place()
    }

    fn mark(&self, id: RecordId, mark: Mark) -> Recording<'_, UndoRecord> {
        Box::pin(self.writer.ask(move |reply| Change::Mark(id, mark, reply)))
    }

    fn read<A: Ask>(&self, ask: A) -> Recording<'_, A::Found> {
        let readers = self.readers.clone();
        Box::pin(self.writer.aside(async move { Ok(readers.read(ask).await?) }))
    }
}

impl RecordRepository for PostgresRecords {
    fn save(&self, record: UndoRecord) -> Recording<'_, UndoRecord> {
        Box::pin(self.writer.ask(|reply| Change::Save(Box::new(record), reply)))
    }

    fn get(&self, id: RecordId) -> Recording<'_, Option<UndoRecord>> {
        self.read(read::Get(id))
    }

    fn history(&self, workflow_id: &str) -> Recording<'_, Vec<UndoRecord>> {
        self.read(read::History(workflow_id.to_owned()))
    }

    fn list(&self, filter: RecordFilter) -> Recording<'_, RecordPage> {
        self.read(read::List(filter))
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
        self.read(read::Summary(workflow_id.to_owned()))
    }

    fn pending_retry(&self, max_retries: u32, limit: usize) -> Recording<'_, Vec<UndoRecord>> {
        self.read(read::PendingRetry(max_retries, limit))
    }

    fn delete_history(&self, workflow_id: &str) -> Recording<'_, u64> {
        let workflow = workflow_id.to_owned();
        Box::pin(self.writer.ask(|reply| Change::DeleteHistory(workflow, reply)))
    }

    fn purge_older_than(&self, moment: Timestamp, limit: usize) -> Recording<'_, u64> {
        Box::pin(self.writer.ask(move |reply| Change::Purge(moment, limit, reply)))
    }
}
