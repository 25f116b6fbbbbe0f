//! What a signal may ask of a workflow: to stop and undo what it has done. The handlers are one line each; steps and
//! the workflow's end heed it.

use std::fmt;

use serde::{Deserialize, Serialize};
use temporalio_workflow::{
    WorkflowCancellationToken, WorkflowTermination, common::error::ApplicationFailure,
};

use crate::{context::SagaContext, manager::CompensationManager};

/// The type of the failure with which a workflow closes that was [asked](CompensationManager::ask_to_compensate) to
/// compensate.
pub const REQUESTED: &str = "CompensationRequested";

/// In which way a workflow was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopKind {
    /// No further step; what is in flight may end. The workflow closes as failed.
    Compensate,
    /// No further step, and what is in flight is asked to stop. The workflow closes as cancelled.
    Cancel,
}

/// What a workflow was asked for by a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// In which way.
    pub kind: StopKind,
    /// Why, as the signal said.
    pub reason: String,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = match self.kind {
            StopKind::Compensate => "it was asked to compensate",
            StopKind::Cancel => "it was asked to cancel",
        };
        if self.reason.is_empty() {
            f.write_str(asked)
        } else {
            write!(f, "{asked}: {}", self.reason)
        }
    }
}

impl From<Stop> for WorkflowTermination {
    fn from(stop: Stop) -> Self {
        match stop.kind {
            StopKind::Cancel => Self::cancelled(),
            StopKind::Compensate => {
                let failure = ApplicationFailure::builder(stop.to_string())
                    .type_name(REQUESTED.to_owned())
                    .non_retryable(true);
                Self::from(failure.build())
            }
        }
    }
}

impl<C> CompensationManager<C> {
    /// Asks the workflow to undo everything. For the handler of a signal.
    ///
    /// No further [`step`](Self::step) begins. One that is in flight goes on to its end. When `run` comes to
    /// [`finish`](Self::finish), everything is undone, even where `run` has a result, and the workflow closes as failed,
    /// with a failure of type [`REQUESTED`]. A workflow that was asked to cancel stays so.
    ///
    /// It emits no command. A `run` that waits for something else than a step is to give its timer or condition the
    /// manager's [`token`](Self::token), and else ends its wait first.
    ///
    /// ```
    /// # use compensation_temporal::CompensationManager;
    /// # use temporalio_macros::{workflow, workflow_methods};
    /// # use temporalio_sdk::{SyncWorkflowContext, WorkflowContext, WorkflowResult};
    /// # #[workflow]
    /// # #[derive(Default)]
    /// # struct BookTrip { saga: CompensationManager<WorkflowContext<BookTrip>> }
    /// #[workflow_methods]
    /// impl BookTrip {
    /// #   #[run]
    /// #   async fn run(_: &mut WorkflowContext<Self>) -> WorkflowResult<()> { Ok(()) }
    ///     #[signal]
    ///     fn compensate(&mut self, _: &mut SyncWorkflowContext<Self>, reason: String) {
    ///         self.saga.ask_to_compensate(reason);
    ///     }
    ///
    ///     #[signal]
    ///     fn cancel(&mut self, _: &mut SyncWorkflowContext<Self>, reason: String) {
    ///         self.saga.ask_to_cancel(reason);
    ///     }
    /// }
    /// ```
    pub fn ask_to_compensate(&self, reason: impl Into<String>) {
        self.ask(Stop { kind: StopKind::Compensate, reason: reason.into() });
    }

    /// Asks the workflow to stop and to undo everything, as a cancel does. For the handler of a signal, where a cancel
    /// of Temporal's own is not at hand, or has a reason to tell.
    ///
    /// As [`ask_to_compensate`](Self::ask_to_compensate), but the activity in flight is asked to stop, and the workflow
    /// closes as cancelled, with the reason in its [`Ending`](crate::Ending).
    pub fn ask_to_cancel(&self, reason: impl Into<String>) {
        self.ask(Stop { kind: StopKind::Cancel, reason: reason.into() });
    }

    /// What a signal has asked for. A cancel of Temporal's own is not among it.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.stack.borrow().stop.clone()
    }

    pub(crate) fn ask(&self, stop: Stop) {
        let mut stack = self.stack.borrow_mut();
        match &stack.stop {
            // The first reason stays, unless a cancel follows what was no cancel.
            Some(asked) if asked.kind == StopKind::Cancel || asked.kind == stop.kind => return,
            _ => {}
        }
        let mut tokens: Vec<_> = stack.stop_token.clone().into_iter().collect();
        if stop.kind == StopKind::Cancel {
            let running = stack.entries.iter().filter_map(|entry| entry.running.as_ref());
            tokens.extend(running.map(|running| running.token.clone()));
        }
        let why = stop.to_string();
        stack.stop = Some(stop);
        drop(stack);
        for token in tokens {
            token.cancel_with_reason(&*why);
        }
    }
}

impl<C: SagaContext> CompensationManager<C> {
    /// A token that is cancelled when the workflow is to stop: by a cancel of Temporal's, or by what it was
    /// [asked](Self::ask_to_compensate). For timers and conditions that `run` waits for between its steps.
    #[must_use]
    pub fn token(&self, ctx: &C) -> WorkflowCancellationToken {
        let made = self.stack.borrow().stop_token.clone();
        if let Some(token) = made {
            return token;
        }
        let token = ctx.cancellation().child_token();
        let asked = {
            let mut stack = self.stack.borrow_mut();
            stack.stop_token = Some(token.clone());
            stack.stop.clone()
        };
        if let Some(stop) = asked {
            token.cancel_with_reason(stop.to_string());
        } else if ctx.cancellation().is_cancelled() {
            token.cancel();
        }
        token
    }
}
