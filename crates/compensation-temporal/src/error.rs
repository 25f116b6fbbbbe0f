//! What the manager refuses, and how a step or a rollback ends otherwise than well. Each of them closes a workflow
//! rightly when it is returned with `?`: none wedges a workflow task.

use temporalio_workflow::{
    ActivityExecutionError, WorkflowTermination,
    common::{
        data_converters::PayloadConversionError,
        error::{ApplicationFailure, OutgoingWorkflowError},
    },
};

use crate::{
    failure::{ActivityFailure, FailureKind},
    report::Report,
    stop::{Stop, StopKind},
};

/// What a [`CompensationManager`](crate::CompensationManager) refuses to do. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// The name is registered already, and what it stands for is not undone yet.
    #[error("`{0}` is registered already: give each execution a name of its own")]
    Duplicate(String),
    /// No such name is registered.
    #[error("`{0}` is not registered: register the compensation before the activity starts")]
    NotRegistered(String),
    /// The input does not turn into a payload.
    #[error("the input of {what} of `{name}` does not serialize")]
    Input {
        /// The step.
        name: String,
        /// `the activity` or `the undo`.
        what: &'static str,
        /// What the converter said.
        #[source]
        source: PayloadConversionError,
    },
    /// A time limit of zero, in which nothing can be done.
    #[error("{what} of `{name}` has no time at all: give it a limit above zero")]
    NoTime {
        /// The step.
        name: String,
        /// `the activity` or `the undo`.
        what: &'static str,
    },
    /// A rollback is under way.
    #[error("a rollback is under way: wait until it has ended")]
    Compensating,
    /// The step's activity has not ended.
    #[error("the activity of `{0}` has not ended: wait for it first")]
    InFlight(String),
    /// A closure is no data, so a snapshot can't carry it.
    #[error("the undo of `{0}` is a closure, which can't be carried over: use an activity")]
    Closure(String),
    /// Something is registered already, and would be lost.
    #[error("the manager is not empty: restore into a new one")]
    NotEmpty,
    /// The snapshot was written by a newer version.
    #[error("the snapshot has format {0}, which this version does not know: upgrade the worker")]
    Format(u32),
}

/// A rollback that did not undo all that it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompensateError {
    /// Another call is at work. This one has done nothing.
    #[error("a rollback is under way: wait until it has ended")]
    Compensating,
    /// These names are not registered. Nothing was undone, not even what is registered.
    #[error("not registered: {}", .0.join(", "))]
    NotRegistered(Vec<String>),
    /// Something failed, or was left. A further call runs only that.
    #[error("the rollback is incomplete: {0}")]
    Incomplete(Report),
}

impl CompensateError {
    /// What the rollback did, if it began.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Incomplete(report) => Some(report),
            Self::Compensating | Self::NotRegistered(_) => None,
        }
    }
}

/// A step that has no output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The workflow was cancelled before the step began: there was no effect, and nothing is registered.
    #[error("step `{0}` did not begin: the workflow is cancelled")]
    Cancelled(String),
    /// The workflow was [asked](crate::CompensationManager::ask_to_compensate) to stop before the step began: there was no
    /// effect, and nothing is registered.
    #[error("step `{name}` did not begin: {stop}")]
    Stopped {
        /// The step.
        name: String,
        /// What was asked for.
        stop: Stop,
    },
    /// The step was refused: there was no effect, and nothing is registered.
    #[error(transparent)]
    Refused(#[from] ManagerError),
    /// Its activity failed.
    #[error("step `{name}` failed: {failure}")]
    Failed {
        /// The step.
        name: String,
        /// What is known of the failure.
        failure: ActivityFailure,
        /// Whether the failure was declared to mean that there was no effect.
        not_done: bool,
        /// The SDK's error.
        #[source]
        source: Box<ActivityExecutionError>,
    },
    /// Its activity succeeded, but what it gave can't be used. It counts as executed.
    #[error("step `{name}` is done, but its output can't be used")]
    Output {
        /// The step.
        name: String,
        /// What the converter said.
        #[source]
        source: PayloadConversionError,
    },
}

impl StepError {
    /// What is known of the failed activity.
    #[must_use]
    pub fn failure(&self) -> Option<&ActivityFailure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            Self::Cancelled(_) | Self::Stopped { .. } | Self::Refused(_) | Self::Output { .. } => {
                None
            }
        }
    }

    /// Whether it ended so because of a cancel, of Temporal's or of a [signal](StopKind::Cancel).
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled(_) => true,
            Self::Stopped { stop, .. } => stop.kind == StopKind::Cancel,
            _ => self.failure().is_some_and(|failure| failure.kind == FailureKind::Cancelled),
        }
    }
}

impl From<ManagerError> for WorkflowTermination {
    fn from(error: ManagerError) -> Self {
        Self::from(ApplicationFailure::non_retryable(error))
    }
}

impl From<CompensateError> for WorkflowTermination {
    fn from(error: CompensateError) -> Self {
        Self::from(ApplicationFailure::non_retryable(error))
    }
}

impl From<StepError> for WorkflowTermination {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Cancelled(_) => Self::cancelled(),
            StepError::Stopped { stop, .. } => Self::from(stop),
            StepError::Failed { source, .. } => unwedged(Self::from(*source)),
            StepError::Refused(_) | StepError::Output { .. } => {
                Self::from(ApplicationFailure::non_retryable(error))
            }
        }
    }
}

/// A conversion error at large fails the workflow task, which is then attempted for ever; wrapped up, it fails
/// the workflow.
pub(crate) fn unwedged(termination: WorkflowTermination) -> WorkflowTermination {
    match termination {
        WorkflowTermination::Failed(OutgoingWorkflowError::PayloadConversion(error)) => {
            WorkflowTermination::from(ApplicationFailure::non_retryable(error))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_failed_to_convert_fails_the_workflow_not_its_task() {
        let source = ActivityExecutionError::Serialization(PayloadConversionError::WrongEncoding);
        let (failure, source) = (ActivityFailure::of(&source), Box::new(source));
        let error = StepError::Failed { name: "car".to_owned(), failure, not_done: false, source };
        let closes = WorkflowTermination::from(error);
        assert!(
            matches!(closes, WorkflowTermination::Failed(OutgoingWorkflowError::Application(_))),
            "{closes:?}"
        );
    }
}
