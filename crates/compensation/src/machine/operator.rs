//! What a person may order: cancel, and retry, skip, mark done or abandon what is stuck.

use super::{Machine, Mode, Park, Phase};
use crate::event::StepIndex;

impl Machine {
    /// Undo what is done. Refused once the pivot is done, and while it may be: only its end can tell
    /// whether there is anything to go back to.
    pub(super) fn cancel_requested(&mut self) -> bool {
        if self.mode != Mode::Forward || self.committed || self.is_pivot_open() {
            return false;
        }
        self.turn_back(true);
        true
    }

    fn is_pivot_open(&self) -> bool {
        self.graph.pivot.is_some_and(|pivot| match self.phase(pivot) {
            Phase::Acting | Phase::Probing | Phase::ProbeDue => true,
            Phase::Retrying => self.step(pivot).tainted,
            _ => false,
        })
    }

    /// Orders about undos are for a saga that is past its settling: before, nobody knows what is owed.
    fn has_settled(&self) -> bool {
        self.mode == Mode::Unwinding
    }

    pub(super) fn retry_ordered(&mut self, step: StepIndex) -> bool {
        match self.phase(step) {
            Phase::Parked(park) => {
                let state = self.step_mut(step);
                state.action.failures = 0;
                state.retryable = true;
                state.probe.failures = 0;
                let due = if park == Park::ProbeFailed { Phase::ProbeDue } else { Phase::Retrying };
                self.enter_due(step, due);
            }
            Phase::UndoParked(_) if self.has_settled() && self.graph.step(step).undo => {
                self.step_mut(step).undo.failures = 0;
                self.enter(step, Phase::UndoRetrying);
                // Undos that it no longer held up, and that have not started, wait for it again.
                self.line_up();
            }
            _ => return false,
        }
        true
    }

    pub(super) fn skip_ordered(&mut self, step: StepIndex) -> bool {
        match self.phase(step) {
            Phase::UndoParked(_) if self.has_settled() => {
                self.undo_ended(step, Phase::UndoSkipped);
            }
            Phase::Parked(_) if self.committed => self.skip_tail(step),
            _ => return false,
        }
        true
    }

    /// Skips a step of the tail with all that waits for it.
    fn skip_tail(&mut self, step: StepIndex) {
        let graph = self.graph.clone();
        let mut left = vec![step];
        while let Some(step) = left.pop() {
            self.enter(step, Phase::Skipped);
            self.open -= 1;
            for &next in &graph.dependents[usize::from(step)] {
                if self.phase(next) == Phase::Waiting && !left.contains(&next) {
                    left.push(next);
                }
            }
        }
    }

    pub(super) fn done_declared(&mut self, step: StepIndex) -> bool {
        match self.phase(step) {
            Phase::UndoParked(_) if self.has_settled() => {
                self.undo_ended(step, Phase::Undone);
            }
            Phase::Parked(_) => self.done(step),
            _ => return false,
        }
        true
    }

    pub(super) fn give_up(&mut self) -> bool {
        if self.tally.live > 0 || self.status().is_final() {
            return false;
        }
        self.abandoned = true;
        true
    }
}
