//! What a failed activity tells: whether it may have had its effect, and whether another attempt may help.

use std::fmt;

use serde::{Deserialize, Serialize};
use temporalio_workflow::{
    ActivityExecutionError, RetryState, TimeoutType, common::error::IncomingError,
};

use crate::policy::Retry;

/// In which way an activity failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The activity itself said so.
    Application,
    /// It did not answer in time: it is slow, or its worker is gone.
    Timeout,
    /// No worker took it in time.
    NoWorker,
    /// It was cancelled.
    Cancelled,
    /// Its input could not be written or its output not be read.
    Serialization,
    /// Anything else.
    Other,
}

/// What is known of a failed activity, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityFailure {
    /// In which way it failed.
    pub kind: FailureKind,
    /// What it said.
    pub message: String,
    /// The type that the activity gave its failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// Whether another attempt may help.
    pub retryable: bool,
    /// Whether the server has made every attempt that it was allowed.
    #[serde(default)]
    pub exhausted: bool,
}

impl ActivityFailure {
    /// Reads an error of the SDK.
    #[must_use]
    pub fn of(error: &ActivityExecutionError) -> Self {
        let failed = match error {
            ActivityExecutionError::Failed(failed) => failed,
            ActivityExecutionError::Cancelled(_) => {
                return Self::plain(FailureKind::Cancelled, error.to_string());
            }
            ActivityExecutionError::Serialization(_) => {
                return Self::plain(FailureKind::Serialization, error.to_string());
            }
            _ => return Self::plain(FailureKind::Other, error.to_string()),
        };
        let mut this = match failed.cause() {
            Some(IncomingError::Application(said)) => Self {
                type_name: said.type_name().map(str::to_owned),
                retryable: !said.is_non_retryable(),
                ..Self::plain(FailureKind::Application, said.to_string())
            },
            Some(IncomingError::Timeout(late)) => {
                let message = format!("no answer in time ({:?})", late.timeout_type());
                match late.timeout_type() {
                    TimeoutType::ScheduleToStart => Self::plain(FailureKind::NoWorker, message),
                    TimeoutType::ScheduleToClose => Self::plain(FailureKind::Timeout, message),
                    _ => Self { retryable: true, ..Self::plain(FailureKind::Timeout, message) },
                }
            }
            Some(IncomingError::Cancelled(_)) => {
                Self::plain(FailureKind::Cancelled, "it was cancelled".to_owned())
            }
            Some(other) => Self::plain(FailureKind::Other, other.failure().message.clone()),
            None => Self::plain(FailureKind::Other, failed.failure().message.clone()),
        };
        this.exhausted = failed.retry_state() == RetryState::MaximumAttemptsReached;
        this
    }

    pub(crate) fn plain(kind: FailureKind, message: String) -> Self {
        Self { kind, message, type_name: None, retryable: false, exhausted: false }
    }

    /// How many attempts are known to have been made by a command that failed so.
    pub(crate) fn attempts(&self, retry: &Retry) -> u32 {
        if self.exhausted { retry.attempts().unwrap_or(1) } else { 1 }
    }
}

impl fmt::Display for ActivityFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.type_name {
            Some(name) => write!(f, "{} ({name})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Which failures of an activity mean that it had no effect. Whatever is not declared here counts as unknown,
/// and is undone.
///
/// It speaks for all attempts: where the first may have had its effect before the second is refused, don't
/// declare the refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotDone {
    refusals: bool,
    types: Vec<String>,
}

impl NotDone {
    /// No failure does. The default.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    /// Every failure that the activity itself declared not worth another attempt.
    #[must_use]
    pub fn on_refusals() -> Self {
        Self { refusals: true, types: Vec::new() }
    }

    /// Failures of these types, retryable or not.
    #[must_use]
    pub fn on_types<S: Into<String>>(types: impl IntoIterator<Item = S>) -> Self {
        Self { refusals: false, types: types.into_iter().map(Into::into).collect() }
    }

    /// Whether that failure means that there was no effect.
    #[must_use]
    pub fn covers(&self, failure: &ActivityFailure) -> bool {
        let named = || failure.type_name.as_ref().is_some_and(|name| self.types.contains(name));
        failure.kind == FailureKind::Application
            && ((self.refusals && !failure.retryable) || named())
    }
}
