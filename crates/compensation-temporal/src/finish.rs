//! How a workflow closes: as completed, or undone and then as failed or cancelled, with what failed first and with
//! every undo that failed.

use serde::{Deserialize, Serialize};
use temporalio_workflow::{
    ActivityExecutionError, WorkflowCancellationToken, WorkflowResult, WorkflowTermination,
    common::{
        data_converters::{
            DataConverter, DefaultFailureConverter, DefaultPayloadCodec, NoopDecodeHint,
            SerializationContextData, TemporalSerializable, WorkflowSerializationContext,
        },
        error::{ApplicationFailure, IncomingError, OutgoingError, OutgoingWorkflowError},
    },
};

use crate::{
    context::SagaContext,
    error::{CompensateError, unwedged},
    failure::ActivityFailure,
    manager::CompensationManager,
    payload,
    report::Report,
    select::Compensate,
    stop::{Stop, StopKind},
};

/// The type of the failure with which a workflow closes whose rollback is incomplete. Its details are the
/// [`Ending`], its cause is what failed first.
pub const INCOMPLETE: &str = "CompensationIncomplete";

/// How a workflow was undone: the details of its cancellation, or of its failure where the rollback is incomplete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// What failed first; absent where the workflow was just cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What a signal had [asked](CompensationManager::ask_to_cancel) for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// What the rollback did.
    pub report: Report,
}

impl<C: SagaContext> CompensationManager<C> {
    /// Ends the workflow with that result. As [`finish_with`](Self::finish_with), everything, one after the other.
    ///
    /// # Errors
    /// As [`finish_with`](Self::finish_with).
    pub async fn finish<T, E>(&self, ctx: &C, result: Result<T, E>) -> WorkflowResult<T>
    where
        T: TemporalSerializable + 'static,
        E: Into<WorkflowTermination>,
    {
        self.finish_with(ctx, result, Compensate::all()).await
    }

    /// Ends the workflow with that result: returns it from `run`.
    ///
    /// * `Ok`: completed, and nothing is undone, also where a cancel came too late to stop anything. A value that does
    ///   not serialize counts as a failure: at large it would fail the workflow task again and again.
    /// * Continued as new: passed on, and nothing is undone.
    /// * Either of these where a signal has [asked](Self::ask_to_compensate) to stop: an error all the same.
    /// * Any other error: what is asked for is undone. A rollback that is under way elsewhere is waited for first.
    ///
    /// Then the workflow closes as **cancelled** if it was, or was [asked](Self::ask_to_cancel) to, whatever failed meanwhile, with an [`Ending`] for its
    /// details; else as **failed**: with the error itself, or, where the rollback is incomplete, with a failure of
    /// type [`INCOMPLETE`] whose cause is the error and whose details are the [`Ending`].
    ///
    /// It does not wait for handlers of signals and updates; the SDK's `all_handlers_finished` says whether
    /// there are any.
    ///
    /// # Errors
    /// How the workflow is to close, if not as completed.
    pub async fn finish_with<T, E>(
        &self,
        ctx: &C,
        result: Result<T, E>,
        what: Compensate,
    ) -> WorkflowResult<T>
    where
        T: TemporalSerializable + 'static,
        E: Into<WorkflowTermination>,
    {
        let termination = match result {
            Ok(value) => match (payload::encode(ctx.converter(), &value), self.stop()) {
                (Ok(_), None) => {
                    self.mirror_completion(ctx).await;
                    // Somebody may have asked meanwhile.
                    match self.stop() {
                        None => return Ok(value),
                        Some(stop) => stop.into(),
                    }
                }
                (Ok(_), Some(stop)) => stop.into(),
                (Err(error), _) => WorkflowTermination::from(error),
            },
            Err(error) => error.into(),
        };
        let termination = self.heeded(ctx, unwedged(termination));
        match termination {
            WorkflowTermination::ContinueAsNew(_) | WorkflowTermination::Evicted => {
                Err(termination)
            }
            WorkflowTermination::Cancelled { details } => {
                let rollback = self.roll_back(ctx, what).await;
                Err(match (details, self.is_empty() && self.stop().is_none()) {
                    // The workflow's own details are kept, unless there is worse to tell.
                    (Some(details), _) if rollback.is_ok() => {
                        WorkflowTermination::Cancelled { details: Some(details) }
                    }
                    (None, true) => WorkflowTermination::cancelled(),
                    _ => cancelled(None, self.stop(), rollback),
                })
            }
            WorkflowTermination::Failed(error) => {
                let rollback = self.roll_back(ctx, what).await;
                let stop = self.stop();
                let cancel = stop.as_ref().is_some_and(|stop| stop.kind == StopKind::Cancel);
                Err(if cancel || ctx.cancellation().is_cancelled() {
                    let failure = error.as_cancelled().is_none().then(|| text(&error));
                    cancelled(failure, stop, rollback)
                } else {
                    failed(ctx, error, stop, rollback)
                })
            }
        }
    }

