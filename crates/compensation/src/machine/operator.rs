//! What a person may order: cancel, and retry, skip, mark done or abandon what is stuck.

use super::{Cause, Machine, Mode, Park, Phase, Step};
use crate::event::{Change, StepIndex};

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
        let Step { phase, action, probe, undo, .. } = *self.step(step);
        match phase {
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
            // What waits out its failures need not, and has a fresh budget.
            Phase::Retrying if action.failures > 0 => {
                self.step_mut(step).action.failures = 0;
                self.withdraw(step);
                self.due.insert(step);
            }
            Phase::ProbeDue if probe.failures > 0 => {
                self.step_mut(step).probe.failures = 0;
                self.withdraw(step);
                self.due.insert(step);
            }
            Phase::UndoRetrying if undo.failures > 0 => {
                self.step_mut(step).undo.failures = 0;
                self.withdraw(step);
                self.undo_due(step);
            }
            _ => return false,
        }
        true
    }

    /// Whether an order would ask for what is so already: such a one is refused, and has harmed nobody.
    #[must_use]
    pub fn is_so(&self, change: Change) -> bool {
        let phase = change.step().and_then(|step| self.steps.get(usize::from(step)));
        let phase = phase.map(|step| step.phase);
        match change {
            Change::Abandoned => self.abandoned,
            _ if self.abandoned => false,
            Change::CancelRequested => self.is_backward(),
            Change::RetryOrdered(_) => phase.is_some_and(|phase| {
                let due = matches!(phase, Phase::Retrying | Phase::ProbeDue | Phase::UndoRetrying);
                due || phase.is_live()
            }),
            Change::SkipOrdered(_) => {
                matches!(phase, Some(Phase::Skipped | Phase::UndoSkipped))
            }
            Change::DoneDeclared(_) => phase == Some(Phase::Done),
            Change::UndoneDeclared(_) => phase == Some(Phase::Undone),
            _ => false,
        }
    }

    /// What stands against an order that is refused.
    pub(super) fn cause(&self, change: Change) -> Cause {
        let step = change.step().filter(|&step| usize::from(step) < self.steps.len());
        let undo_parked = step.is_some_and(|step| matches!(self.phase(step), Phase::UndoParked(_)));
        let has_undo = step.is_some_and(|step| self.graph.step(step).undo);
        match change {
            _ if self.abandoned => Cause::GivenUp,
            Change::CancelRequested if self.committed => Cause::PastPivot,
            Change::CancelRequested if self.mode == Mode::Forward && self.is_pivot_open() => {
                Cause::PivotOpen
            }
            Change::Abandoned if self.tally.live > 0 => Cause::InFlight,
            Change::Abandoned => Cause::Over,
            Change::RetryOrdered(_) if undo_parked && !has_undo => Cause::NoUndo,
            Change::RetryOrdered(_) | Change::SkipOrdered(_) | Change::UndoneDeclared(_)
                if undo_parked && !self.has_settled() =>
            {
                Cause::Settling
            }
            _ => Cause::Standing,
        }
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
        let parked = matches!(self.phase(step), Phase::Parked(_));
        if parked {
            self.done(step);
        }
        parked
    }

    /// A word of its own: a saga may turn back between what a person saw and what they say of it, and to have done
    /// the action by hand is no reason to leave out its undo.
    pub(super) fn undone_declared(&mut self, step: StepIndex) -> bool {
        let parked = matches!(self.phase(step), Phase::UndoParked(_)) && self.has_settled();
        if parked {
            self.undo_ended(step, Phase::Undone);
        }
        parked
    }

    /// That somebody took care of a saga is for its record; what is to be done with it is as before.
    pub(super) fn may_go_on(&self) -> bool {
        !self.status().is_final()
    }

    pub(super) fn give_up(&mut self) -> bool {
        if self.tally.live > 0 || self.status().is_final() {
            return false;
        }
        self.abandoned = true;
        true
    }
}
