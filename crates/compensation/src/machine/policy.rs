//! The choices that a definition makes for the machine.

use serde::{Deserialize, Serialize};

/// What it means for the saga that a step may have had its effect, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownPolicy {
    /// Undo it, telling the undo that there may be nothing to undo, and roll the saga back.
    Undo,
    /// Attempt it again with the same key until the budget is spent, then park. Needs an idempotent
    /// step.
    Retry,
    /// Ask the step's probe, which finds out.
    Probe,
    /// Wait for a person.
    Park,
}

/// What the other undos do once one has spent its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUndoFailure {
    /// They run (default).
    #[default]
    Continue,
    /// They wait until a person has dealt with it.
    Halt,
}
