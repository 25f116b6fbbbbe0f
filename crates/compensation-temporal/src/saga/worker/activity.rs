//! The one activity behind all names: an attempt of a step, an undo or a probe.
//!
//! The SDK registers an activity by its type and asks that for a name, once. Steps have names that are known at run
//! time only, so the type reads its name from a thread-local that is set around the registration; which step is
//! meant an attempt learns from its input. The SDK has no public way to register a name with a function.

use std::{cell::RefCell, sync::Arc, time::Duration};

use compensation::{
    Certainty, Failure, StepError,
    remote::{Call, Ended},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use temporalio_common::{ActivityDefinition, ActivityError, error::ApplicationFailure};
use temporalio_sdk::{
    WorkerOptions,
    activities::{ActivityContext, ActivityDefinitions, ActivityImplementer, ExecutableActivity},
};

use super::{clock, host::Host};
use crate::saga::{
    json::SagaJson,
    names,
    wire::{Beat, STEP_FAILED, StepCall, StepEnd, StepEnded, StepFailed, WORKER_STOPPED},
};

thread_local! {
    /// The name that is being registered.
    static NAME: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Registers every activity of what is hosted.
pub(super) fn register(host: &Arc<Host>, options: &mut WorkerOptions) {
    for name in host.all().flat_map(|saga| names::activities(saga.plan())) {
        NAME.set(name);
        options.register_activity::<Step>(host.clone());
    }
    NAME.take();
}

struct Step(String);

impl ActivityDefinition for Step {
    type Input = SagaJson<StepCall>;
    type Output = SagaJson<StepEnd>;

    fn name(&self) -> &str {
        &self.0
    }
}

impl ActivityImplementer for Host {
    fn register_all(self: Arc<Self>, definitions: &mut ActivityDefinitions) {
        definitions.register_activity::<Step>(self);
    }
}

impl ExecutableActivity for Step {
    type Implementer = Host;
    const REQUIRES_INSTANCE: bool = true;

    fn definition() -> Self {
        Self(NAME.with_borrow(String::clone))
    }

    fn execute(
        host: Option<Arc<Host>>,
        ctx: ActivityContext,
        SagaJson(call): SagaJson<StepCall>,
    ) -> BoxFuture<'static, Result<SagaJson<StepEnd>, ActivityError>> {
        async move {
            match host {
                Some(host) => attempt(&host, &ctx, call).await.map(SagaJson),
                None => Err(ActivityError::from(std::io::Error::other("no definitions"))),
            }
        }
        .boxed()
    }
}

async fn attempt(
    host: &Host,
    ctx: &ActivityContext,
    call: StepCall,
) -> Result<StepEnd, ActivityError> {
    let number = ctx.info().attempt;
    // An attempt that died without a word leaves no details, or those of one before it.
    let told = ctx.heartbeat_details().deserialize::<Beat>().ok().flatten().unwrap_or_default();
    let clean = told.clean + 1 == number;
    let fingerprint = u64::from_str_radix(&call.fingerprint, 16).unwrap_or_default();
    let ended = match host.find(&call.saga, fingerprint) {
        Some(saga) => {
            let cancelled = call.cancelled;
            let attempt = saga.attempt(read(call, fingerprint, number));
            let canceller = attempt.canceller();
            if cancelled {
                canceller.cancel();
            }
            let mut attempt = std::pin::pin!(attempt);
            let mut told = false;
            loop {
                tokio::select! {
                    ended = &mut attempt => break Some(ended),
                    () = ctx.cancelled(), if !told => {
                        if host.is_closing() {
                            break None;
                        }
                        told = true;
                        canceller.cancel();
                    }
                    () = clock::beat(ctx.info().heartbeat_timeout) => beat(ctx, told_so_far(clean, number)).await,
                }
            }
        }
        None => {
            let why = format!("no definition of `{}` is hosted here", call.saga);
            Some(Ended::Failed(StepError::not_done(why).terminal().into()))
        }
    };
    let done = |end, output| Ok(StepEnd { end, output, attempts: number });
    match ended {
        Some(Ended::Done(output)) => done(StepEnded::Done, Some(output)),
        Some(Ended::NotDone) => done(StepEnded::NotDone, None),
        Some(Ended::Undone) => done(StepEnded::Undone, None),
        Some(Ended::Failed(failure)) => {
            if clean && failure.certainty() == Certainty::NotDone && failure.is_retryable() {
                // The SDK sends the last details of an attempt before its failure.
                beat(ctx, Beat { clean: number }).await;
            }
            Err(failed(failure, !clean, number))
        }
        None => Err(stopped()),
    }
}

/// What this attempt may say while it is in flight: that those before it had no effect.
fn told_so_far(clean: bool, number: u32) -> Beat {
    Beat { clean: if clean { number.saturating_sub(1) } else { 0 } }
}

async fn beat(ctx: &ActivityContext, beat: Beat) {
    // Plain data, which serializes.
    ctx.record_heartbeat(beat).await.unwrap_or_default();
}

fn read(call: StepCall, fingerprint: u64, number: u32) -> Call {
    Call {
        saga_id: call.saga_id,
        fingerprint,
        step: call.step,
        task: call.task.into(),
        attempt: call.before.saturating_add(number),
        limit: call.limit_ms.map(Duration::from_millis),
        input: call.input,
        outputs: call.outputs.into_iter().collect(),
    }
}

fn failed(failure: Failure, tainted: bool, attempts: u32) -> ActivityError {
    let retryable = failure.is_retryable();
    let message = failure.message().to_owned();
    let failure = ApplicationFailure::builder(message)
        .type_name(STEP_FAILED.to_owned())
        .non_retryable(!retryable)
        .details(StepFailed { failure, tainted, attempts });
    ActivityError::application(failure.build())
}

fn stopped() -> ActivityError {
    let failure = ApplicationFailure::builder("the worker was stopped before the attempt ended");
    ActivityError::application(failure.type_name(WORKER_STOPPED.to_owned()).build())
}
