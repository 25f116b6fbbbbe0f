//! A record of one undo, and its JSON: the field names and formats of the Go package that this one
//! re-imagines. Moments are RFC 3339, spans are whole nanoseconds, and what is empty is left out.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RecordId;
use crate::{
    clock::Timestamp,
    compensation_status::CompensationStatus,
    time_format::{moment, nanos},
};

/// What is recorded of one undo: of which activity of which workflow, how it stands, and how it got there.
///
/// Made by whoever registers the undo, kept by a [`RecordRepository`](super::RecordRepository), and moved on
/// by its `mark_` calls.
///
/// ```
/// use compensation::{CompensationStatus, records::UndoRecord};
///
/// let mut record = UndoRecord::new("order-4711", "charge-card");
/// record.run_id = Some("run-2".to_owned());
/// record.compensation_data = "charge-99".into();
/// record.metadata.insert("tenant".to_owned(), "acme".to_owned());
/// assert_eq!(record.status, CompensationStatus::Pending);
///
/// let text = serde_json::to_string(&record)?;
/// assert!(text.contains(r#""workflowId":"order-4711","runId":"run-2","activityName":"charge-card""#));
/// assert_eq!(serde_json::from_str::<UndoRecord>(&text)?, record);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
#[non_exhaustive]
pub struct UndoRecord {
    /// Its id. It also tells when the record was [made](Self::created_at).
    pub id: RecordId,
    /// How often it has been written; 0 until it is saved for the first time. Kept by the store, which
    /// takes a change only from who has seen the last one.
    pub revision: u64,
    /// The workflow or saga. Never changes.
    pub workflow_id: String,
    /// The workflow's run, where there are several. Never changes.
    pub run_id: Option<String>,
    /// The activity or step that is undone. Never changes.
    pub activity_name: String,
    /// How the undo stands.
    pub status: CompensationStatus,
    /// How its last failed attempt failed; gone once it has succeeded.
    pub error: Option<String>,
    /// Why it was skipped, or what else a person said of its end.
    pub reason: Option<String>,
    /// When its first attempt started.
    pub started_at: Option<Timestamp>,
    /// When it was over: succeeded, failed for now, or skipped.
    pub completed_at: Option<Timestamp>,
    /// From the start of its first attempt to the end of its last.
    pub duration: Option<Duration>,
    /// Attempts beyond the first.
    pub retries: u32,
    /// What the undo is given, as JSON; `null` for nothing.
    pub compensation_data: Value,
    /// What else the caller wants to be kept, by name.
    pub metadata: BTreeMap<String, String>,
    /// When the record was written last; kept by the store.
    pub updated_at: Timestamp,
}

impl UndoRecord {
    /// A record of an undo that has not been attempted, made now.
    #[must_use]
    pub fn new(workflow_id: impl Into<String>, activity_name: impl Into<String>) -> Self {
        Self::with_id(RecordId::now(), workflow_id, activity_name)
    }

    /// The same with an id of the caller's.
    ///
    /// ```
    /// use compensation::{Timestamp, records::{RecordId, UndoRecord}};
    ///
    /// let moment: Timestamp = "2026-07-14T09:30:00Z".parse()?;
    /// let record = UndoRecord::with_id(RecordId::at(moment), "order-4711", "charge-card");
    /// assert_eq!(record.created_at(), moment);
    /// # Ok::<(), compensation::InvalidTimestamp>(())
    /// ```
    #[must_use]
    pub fn with_id(
        id: RecordId,
        workflow_id: impl Into<String>,
        activity_name: impl Into<String>,
    ) -> Self {
        Self {
            id,
            revision: 0,
            workflow_id: workflow_id.into(),
            run_id: None,
            activity_name: activity_name.into(),
            status: CompensationStatus::Pending,
            error: None,
            reason: None,
            started_at: None,
            completed_at: None,
            duration: None,
            retries: 0,
            compensation_data: Value::Null,
            metadata: BTreeMap::new(),
            updated_at: id.created_at(),
        }
    }

    /// When it was made; its id says so.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.id.created_at()
    }
}

/// A record as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    id: RecordId,
    #[serde(default)]
    revision: u64,
    workflow_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    activity_name: String,
    status: CompensationStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    completed_at: Option<Timestamp>,
    #[serde(default, with = "nanos", skip_serializing_if = "Option::is_none")]
    duration: Option<Duration>,
    #[serde(default, skip_serializing_if = "is_zero")]
    retries: u32,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    compensation_data: Value,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    updated_at: Option<Timestamp>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// A record that contradicts itself.
#[derive(Debug, thiserror::Error)]
#[error("record {id} was made at {made}, by its id, and says that it was made at {said}")]
struct Contradiction {
    id: RecordId,
    made: Timestamp,
    said: Timestamp,
}

impl TryFrom<Written> for UndoRecord {
    type Error = Contradiction;

    fn try_from(written: Written) -> Result<Self, Contradiction> {
        let Written { id, created_at, updated_at, .. } = written;
        let made = id.created_at();
        if let Some(said) = created_at.filter(|&said| said != made) {
            return Err(Contradiction { id, made, said });
        }
        Ok(Self {
            id,
            revision: written.revision,
            workflow_id: written.workflow_id,
            run_id: written.run_id,
            activity_name: written.activity_name,
            status: written.status,
            error: written.error,
            reason: written.reason,
            started_at: written.started_at,
            completed_at: written.completed_at,
            duration: written.duration,
            retries: written.retries,
            compensation_data: written.compensation_data,
            metadata: written.metadata,
            updated_at: updated_at.unwrap_or(made),
        })
    }
}

impl From<UndoRecord> for Written {
    fn from(record: UndoRecord) -> Self {
        Self {
            created_at: Some(record.created_at()),
            updated_at: Some(record.updated_at),
            id: record.id,
            revision: record.revision,
            workflow_id: record.workflow_id,
            run_id: record.run_id,
            activity_name: record.activity_name,
            status: record.status,
            error: record.error,
            reason: record.reason,
            started_at: record.started_at,
            completed_at: record.completed_at,
            duration: record.duration,
            retries: record.retries,
            compensation_data: record.compensation_data,
            metadata: record.metadata,
        }
    }
}
