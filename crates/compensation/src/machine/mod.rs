//! The machine: the only truth about a saga's state.
//!
//! Changes in, commands out; step indices and nothing else. It has no clock, no randomness, no I/O, no
//! async and no user data, so that the same changes always give the same state: a new machine is
//! one recovered from an empty journal. Drivers carry out its commands and report what came of them.
//!
//! ```
//! use std::sync::Arc;
//! use compensation::machine::{Change, Graph, GraphSpec, Machine, OnUndoFailure, StepSpec};
//! use compensation::Status;
//!
//! let step = StepSpec {
//!     after: vec![], undo: true, probe: false, unknown: None, idempotent: true,
//!     undo_idempotent: true, pivot: false, allow_skip: false,
//!     attempts: Some(1), undo_attempts: Some(1),
//! };
//! let spec = GraphSpec { steps: vec![step], parallel: 1, on_undo_failure: OnUndoFailure::Continue };
//! let graph = Arc::new(Graph::new(spec).expect("one step"));
//!
//! let mut machine = Machine::new(graph);
//! let command = machine.next().expect("the step may start");
//! machine.apply(Change::ActionStarted(command.step))?;
//! machine.apply(Change::ActionDone(command.step))?;
//! assert_eq!(machine.status(), Status::Completed);
//! # Ok::<(), compensation::machine::Illegal>(())
//! ```

mod backward;
mod bits;
mod forward;
mod graph;
mod illegal;
mod operator;
mod phase;
mod policy;

use std::sync::Arc;

use bits::Bits;
use phase::Tally;

pub use graph::{Graph, GraphError, GraphSpec, MAX_STEPS, StepSpec};
pub use illegal::{Cause, Illegal};
pub use phase::{Park, Phase};
pub use policy::{OnUndoFailure, UnknownPolicy};

pub use crate::event::{Change, StepIndex};
use crate::status::Status;

/// How often a probe is attempted before the step parks.
pub(crate) const PROBE_ATTEMPTS: u32 = 3;

/// A saga's state. See the [module](self).
#[derive(Clone, Debug)]
pub struct Machine {
    graph: Arc<Graph>,
    steps: Box<[Step]>,
    /// Steps whose next attempt is due and not yet given out as a command.
    due: Bits,
    tally: Tally,
    mode: Mode,
    abandoned: bool,
    /// The pivot is done.
    committed: bool,
    /// Steps neither done nor skipped.
    open: u16,
    /// Steps whose undo is owed and not yet started; counted from the start of unwinding.
    owed: u16,
    /// Attempts given out or in flight.
    busy: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Steps are being done.
    Forward,
    /// The saga is rolled back, and what is in flight is being settled.
    Settling,
    /// Steps are being undone.
    Unwinding,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    phase: Phase,
    /// An attempt may have had an effect, whatever later ones say.
    tainted: bool,
    /// Whether the last failure allowed another attempt.
    retryable: bool,
    /// Its next attempt was given out as a command and has not started.
    issued: bool,
    /// Nothing that it depends on has to wait for its undo.
    settled: bool,
    /// Dependencies not yet done.
    waits: u16,
    /// Dependents not yet settled.
    blockers: u16,
    action: Count,
    probe: Count,
    undo: Count,
}

/// Attempts ever started, and failures since the budget was last fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    started: u32,
    failures: u32,
}

/// What a driver is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// With which step.
    pub step: StepIndex,
    /// What.
    pub task: Task,
    /// The attempt's number, from 1, over the whole life of the saga.
    pub attempt: u32,
    /// Failures in a row before it; the driver waits accordingly before it starts the attempt.
    pub failures: u32,
}

/// What to do with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Run its action.
    Act,
    /// Run its probe.
    Probe,
    /// Run its undo.
    Undo(Effect),
}

/// Whether a step that is to be undone had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is recorded as done.
    Sure,
    /// There may be nothing to undo.
    Maybe,
}

impl Machine {
    /// A saga of which nothing has happened yet.
    #[must_use]
    pub fn new(graph: Arc<Graph>) -> Self {
        let mut due = Bits::new(graph.len());
        let steps: Box<[Step]> = graph
            .steps
            .iter()
            .zip(0..)
            .map(|(spec, index)| {
                if spec.after.is_empty() {
                    due.insert(index);
                }
                Step::new(spec.after.len() as u16)
            })
            .collect();
        Self {
            steps,
            due,
            tally: Tally::default(),
            mode: Mode::Forward,
            abandoned: false,
            committed: false,
            open: graph.len() as u16,
            owed: 0,
            busy: 0,
            graph,
        }
    }

    /// The state after those changes.
    ///
    /// # Errors
    /// The first change that cannot have happened.
    pub fn recover(
        graph: Arc<Graph>,
        changes: impl IntoIterator<Item = Change>,
    ) -> Result<Self, Illegal> {
        let mut machine = Self::new(graph);
        for change in changes {
            machine.apply(change)?;
        }
        Ok(machine)
    }

