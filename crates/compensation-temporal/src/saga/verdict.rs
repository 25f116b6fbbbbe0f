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

#[cfg(test)]
mod tests {
    use compensation::Certainty;
    use temporalio_workflow::common::{
        data_converters::{ActivityExecutionDecodeHint, DataConverter, SerializationContextData},
        protos::temporal::api::{
            common::v1::Payload,
            enums::v1::{RetryState as ProtoRetryState, TimeoutType as ProtoTimeoutType},
            failure::v1::{
                ActivityFailureInfo, ApplicationFailureInfo, Failure as ProtoFailure,
                TimeoutFailureInfo, failure::FailureInfo,
            },
        },
    };

    use super::*;

    fn proto(message: &str, info: FailureInfo) -> ProtoFailure {
        ProtoFailure {
            message: message.to_owned(),
            failure_info: Some(info),
            ..ProtoFailure::default()
        }
    }

    /// The end of an activity whose last attempt failed so.
    fn failed(cause: FailureInfo) -> ActivityEnd {
        let info = ActivityFailureInfo {
            retry_state: ProtoRetryState::MaximumAttemptsReached.into(),
            ..ActivityFailureInfo::default()
        };
        let mut failure = proto("activity failed", FailureInfo::ActivityFailureInfo(info));
        failure.cause = Some(Box::new(proto("so", cause)));
        let hint = ActivityExecutionDecodeHint::new(false);
        let data = SerializationContextData::None;
        let decoded = DataConverter::default().to_error(&data, failure, hint);
        Err(Box::new(decoded.expect("a plain failure")))
    }

    fn timed_out(kind: ProtoTimeoutType) -> ActivityEnd {
        failed(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: kind.into(),
            ..TimeoutFailureInfo::default()
        }))
    }

    fn said(kind: &str) -> ActivityEnd {
        failed(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            r#type: kind.to_owned(),
            ..ApplicationFailureInfo::default()
        }))
    }

    /// In a word, and the attempts that are known of.
    fn verdict(end: ActivityEnd, budget: Option<u32>) -> (&'static str, u32) {
        let Verdict { what, attempts, .. } = read(&PayloadConverter::default(), end, budget);
        let word = match what {
            What::Interrupted => "interrupted",
            What::Ended(Ended::Failed(failure)) => match failure.certainty() {
                Certainty::NotDone => "not done",
                Certainty::Unknown => "unknown",
            },
            What::Ended(_) => "ended",
        };
        (word, attempts)
    }

    #[test]
    fn an_attempt_that_no_worker_took_is_not_done_where_there_was_no_other() {
        let nobody = || timed_out(ProtoTimeoutType::ScheduleToStart);
        assert_eq!(verdict(nobody(), Some(1)), ("not done", 0));
        assert_eq!(verdict(nobody(), Some(3)), ("unknown", 2));
        assert_eq!(verdict(nobody(), None), ("unknown", 0));
    }

    #[test]
    fn a_type_that_no_worker_has_is_not_done_where_there_was_no_other_attempt() {
        assert_eq!(verdict(said("NotFoundError"), Some(1)), ("not done", 1));
        assert_eq!(verdict(said("NotFoundError"), Some(2)), ("unknown", 2));
    }

    #[test]
    fn a_dead_worker_and_a_stopped_one_have_interrupted_the_attempt() {
        let silent = timed_out(ProtoTimeoutType::Heartbeat);
        assert_eq!(verdict(silent, Some(1)), ("interrupted", 1));
        assert_eq!(verdict(said(WORKER_STOPPED), Some(1)), ("interrupted", 1));
    }

    #[test]
    fn a_late_attempt_and_one_that_fails_in_a_way_of_its_own_may_have_had_their_effect() {
        let late = timed_out(ProtoTimeoutType::StartToClose);
        assert_eq!(verdict(late, Some(1)), ("unknown", 1));
        assert_eq!(verdict(said("Surprise"), Some(1)), ("unknown", 1));
        // A failure without the details that belong to it.
        assert_eq!(verdict(said(STEP_FAILED), Some(1)), ("unknown", 1));
    }

    #[test]
    fn a_result_that_can_t_be_read_is_of_unknown_outcome() {
        let nonsense = Payload { data: b"nonsense".to_vec(), ..Payload::default() };
        assert_eq!(verdict(Ok(nonsense), Some(1)), ("unknown", 1));
    }
}
