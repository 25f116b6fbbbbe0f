//! A second account of the machine's rules, written to be compared with it: it counts nothing and
//! keeps no sets, but looks at all steps each time it is asked.

use compensation::{
    Certainty, Status,
    machine::{Change, Effect, Park, Phase, StepIndex, Task, UnknownPolicy},
};

use super::shape::Shape;

const PROBE_ATTEMPTS: u32 = 3;

/// How a saga stands by this account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    steps: Vec<Step>,
    backward: bool,
    abandoned: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Step {
    phase: Phase,
    effect: Known,
    retryable: bool,
    failures: u32,
    probe_failures: u32,
    undo_failures: u32,
}

/// What the record tells of an action's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Known {
    None,
    Maybe,
    Sure,
}

impl Account {
    pub(crate) fn new(shape: &Shape) -> Self {
        let step = Step {
            phase: Phase::Waiting,
            effect: Known::None,
            retryable: true,
            failures: 0,
            probe_failures: 0,
            undo_failures: 0,
        };
        Self { steps: vec![step; shape.spec.steps.len()], backward: false, abandoned: false }
    }

    pub(crate) fn phase(&self, step: StepIndex) -> Phase {
        self.steps[usize::from(step)].phase
    }

    pub(crate) fn is_backward(&self) -> bool {
        self.backward
    }

    /// Failures in a row before the next attempt.
    pub(crate) fn failures(&self, step: StepIndex, task: Task) -> u32 {
        let step = &self.steps[usize::from(step)];
        match task {
            Task::Act => step.failures,
            Task::Probe => step.probe_failures,
            Task::Undo(_) => step.undo_failures,
        }
    }

    /// Whether the change can have happened.
    pub(crate) fn is_legal(&self, shape: &Shape, change: Change) -> bool {
        let phase = change.step().map_or(Phase::Waiting, |step| self.phase(step));
        let undo_waits = matches!(phase, Phase::UndoParked(_)) && self.is_unwinding();
        let waits = matches!(phase, Phase::Parked(_));
        !self.abandoned
            && match change {
                Change::ActionStarted(step) => self.task(shape, step) == Some(Task::Act),
                Change::ProbeStarted(step) => self.task(shape, step) == Some(Task::Probe),
                Change::UndoStarted(step) => {
                    matches!(self.task(shape, step), Some(Task::Undo(_)))
                }
                Change::ActionDone(_) | Change::ActionFailed { .. } => phase == Phase::Acting,
                Change::ProbeDone(_) | Change::ProbeNotDone(_) | Change::ProbeFailed { .. } => {
                    phase == Phase::Probing
                }
                Change::UndoDone(_) | Change::UndoFailed { .. } => phase == Phase::Undoing,
                Change::Interrupted(_) => phase.is_live(),
                Change::RetryOrdered(step) => {
                    waits || undo_waits && shape.step(step).undo || self.backs_off(step)
                }
                Change::SkipOrdered(_) => undo_waits || waits && self.is_committed(shape),
                Change::DoneDeclared(_) => waits,
                Change::UndoneDeclared(_) => undo_waits,
                Change::CancelRequested => {
                    !self.backward && !self.is_committed(shape) && !self.may_commit(shape)
                }
                Change::Abandoned => !self.any(Phase::is_live) && !self.status(shape).is_final(),
                Change::ResumeOrdered => !self.status(shape).is_final(),
            }
    }

    /// Whether the step waits for another attempt after a failure.
    fn backs_off(&self, step: StepIndex) -> bool {
        let this = &self.steps[usize::from(step)];
        let failures = match this.phase {
            Phase::Retrying => this.failures,
            Phase::ProbeDue => this.probe_failures,
            Phase::UndoRetrying => this.undo_failures,
            _ => 0,
        };
        failures > 0
    }

    /// What may be started with a step, if anything.
    pub(crate) fn task(&self, shape: &Shape, step: StepIndex) -> Option<Task> {
        let first = |phase| matches!(phase, Phase::Done | Phase::Skipped);
        match self.phase(step) {
            _ if self.abandoned => None,
            Phase::Waiting => {
                let held = self.any(|phase| matches!(phase, Phase::Parked(_)));
                let ready = shape.step(step).after.iter().all(|&before| first(self.phase(before)));
                let may = !self.backward && ready && (!held || self.is_committed(shape));
                may.then_some(Task::Act)
            }
            Phase::Retrying => Some(Task::Act),
            Phase::ProbeDue => Some(Task::Probe),
            _ => {
                let halted =
                    shape.halts() && self.any(|phase| matches!(phase, Phase::UndoParked(_)));
                let behind = |other: &StepIndex| shape.is_behind(step, *other);
                let free = shape
                    .steps()
                    .filter(behind)
                    .all(|other| self.phase(other) != Phase::Undoing && !self.owes(shape, other));
                let may = self.is_unwinding() && self.owes(shape, step) && free && !halted;
                let sure = self.steps[usize::from(step)].effect == Known::Sure;
                may.then_some(Task::Undo(if sure { Effect::Sure } else { Effect::Maybe }))
            }
        }
    }

