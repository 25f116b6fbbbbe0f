//! The functions of a definition with their types erased, so that one driver serves every saga.
//! What an attempt may see of its saga is here too. Decides nothing about what runs when.

use std::{
    any::Any,
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::{
    error::{BoxError, StepError},
    event::StepIndex,
    id::SagaId,
    machine::Effect,
    plan::Plan,
    step::{Probed, StepContext, UndoContext},
};

/// An output or input of any type.
pub(crate) type AnyValue = Box<dyn Any + Send + Sync>;

/// The future of one attempt.
pub(crate) type Attempting = Pin<Box<dyn Future<Output = Attempted> + Send>>;

/// How an attempt ended.
pub(crate) enum Attempted {
    Acted(Result<AnyValue, StepError>),
    /// `None`: the probe found that nothing was done.
    Probed(Result<Option<AnyValue>, StepError>),
    Undone(Result<(), StepError>),
    /// The wait before an attempt is over.
    Waited,
}

pub(crate) type Run = Box<dyn Fn(Attempt) -> Attempting + Send + Sync>;

/// What the builder takes for an output: it must be written down and read back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the output of a step",
    note = "an output is stored: derive `Clone`, `serde::Serialize` and `serde::Deserialize`, own its data, and be \
            `Send + Sync`"
)]
pub trait Value: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Value for T {}

/// One step's functions.
pub(crate) struct Handlers {
    pub(crate) act: Run,
    pub(crate) undo: Option<Run>,
    pub(crate) probe: Option<Run>,
    pub(crate) output: Codec,
}

/// Largest output of a step that is kept, in bytes of JSON.
pub const MAX_OUTPUT_BYTES: usize = 1024 * 1024;

/// An output that can't be kept.
#[derive(Debug, thiserror::Error)]
enum Unkept {
    #[error("the output can't be written down: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("the output has {0} bytes of JSON: at most {MAX_OUTPUT_BYTES} are kept")]
    TooLarge(usize),
}

/// Writes a value of one type down and reads it back.
#[derive(Clone, Copy)]
pub(crate) struct Codec {
    encode: fn(&(dyn Any + Send + Sync)) -> serde_json::Result<Box<RawValue>>,
    decode: fn(&str) -> serde_json::Result<AnyValue>,
}

impl Codec {
    pub(crate) fn of<T: Value>() -> Self {
        Self {
            encode: |value| {
                let value: Option<&T> = value.downcast_ref();
                serde_json::value::to_raw_value(&value)
            },
            decode: |text| Ok(Box::new(serde_json::from_str::<T>(text)?)),
        }
    }

    /// Writes an output down. Where it can't be kept its action failed for good: it had its effect, and doing
    /// it again would not mend its output.
    pub(crate) fn keep(&self, value: &(dyn Any + Send + Sync)) -> Result<Box<RawValue>, StepError> {
        let unkept = |error: Unkept| StepError::unknown(error).terminal();
        let text = (self.encode)(value).map_err(|error| unkept(error.into()))?;
        match text.get().len() {
            bytes if bytes > MAX_OUTPUT_BYTES => Err(unkept(Unkept::TooLarge(bytes))),
            _ => Ok(text),
        }
    }

    pub(crate) fn decode(&self, text: &str) -> serde_json::Result<AnyValue> {
        (self.decode)(text)
    }
}

/// What all attempts of one saga share.
pub(crate) struct Scope {
    pub(crate) plan: Arc<Plan>,
    /// Distinguishes the handles of one definition from those of another.
    pub(crate) tag: u64,
    pub(crate) input: AnyValue,
    id: OnceLock<SagaId>,
    outputs: Box<[OnceLock<AnyValue>]>,
    cancelled: AtomicBool,
    cancel: Notify,
}

impl Scope {
    pub(crate) fn new(plan: Arc<Plan>, tag: u64, input: AnyValue, id: Option<SagaId>) -> Self {
        let outputs = plan.steps.iter().map(|_| OnceLock::new()).collect();
        let cell = OnceLock::new();
        if let Some(id) = id {
            let _ = cell.set(id);
        }
        Self {
            plan,
            tag,
            input,
            id: cell,
            outputs,
            cancelled: AtomicBool::new(false),
            cancel: Notify::new(),
        }
    }

    /// The saga's id; made at the first call where the caller gave none.
    pub(crate) fn id(&self) -> &SagaId {
        self.id.get_or_init(SagaId::random)
    }

