//! What the end of an activity means to the saga.

use compensation::{Failure, StepError, remote::Ended};
use temporalio_workflow::{
    ActivityExecutionError, RetryState, TimeoutType,
    common::{
        data_converters::{PayloadConversionError, PayloadConverter},
        error::{ApplicationFailure, IncomingError},
    },
};

use super::{
    json::SagaJson,
    wire::{STEP_FAILED, StepEnd, StepEnded, StepFailed, WORKER_STOPPED},
};
use crate::{context::ActivityEnd, payload};

/// What came of an activity.
pub(super) struct Verdict {
    pub(super) what: What,
    /// Attempts that are known of.
    pub(super) attempts: u32,
    /// The server stopped it before its budget was spent.
    pub(super) stopped: bool,
}

pub(super) enum What {
    Ended(Ended),
    /// Its worker died, or was stopped.
    Interrupted,
}

/// Reads how an activity ended of which the server may make so many attempts.
pub(super) fn read(converter: &PayloadConverter, end: ActivityEnd, budget: Option<u32>) -> Verdict {
    let error = match end {
        Ok(payload) => return success(payload::decode(converter, payload)),
        Err(error) => error,
    };
    match &*error {
        ActivityExecutionError::Failed(failed) => {
            let spent = failed.retry_state() == RetryState::MaximumAttemptsReached;
            let known = if spent { budget.unwrap_or(1) } else { 1 };
            match failed.cause() {
                Some(IncomingError::Application(said)) => application(said, known, budget),
                Some(IncomingError::Timeout(late)) => timeout(late.timeout_type(), known, budget),
                Some(IncomingError::Cancelled(_)) => stopped(),
                Some(other) => lost(other.failure().message.clone(), known),
                None => lost(failed.failure().message.clone(), known),
            }
        }
        ActivityExecutionError::Cancelled(_) => stopped(),
        // It is done, but nobody can tell what it gave.
        other => lost(other.to_string(), 1),
    }
}

fn success(end: Result<SagaJson<StepEnd>, PayloadConversionError>) -> Verdict {
    match end {
        Ok(SagaJson(StepEnd { end, output, attempts })) => {
            let output = || output.unwrap_or_else(|| serde_json::value::RawValue::NULL.to_owned());
            let ended = match end {
                StepEnded::Done => Ended::Done(output()),
                StepEnded::NotDone => Ended::NotDone,
                StepEnded::Undone => Ended::Undone,
            };
            Verdict { what: What::Ended(ended), attempts, stopped: false }
        }
        Err(error) => lost(format!("its result can't be read: {error}"), 1),
    }
}

fn application(said: &ApplicationFailure, known: u32, budget: Option<u32>) -> Verdict {
    match (said.type_name(), said.details::<StepFailed>()) {
        (Some(STEP_FAILED), Ok(Some(StepFailed { failure, tainted, attempts }))) => {
            let failure = if tainted { failure.tainted() } else { failure };
            ended(failure, attempts)
        }
        (Some(WORKER_STOPPED), _) => interrupted(known),
        // What the SDK's workers answer to a type of activity that they do not have.
        (Some("NotFoundError"), _) => {
            never_ran(format!("no worker there has it: {said}"), known, budget)
        }
        _ => lost(said.to_string(), known),
    }
}

fn timeout(kind: TimeoutType, known: u32, budget: Option<u32>) -> Verdict {
    match kind {
        TimeoutType::Heartbeat => interrupted(known),
        TimeoutType::ScheduleToStart => {
            let mut verdict = never_ran("no worker took it in time".to_owned(), known, budget);
            verdict.attempts = verdict.attempts.saturating_sub(1);
            verdict
        }
        other => lost(format!("no answer in time ({other:?})"), known),
    }
}

/// The last attempt did not run. Where it was the only one that could be made, nothing was done.
fn never_ran(why: String, known: u32, budget: Option<u32>) -> Verdict {
    let error = if budget == Some(1) { StepError::not_done(why) } else { StepError::unknown(why) };
    ended(error.terminal().into(), known)
}

fn lost(why: String, known: u32) -> Verdict {
    ended(StepError::unknown(why).terminal().into(), known)
}

/// The server stopped it, in flight or between two attempts. Another attempt may find out more.
fn stopped() -> Verdict {
    let failure = StepError::unknown("it was stopped before it answered").into();
    Verdict { stopped: true, ..ended(failure, 1) }
}

fn interrupted(attempts: u32) -> Verdict {
    Verdict { what: What::Interrupted, attempts, stopped: false }
}

fn ended(failure: Failure, attempts: u32) -> Verdict {
    Verdict { what: What::Ended(Ended::Failed(failure)), attempts, stopped: false }
}