    /// Whether an undo of the step is still to be started.
    fn owes(&self, shape: &Shape, step: StepIndex) -> bool {
        match self.phase(step) {
            Phase::Done | Phase::Unsure => shape.step(step).undo,
            phase => phase == Phase::UndoRetrying,
        }
    }

    fn any(&self, is: impl Fn(Phase) -> bool) -> bool {
        self.steps.iter().any(|step| is(step.phase))
    }

    pub(crate) fn is_unwinding(&self) -> bool {
        let unsettled = |phase| {
            let due = matches!(phase, Phase::Retrying | Phase::ProbeDue);
            due || matches!(phase, Phase::Acting | Phase::Probing)
        };
        self.backward && !self.any(unsettled)
    }

    fn is_committed(&self, shape: &Shape) -> bool {
        !self.backward && shape.pivot().is_some_and(|pivot| self.phase(pivot) == Phase::Done)
    }

    fn may_commit(&self, shape: &Shape) -> bool {
        shape.pivot().is_some_and(|pivot| match self.phase(pivot) {
            Phase::Acting | Phase::Probing | Phase::ProbeDue => true,
            Phase::Retrying => self.steps[usize::from(pivot)].effect == Known::Maybe,
            _ => false,
        })
    }

    pub(crate) fn status(&self, shape: &Shape) -> Status {
        let goes_on =
            self.any(Phase::is_live) || shape.steps().any(|s| self.task(shape, s).is_some());
        let parked = self.any(|phase| matches!(phase, Phase::Parked(_) | Phase::UndoParked(_)));
        match self.backward {
            _ if self.abandoned => Status::Abandoned,
            false if !self.any(|phase| !matches!(phase, Phase::Done | Phase::Skipped)) => {
                Status::Completed
            }
            true if goes_on => Status::Compensating,
            false if goes_on => Status::Running,
            _ if parked => Status::Stuck,
            _ => Status::Compensated,
        }
    }

    /// Takes a change in that can have happened.
    pub(crate) fn apply(&mut self, shape: &Shape, change: Change) {
        let Some(step) = change.step() else {
            match change {
                Change::CancelRequested => self.turn_back(shape, true),
                Change::ResumeOrdered => {}
                _ => self.abandoned = true,
            }
            return;
        };
        let spec = shape.step(step);
        let this = &mut self.steps[usize::from(step)];
        match change {
            Change::ActionStarted(_) => this.phase = Phase::Acting,
            Change::ProbeStarted(_) => this.phase = Phase::Probing,
            Change::UndoStarted(_) => this.phase = Phase::Undoing,
            Change::ActionDone(_) | Change::ProbeDone(_) => {
                (this.phase, this.effect) = (Phase::Done, Known::Sure);
            }
            Change::ActionFailed { certainty, retryable, .. } => {
                this.failures += 1;
                this.retryable = retryable;
                if certainty == Certainty::Unknown {
                    this.effect = Known::Maybe;
                }
                let asks = shape.unknown(step) == UnknownPolicy::Probe;
                if certainty == Certainty::Unknown && asks {
                    this.phase = Phase::ProbeDue;
                } else {
                    self.again_or_end(shape, step, shape.unknown(step));
                }
            }
            Change::ProbeNotDone(_) => {
                (this.effect, this.probe_failures) = (Known::None, 0);
                self.again_or_end(shape, step, UnknownPolicy::Probe);
            }
            Change::ProbeFailed { retryable, .. } => {
                this.probe_failures += 1;
                if retryable && this.probe_failures < PROBE_ATTEMPTS {
                    this.phase = Phase::ProbeDue;
                } else {
                    this.phase = parked(self.backward, Park::ProbeFailed);
                }
            }
            Change::UndoDone(_) => this.phase = Phase::Undone,
            Change::UndoFailed { retryable, .. } => {
                this.undo_failures += 1;
                let left = spec.undo_attempts.is_none_or(|most| this.undo_failures < most);
                this.phase = match retryable && left && spec.undo_idempotent {
                    true => Phase::UndoRetrying,
                    false if spec.allow_skip => Phase::UndoSkipped,
                    false => Phase::UndoParked(Park::UndoFailed),
                };
            }
            Change::Interrupted(_) => self.interrupt(shape, step),
            Change::RetryOrdered(_) => match this.phase {
                Phase::Retrying => this.failures = 0,
                Phase::ProbeDue => this.probe_failures = 0,
                Phase::UndoRetrying => this.undo_failures = 0,
                _ => self.retry_parked(step),
            },
            Change::SkipOrdered(_) if self.backward => this.phase = Phase::UndoSkipped,
            Change::SkipOrdered(_) => {
                this.phase = Phase::Skipped;
                for other in shape.steps().filter(|&other| shape.is_behind(step, other)) {
                    self.steps[usize::from(other)].phase = Phase::Skipped;
                }
            }
            Change::UndoneDeclared(_) => this.phase = Phase::Undone,
            Change::DoneDeclared(_) => (this.phase, this.effect) = (Phase::Done, Known::Sure),
            Change::CancelRequested | Change::Abandoned | Change::ResumeOrdered => {}
        }
    }

