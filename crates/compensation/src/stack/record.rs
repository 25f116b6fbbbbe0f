//! Records of compensations, as logs and stores keep them. Their JSON has the field names and formats of the
//! Go package that this one re-imagines, so that one tool reads both: moments are RFC 3339, durations are
//! whole nanoseconds, and what is empty is left out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    compensation_status::CompensationStatus,
    retry::RetryPolicy,
    time_format::{moment, nanos},
};

/// One execution of a compensation of a [`SagaManager`](crate::SagaManager).
///
/// ```
/// use compensation::CompensationRecord;
///
/// let text = r#"{"name":"free-seat","executed":true,"executedAt":"2026-07-14T09:30:00Z","duration":1500000}"#;
/// let record: CompensationRecord = serde_json::from_str(text)?;
/// assert_eq!(record.duration, Some(std::time::Duration::from_micros(1_500)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompensationRecord {
    /// The compensation's name.
    pub name: String,
    /// Whether it has run to its end and succeeded.
    pub executed: bool,
    /// How it stands. Go's records do not have it; it is read from `executed` and `error` then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<CompensationStatus>,
    /// When its first attempt started.
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    pub executed_at: Option<Timestamp>,
    /// How its last attempt failed, where it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// From the start of its first attempt to the end of its last.
    #[serde(default, with = "nanos", skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// Attempts beyond the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// What it was about, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

/// One execution of a compensation inside a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompensationExecutionRecord {
    /// The activity that it undoes.
    pub activity_name: String,
    /// How it stands.
    pub status: CompensationStatus,
    /// When its first attempt started.
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    pub executed_at: Option<Timestamp>,
    /// From the start of its first attempt to the end of its last.
    #[serde(default, with = "nanos", skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// How its last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Attempts beyond the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
}

impl From<CompensationRecord> for CompensationExecutionRecord {
    fn from(record: CompensationRecord) -> Self {
        let status = record.status();
        let CompensationRecord { name, executed_at, error, duration, retries, .. } = record;
        Self { activity_name: name, status, executed_at, duration, error, retries }
    }
}

impl CompensationRecord {
    /// How it stands, also where the record does not say so itself.
    #[must_use]
    pub fn status(&self) -> CompensationStatus {
        self.status.unwrap_or(match (self.executed, &self.error) {
            (_, Some(_)) => CompensationStatus::Failed,
            (true, None) => CompensationStatus::Completed,
            (false, None) => CompensationStatus::Pending,
        })
    }
}

/// A compensation of an activity as plain data: what a workflow engine needs to know to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompensationStep {
    /// The activity that it undoes.
    pub activity_name: String,
    /// What the compensation is given.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub input: serde_json::Value,
    /// The longest that one attempt may take.
    #[serde(default, with = "nanos", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The budget of attempts.
    #[serde(default)]
    pub retry_policy: RetryPolicy,
    /// Whether it may be attempted again.
    #[serde(default)]
    pub idempotent: bool,
    /// Whether its failure is passed over.
    #[serde(default)]
    pub allow_skip: bool,
}

impl CompensationStep {
    /// The compensation of that activity: one attempt, no time limit, idempotent, not to be skipped.
    #[must_use]
    pub fn new(activity_name: impl Into<String>, input: serde_json::Value) -> Self {
        Self {
            activity_name: activity_name.into(),
            input,
            timeout: None,
            retry_policy: RetryPolicy::none(),
            idempotent: true,
            allow_skip: false,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}
