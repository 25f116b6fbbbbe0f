//! Rolling back: first everything in flight is settled, then steps are undone in the exact reverse of
//! the order of dependence.

use std::sync::Arc;

use super::{Graph, Machine, Mode, OnUndoFailure, Park, Phase};
use crate::event::StepIndex;

impl Machine {
    /// The decision to roll back. `ordered`: by a person, who thereby also decides about what is
    /// parked.
    pub(super) fn turn_back(&mut self, ordered: bool) {
        self.mode = Mode::Settling;
        for step in self.indices() {
            match self.phase(step) {
                Phase::Waiting => {
                    self.withdraw(step);
                }
                Phase::Retrying => {
                    let withdrawn = self.withdraw(step);
                    self.conclude_backward(step);
                    if withdrawn && self.phase(step) == Phase::Retrying {
                        // Another attempt is how it finds out, and the command for it still stands.
                        self.issue(step);
                    }
                }
                Phase::Parked(_) if ordered => self.enter(step, Phase::Unsure),
                Phase::Parked(park) => self.enter(step, Phase::UndoParked(park)),
                _ => {}
            }
        }
        self.settled_one();
    }

    /// What becomes, in a rollback, of a step that waited for another attempt.
    fn conclude_backward(&mut self, step: StepIndex) {
        // While the loop over all steps runs, unwinding must not begin: count this one as unsettled.
        self.tally.unsettled += 1;
        self.conclude(step, self.graph.unknown(step));
        self.tally.unsettled -= 1;
    }

    /// Called whenever a step may have been the last one to settle.
    pub(super) fn settled_one(&mut self) {
        if self.mode == Mode::Settling && self.tally.unsettled == 0 {
            self.unwind();
        }
    }

    fn unwind(&mut self) {
        self.mode = Mode::Unwinding;
        self.owed = self.indices().filter(|&step| self.owes_undo(step)).count() as u16;
        self.line_up();
    }

    /// Works out who waits for whose undo.
    pub(super) fn line_up(&mut self) {
        let graph = self.graph.clone();
        // Dependents come first in this order, so each step finds theirs decided.
        for &step in graph.order.iter().rev() {
            let dependents = &graph.dependents[usize::from(step)];
            let unsettled = dependents.iter().filter(|&&next| !self.step(next).settled).count();
            let settled = unsettled == 0 && !self.holds_up(step);
            let state = self.step_mut(step);
            state.blockers = unsettled as u16;
            state.settled = settled;
            self.undo_due(step);
        }
    }

    fn owes_undo(&self, step: StepIndex) -> bool {
        matches!(self.phase(step), Phase::Done | Phase::Unsure) && self.graph.step(step).undo
    }

    /// Whether the step's own undo keeps those of its dependencies waiting. A parked one does not,
    /// unless the others are to wait for a person.
    fn holds_up(&self, step: StepIndex) -> bool {
        match self.phase(step) {
            Phase::Undoing | Phase::UndoRetrying => true,
            Phase::UndoParked(_) => self.graph.on_undo_failure == OnUndoFailure::Halt,
            _ => self.owes_undo(step),
        }
    }

    pub(super) fn undo_started(&mut self, step: StepIndex) -> bool {
        let first = self.owes_undo(step);
        let startable = first || self.phase(step) == Phase::UndoRetrying;
        if self.mode != Mode::Unwinding || !startable || !self.may_start(step) {
            return false;
        }
        if first {
            self.owed -= 1;
            // From here on the phase no longer tells whether the action was done.
            let unsure = self.phase(step) == Phase::Unsure;
            self.step_mut(step).tainted = unsure;
        }
        self.step_mut(step).undo.started += 1;
        self.occupy(step, Phase::Undoing);
        true
    }

    pub(super) fn undo_done(&mut self, step: StepIndex) -> bool {
        if self.phase(step) != Phase::Undoing {
            return false;
        }
        self.undo_ended(step, Phase::Undone);
        true
    }

    pub(super) fn undo_failed(&mut self, step: StepIndex, retryable: bool) -> bool {
        if self.phase(step) != Phase::Undoing {
            return false;
        }
        let undo = &mut self.step_mut(step).undo;
        undo.failures = undo.failures.saturating_add(1);
        let failures = undo.failures;
        let spec = self.graph.step(step);
        let left = spec.undo_attempts.is_none_or(|attempts| failures < attempts);
        if retryable && spec.undo_idempotent && left {
            self.undo_again(step);
        } else if spec.allow_skip {
            self.undo_ended(step, Phase::UndoSkipped);
        } else {
            self.undo_ended(step, Phase::UndoParked(Park::UndoFailed));
        }
        true
    }

    pub(super) fn undo_interrupted(&mut self, step: StepIndex) {
        if self.graph.step(step).undo_idempotent {
            self.undo_again(step);
        } else {
            self.undo_ended(step, Phase::UndoParked(Park::UndoInterrupted));
        }
    }

    fn undo_again(&mut self, step: StepIndex) {
        self.release(step);
        self.enter(step, Phase::UndoRetrying);
        self.undo_due(step);
    }

    /// An undo may start once nothing that depends on its step is left to undo.
    pub(super) fn undo_due(&mut self, step: StepIndex) {
        let wanted = self.owes_undo(step) || self.phase(step) == Phase::UndoRetrying;
        let state = self.step(step);
        if wanted && state.blockers == 0 && !state.issued {
            self.due.insert(step);
        }
    }

    /// An undo is over, one way or the other. A parked one holds nobody up under `continue`, and
    /// under `halt` holds up all, whatever depends on what.
    pub(super) fn undo_ended(&mut self, step: StepIndex, phase: Phase) {
        self.release(step);
        self.enter(step, phase);
        if self.step(step).blockers == 0 && !self.holds_up(step) {
            self.settle(&self.graph.clone(), step);
        }
    }

    /// Lets what the step depends on be undone, as far as nothing else holds it up.
    fn settle(&mut self, graph: &Arc<Graph>, step: StepIndex) {
        let mut left = vec![step];
        while let Some(step) = left.pop() {
            if std::mem::replace(&mut self.step_mut(step).settled, true) {
                continue;
            }
            for &before in &graph.step(step).after {
                let state = self.step_mut(before);
                state.blockers -= 1;
                if state.blockers > 0 {
                    continue;
                }
                if self.holds_up(before) {
                    self.undo_due(before);
                } else {
                    left.push(before);
                }
            }
        }
    }
}
