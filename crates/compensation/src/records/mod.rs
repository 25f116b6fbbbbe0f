//! Records of undos: who registered which, how each stands, and how it got there.
//!
//! A [`RecordRepository`] keeps one [`UndoRecord`] for each undo of a workflow, for programs that run their
//! compensations themselves and want them listed, summed up and retried from elsewhere. In memory it is
//! [`MemoryRecords`]; on disk, `SqliteRecords` of the crate `compensation-sqlite`.
//!
//! The durable [`Engine`](crate::Engine) needs none: its journal says all of this already, and
//! [`SagaRecords`](crate::SagaRecords) shows it as the same records.
//!
//! ```
//! use compensation::{CompensationStatus, records::{MemoryRecords, RecordRepository, UndoRecord}};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let records = MemoryRecords::new(); // or SqliteRecords::open("records.db")?
//! let charge = records.save(UndoRecord::new("order-4711", "charge-card")).await?;
//!
//! records.mark_started(charge.id).await?;
//! records.mark_failed(charge.id, "the bank does not answer".to_owned()).await?;
//! for failed in records.pending_retry(3, 10).await? {
//!     let running = records.mark_started(failed.id).await?;
//!     assert_eq!(running.retries, 1);
//!     records.mark_completed(failed.id).await?;
//! }
//! let summary = records.summary("order-4711").await?;
//! assert_eq!(summary.get(CompensationStatus::Completed), 1);
//! # Ok::<(), compensation::records::RecordError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod change;
mod error;
mod id;
mod memory;
mod query;
mod record;

use std::{future::Future, pin::Pin};

pub use change::{MAX_DATA_BYTES, MAX_METADATA_BYTES, MAX_NAME_BYTES, Mark};
pub use error::RecordError;
pub use id::{InvalidRecordId, RecordId};
pub use memory::MemoryRecords;
pub use query::{MAX_PAGE, RecordFilter, RecordPage, RecordSummary, page_size};
pub use record::UndoRecord;

use crate::clock::Timestamp;

/// What a [`RecordRepository`] call returns: a boxed future, so that the trait stays object-safe.
pub type Recording<'a, T> = Pin<Box<dyn Future<Output = Result<T, RecordError>> + Send + 'a>>;

/// A store of [records of undos](UndoRecord).
///
/// # Contract
/// * `Ok` from a call that writes means *durable*, for stores on disk, and tells the record as it now is.
/// * An error means that nothing changed. A failure of the store itself may have struck after the write:
///   read the record before asking again.
/// * A record stands as [`CompensationStatus`](crate::CompensationStatus) says, and changes only
///   [as it may](crate::CompensationStatus::may_become); anything else is a
///   [`RecordError::IllegalTransition`].
/// * Calls may run at once, in one process or in many. Each sees a record as it was before or after another's
///   change: of two that mark the same passage one wins, and the other is told how the record stands; of two
///   saves of one revision one wins, and the other has a [`RecordError::Conflict`]. No count is lost.
/// * Dropping a call's future does not undo the call: a write may still come to pass.
/// * Every error is classified; see [`RecordError::kind`].
///
/// The rules of change are [`UndoRecord::saved`] and [`UndoRecord::marked`], the same for every store. All of
/// it is checked by the conformance suite in `compensation-testing`.
///
/// ```
/// use compensation::records::{MemoryRecords, RecordRepository, UndoRecord};
/// use std::sync::Arc;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let records: Arc<dyn RecordRepository> = Arc::new(MemoryRecords::new());
/// let mut seat = records.save(UndoRecord::new("trip-1", "reserve-seat")).await?;
/// seat.metadata.insert("seat".to_owned(), "17A".to_owned());
/// let seat = records.save(seat).await?;
/// assert_eq!(seat.revision, 2);
/// records.mark_skipped(seat.id, "the flight is gone".to_owned()).await?;
/// let history = records.history("trip-1").await?;
/// assert_eq!(history[0].reason.as_deref(), Some("the flight is gone"));
/// # Ok::<(), compensation::records::RecordError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait RecordRepository: Send + Sync + 'static {
    /// Stores a new record, in whatever status it is, or writes over the stored one that it was read from.
    ///
    /// # Errors
    /// As [`UndoRecord::saved`], and [`RecordError::Store`].
    fn save(&self, record: UndoRecord) -> Recording<'_, UndoRecord>;

    /// The record of that id, if there is one.
    ///
    /// # Errors
    /// [`RecordError::Store`].
    fn get(&self, id: RecordId) -> Recording<'_, Option<UndoRecord>>;

    /// Every record of a workflow, oldest first; none where nobody knows it.
    ///
    /// # Errors
    /// [`RecordError::Store`].
    fn history(&self, workflow_id: &str) -> Recording<'_, Vec<UndoRecord>>;

    /// Lists records, newest first.
    ///
    /// # Errors
    /// [`RecordError::Store`].
    fn list(&self, filter: RecordFilter) -> Recording<'_, RecordPage>;

    /// An attempt starts: pending or failed becomes running. Of a failed one it is counted as a retry.
    ///
    /// # Errors
    /// [`RecordError::NotFound`], [`RecordError::IllegalTransition`], [`RecordError::Store`].
    fn mark_started(&self, id: RecordId) -> Recording<'_, UndoRecord>;

    /// The undo succeeded: running becomes completed.
    ///
    /// # Errors
    /// As [`mark_started`](Self::mark_started).
    fn mark_completed(&self, id: RecordId) -> Recording<'_, UndoRecord>;

    /// The undo failed: running becomes failed. Of the error's text 8 KiB are kept.
    ///
    /// # Errors
    /// As [`mark_started`](Self::mark_started).
    fn mark_failed(&self, id: RecordId, error: String) -> Recording<'_, UndoRecord>;

    /// The undo is passed over: pending, running or failed becomes skipped. Of the reason 8 KiB are kept; the
    /// error of a failed one stays.
    ///
    /// # Errors
    /// As [`mark_started`](Self::mark_started).
    fn mark_skipped(&self, id: RecordId, reason: String) -> Recording<'_, UndoRecord>;

    /// Counts a retry of a running undo: for whoever attempts it once more without marking the failure
    /// between. (A start after a failure is counted already.)
    ///
    /// # Errors
    /// [`RecordError::NotFound`], [`RecordError::NotRunning`], [`RecordError::Store`].
    fn increment_retries(&self, id: RecordId) -> Recording<'_, UndoRecord>;

    /// How many records of a workflow stand how.
    ///
    /// # Errors
    /// [`RecordError::Store`].
    fn summary(&self, workflow_id: &str) -> Recording<'_, RecordSummary>;

    /// Failed records with fewer than `max_retries` retries: those with the fewest first, then the oldest. At
    /// most `limit`; see [`page_size`].
    ///
    /// # Errors
    /// [`RecordError::Store`].
    fn pending_retry(&self, max_retries: u32, limit: usize) -> Recording<'_, Vec<UndoRecord>>;

    /// Deletes every record of a workflow, however it stands. Returns how many there were.
    ///
    /// # Errors
    /// [`RecordError::Store`].
    fn delete_history(&self, workflow_id: &str) -> Recording<'_, u64>;

    /// Deletes at most `limit` completed and skipped records that were made, and over, before that moment.
    /// Returns how many it deleted.
    ///
    /// # Errors
    /// [`RecordError::Store`].
    fn purge_older_than(&self, moment: Timestamp, limit: usize) -> Recording<'_, u64>;
}

const _: fn(&dyn RecordRepository) = |_| ();
