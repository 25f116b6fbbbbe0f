//! A saga's course: what the machine says is next, and the record of what came of it.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::value::RawValue;

use super::attempt::{Call, Ended};
use crate::{
    event::{self, Change, Event, StepIndex},
    id::SagaId,
    machine::{Cause, Command, Effect, GraphError, Illegal, Machine, PROBE_ATTEMPTS, Task},
    outcome::{Order, Report},
    plan::{Plan, UndoPlan},
    retry::RetryPolicy,
    told::Told,
};

/// A saga as it is steered: its plan, its state, and the record of what happened. The same calls always give the
/// same course. See the [module](super).
#[derive(Clone)]
pub struct Course {
    id: SagaId,
    told: Told,
    events: Vec<Event>,
}

/// Why a journal can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record of saga `{id}` can't be read: {why}")]
pub struct Unreadable {
    id: SagaId,
    why: String,
}

impl Course {
    /// The course of a saga to which nothing has happened yet.
    ///
    /// # Errors
    /// [`GraphError`] where the plan makes no sense. That of a definition does.
    pub fn new(plan: Plan, id: SagaId) -> Result<Self, GraphError> {
        Ok(Self { id, told: Told::new(plan)?, events: Vec::new() })
    }

    /// The course that was [written down](Self::journal).
    ///
    /// # Errors
    /// [`Unreadable`] where the plan makes no sense or the journal does not fit it.
    pub fn read(plan: Plan, id: SagaId, journal: &str) -> Result<Self, Unreadable> {
        let unreadable = |why: String| Unreadable { id: id.clone(), why };
        let mut told = Told::new(plan)
            .map_err(|error| unreadable(format!("its plan makes no sense: {error}")))?;
        let events: Vec<Event> =
            serde_json::from_str(journal).map_err(|error| unreadable(error.to_string()))?;
        for event in &events {
            let change = told.apply(event).map_err(unreadable)?;
            told.keep(change, event.clone());
        }
        Ok(Self { id, told, events })
    }

    /// What happened, in the words of the durable engine's journal: one JSON array.
    #[must_use]
    pub fn journal(&self) -> String {
        event::write(self.events.iter())
    }

    /// The saga's id.
    #[must_use]
    pub fn id(&self) -> &SagaId {
        &self.id
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.told.plan
    }

