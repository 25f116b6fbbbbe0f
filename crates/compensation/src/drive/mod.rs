//! The driver: carries out the machine's commands with a definition's functions, and reports to the
//! machine what came of them. One for all strengths; where it runs is its [`Host`].
//!
//! One future drives one saga: attempts in flight are polled in it, side by side. Nothing starts before
//! its start is written down, and nothing ends before its end is.

mod attempt;
mod host;
mod trace;

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::sync::oneshot;
use trace::Trace;
use tracing::Instrument as _;

pub(crate) use attempt::{Running, caught, guarded};
pub(crate) use host::{Answer, Evidence, Host, Ordered, Refused, Wish};

use crate::{
    error::{Certainty, Failure, StepError},
    event::{Change, StepIndex},
    handler::{AnyValue, Attempt, Attempted, Codec, Edits, Scope},
    machine::{Command, Effect, Illegal, Machine, PROBE_ATTEMPTS, Phase, Task},
    outcome::{self, Applied, Order, Outputs, Part, Record, Report, StepFailure},
    plan::UndoPlan,
    retry::RetryPolicy,
    saga::Definition,
};

/// Failures kept at hand of a saga that is driven. Of one that fails for ever the first and the last ones are;
/// a journal has them all.
const MAX_FAILURES: usize = 1_024;

/// A saga being driven.
pub(crate) struct Drive<H: Host> {
    definition: Arc<Definition>,
    scope: Arc<Scope>,
    machine: Machine,
    host: H,
    failures: Vec<StepFailure>,
    abandoned: Option<Order>,
    /// What people gave steps in place of what the record says.
    edits: Option<Arc<Edits>>,
    /// Letters whose orders are in the record: one that is handed out again changes nothing.
    letters: Vec<String>,
    running: Vec<Running>,
    /// Attempts whose start is being written down.
    starting: Vec<Running>,
    /// Attempts that ended and have not been reported yet.
    ended: Vec<(Running, Attempted)>,
    /// Answers that are due once what they promise is durable.
    replies: Vec<(oneshot::Sender<Answer>, Applied)>,
    draining: bool,
    broken: Option<Illegal>,
    trace: Trace,
}

/// Why a driver stopped.
pub(crate) enum End<E> {
    /// The saga is no longer open.
    Ended,
    /// It was told to drain, and nothing is in flight.
    Drained,
    /// What happened could not be written down.
    Unwritten(E),
    /// The machine refused what happened: a defect of this library.
    Broken(Illegal),
}

/// Where a saga's drive begins.
pub(crate) struct Start {
    pub(crate) definition: Arc<Definition>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) machine: Machine,
    pub(crate) failures: Vec<StepFailure>,
    pub(crate) abandoned: Option<Order>,
    pub(crate) edits: Option<Arc<Edits>>,
    pub(crate) letters: Vec<String>,
}

impl Start {
    /// A saga of which nothing is known beside the machine.
    pub(crate) fn new(definition: Arc<Definition>, scope: Arc<Scope>, machine: Machine) -> Self {
        let (failures, letters) = (Vec::new(), Vec::new());
        Self { definition, scope, machine, failures, abandoned: None, edits: None, letters }
    }
}

impl<H: Host> Drive<H> {
    pub(crate) fn new(start: Start, host: H) -> Self {
        let Start { definition, scope, machine, failures, abandoned, edits, letters } = start;
        let trace = Trace::new(&definition.plan, scope.given_id());
        Self {
            definition,
            scope,
            machine,
            host,
            failures,
            abandoned,
            edits,
            letters,
            running: Vec::new(),
            starting: Vec::new(),
            ended: Vec::new(),
            replies: Vec::new(),
            draining: false,
            broken: None,
            trace,
        }
    }

    /// Tells the machine that what was in flight died with its process.
    pub(crate) fn interrupt(&mut self) {
        let live: Vec<_> = self.machine.live().collect();
        for step in live {
            self.happen(Change::Interrupted(step), Evidence::default());
        }
    }

