//! Actions and probes: how a step gets done, and what becomes of one that does not.

use super::{Machine, Mode, PROBE_ATTEMPTS, Park, Phase, UnknownPolicy};
use crate::{error::Certainty, event::StepIndex};

impl Machine {
    pub(super) fn action_started(&mut self, step: StepIndex) -> bool {
        let startable = matches!(self.phase(step), Phase::Waiting | Phase::Retrying);
        if !startable || !self.may_start(step) {
            return false;
        }
        self.step_mut(step).action.started += 1;
        self.occupy(step, Phase::Acting);
        true
    }

    pub(super) fn action_done(&mut self, step: StepIndex) -> bool {
        if self.phase(step) != Phase::Acting {
            return false;
        }
        self.done(step);
        true
    }

    pub(super) fn action_failed(
        &mut self,
        step: StepIndex,
        certainty: Certainty,
        retryable: bool,
    ) -> bool {
        if self.phase(step) != Phase::Acting {
            return false;
        }
        self.release(step);
        let state = self.step_mut(step);
        state.action.failures = state.action.failures.saturating_add(1);
        state.retryable = retryable;
        state.tainted |= certainty == Certainty::Unknown;
        if certainty == Certainty::Unknown && self.graph.unknown(step) == UnknownPolicy::Probe {
            self.enter_due(step, Phase::ProbeDue);
        } else if self.mode == Mode::Forward && self.has_attempts(step) {
            self.enter_due(step, Phase::Retrying);
        } else {
            self.conclude(step, self.graph.unknown(step));
        }
        true
    }

    pub(super) fn probe_started(&mut self, step: StepIndex) -> bool {
        if self.phase(step) != Phase::ProbeDue || !self.may_start(step) {
            return false;
        }
        self.step_mut(step).probe.started += 1;
        self.occupy(step, Phase::Probing);
        true
    }

    pub(super) fn probe_done(&mut self, step: StepIndex) -> bool {
        if self.phase(step) != Phase::Probing {
            return false;
        }
        self.done(step);
        true
    }

    pub(super) fn probe_not_done(&mut self, step: StepIndex) -> bool {
        if self.phase(step) != Phase::Probing {
            return false;
        }
        self.release(step);
        let state = self.step_mut(step);
        state.tainted = false;
        state.probe.failures = 0;
        if self.mode == Mode::Forward && self.has_attempts(step) {
            self.enter_due(step, Phase::Retrying);
        } else {
            self.conclude(step, UnknownPolicy::Probe);
        }
        true
    }

    pub(super) fn probe_failed(&mut self, step: StepIndex, retryable: bool) -> bool {
        if self.phase(step) != Phase::Probing {
            return false;
        }
        self.release(step);
        let probe = &mut self.step_mut(step).probe;
        probe.failures += 1;
        if retryable && probe.failures < PROBE_ATTEMPTS {
            self.enter_due(step, Phase::ProbeDue);
        } else {
            self.park(step, Park::ProbeFailed);
        }
        true
    }

    pub(super) fn interrupted(&mut self, step: StepIndex) -> bool {
        match self.phase(step) {
            Phase::Acting => self.action_interrupted(step),
            Phase::Probing => {
                self.release(step);
                self.enter_due(step, Phase::ProbeDue);
            }
            Phase::Undoing => self.undo_interrupted(step),
            _ => return false,
        }
        true
    }

    /// A restart is no failure: an idempotent step is attempted again and its budget stays whole.
    fn action_interrupted(&mut self, step: StepIndex) {
        self.release(step);
        self.step_mut(step).tainted = true;
        let spec = self.graph.step(step);
        if self.mode == Mode::Forward && spec.idempotent {
            self.enter_due(step, Phase::Retrying);
        } else {
            let declared = spec.unknown;
            let undeclared =
                if spec.idempotent { UnknownPolicy::Undo } else { UnknownPolicy::Park };
            self.conclude(step, declared.unwrap_or(undeclared));
        }
    }

    /// The action (or the probe in its place, or a person) reports success.
    pub(super) fn done(&mut self, step: StepIndex) {
        self.release(step);
        self.step_mut(step).tainted = false;
        self.enter(step, Phase::Done);
        if self.mode != Mode::Forward {
            return self.settled_one();
        }
        self.open -= 1;
        self.committed |= self.graph.pivot == Some(step);
        let graph = self.graph.clone();
        for &next in &graph.dependents[usize::from(step)] {
            let state = self.step_mut(next);
            state.waits -= 1;
            if state.waits == 0 && state.phase == Phase::Waiting {
                self.due.insert(next);
            }
        }
    }

    /// Decides about a step that will not be attempted again by itself.
    pub(super) fn conclude(&mut self, step: StepIndex, unknown: UnknownPolicy) {
        let tainted = self.step(step).tainted;
        let tail = self.graph.tail[usize::from(step)];
        match unknown {
            _ if !tainted && tail => self.park(step, Park::TailFailed),
            _ if !tainted => self.end(step, Phase::Failed),
            UnknownPolicy::Undo if tail => self.park(step, Park::TailFailed),
            UnknownPolicy::Undo => self.end(step, Phase::Unsure),
            UnknownPolicy::Probe => self.enter_due(step, Phase::ProbeDue),
            // Rolled back before its budget is spent: trying again is how it finds out.
            UnknownPolicy::Retry if self.mode != Mode::Forward && self.has_attempts(step) => {
                self.enter_due(step, Phase::Retrying);
            }
            UnknownPolicy::Retry | UnknownPolicy::Park => self.park(step, Park::OutcomeUnknown),
        }
    }

    /// The step has failed for good: the saga turns back, if it has not yet.
    fn end(&mut self, step: StepIndex, phase: Phase) {
        self.enter(step, phase);
        match self.mode {
            Mode::Forward => self.turn_back(false),
            Mode::Settling | Mode::Unwinding => self.settled_one(),
        }
    }

    /// The step waits for a person.
    fn park(&mut self, step: StepIndex, park: Park) {
        match self.mode {
            Mode::Forward => self.enter(step, Phase::Parked(park)),
            Mode::Settling | Mode::Unwinding => {
                self.enter(step, Phase::UndoParked(park));
                self.settled_one();
            }
        }
    }

    /// Whether the step may be attempted again by itself.
    fn has_attempts(&self, step: StepIndex) -> bool {
        let (state, spec) = (self.step(step), self.graph.step(step));
        let left = spec.attempts.is_none_or(|attempts| state.action.failures < attempts);
        state.retryable && spec.idempotent && left
    }
}