    fn retry_parked(&mut self, step: StepIndex) {
        let this = &mut self.steps[usize::from(step)];
        this.retryable = true;
        if let Phase::UndoParked(_) = this.phase {
            this.undo_failures = 0;
            this.phase = Phase::UndoRetrying;
            return;
        }
        (this.failures, this.probe_failures) = (0, 0);
        let asked = this.phase == Phase::Parked(Park::ProbeFailed);
        this.phase = if asked { Phase::ProbeDue } else { Phase::Retrying };
    }

    fn interrupt(&mut self, shape: &Shape, step: StepIndex) {
        let spec = shape.step(step);
        let forward = !self.backward;
        let this = &mut self.steps[usize::from(step)];
        match this.phase {
            Phase::Probing => this.phase = Phase::ProbeDue,
            Phase::Undoing if spec.undo_idempotent => this.phase = Phase::UndoRetrying,
            Phase::Undoing => this.phase = Phase::UndoParked(Park::UndoInterrupted),
            _ => {
                this.effect = Known::Maybe;
                let default =
                    if spec.idempotent { UnknownPolicy::Undo } else { UnknownPolicy::Park };
                if forward && spec.idempotent {
                    this.phase = Phase::Retrying;
                } else {
                    self.end(shape, step, spec.unknown.unwrap_or(default));
                }
            }
        }
    }

    fn has_attempts(&self, shape: &Shape, step: StepIndex) -> bool {
        let (this, spec) = (&self.steps[usize::from(step)], shape.step(step));
        let left = spec.attempts.is_none_or(|most| this.failures < most);
        spec.idempotent && this.retryable && left
    }

    fn again_or_end(&mut self, shape: &Shape, step: StepIndex, unknown: UnknownPolicy) {
        if !self.backward && self.has_attempts(shape, step) {
            self.steps[usize::from(step)].phase = Phase::Retrying;
        } else {
            self.end(shape, step, unknown);
        }
    }

    /// The step is not attempted again by itself.
    fn end(&mut self, shape: &Shape, step: StepIndex, unknown: UnknownPolicy) {
        let tail = shape.is_tail(step);
        let again = self.backward && self.has_attempts(shape, step);
        let phase = match (self.steps[usize::from(step)].effect, unknown) {
            (Known::None, _) | (_, UnknownPolicy::Undo) if tail => {
                parked(self.backward, Park::TailFailed)
            }
            (Known::None, _) => Phase::Failed,
            (_, UnknownPolicy::Undo) => Phase::Unsure,
            (_, UnknownPolicy::Probe) => Phase::ProbeDue,
            (_, UnknownPolicy::Retry) if again => Phase::Retrying,
            (_, UnknownPolicy::Retry | UnknownPolicy::Park) => {
                parked(self.backward, Park::OutcomeUnknown)
            }
        };
        self.steps[usize::from(step)].phase = phase;
        if !self.backward && matches!(phase, Phase::Failed | Phase::Unsure) {
            self.turn_back(shape, false);
        }
    }

    fn turn_back(&mut self, shape: &Shape, ordered: bool) {
        self.backward = true;
        for step in shape.steps() {
            match self.phase(step) {
                Phase::Retrying => self.end(shape, step, shape.unknown(step)),
                Phase::Parked(_) if ordered => {
                    self.steps[usize::from(step)].phase = Phase::Unsure;
                }
                Phase::Parked(park) => {
                    self.steps[usize::from(step)].phase = Phase::UndoParked(park);
                }
                _ => {}
            }
        }
    }
}

fn parked(backward: bool, park: Park) -> Phase {
    if backward { Phase::UndoParked(park) } else { Phase::Parked(park) }
}
