//! One attempt of one function of a definition, run outside of this library's drivers.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde_json::value::RawValue;

use crate::{
    drive::{Running, guarded, into_failure},
    error::{Failure, StepError},
    event::StepIndex,
    handler::{self, AnyValue, Attempted, Codec, Scope},
    id::SagaId,
    machine::{Command, Effect, Task},
    saga::{AnySaga, Definition},
};

/// What an attempt is told. Steps go by name, for the definition at hand may be another than the one that the saga
/// was started with.
#[derive(Clone, Debug)]
pub struct Call {
    /// The saga's id, from which the idempotency key is made.
    pub saga_id: SagaId,
    /// The [fingerprint](crate::Plan::fingerprint) of the plan that the saga was started with.
    pub fingerprint: u64,
    /// The step's name.
    pub step: String,
    /// Which of its functions.
    pub task: Task,
    /// The attempt's number, from 1, over the whole life of the saga.
    pub attempt: u32,
    /// The longest that it may take.
    pub limit: Option<Duration>,
    /// The saga's input.
    pub input: Box<RawValue>,
    /// Outputs of steps that are done, by name: those that the step comes after, and for an undo its own.
    pub outputs: Vec<(String, Box<RawValue>)>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// The action is done, or a probe found that it was. This is the step's output.
    Done(Box<RawValue>),
    /// The probe found that the action had no effect.
    NotDone,
    /// The step is undone.
    Undone,
    /// It failed.
    Failed(Failure),
}

/// An attempt. Nothing runs before it is polled.
///
/// # Cancel safety
/// None: a future that is dropped was an attempt of unknown outcome.
#[must_use = "a future does nothing until it is awaited"]
pub struct Attempt(State);

enum State {
    /// The reason is taken out once it has been told.
    Refused(Option<StepError>),
    Running(Box<(Running, Arc<Scope>, Codec)>),
}

/// Tells an attempt that its saga is being undone. Cheap to clone.
#[derive(Clone)]
pub struct Canceller(Option<Arc<Scope>>);

impl Canceller {
    /// The attempt is not stopped: it may look ([`StepContext::cancelled`](crate::StepContext::cancelled)), end early,
    /// and report whether it had its effect.
    pub fn cancel(&self) {
        if let Some(scope) = &self.0 {
            scope.cancel();
        }
    }
}

impl AnySaga {
    /// Makes one attempt. The definition may be another than the one that the saga was started with: its undos and
    /// probes are then found by name and run, as [`Engine`](crate::Engine) does it, and its actions are refused.
    ///
    /// A call that makes no sense here (a step that is not there, an input of another type) ends as
    /// [`Ended::Failed`], without an effect and not worth another attempt.
    ///
    /// # Panics
    /// Never by a step: a panic in a step is that attempt's failure.
    pub fn attempt(&self, call: Call) -> Attempt {
        Attempt(match prepare(&self.0, call) {
            Ok(running) => State::Running(Box::new(running)),
            Err(refused) => State::Refused(Some(refused.terminal())),
        })
    }
}

impl Attempt {
    /// What tells it that its saga is being undone.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(match &self.0 {
            State::Refused(_) => None,
            State::Running(running) => Some(running.1.clone()),
        })
    }
}

impl Future for Attempt {
    type Output = Ended;

    /// Once it has ended it is pending for ever.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        match &mut self.0 {
            State::Refused(refused) => match refused.take() {
                Some(refused) => Poll::Ready(Ended::Failed(into_failure(refused))),
                None => Poll::Pending,
            },
            State::Running(running) => {
                let (running, _, codec) = &mut **running;
                running.poll(cx).map(|attempted| ended(attempted, *codec))
            }
        }
    }
}

fn ended(attempted: Attempted, codec: Codec) -> Ended {
    let kept = |output: AnyValue| {
        let kept = guarded(|| codec.keep(&*output));
        kept.unwrap_or_else(|panicked| Err(StepError::unknown(panicked).terminal()))
    };
    let done = match attempted {
        Attempted::Acted(acted) => acted.and_then(kept).map(Ended::Done),
        Attempted::Probed(Ok(Some(found))) => kept(found).map(Ended::Done),
        Attempted::Probed(Ok(None)) => return Ended::NotDone,
        Attempted::Undone(undone) => undone.map(|()| Ended::Undone),
        Attempted::Probed(Err(error)) => Err(error),
        // Not an attempt of a function; there is no such command.
        Attempted::Waited => Err(StepError::not_done("nothing was to be done")),
    };
    done.unwrap_or_else(|error| Ended::Failed(into_failure(error)))
}

fn prepare(
    definition: &Arc<Definition>,
    call: Call,
) -> Result<(Running, Arc<Scope>, Codec), StepError> {
    let Call { saga_id, fingerprint, step: name, task, attempt: number, limit, input, outputs } =
        call;
    let plan = &definition.plan;
    let same = plan.fingerprint() == fingerprint;
    if !same && task == Task::Act {
        return Err(StepError::not_done(format!(
            "the definition of `{}` has changed since the saga was started: a step can't go on with another \
             definition, only undos can",
            plan.saga
        )));
    }
    let step = plan.find(&name).ok_or_else(|| missing(definition, "step", &name))?;
    let handlers = &definition.handlers[usize::from(step)];
    let (function, effect) = match task {
        Task::Act => (Some(&handlers.act), Effect::Maybe),
        Task::Probe => (handlers.probe.as_ref(), Effect::Maybe),
        Task::Undo(effect) => (handlers.undo.as_ref(), effect),
    };
    let what = if task == Task::Probe { "probe for step" } else { "undo for step" };
    let function = function.ok_or_else(|| missing(definition, what, &name))?;
    let input = decode(definition.input, &input).map_err(|error| {
        StepError::not_done(format!("the saga's input is not what the definition takes: {error}"))
    })?;
    // Handles of a changed definition must not read by index.
    let tag = if same { definition.tag } else { u64::MAX };
    let scope = Arc::new(Scope::new(plan.clone(), tag, input, Some(saga_id)));
    for (name, text) in outputs {
        keep(definition, &scope, &name, &text)?;
    }
    let command = Command { step, task, attempt: number, failures: 0 };
    let future =
        function(handler::Attempt { scope: scope.clone(), edits: None, step, number, effect });
    let running = Running::attempt(command, future, limit, tracing::Span::current());
    Ok((running, scope, handlers.output))
}

fn missing(definition: &Definition, what: &str, step: &str) -> StepError {
    let saga = &definition.plan.saga;
    StepError::not_done(format!("the definition of `{saga}` that is here has no {what} `{step}`"))
}

/// What the definition at hand has no use for is left out.
fn keep(
    definition: &Definition,
    scope: &Scope,
    step: &str,
    text: &RawValue,
) -> Result<(), StepError> {
    let Some(index): Option<StepIndex> = definition.plan.find(step) else { return Ok(()) };
    match decode(definition.handlers[usize::from(index)].output, text) {
        Ok(output) => scope.keep(index, output),
        // Declared done by a person who gave no output.
        Err(_) if text.get() == "null" => {}
        Err(error) => {
            return Err(StepError::not_done(format!(
                "the output of step `{step}` can't be read: {error}"
            )));
        }
    }
    Ok(())
}

/// The user's serde may panic.
fn decode(codec: Codec, text: &RawValue) -> Result<AnyValue, String> {
    let decoded = guarded(|| codec.decode(text.get()));
    decoded.map_err(|panicked| panicked.to_string())?.map_err(|error| error.to_string())
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").finish_non_exhaustive()
    }
}