    /// The saga's id, where there is one already.
    pub(crate) fn given_id(&self) -> Option<&SagaId> {
        self.id.get()
    }

    /// Keeps a step's output. A step is done once, so there is never a second one.
    pub(crate) fn keep(&self, step: StepIndex, output: AnyValue) {
        if let Some(cell) = self.outputs.get(usize::from(step)) {
            let _ = cell.set(output);
        }
    }

    pub(crate) fn output(&self, step: StepIndex) -> Option<&(dyn Any + Send + Sync)> {
        self.outputs.get(usize::from(step))?.get().map(|output| &**output)
    }

    /// Tells the attempts in flight that the saga is being undone.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.cancel.notify_waiters();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(crate) async fn cancelled(&self) {
        let notified = self.cancel.notified();
        tokio::pin!(notified);
        // Registered before the look, so that no cancel falls in between.
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

/// What people gave steps in place of what the record says.
#[derive(Clone, Default)]
pub(crate) struct Edits {
    inputs: BTreeMap<StepIndex, Edited>,
    outputs: BTreeMap<StepIndex, Edited>,
}

type Edited = Arc<dyn Any + Send + Sync>;

impl Edits {
    pub(crate) fn set_input(&mut self, step: StepIndex, input: AnyValue) {
        self.inputs.insert(step, input.into());
    }

    pub(crate) fn set_output(&mut self, step: StepIndex, output: AnyValue) {
        self.outputs.insert(step, output.into());
    }

    pub(crate) fn output(&self, step: StepIndex) -> Option<&(dyn Any + Send + Sync)> {
        self.outputs.get(&step).map(|output| &**output)
    }
}

/// One attempt at one step.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) scope: Arc<Scope>,
    /// As they were when it started; nearly always there are none.
    pub(crate) edits: Option<Arc<Edits>>,
    pub(crate) step: StepIndex,
    /// From 1, over the whole life of the saga.
    pub(crate) number: u32,
    pub(crate) effect: Effect,
}

impl Attempt {
    /// The saga's input, or what the step was given in its place.
    pub(crate) fn given_input(&self) -> &(dyn Any + Send + Sync) {
        let edited = self.edits.as_ref().and_then(|edits| edits.inputs.get(&self.step));
        edited.map_or(&*self.scope.input, |input| &**input)
    }

    /// A step's output, or what was given in its place.
    pub(crate) fn known_output(&self, step: StepIndex) -> Option<&(dyn Any + Send + Sync)> {
        let edited = self.edits.as_ref().and_then(|edits| edits.output(step));
        edited.or_else(|| self.scope.output(step))
    }
}

pub(crate) fn action<I, T, E, F, Fut>(function: F) -> Run
where
    I: 'static,
    T: Value,
    E: Into<BoxError>,
    F: Fn(StepContext<I>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    let function = Arc::new(function);
    Box::new(move |attempt| {
        let function = function.clone();
        // Called inside the future, so that a panic of the call itself is the attempt's too.
        Box::pin(async move {
            let done = function(StepContext::new(attempt)).await;
            Attempted::Acted(match done {
                Ok(output) => Ok(Box::new(output)),
                Err(error) => Err(StepError::from_any(error)),
            })
        })
    })
}

pub(crate) fn undo<I, T, R, E, F, Fut>(function: F) -> Run
where
    I: 'static,
    T: Value,
    E: Into<BoxError>,
    F: Fn(UndoContext<I>, Option<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
{
    let function = Arc::new(function);
    Box::new(move |attempt| {
        let function = function.clone();
        Box::pin(async move {
            let output = attempt.known_output(attempt.step);
            let output = output.and_then(|output| output.downcast_ref::<T>()).cloned();
            let done = function(UndoContext::new(attempt), output).await;
            Attempted::Undone(done.map(drop).map_err(StepError::from_any))
        })
    })
}

pub(crate) fn probe<I, T, E, F, Fut>(function: F) -> Run
where
    I: 'static,
    T: Value,
    E: Into<BoxError>,
    F: Fn(StepContext<I>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Probed<T>, E>> + Send + 'static,
{
    let function = Arc::new(function);
    Box::new(move |attempt| {
        let function = function.clone();
        Box::pin(async move {
            let found = function(StepContext::new(attempt)).await;
            Attempted::Probed(match found {
                Ok(Probed::Done(output)) => Ok(Some(Box::new(output) as AnyValue)),
                Ok(Probed::NotDone) => Ok(None),
                Err(error) => Err(StepError::from_any(error)),
            })
        })
    })
}
