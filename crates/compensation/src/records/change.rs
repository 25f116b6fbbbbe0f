//! How a record changes: the rules that every store applies, written once. Pure: a record and a change in,
//! the next record or a typed error out.

use std::time::Duration;

use super::{RecordError, UndoRecord};
use crate::{clock::Timestamp, compensation_status::CompensationStatus, error};

/// Longest workflow id, run id and activity name, in bytes. (Temporal allows 1,000 characters.)
pub const MAX_NAME_BYTES: usize = 1_000;

/// Most compensation data, in bytes of JSON.
pub const MAX_DATA_BYTES: usize = 1024 * 1024;

/// Most metadata, in bytes of names and values.
pub const MAX_METADATA_BYTES: usize = 64 * 1024;

/// What a `mark_` call of a [`RecordRepository`](super::RecordRepository) says of an undo.
///
/// ```
/// use compensation::records::{Mark, UndoRecord};
///
/// let record = UndoRecord::new("order-4711", "charge-card");
/// let made = record.created_at();
/// let running = record.marked(&Mark::Started, made)?;
/// assert_eq!(running.marked(&Mark::Retried, made)?.retries, 1);
/// # Ok::<(), compensation::records::RecordError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// An attempt starts. Of one that failed this is another attempt, and counted as a retry.
    Started,
    /// The undo succeeded.
    Completed,
    /// The undo failed, so.
    Failed(String),
    /// The undo is passed over, for that reason.
    Skipped(String),
    /// Whoever runs it attempts it once more, without marking the failure between.
    Retried,
}

impl Mark {
    fn status(&self) -> CompensationStatus {
        match self {
            Self::Started | Self::Retried => CompensationStatus::Running,
            Self::Completed => CompensationStatus::Completed,
            Self::Failed(_) => CompensationStatus::Failed,
            Self::Skipped(_) => CompensationStatus::Skipped,
        }
    }
}

/// The rules of change. They are for stores, which read a record, apply one, and write what comes of it, all
/// in one transaction.
///
/// ```
/// use compensation::{CompensationStatus, Timestamp, records::{Mark, UndoRecord}};
///
/// let record = UndoRecord::new("order-4711", "charge-card");
/// let start = record.created_at();
/// let running = record.marked(&Mark::Started, start)?;
/// let end = Timestamp::from_millis(start.as_millis() + 250);
/// let failed = running.marked(&Mark::Failed("declined".to_owned()), end)?;
/// assert_eq!(failed.status, CompensationStatus::Failed);
/// assert_eq!(failed.duration, Some(std::time::Duration::from_millis(250)));
/// assert!(failed.marked(&Mark::Completed, end).is_err());
/// # Ok::<(), compensation::records::RecordError>(())
/// ```
impl UndoRecord {
    /// The record as it is once that mark is made, at that moment.
    ///
    /// # Errors
    /// [`RecordError::IllegalTransition`] where it stands otherwise than the mark says,
    /// [`RecordError::NotRunning`] for a retry of what is not running.
    pub fn marked(mut self, mark: &Mark, at: Timestamp) -> Result<Self, RecordError> {
        let (id, from, to) = (self.id, self.status, mark.status());
        match mark {
            Mark::Retried if from != CompensationStatus::Running => {
                return Err(RecordError::NotRunning { id, status: from });
            }
            Mark::Retried => {}
            _ if from.may_become(to) => {}
            _ => return Err(RecordError::IllegalTransition { id, from, to }),
        }
        let again = to == CompensationStatus::Running && from != CompensationStatus::Pending;
        self.retries = self.retries.saturating_add(u32::from(again));
        self.status = to;
        match mark {
            Mark::Failed(said) => self.error = Some(error::cut(said.clone())),
            Mark::Skipped(why) => {
                self.reason = Some(error::cut(why.clone()));
                // One that failed is over only now.
                self.completed_at = None;
            }
            Mark::Started | Mark::Completed | Mark::Retried => {}
        }
        self.settle(at);
        Ok(self.written(at))
    }