    /// Takes one change in.
    ///
    /// # Errors
    /// Where it cannot have happened in this state; the state is then unchanged.
    pub fn apply(&mut self, change: Change) -> Result<(), Illegal> {
        let known = change.step().is_none_or(|step| usize::from(step) < self.steps.len());
        let legal = known && !self.abandoned && self.dispatch(change);
        if legal { Ok(()) } else { Err(self.illegal(change)) }
    }

    /// Each arm says whether the change was legal, and has changed nothing if it was not.
    fn dispatch(&mut self, change: Change) -> bool {
        match change {
            Change::ActionStarted(step) => self.action_started(step),
            Change::ActionDone(step) => self.action_done(step),
            Change::ActionFailed { step, certainty, retryable } => {
                self.action_failed(step, certainty, retryable)
            }
            Change::ProbeStarted(step) => self.probe_started(step),
            Change::ProbeDone(step) => self.probe_done(step),
            Change::ProbeNotDone(step) => self.probe_not_done(step),
            Change::ProbeFailed { step, retryable } => self.probe_failed(step, retryable),
            Change::UndoStarted(step) => self.undo_started(step),
            Change::UndoDone(step) => self.undo_done(step),
            Change::UndoFailed { step, retryable } => self.undo_failed(step, retryable),
            Change::Interrupted(step) => self.interrupted(step),
            Change::CancelRequested => self.cancel_requested(),
            Change::RetryOrdered(step) => self.retry_ordered(step),
            Change::SkipOrdered(step) => self.skip_ordered(step),
            Change::DoneDeclared(step) => self.done_declared(step),
            Change::UndoneDeclared(step) => self.undone_declared(step),
            Change::Abandoned => self.give_up(),
            Change::ResumeOrdered => self.may_go_on(),
        }
    }

    fn illegal(&self, change: Change) -> Illegal {
        let phase =
            change.step().and_then(|step| self.steps.get(usize::from(step))).map(|step| step.phase);
        Illegal { change, status: self.status(), phase, cause: self.cause(change) }
    }

    /// Gives out the next attempt that may start, if there is one: forward the first in the order of
    /// writing, backward the last. Each is given out once, until it has started or is
    /// [given back](Self::give_back).
    #[allow(clippy::should_implement_trait, reason = "a machine may have more to give later")]
    pub fn next(&mut self) -> Option<Command> {
        if self.abandoned || self.busy >= self.graph.parallel {
            return None;
        }
        let may_start = |&step: &StepIndex| self.may_start(step);
        let step = match self.mode {
            Mode::Forward | Mode::Settling => self.due.iter().find(may_start),
            Mode::Unwinding => self.due.iter().rev().find(may_start),
        }?;
        self.issue(step);
        Some(self.command(step))
    }

    /// Takes back a command whose attempt did not start, so that it is given out again when it may. One
    /// that was withdrawn when the saga turned back is not: another may have been given out since.
    pub fn give_back(&mut self, command: Command) {
        let step = command.step;
        let state = self.step(step);
        if state.issued && !state.phase.is_live() && self.command(step) == command {
            self.release(step);
            self.due.insert(step);
        }
    }

    /// Whether an attempt with that step may start now.
    #[must_use]
    pub fn may_start(&self, step: StepIndex) -> bool {
        let state = self.step(step);
        if self.abandoned || !(state.issued || self.due.contains(step)) {
            return false;
        }
        match state.phase {
            // What is parked before the pivot may end in a rollback: start nothing new meanwhile.
            Phase::Waiting => self.tally.parked == 0 || self.committed,
            Phase::Retrying | Phase::ProbeDue => true,
            Phase::Acting | Phase::Probing | Phase::Undoing => false,
            _ => state.blockers == 0 && !self.is_halted(),
        }
    }

    /// Whether a command that was given out is still wanted, so that its attempt may start now: the
    /// saga may have taken another turn while the driver waited.
    #[must_use]
    pub fn is_wanted(&self, command: Command) -> bool {
        self.may_start(command.step) && self.command(command.step) == command
    }

    fn command(&self, step: StepIndex) -> Command {
        let state = self.step(step);
        let (task, count) = match state.phase {
            Phase::Waiting | Phase::Retrying => (Task::Act, state.action),
            Phase::ProbeDue => (Task::Probe, state.probe),
            _ => (Task::Undo(self.effect(step)), state.undo),
        };
        Command { step, task, attempt: count.started + 1, failures: count.failures }
    }