    /// The saga's state.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.told.machine
    }

    /// Gives out the next attempt that may start; see [`Machine::next`].
    #[allow(clippy::should_implement_trait, reason = "a course may have more to give later")]
    pub fn next(&mut self) -> Option<Command> {
        self.told.machine.next()
    }

    /// Takes back a command whose attempt did not start; see [`Machine::give_back`].
    pub fn give_back(&mut self, command: Command) {
        self.told.machine.give_back(command);
    }

    /// How long to wait before an attempt, by its budget and without the random part.
    #[must_use]
    pub fn pause(&self, command: Command) -> Duration {
        let retry = self.plan().steps.get(usize::from(command.step)).map(|step| {
            match (command.task, &step.undo) {
                (Task::Undo(_), UndoPlan::Run { retry, .. }) => retry.clone(),
                (Task::Probe, _) => RetryPolicy::new(PROBE_ATTEMPTS),
                _ => step.retry.clone(),
            }
        });
        retry.unwrap_or_default().without_jitter().wait(command.failures)
    }

    /// An attempt starts.
    ///
    /// # Errors
    /// [`Illegal`] where it may not; nothing has changed then.
    pub fn start(&mut self, command: Command) -> Result<(), Illegal> {
        self.happen(Event::new(match command.task {
            Task::Act => Change::ActionStarted(command.step),
            Task::Probe => Change::ProbeStarted(command.step),
            Task::Undo(_) => Change::UndoStarted(command.step),
        }))
    }

    /// What the attempt is to be told. It has every output that the step's functions may read, and the time
    /// limit of the plan.
    #[must_use]
    pub fn call(&self, command: Command, input: &RawValue) -> Call {
        let Command { step, task, attempt, .. } = command;
        let plan = self.plan();
        let outputs = self.readable(step, matches!(task, Task::Undo(_)));
        let found = plan.steps.get(usize::from(step));
        let limit = match task {
            Task::Undo(_) => found.and_then(|step| step.undo_timeout()),
            Task::Act | Task::Probe => found.and_then(|step| step.timeout()),
        };
        Call {
            saga_id: self.id.clone(),
            fingerprint: plan.fingerprint(),
            step: found.map(|step| step.name.clone()).unwrap_or_default(),
            task,
            attempt,
            limit,
            input: input.to_owned(),
            outputs: outputs.collect(),
        }
    }

    /// Outputs of the steps that a step comes after, in the order of writing, and for an undo its own.
    fn readable(
        &self,
        step: StepIndex,
        own: bool,
    ) -> impl Iterator<Item = (String, Box<RawValue>)> + '_ {
        let steps = &self.plan().steps;
        let mut read = vec![false; steps.len()];
        let mut left = vec![step];
        while let Some(step) = left.pop() {
            for &before in steps.get(usize::from(step)).map_or(&[][..], |step| &step.after) {
                if !std::mem::replace(&mut read[usize::from(before)], true) {
                    left.push(before);
                }
            }
        }
        let wanted =
            move |&(index, _): &(StepIndex, _)| read[usize::from(index)] || (own && index == step);
        (0..)
            .zip(steps)
            .filter(wanted)
            .filter_map(|(index, step)| Some((step.name.clone(), self.output(index)?)))
    }

    fn output(&self, step: StepIndex) -> Option<Box<RawValue>> {
        let machine = self.machine();
        match &self.told.outputs[usize::from(step)] {
            Some(output) => Some(output.clone()),
            // Outputs like `()` are not written down.
            None if machine.phase(step).has_output() && machine.effect(step) == Effect::Sure => {
                Some(RawValue::NULL.to_owned())
            }
            None => None,
        }
    }

    /// The attempt ended.
    ///
    /// # Errors
    /// [`Illegal`] where it was not in flight, or can't end so; nothing has changed then.
    pub fn end(&mut self, command: Command, ended: Ended) -> Result<(), Illegal> {
        let step = command.step;
        self.happen(match (command.task, ended) {
            (Task::Probe, Ended::Done(output)) => with_output(Change::ProbeDone(step), output),
            (_, Ended::Done(output)) => with_output(Change::ActionDone(step), output),
            (_, Ended::NotDone) => Event::new(Change::ProbeNotDone(step)),
            (_, Ended::Undone) => Event::new(Change::UndoDone(step)),
            (task, Ended::Failed(failure)) => {
                let retryable = failure.is_retryable();
                let mut event = Event::new(match task {
                    Task::Act => {
                        let certainty = failure.certainty();
                        Change::ActionFailed { step, certainty, retryable }
                    }
                    Task::Probe => Change::ProbeFailed { step, retryable },
                    Task::Undo(_) => Change::UndoFailed { step, retryable },
                });
                event.failure = Some(failure);
                event
            }
        })
    }

    /// The attempt in flight died with its process.
    ///
    /// # Errors
    /// [`Illegal`] where none was in flight; nothing has changed then.
    pub fn interrupt(&mut self, step: StepIndex) -> Result<(), Illegal> {
        self.happen(Event::new(Change::Interrupted(step)))
    }

    /// A person, or a program for them, ordered a change: to cancel, retry, skip, declare done (with the output, if
    /// there is one), abandon or resume. The output is not checked here, where no functions are.
    ///
    /// # Errors
    /// [`Illegal`] where it makes no sense as the saga stands, or is no order; nothing has changed then.
    pub fn order(
        &mut self,
        change: Change,
        order: Order,
        output: Option<Box<RawValue>>,
    ) -> Result<(), Illegal> {
        let mut event = match (change, output) {
            (Change::DoneDeclared(_), Some(output)) => with_output(change, output),
            (
                Change::DoneDeclared(_)
                | Change::UndoneDeclared(_)
                | Change::CancelRequested
                | Change::RetryOrdered(_)
                | Change::SkipOrdered(_)
                | Change::Abandoned
                | Change::ResumeOrdered,
                _,
            ) => Event::new(change),
            _ => {
                let (status, phase) = (self.machine().status(), None);
                return Err(Illegal { change, status, phase, cause: Cause::Standing });
            }
        };
        event.by = Some(order.by);
        event.why = Some(order.why);
        self.happen(event)
    }

    /// The record as it stands.
    #[must_use]
    pub fn report(&self) -> Report {
        self.told.clone().report(self.id.clone(), None)
    }

    fn happen(&mut self, event: Event) -> Result<(), Illegal> {
        // Events made here are complete.
        if let Ok(change) = event.change() {
            self.told.machine.apply(change)?;
            self.told.keep(change, event.clone());
            self.events.push(event);
        }
        Ok(())
    }
}

fn with_output(change: Change, output: Box<RawValue>) -> Event {
    let mut event = Event::new(change);
    // `null` says no more than its absence.
    event.output = Some(output).filter(|output| output.get() != "null");
    event
}

impl fmt::Debug for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Course").field(&self.report()).finish()
    }
}
