//! What goes from a workflow to the activity that mirrors it.

use std::time::SystemTime;

use ::compensation::{CompensationStatus, Timestamp, records::RecordId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{Entry, timestamp};

/// The input of the activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Batch {
    pub(super) lines: Vec<Line>,
}

/// How one undo stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) id: RecordId,
    /// Greater for what is later in the workflow.
    pub(super) sequence: u64,
    pub(super) activity_name: String,
    pub(super) status: CompensationStatus,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) retries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<Value>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl Line {
    pub(super) fn new<C>(id: RecordId, entry: &Entry<C>, input: Option<Value>) -> Self {
        let progress = &entry.progress;
        Self {
            id,
            sequence: entry.changed,
            activity_name: entry.name.clone(),
            status: progress.status,
            retries: progress.attempts.saturating_sub(1),
            started: progress.started.map(timestamp),
            ended: progress.ended.map(timestamp),
            error: progress.error.clone(),
            reason: progress.reason.clone(),
            input,
        }
    }
}

/// The id of an undo's record: the same each time that the workflow is replayed, also after a reset.
pub(super) fn record_id(first_seen: SystemTime, workflow_id: &str, number: u64) -> RecordId {
    // FNV-1a, 64 bit.
    let bytes = workflow_id.as_bytes().iter().copied().chain(number.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // Those of one moment sort by their place, of which 4,096 are told apart.
    let place = u16::try_from(number % 4_096).unwrap_or_default();
    RecordId::derived(timestamp(first_seen), place, hash)
}