    /// Drives the saga until it ends, parks or is drained.
    ///
    /// # Cancel safety
    /// None: what is in flight is dropped with the future, and stands in the record as started.
    pub(crate) async fn run(&mut self) -> End<H::Error> {
        let saga = self.trace.saga();
        let end = self.drive().instrument(saga).await;
        self.trace.ended(self.machine.status().as_str());
        end
    }

    async fn drive(&mut self) -> End<H::Error> {
        loop {
            self.start_what_may();
            if let Err(error) = self.commit().await {
                return End::Unwritten(error);
            }
            if let Some(illegal) = self.broken.take() {
                return End::Broken(illegal);
            }
            if !self.machine.status().is_open() {
                return End::Ended;
            }
            if self.draining && self.machine.live().next().is_none() {
                return End::Drained;
            }
            poll_fn(|cx| self.poll_progress(cx)).await;
        }
    }

    /// The record as it stands.
    pub(crate) fn report(&mut self, held: Option<String>) -> Report {
        Report::new(Record {
            plan: self.definition.plan.clone(),
            id: self.scope.given_id().cloned(),
            machine: self.machine.clone(),
            outputs: Outputs::Live(self.scope.clone(), self.edits.clone()),
            failures: std::mem::take(&mut self.failures),
            abandoned: self.abandoned.take(),
            held,
        })
    }

    /// Drops every attempt in flight.
    pub(crate) fn stop(&mut self) {
        self.running.clear();
        self.starting.clear();
        self.ended.clear();
    }

    pub(crate) fn host(&mut self) -> &mut H {
        &mut self.host
    }

    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The saga, and its steps that may have had an effect and are not undone.
    pub(crate) fn owed(&self) -> (&str, Vec<&str>) {
        let plan = &self.definition.plan;
        let owed = plan.steps.iter().zip(0..).filter(|(step, index)| {
            matches!(step.undo, UndoPlan::Run { .. }) && self.machine.phase(*index).may_be_done()
        });
        (&plan.saga, owed.map(|(step, _)| step.name.as_str()).collect())
    }

    fn start_what_may(&mut self) {
        while !self.draining {
            let Some(command) = self.machine.next() else { return };
            if command.failures == 0 {
                self.begin(command);
            } else {
                self.running.push(Running::wait(command, self.pause(command)));
            }
        }
    }

    /// How long to wait before an attempt.
    fn pause(&self, command: Command) -> Duration {
        let step = &self.definition.plan.steps[usize::from(command.step)];
        match (command.task, &step.undo) {
            (Task::Undo(_), UndoPlan::Run { retry, .. }) => retry.wait(command.failures),
            (Task::Probe, _) => RetryPolicy::new(PROBE_ATTEMPTS).wait(command.failures),
            _ => step.retry.wait(command.failures),
        }
    }

    fn begin(&mut self, command: Command) {
        let Command { step, task, attempt, .. } = command;
        let place = usize::from(step);
        let (plan, handlers) =
            (&self.definition.plan.steps[place], &self.definition.handlers[place]);
        let (function, limit, effect, change) = match task {
            Task::Act => {
                (Some(&handlers.act), plan.timeout(), Effect::Maybe, Change::ActionStarted(step))
            }
            Task::Probe => {
                (handlers.probe.as_ref(), plan.timeout(), Effect::Maybe, Change::ProbeStarted(step))
            }
            Task::Undo(effect) => {
                (handlers.undo.as_ref(), plan.undo_timeout(), effect, Change::UndoStarted(step))
            }
        };
        // A definition has the functions that its plan names: the builder and the registry see to it.
        let Some(function) = function else { return };
        let (scope, edits) = (self.scope.clone(), self.edits.clone());
        let future = function(Attempt { scope, edits, step, number: attempt, effect });
        let span = self.trace.attempt(&self.definition.plan, command);
        self.starting.push(Running::attempt(command, future, limit, span));
        self.happen(change, Evidence { attempt, ..Evidence::default() });
    }

