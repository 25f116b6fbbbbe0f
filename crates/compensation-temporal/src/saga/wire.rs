//! What travels between client, workflow and worker, as JSON. It lies in histories, so it is read for ever: fields may
//! be added with a default, and none changes its meaning.

use std::collections::BTreeMap;

use compensation::{
    Failure, Plan, SagaId,
    machine::{Effect, Task},
    remote::Call,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use temporalio_workflow::common::{
    data_converters::{
        PayloadConversionError, SerializationContext, TemporalDeserializable, TemporalSerializable,
    },
    protos::temporal::api::common::v1::Payload,
};

use super::{json::SagaJson, limits::SagaLimits};

/// The form that this version writes.
pub(super) const FORMAT: u32 = 1;

/// Most bytes of an activity's input, and of a workflow's. The server's limit is 2 MiB.
pub(super) const MAX_CALL_BYTES: usize = 2 * 1024 * 1024 - 64 * 1024;

/// Most bytes that a saga's activities are sent in all, before its steps are refused and its undos are told no more than
/// their own step's output. The server ends a workflow whose history has 50 MiB, and nothing of it is undone then.
pub(super) const MAX_SENT_BYTES: usize = 16 * 1024 * 1024;

/// Type of the failure of a step, an undo or a probe.
pub(super) const STEP_FAILED: &str = "SagaStepFailed";

/// Type of the failure of an attempt that its worker gave up when it was stopped.
pub(super) const WORKER_STOPPED: &str = "SagaWorkerStopped";

/// A workflow's input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) format: u32,
    pub(super) saga_id: SagaId,
    pub(super) plan: Plan,
    pub(super) input: Box<RawValue>,
    #[serde(default)]
    pub(super) limits: SagaLimits,
}

/// The input of a [`SagaWorkflow`](crate::SagaWorkflow), made by `TemporalSagas`. What is no input for it is read
/// too, so that the workflow can close and say so; an input that can't be read would fail its task for ever.
#[derive(Debug)]
pub struct SagaInput(pub(super) Result<Start, String>);

impl TemporalDeserializable for SagaInput {
    fn from_payload(
        ctx: &SerializationContext<'_>,
        payload: Payload,
    ) -> Result<Self, PayloadConversionError> {
        let start = SagaJson::<Start>::from_payload(ctx, payload);
        let start = start.map(|SagaJson(start)| start);
        Ok(Self(start.map_err(|error| format!("this is no input for a saga: {error}"))))
    }

    fn from_payloads(
        ctx: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Self, PayloadConversionError> {
        Self::from_payload(ctx, payloads.into_iter().next().unwrap_or_default())
    }
}

impl TemporalSerializable for SagaInput {
    fn to_payload(
        &self,
        ctx: &SerializationContext<'_>,
    ) -> Result<Payload, PayloadConversionError> {
        let start = self.0.as_ref().map_err(|_| PayloadConversionError::WrongEncoding)?;
        SagaJson(start).to_payload(ctx)
    }
}

/// An activity's input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StepCall {
    pub(super) saga: String,
    pub(super) saga_id: SagaId,
    pub(super) step: String,
    pub(super) task: StepTask,
    /// The fingerprint of the plan, as hexadecimal digits.
    pub(super) fingerprint: String,
    /// Attempts that were made before those of this activity.
    pub(super) before: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit_ms: Option<u64>,
    /// The saga is being undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) cancelled: bool,
    pub(super) input: Box<RawValue>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) outputs: BTreeMap<String, Box<RawValue>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StepTask {
    Act,
    Probe,
    /// The undo of what is recorded as done.
    Undo,
    /// The undo of what may have been done.
    UndoMaybe,
}

/// An activity's output.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StepEnd {
    pub(super) end: StepEnded,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<Box<RawValue>>,
    /// Attempts of this activity.
    pub(super) attempts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StepEnded {
    Done,
    NotDone,
    Undone,
}

/// The details of a failure of type [`STEP_FAILED`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StepFailed {
    pub(super) failure: Failure,
    /// An earlier attempt of this activity may have had its effect.
    #[serde(default)]
    pub(super) tainted: bool,
    /// Attempts of this activity.
    pub(super) attempts: u32,
}

/// What an attempt tells the next one of the same activity, in the details of its heartbeats.
#[cfg(feature = "worker")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beat {
    /// All attempts up to this one knew that they had no effect.
    #[serde(default)]
    pub(super) clean: u32,
}

impl From<Task> for StepTask {
    fn from(task: Task) -> Self {
        match task {
            Task::Act => Self::Act,
            Task::Probe => Self::Probe,
            Task::Undo(Effect::Sure) => Self::Undo,
            Task::Undo(Effect::Maybe) => Self::UndoMaybe,
        }
    }
}

impl From<StepTask> for Task {
    fn from(task: StepTask) -> Self {
        match task {
            StepTask::Act => Self::Act,
            StepTask::Probe => Self::Probe,
            StepTask::Undo => Self::Undo(Effect::Sure),
            StepTask::UndoMaybe => Self::Undo(Effect::Maybe),
        }
    }
}

impl StepCall {
    pub(super) fn new(saga: &str, call: Call, before: u32, cancelled: bool) -> Self {
        Self {
            saga: saga.to_owned(),
            saga_id: call.saga_id,
            step: call.step,
            task: call.task.into(),
            fingerprint: format!("{:016x}", call.fingerprint),
            before,
            limit_ms: call.limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
            cancelled,
            input: call.input,
            outputs: call.outputs.into_iter().collect(),
        }
    }
}