    /// The record as a save writes it at that moment, over the stored one if there is one.
    ///
    /// # Errors
    /// [`RecordError::Conflict`] where the stored one was written since this one was read,
    /// [`RecordError::NotFound`] where it is gone, [`RecordError::IllegalTransition`] where it can't stand so
    /// after the stored one, [`RecordError::Fixed`] and [`RecordError::Invalid`] for single fields.
    pub fn saved(mut self, stored: Option<&Self>, at: Timestamp) -> Result<Self, RecordError> {
        self.check()?;
        let (id, expected) = (self.id, self.revision);
        match stored {
            None if expected > 0 => return Err(RecordError::NotFound(id)),
            Some(Self { revision: found, .. }) if *found != expected => {
                return Err(RecordError::Conflict { id, expected, found: *found });
            }
            Some(stored) => {
                self.follows(stored)?;
                if self.status != stored.status && self.completed_at == stored.completed_at {
                    self.completed_at = None;
                }
            }
            None => {}
        }
        self.error = self.error.map(error::cut);
        self.reason = self.reason.map(error::cut);
        self.settle(at);
        Ok(self.written(at))
    }

    fn follows(&self, stored: &Self) -> Result<(), RecordError> {
        let fixed = [
            ("workflowId", self.workflow_id == stored.workflow_id),
            ("runId", self.run_id == stored.run_id),
            ("activityName", self.activity_name == stored.activity_name),
        ];
        if let Some((field, _)) = fixed.into_iter().find(|(_, same)| !same) {
            return Err(RecordError::Fixed { id: self.id, field });
        }
        let (from, to) = (stored.status, self.status);
        if from == to || from.may_become(to) {
            return Ok(());
        }
        Err(RecordError::IllegalTransition { id: self.id, from, to })
    }

    /// Makes its moments agree with its status.
    fn settle(&mut self, at: Timestamp) {
        if let CompensationStatus::Pending | CompensationStatus::Running = self.status {
            (self.completed_at, self.duration) = (None, None);
            if self.status == CompensationStatus::Running {
                self.started_at.get_or_insert(at);
            }
            return;
        }
        if self.status == CompensationStatus::Completed {
            self.error = None;
        }
        let end = *self.completed_at.get_or_insert(at);
        if let (Some(start), None) = (self.started_at, self.duration) {
            // A clock that was set back gives no span.
            let millis = end.as_millis().saturating_sub(start.as_millis()).max(0);
            self.duration = Some(Duration::from_millis(millis.unsigned_abs()));
        }
    }

    fn written(mut self, at: Timestamp) -> Self {
        self.revision += 1;
        self.updated_at = at;
        self
    }

    fn check(&self) -> Result<(), RecordError> {
        let invalid = |why: String| Err(RecordError::Invalid { id: self.id, why });
        let run = self.run_id.as_deref().unwrap_or("-");
        let names = [
            ("workflowId", &*self.workflow_id),
            ("runId", run),
            ("activityName", &*self.activity_name),
        ];
        for (field, name) in names {
            if name.is_empty() {
                return invalid(format!("its {field} is empty: name it"));
            }
            if name.len() > MAX_NAME_BYTES {
                let bytes = name.len();
                return invalid(format!(
                    "its {field} has {bytes} bytes: at most {MAX_NAME_BYTES} are kept"
                ));
            }
        }
        let data = self.compensation_data.to_string().len();
        if data > MAX_DATA_BYTES {
            return invalid(format!(
                "its compensationData has {data} bytes of JSON: at most {MAX_DATA_BYTES} are kept"
            ));
        }
        let metadata: usize =
            self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if metadata > MAX_METADATA_BYTES {
            return invalid(format!(
                "its metadata has {metadata} bytes: at most {MAX_METADATA_BYTES} are kept"
            ));
        }
        Ok(())
    }
}