    /// Waits until what happened is durable; attempts in flight go on meanwhile.
    async fn commit(&mut self) -> Result<(), H::Error> {
        let Self { host, machine, running, ended, failures, abandoned, .. } = self;
        let plan = &self.definition.plan;
        {
            let reason = || outcome::reason(plan, machine, failures, abandoned.as_ref());
            let mut flush = pin!(host.flush(machine, reason));
            poll_fn(|cx| {
                let flushed = flush.as_mut().poll(cx);
                if flushed.is_pending() {
                    poll_all(running, cx, ended);
                }
                flushed
            })
            .await?;
        }
        self.running.append(&mut self.starting);
        for (reply, applied) in self.replies.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(applied));
        }
        Ok(())
    }

    /// Ready once anything has happened.
    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        poll_all(&mut self.running, cx, &mut self.ended);
        let mut progress = !self.ended.is_empty();
        let mut ended = std::mem::take(&mut self.ended);
        for (running, attempted) in ended.drain(..) {
            self.end(running, attempted);
        }
        self.ended = ended;
        while let Poll::Ready(ordered) = self.host.poll_order(cx) {
            self.take(ordered);
            progress = true;
        }
        if progress { Poll::Ready(()) } else { Poll::Pending }
    }

    fn end(&mut self, running: Running, attempted: Attempted) {
        let command = running.command;
        let step = command.step;
        match attempted {
            Attempted::Waited if self.draining || !self.machine.is_wanted(command) => {
                self.machine.give_back(command);
            }
            Attempted::Waited => self.begin(command),
            Attempted::Acted(Ok(output)) => self.done(command, Change::ActionDone(step), output),
            Attempted::Probed(Ok(Some(output))) => {
                self.done(command, Change::ProbeDone(step), output);
            }
            Attempted::Probed(Ok(None)) => self.succeeded(command, Change::ProbeNotDone(step)),
            Attempted::Undone(Ok(())) => self.succeeded(command, Change::UndoDone(step)),
            Attempted::Acted(Err(error))
            | Attempted::Probed(Err(error))
            | Attempted::Undone(Err(error)) => self.failed(command, error),
        }
    }

    fn done(&mut self, command: Command, change: Change, output: AnyValue) {
        let codec = self.definition.handlers[usize::from(command.step)].output;
        // As with an output that can't be kept: the action had its effect.
        let encoded = guarded(|| self.host.encode(&codec, &output))
            .unwrap_or_else(|panicked| Err(StepError::unknown(panicked).terminal()));
        match encoded {
            Ok(text) => {
                self.scope.keep(command.step, output);
                let attempt = command.attempt;
                self.happen(change, Evidence { attempt, output: text, ..Evidence::default() });
            }
            Err(error) => self.failed(command, error),
        }
    }

    fn succeeded(&mut self, command: Command, change: Change) {
        self.happen(change, Evidence { attempt: command.attempt, ..Evidence::default() });
    }

    fn failed(&mut self, command: Command, error: StepError) {
        let failure = into_failure(error);
        let (step, retryable) = (command.step, failure.is_retryable());
        let change = match command.task {
            Task::Act => Change::ActionFailed { step, certainty: failure.certainty(), retryable },
            Task::Probe => Change::ProbeFailed { step, retryable },
            Task::Undo(_) => Change::UndoFailed { step, retryable },
        };
        let attempt = command.attempt;
        self.happen(change, Evidence { attempt, failure: Some(&failure), ..Evidence::default() });
        let step = self.name(step);
        if self.failures.len() >= MAX_FAILURES {
            self.failures.remove(MAX_FAILURES / 2);
        }
        self.failures.push(StepFailure { step, part: Part::from(command.task), failure });
    }

    fn name(&self, step: StepIndex) -> Arc<str> {
        self.definition.plan.steps[usize::from(step)].name.as_str().into()
    }

    /// How the machine would stand after that change, were it legal.
    pub(crate) fn after(&self, change: Change) -> Option<Machine> {
        let mut machine = self.machine.clone();
        machine.apply(change).ok().map(|()| machine)
    }

    /// Takes an order in; what it changes is written down by the next turn of [`run`](Self::run).
    pub(crate) fn take(&mut self, ordered: Ordered) {
        let Ordered::Change(wish, reply) = ordered else {
            self.draining = true;
            return;
        };
        let known = wish.letter.as_ref().is_some_and(|letter| self.letters.contains(letter));
        let answer = if known { Ok(Applied::Changed) } else { self.order(&wish) };
        let applied = match answer {
            Ok(applied) => applied,
            Err(refused) => {
                if let Some(reply) = reply {
                    // Whoever asked may have gone.
                    let _ = reply.send(Err(refused));
                }
                return;
            }
        };
        // Also what is so already may not be written down yet.
        self.replies.extend(reply.map(|reply| (reply, applied)));
        if known || applied == Applied::Already {
            return;
        }
        self.host.record(wish.change, Evidence { wish: Some(&wish), ..Evidence::default() });
        if wish.change == Change::Abandoned {
            self.abandoned = wish.order;
        }
        self.letters.extend(wish.letter);
        self.tell_attempts();
    }

    /// Lets an order change the machine, and takes what was given with it.
    fn order(&mut self, wish: &Wish) -> Answer {
        let Wish { change, ref edit, .. } = *wish;
        let undo =
            |step| matches!(self.machine.phase(step), Phase::UndoParked(_) | Phase::UndoRetrying);
        if let (Change::RetryOrdered(step), Some(_)) = (change, &edit.output)
            && usize::from(step) < self.definition.handlers.len()
            && !undo(step)
        {
            return Err(Refused::NotItsUndo);
        }
        let place = change.step().map(usize::from);
        let handlers = place.and_then(|place| self.definition.handlers.get(place));
        let read = |codec: Option<Codec>, text: &Option<Box<RawValue>>| {
            let (Some(codec), Some(text)) = (codec, text) else { return Ok(None) };
            guarded(|| codec.decode(text.get()))
                .unwrap_or_else(|panicked| Err(serde::de::Error::custom(panicked)))
                .map(Some)
        };
        let output =
            read(handlers.map(|it| it.output), &edit.output).map_err(Refused::BadOutput)?;
        let input = read(handlers.map(|_| self.definition.input), &edit.input)
            .map_err(Refused::BadInput)?;
        if let Err(illegal) = self.machine.apply(change) {
            let so = edit.is_empty() && self.machine.is_so(change);
            return if so { Ok(Applied::Already) } else { Err(Refused::Illegal(illegal)) };
        }
        let Some(step) = change.step() else { return Ok(Applied::Changed) };
        if let Some(input) = input {
            self.edit(|edits| edits.set_input(step, input));
        }
        match (output, change) {
            (Some(output), Change::RetryOrdered(_)) => {
                self.edit(|edits| edits.set_output(step, output));
            }
            (Some(output), _) => self.scope.keep(step, output),
            (None, _) => {}
        }
        Ok(Applied::Changed)
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Edits)) {
        // Attempts in flight keep what they were given.
        edit(Arc::make_mut(self.edits.get_or_insert_default()));
    }

    /// Takes a change into the machine and the record.
    fn happen(&mut self, change: Change, evidence: Evidence<'_>) {
        match self.machine.apply(change) {
            Ok(()) => self.host.record(change, evidence),
            Err(illegal) => self.broken = self.broken.take().or(Some(illegal)),
        }
        self.tell_attempts();
    }

    /// Attempts in flight may look whether the saga is being undone.
    fn tell_attempts(&self) {
        if self.machine.is_backward() && !self.scope.is_cancelled() {
            self.scope.cancel();
        }
    }
}

/// What the record keeps of an error, also where its own texts panic.
pub(crate) fn into_failure(error: StepError) -> Failure {
    let (certainty, retryable) = (error.certainty(), error.is_retryable());
    guarded(|| error.into_failure()).unwrap_or_else(|panicked| {
        let told = match certainty {
            Certainty::NotDone => StepError::not_done(panicked),
            Certainty::Unknown => StepError::unknown(panicked),
        };
        let told = if retryable { told } else { told.terminal() };
        told.into_failure()
    })
}

fn poll_all(
    running: &mut Vec<Running>,
    cx: &mut Context<'_>,
    ended: &mut Vec<(Running, Attempted)>,
) {
    let mut place = 0;
    while let Some(one) = running.get_mut(place) {
        match one.poll(cx) {
            Poll::Pending => place += 1,
            Poll::Ready(attempted) => ended.push((running.swap_remove(place), attempted)),
        }
    }
}
