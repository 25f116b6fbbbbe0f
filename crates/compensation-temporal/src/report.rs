//! What a rollback did: what is undone, what failed, what was passed over and what is left.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::failure::FailureKind;

/// What a rollback did. It is written into the failure or the cancellation with which the workflow closes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What is undone, in the order in which it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compensated: Vec<String>,
    /// Undos that failed, in the order in which they were given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<UndoFailure>,
    /// What was passed over, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Noted>,
    /// What should be undone and was not attempted, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Noted>,
    /// Why the [mirror](crate::Mirror) may be behind; nothing else suffers from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
}

/// An undo that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoFailure {
    /// What it was to undo.
    pub activity_name: String,
    /// Attempts that are known of, in this rollback and earlier ones.
    pub attempts: u32,
    /// In which way its last attempt failed; absent where it was a closure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FailureKind>,
    /// What its last attempt said.
    pub error: String,
}

/// A name and a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Noted {
    /// What it is about.
    pub activity_name: String,
    /// Why.
    pub reason: String,
}

impl Noted {
    pub(crate) fn new(name: &str, reason: &str) -> Self {
        Self { activity_name: name.to_owned(), reason: reason.to_owned() }
    }
}

impl Report {
    /// Whether nothing failed and nothing is left.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.left.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.compensated.is_empty() {
            parts.push(format!("undone: {}", self.compensated.join(", ")));
        }
        for UndoFailure { activity_name, attempts, error, .. } in &self.failures {
            let times = if *attempts == 1 { "attempt" } else { "attempts" };
            parts.push(format!(
                "the undo of `{activity_name}` failed ({attempts} {times}): {error}"
            ));
        }
        for Noted { activity_name, reason } in &self.left {
            parts.push(format!("`{activity_name}` is left: {reason}"));
        }
        if let Some(why) = &self.mirror {
            parts.push(format!("the records are not mirrored: {why}"));
        }
        f.write_str(if parts.is_empty() { "nothing to undo" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}