    /// What a signal asked for stands above what `run` makes of it: an end without an error, or as if by a cancel of
    /// Temporal's, which there was none of.
    fn heeded(&self, ctx: &C, termination: WorkflowTermination) -> WorkflowTermination {
        let Some(stop) = self.stop().filter(|_| !ctx.cancellation().is_cancelled()) else {
            return termination;
        };
        let overridden = match &termination {
            WorkflowTermination::ContinueAsNew(_) => true,
            WorkflowTermination::Cancelled { .. } => stop.kind == StopKind::Compensate,
            WorkflowTermination::Failed(error) => {
                stop.kind == StopKind::Compensate && error.as_cancelled().is_some()
            }
            WorkflowTermination::Evicted => false,
        };
        if overridden { stop.into() } else { termination }
    }

    fn is_empty(&self) -> bool {
        self.stack.borrow().entries.is_empty()
    }

    async fn roll_back(&self, ctx: &C, what: Compensate) -> Result<Report, CompensateError> {
        loop {
            match self.compensate_with(ctx, what.clone()).await {
                Err(CompensateError::Compensating) => {
                    let this = self.clone();
                    let over = Box::new(move || !this.is_compensating());
                    ctx.wait_until(over, WorkflowCancellationToken::new()).await;
                }
                ended => return ended,
            }
        }
    }
}

fn cancelled(
    failure: Option<String>,
    stop: Option<Stop>,
    rollback: Result<Report, CompensateError>,
) -> WorkflowTermination {
    WorkflowTermination::cancelled_with_details(match rollback {
        Ok(report) | Err(CompensateError::Incomplete(report)) => Ending { failure, stop, report },
        Err(refused) => {
            let refused = refused.to_string();
            let failure = failure.map_or(refused.clone(), |first| format!("{first}; {refused}"));
            Ending { failure: Some(failure), stop, report: Report::default() }
        }
    })
}

fn failed<C: SagaContext>(
    ctx: &C,
    error: OutgoingWorkflowError,
    stop: Option<Stop>,
    rollback: Result<Report, CompensateError>,
) -> WorkflowTermination {
    let Err(incomplete) = rollback else { return WorkflowTermination::Failed(error) };
    let first = text(&error);
    let report = incomplete.report().cloned().unwrap_or_default();
    let failure = ApplicationFailure::builder(format!("{first}; and {incomplete}"))
        .type_name(INCOMPLETE.to_owned())
        // Another run of what is half undone helps nobody.
        .non_retryable(true)
        .details(Ending { failure: Some(first), stop, report });
    WorkflowTermination::from(match incoming(ctx, error) {
        Some(cause) => failure.cause(Box::new(cause)).build(),
        None => failure.build(),
    })
}

/// What an error says. The SDK's own text of a failed activity does not say what the activity did.
fn text(error: &OutgoingWorkflowError) -> String {
    let OutgoingWorkflowError::ActivityExecution(activity) = error else {
        return error.to_string();
    };
    let failure = ActivityFailure::of(activity);
    let name = match &**activity {
        ActivityExecutionError::Failed(failed) => failed.activity_type(),
        _ => None,
    };
    match name {
        Some(name) => format!("activity `{name}` failed: {failure}"),
        None => format!("an activity failed: {failure}"),
    }
}

/// An error as a cause of another.
fn incoming<C: SagaContext>(ctx: &C, error: OutgoingWorkflowError) -> Option<IncomingError> {
    let converter = DataConverter::new(
        ctx.converter().clone(),
        DefaultFailureConverter::default(),
        DefaultPayloadCodec,
    );
    let data = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    let failure = converter.to_failure(&data, OutgoingError::Workflow(error));
    converter.to_error(&data, failure, NoopDecodeHint).ok()
}
