//! A saga's shape as the tests look at it: every relation at hand, nothing clever.

use std::{fmt, sync::Arc};

use compensation::{
    Certainty,
    machine::{Change, Graph, GraphSpec, OnUndoFailure, StepIndex, StepSpec, UnknownPolicy},
};

use super::print;

/// A sound saga.
#[derive(Clone)]
pub(crate) struct Shape {
    pub(crate) spec: GraphSpec,
    pub(crate) graph: Arc<Graph>,
    /// `behind[a][b]`: `b` comes after `a`, however far.
    behind: Vec<Vec<bool>>,
}

impl Shape {
    /// `None` where the graph is refused.
    pub(crate) fn new(spec: GraphSpec) -> Option<Self> {
        let graph = Arc::new(Graph::new(spec.clone()).ok()?);
        let count = spec.steps.len();
        let mut behind = vec![vec![false; count]; count];
        for (step, place) in spec.steps.iter().zip(0..) {
            for &before in &step.after {
                behind[usize::from(before)][place] = true;
            }
        }
        for middle in 0..count {
            for first in 0..count {
                for last in 0..count {
                    behind[first][last] |= behind[first][middle] && behind[middle][last];
                }
            }
        }
        Some(Self { spec, graph, behind })
    }

    pub(crate) fn steps(&self) -> impl DoubleEndedIterator<Item = StepIndex> + use<> {
        0..StepIndex::try_from(self.spec.steps.len()).expect("few steps")
    }

    pub(crate) fn step(&self, step: StepIndex) -> &StepSpec {
        &self.spec.steps[usize::from(step)]
    }

    pub(crate) fn is_behind(&self, first: StepIndex, last: StepIndex) -> bool {
        self.behind[usize::from(first)][usize::from(last)]
    }

    pub(crate) fn pivot(&self) -> Option<StepIndex> {
        self.steps().find(|&step| self.step(step).pivot)
    }

    pub(crate) fn is_tail(&self, step: StepIndex) -> bool {
        self.pivot().is_some_and(|pivot| self.is_behind(pivot, step))
    }

    pub(crate) fn unknown(&self, step: StepIndex) -> UnknownPolicy {
        let spec = self.step(step);
        let judged_by_a_person = spec.pivot && !spec.undo;
        let default = if judged_by_a_person { UnknownPolicy::Park } else { UnknownPolicy::Undo };
        spec.unknown.unwrap_or(default)
    }

    pub(crate) fn halts(&self) -> bool {
        self.spec.on_undo_failure == OnUndoFailure::Halt
    }

    /// Everything that could be said to have happened, to any step.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let mut changes = vec![Change::CancelRequested, Change::Abandoned, Change::ResumeOrdered];
        for step in self.steps() {
            changes.extend([
                Change::ActionStarted(step),
                Change::ActionDone(step),
                Change::ProbeStarted(step),
                Change::ProbeDone(step),
                Change::ProbeNotDone(step),
                Change::UndoStarted(step),
                Change::UndoDone(step),
                Change::Interrupted(step),
                Change::RetryOrdered(step),
                Change::SkipOrdered(step),
                Change::DoneDeclared(step),
                Change::UndoneDeclared(step),
            ]);
            for retryable in [true, false] {
                changes.push(Change::ProbeFailed { step, retryable });
                changes.push(Change::UndoFailed { step, retryable });
                for certainty in [Certainty::NotDone, Certainty::Unknown] {
                    changes.push(Change::ActionFailed { step, certainty, retryable });
                }
            }
        }
        changes
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", print::saga(&self.spec))
    }
}
