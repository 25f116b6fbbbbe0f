//! What must never happen to a saga, judged by what has happened to it: only whether a step waits for
//! a person is asked of its state.

use compensation::{
    Certainty, Status,
    machine::{Change, Phase, StepIndex},
};

use super::{account::Account, shape::Shape};

/// What has happened so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct History {
    steps: Vec<Past>,
    undoing: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Past {
    acting: bool,
    probing: bool,
    undoing: bool,
    attempted: bool,
    undo_attempted: bool,
    /// The record says that the action had its effect.
    done: bool,
    /// The record does not say that an attempt had no effect.
    maybe: bool,
    /// The effect is gone, or a person or the definition passed over it.
    undone: bool,
    ordered: bool,
    undo_ordered: bool,
}

impl Past {
    fn is_live(self) -> bool {
        self.acting || self.probing || self.undoing
    }
}

impl History {
    pub(crate) fn new(shape: &Shape) -> Self {
        Self { steps: vec![Past::default(); shape.spec.steps.len()], undoing: false }
    }

    fn past(&self, step: StepIndex) -> Past {
        self.steps[usize::from(step)]
    }

    fn past_mut(&mut self, step: StepIndex) -> &mut Past {
        &mut self.steps[usize::from(step)]
    }

    /// Adds a change that led from one state to another, and judges both the change and where it led.
    pub(crate) fn add(
        &mut self,
        shape: &Shape,
        change: Change,
        before: &Account,
        after: &Account,
    ) -> Result<(), String> {
        match change {
            Change::ActionStarted(step) => self.action_starts(shape, step)?,
            Change::UndoStarted(step) => self.undo_starts(shape, step, before)?,
            Change::ActionDone(step) | Change::ProbeDone(step) => self.done(step)?,
            Change::UndoDone(step) => self.undone(shape, step)?,
            Change::RetryOrdered(step) => {
                let past = self.past_mut(step);
                ensure!(!past.undone, "step {step} is ordered anew though it is undone");
                (past.ordered, past.undo_ordered) = (true, true);
            }
            Change::DoneDeclared(step) => self.done(step)?,
            Change::UndoneDeclared(step) => self.past_mut(step).undone = true,
            Change::SkipOrdered(step) => self.past_mut(step).undone = true,
            Change::CancelRequested => self.pivot_is_open(shape, "a cancel")?,
            Change::ProbeStarted(step) => {
                let past = self.past(step);
                ensure!(past.maybe && !past.done, "step {step} is probed without a question");
            }
            Change::ProbeNotDone(step) => self.past_mut(step).maybe = false,
            Change::ActionFailed { step, certainty, .. } => {
                self.past_mut(step).maybe |= certainty == Certainty::Unknown;
            }
            Change::UndoFailed { step, .. } if after.phase(step) == Phase::UndoSkipped => {
                ensure!(shape.step(step).allow_skip, "the undo of {step} is skipped unasked");
                self.past_mut(step).undone = true;
            }
            Change::Interrupted(step) => {
                let past = self.past_mut(step);
                past.maybe |= past.acting;
            }
            Change::Abandoned => {
                let live = self.steps.iter().any(|past| past.is_live());
                ensure!(!live, "abandoned with attempts in flight");
            }
            Change::UndoFailed { .. } | Change::ProbeFailed { .. } => {}
            Change::ResumeOrdered => ensure!(before == after, "a resume changed something"),
        }
        self.track(change);
        ensure!(after.is_backward() || !before.is_backward(), "a rollback turned forward");
        self.loses_no_undo(shape, after)
    }

    fn action_starts(&mut self, shape: &Shape, step: StepIndex) -> Result<(), String> {
        ensure!(!self.undoing, "step {step} acts though undos have begun");
        for &before in &shape.step(step).after {
            let past = self.past(before);
            ensure!(past.done && !past.undone, "step {step} acts before {before} is done");
        }
        let idempotent = shape.step(step).idempotent;
        let past = self.past_mut(step);
        ensure!(!past.done && !past.undone, "step {step} acts though it is done");
        ensure!(idempotent || !past.attempted || past.ordered, "step {step} acts a second time");
        past.attempted = true;
        past.ordered = false;
        Ok(())
    }

    fn done(&mut self, step: StepIndex) -> Result<(), String> {
        let past = self.past_mut(step);
        ensure!(past.attempted && !past.done, "step {step} is done, which it was or cannot be");
        past.done = true;
        Ok(())
    }

    fn undo_starts(
        &mut self,
        shape: &Shape,
        step: StepIndex,
        before: &Account,
    ) -> Result<(), String> {
        self.undoing = true;
        self.pivot_is_open(shape, "an undo")?;
        let acting = self.steps.iter().any(|past| past.acting || past.probing);
        ensure!(!acting, "the undo of {step} races an action");
        for other in shape.steps().filter(|&other| shape.is_behind(step, other)) {
            ensure!(!self.past(other).undoing, "the undo of {step} races that of {other}");
            let waits = matches!(before.phase(other), Phase::UndoParked(_));
            ensure!(waits || !self.owes_undo(shape, other), "step {step} is undone before {other}");
        }
        ensure!(self.owes_undo(shape, step), "step {step} is undone without need");
        let repeatable = shape.step(step).undo_idempotent;
        let past = self.past_mut(step);
        let again = past.undo_attempted && !past.undo_ordered;
        ensure!(repeatable || !again, "step {step} is undone a second time");
        past.undo_attempted = true;
        past.undo_ordered = false;
        Ok(())
    }

    fn undone(&mut self, shape: &Shape, step: StepIndex) -> Result<(), String> {
        ensure!(self.owes_undo(shape, step), "step {step} is undone twice");
        self.past_mut(step).undone = true;
        Ok(())
    }

    fn owes_undo(&self, shape: &Shape, step: StepIndex) -> bool {
        let past = self.past(step);
        (past.done || past.maybe) && !past.undone && shape.step(step).undo
    }

    fn pivot_is_open(&self, shape: &Shape, what: &str) -> Result<(), String> {
        if let Some(pivot) = shape.pivot() {
            let past = self.past(pivot);
            ensure!(!past.done || past.undone, "{what} after the pivot");
            ensure!(!past.acting && !past.probing, "{what} beside the pivot");
        }
        Ok(())
    }

    fn track(&mut self, change: Change) {
        let Some(step) = change.step() else { return };
        let past = self.past_mut(step);
        past.acting = matches!(change, Change::ActionStarted(_));
        past.probing = matches!(change, Change::ProbeStarted(_));
        past.undoing = matches!(change, Change::UndoStarted(_));
    }

    /// A saga that is over has undone what it owed. One that waits for a person after turning back
    /// waits for every undo that is left, or was told to wait with the others.
    fn loses_no_undo(&self, shape: &Shape, account: &Account) -> Result<(), String> {
        let status = account.status(shape);
        let owed = || shape.steps().filter(|&step| self.owes_undo(shape, step));
        let parked = |step| matches!(account.phase(step), Phase::UndoParked(_));
        match status {
            Status::Compensated => {
                ensure!(owed().next().is_none(), "compensated without undoing {:?}", owed().next());
            }
            Status::Stuck if account.is_backward() && !shape.halts() => {
                let lost = owed().find(|&step| !parked(step));
                ensure!(lost.is_none(), "nobody undoes {lost:?}");
            }
            Status::Completed => {
                let open = shape.steps().find(|&step| {
                    let past = self.past(step);
                    !past.done && !past.undone && account.phase(step) != Phase::Skipped
                });
                ensure!(open.is_none(), "completed without {open:?}");
            }
            _ => {}
        }
        Ok(())
    }
}
