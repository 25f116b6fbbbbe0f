//! What is to be compensated, and how.

use std::{collections::BTreeSet, time::Duration};

use temporalio_workflow::WorkflowCancellationToken;

/// A place in the order of registration. Made by [`CompensationManager::savepoint`](crate::CompensationManager::savepoint).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Savepoint(pub(crate) u64);

/// What is to be compensated, and how.
///
/// ```
/// use compensation_temporal::Compensate;
///
/// let what = Compensate::only(["hotel", "car"]).parallel(2).halt_on_failure();
/// # let _ = what;
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is compensated until it is given to `compensate_with`"]
pub struct Compensate {
    pub(crate) parallel: u16,
    pub(crate) halt: bool,
    pub(crate) only: Option<BTreeSet<String>>,
    pub(crate) from: u64,
    pub(crate) executed_only: bool,
    pub(crate) abort: Option<WorkflowCancellationToken>,
    pub(crate) within: Option<Duration>,
}

impl Compensate {
    /// Everything that is left, last first, one after the other, whatever fails.
    pub fn all() -> Self {
        Self {
            parallel: 1,
            halt: false,
            only: None,
            from: 0,
            executed_only: false,
            abort: None,
            within: None,
        }
    }

    /// Only the compensations of these names, whatever is known of their outcome: also those that
    /// [`WhenUnknown::Park`](crate::WhenUnknown::Park) keeps back otherwise.
    pub fn only<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { only: Some(names.into_iter().map(Into::into).collect()), ..Self::all() }
    }

    /// Only what was registered since that savepoint.
    pub fn since(savepoint: Savepoint) -> Self {
        Self { from: savepoint.0, ..Self::all() }
    }

    /// So many at once, the last still first; 0 counts as 1. Default: 1.
    pub fn parallel(mut self, at_once: u16) -> Self {
        self.parallel = at_once.max(1);
        self
    }

    /// Starts no further compensation once one has failed; a further call goes on.
    pub fn halt_on_failure(mut self) -> Self {
        self.halt = true;
        self
    }

    /// Leaves out what was registered and never recorded as executed. For workflows that register everything
    /// before they begin; elsewhere it loses the undo of an activity whose reply was lost.
    pub fn executed_only(mut self) -> Self {
        self.executed_only = true;
        self
    }

    /// Gives the rollback up when that token is cancelled: what is in flight is cancelled, the rest is left for a
    /// further call. It must not be a child of the workflow's own token.
    pub fn abort_on(mut self, token: WorkflowCancellationToken) -> Self {
        self.abort = Some(token);
        self
    }

    /// Gives the rollback up after that time of the workflow's, counted from the call. No undo starts later, and none may
    /// take longer than what is left: the server ends it, as if it had timed out. A closure's
    /// [token](crate::UndoContext::token) is cancelled then. The rest is left for a further call. Default: no limit.
    ///
    /// It adds no event to the history, but for a timer beside an undo that is a closure, or beside a step that is still
    /// in flight when the rollback begins.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    pub(crate) fn covers(&self, number: u64, name: &str) -> bool {
        number >= self.from && self.only.as_ref().is_none_or(|names| names.contains(name))
    }
}
