//! Why a repository of records did not do what it was asked.

use super::RecordId;
use crate::{
    compensation_status::CompensationStatus,
    repository::{ErrorKind, RepositoryError},
};

/// Why a call to a [`RecordRepository`](super::RecordRepository) did nothing.
///
/// ```
/// use compensation::records::{MemoryRecords, RecordError, RecordRepository, UndoRecord};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let records = MemoryRecords::new();
/// let record = records.save(UndoRecord::new("order-4711", "charge-card")).await?;
/// match records.mark_completed(record.id).await {
///     Err(RecordError::IllegalTransition { from, to, .. }) => {
///         assert_eq!(format!("{from} to {to}"), "pending to completed");
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), RecordError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// There is no such record.
    #[error("there is no record {0}: it was never saved, or has been deleted")]
    NotFound(RecordId),
    /// A record that stands so can't stand like that next; see
    /// [`CompensationStatus::may_become`].
    #[error("record {id} is {from} and can't become {to}")]
    IllegalTransition {
        /// Which record.
        id: RecordId,
        /// How it stands, and still does.
        from: CompensationStatus,
        /// How it was to stand.
        to: CompensationStatus,
    },
    /// A retry was to be counted of a record with no attempt under way.
    #[error("record {id} is {status}: retries are counted while it is running")]
    NotRunning {
        /// Which record.
        id: RecordId,
        /// How it stands.
        status: CompensationStatus,
    },
    /// The record was written by somebody else since it was read.
    #[error(
        "record {id} has changed since it was read (revision {expected} then, {found} now): read it \
         again"
    )]
    Conflict {
        /// Which record.
        id: RecordId,
        /// The revision that the write was made from; 0 for a new record.
        expected: u64,
        /// The revision in the store.
        found: u64,
    },
    /// What a record is about never changes.
    #[error("record {id} can't be saved with another {field}: make a new record")]
    Fixed {
        /// Which record.
        id: RecordId,
        /// The field, as it is called in JSON.
        field: &'static str,
    },
    /// A field has a value that can't be kept.
    #[error("record {id} can't be saved: {why}")]
    Invalid {
        /// Which record.
        id: RecordId,
        /// Which field, and what is wrong with it.
        why: String,
    },
    /// What is stored of a workflow makes no sense to this program.
    #[error("the records of `{workflow_id}` can't be read: {why}")]
    Unreadable {
        /// Which workflow or saga.
        workflow_id: String,
        /// What makes no sense.
        why: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] RepositoryError),
}

impl RecordError {
    /// What the caller may do about it. Everything but a failure of the store is
    /// [`ErrorKind::Permanent`]: the same call fails again.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            _ => ErrorKind::Permanent,
        }
    }
}