    /// How the saga stands.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.abandoned {
            return Status::Abandoned;
        }
        match self.mode {
            Mode::Forward if self.open == 0 => Status::Completed,
            Mode::Forward if self.tally.parked > 0 && !self.can_go_forward() => Status::Stuck,
            Mode::Forward => Status::Running,
            Mode::Settling => Status::Compensating,
            Mode::Unwinding if self.is_unwinding() => Status::Compensating,
            Mode::Unwinding if self.tally.undo_parked > 0 => Status::Stuck,
            Mode::Unwinding => Status::Compensated,
        }
    }

    /// How a step stands.
    ///
    /// # Panics
    /// Where the saga has no such step.
    #[must_use]
    pub fn phase(&self, step: StepIndex) -> Phase {
        self.step(step).phase
    }

    /// Whether a step had its effect, as far as the record knows: to be read where it is to be undone.
    #[must_use]
    pub fn effect(&self, step: StepIndex) -> Effect {
        let state = self.step(step);
        match state.phase {
            Phase::Done => Effect::Sure,
            _ if state.undo.started > 0 && !state.tainted => Effect::Sure,
            _ => Effect::Maybe,
        }
    }

    /// Every step that waits for a person, and why.
    pub fn parked(&self) -> impl Iterator<Item = (StepIndex, Park)> + '_ {
        self.indices().filter_map(|step| match self.phase(step) {
            Phase::Parked(park) | Phase::UndoParked(park) => Some((step, park)),
            _ => None,
        })
    }

    /// Every step with an attempt in flight.
    pub fn live(&self) -> impl Iterator<Item = StepIndex> + '_ {
        self.indices().filter(|&step| self.phase(step).is_live())
    }

    /// Whether the saga is being, or has been, rolled back.
    #[must_use]
    pub fn is_backward(&self) -> bool {
        self.mode != Mode::Forward
    }

    /// The graph that it walks.
    #[must_use]
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    fn indices(&self) -> impl Iterator<Item = StepIndex> + use<> {
        0..self.steps.len() as StepIndex
    }

    fn can_go_forward(&self) -> bool {
        self.tally.unsettled > 0 || self.due.iter().any(|step| self.may_start(step))
    }

    fn is_unwinding(&self) -> bool {
        self.tally.live > 0 || (self.owed + self.tally.undo_retrying > 0 && !self.is_halted())
    }

    fn is_halted(&self) -> bool {
        self.graph.on_undo_failure == OnUndoFailure::Halt && self.tally.undo_parked > 0
    }

    fn step(&self, step: StepIndex) -> &Step {
        &self.steps[usize::from(step)]
    }

    fn step_mut(&mut self, step: StepIndex) -> &mut Step {
        &mut self.steps[usize::from(step)]
    }

    /// Moves a step to another phase and keeps the tally true.
    fn enter(&mut self, step: StepIndex, phase: Phase) {
        let from = std::mem::replace(&mut self.step_mut(step).phase, phase);
        self.tally.moved(from, phase);
    }

    /// Moves a step to a phase in which another attempt is due.
    fn enter_due(&mut self, step: StepIndex, phase: Phase) {
        self.enter(step, phase);
        self.due.insert(step);
    }

    /// Gives out a step's next attempt, which takes a place from then on.
    fn issue(&mut self, step: StepIndex) {
        self.due.remove(step);
        self.step_mut(step).issued = true;
        self.busy += 1;
    }

    /// Nothing is due with the step any more. Says whether its command had been given out.
    fn withdraw(&mut self, step: StepIndex) -> bool {
        let issued = self.step(step).issued;
        self.release(step);
        self.due.remove(step);
        issued
    }

    /// An attempt starts: it takes a place unless its command had taken it already.
    fn occupy(&mut self, step: StepIndex, phase: Phase) {
        if !std::mem::replace(&mut self.step_mut(step).issued, true) {
            self.busy += 1;
        }
        self.due.remove(step);
        self.enter(step, phase);
    }

    /// An attempt ends, or its command is withdrawn: its place is free.
    fn release(&mut self, step: StepIndex) {
        if std::mem::replace(&mut self.step_mut(step).issued, false) {
            self.busy -= 1;
        }
    }
}

impl Step {
    fn new(waits: u16) -> Self {
        Self {
            phase: Phase::Waiting,
            tainted: false,
            retryable: true,
            issued: false,
            settled: false,
            waits,
            blockers: 0,
            action: Count::default(),
            probe: Count::default(),
            undo: Count::default(),
        }
    }
}

/// Two machines are equal where their sagas are: commands given out and not started do not count.
impl PartialEq for Machine {
    fn eq(&self, other: &Self) -> bool {
        let saga = |machine: &Self| {
            let Self { tally, mode, abandoned, committed, open, owed, .. } = *machine;
            (tally, mode, abandoned, committed, open, owed)
        };
        let step = |step: &Step| {
            let Step {
                phase,
                tainted,
                retryable,
                settled,
                waits,
                blockers,
                action,
                probe,
                undo,
                ..
            } = *step;
            (phase, tainted, retryable, settled, waits, blockers, (action, probe, undo))
        };
        saga(self) == saga(other) && self.steps.iter().map(step).eq(other.steps.iter().map(step))
    }
}

impl Eq for Machine {}
