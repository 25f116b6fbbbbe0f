//! The seam to the SDK: what the manager asks of a workflow's context. The SDK's context type has a parameter for
//! each workflow and no common base, and tests put a stage of their own here.

use std::time::{Duration, SystemTime};

use futures_util::future::LocalBoxFuture;
use temporalio_workflow::{
    ActivityExecutionError, ActivityOptions, TimerOptions, TimerResult, WaitConditionOptions,
    WorkflowCancellationToken, WorkflowContext,
    common::{
        UntypedActivity,
        data_converters::{PayloadConverter, RawValue},
        protos::temporal::api::common::v1::Payload,
    },
};

/// How an activity ended.
pub type ActivityEnd = Result<Payload, Box<ActivityExecutionError>>;

/// What a [`CompensationManager`](crate::CompensationManager) asks of the workflow that it works in. The SDK's
/// [`WorkflowContext`] is one, for every workflow.
pub trait SagaContext: Clone + 'static {
    /// Runs an activity. Nothing is scheduled before the future is polled.
    fn run_activity(
        &self,
        activity: &str,
        input: Vec<Payload>,
        options: ActivityOptions,
    ) -> LocalBoxFuture<'static, ActivityEnd>;

    /// Sleeps on a timer of the workflow; `false` where the token was cancelled.
    fn sleep(
        &self,
        span: Duration,
        token: WorkflowCancellationToken,
    ) -> LocalBoxFuture<'static, bool>;

    /// Waits until the condition holds, also in a workflow that is cancelled. It is looked at again after each
    /// [`changed`](Self::changed).
    fn wait_until(
        &self,
        condition: Box<dyn FnMut() -> bool>,
        token: WorkflowCancellationToken,
    ) -> LocalBoxFuture<'static, ()>;

    /// The workflow's time: the same each time that it is replayed.
    fn now(&self) -> Option<SystemTime>;

    /// What turns values into payloads.
    fn converter(&self) -> &PayloadConverter;

    /// The token that is cancelled with the workflow.
    fn cancellation(&self) -> WorkflowCancellationToken;

    /// Tells who waits for a condition that something has changed.
    fn changed(&self);

    /// The workflow's id.
    fn workflow_id(&self) -> &str;

    /// Shows a text, which may be Markdown, beside the workflow on Temporal's own pages. It is no command, and no event.
    fn show(&self, details: String);
}

impl<W: 'static> SagaContext for WorkflowContext<W> {
    fn run_activity(
        &self,
        activity: &str,
        input: Vec<Payload>,
        options: ActivityOptions,
    ) -> LocalBoxFuture<'static, ActivityEnd> {
        let (this, activity) = (self.clone(), UntypedActivity::new(activity));
        Box::pin(async move {
            let ended = this.execute_activity(activity, RawValue::new(input), options).await;
            let output = ended.map_err(Box::new)?;
            Ok(output.payloads.into_iter().next().unwrap_or_default())
        })
    }

    fn sleep(
        &self,
        span: Duration,
        token: WorkflowCancellationToken,
    ) -> LocalBoxFuture<'static, bool> {
        let this = self.clone();
        Box::pin(async move {
            let options = TimerOptions::builder(span).cancellation_token(token).build();
            this.timer(options).await == TimerResult::Fired
        })
    }

    fn wait_until(
        &self,
        mut condition: Box<dyn FnMut() -> bool>,
        token: WorkflowCancellationToken,
    ) -> LocalBoxFuture<'static, ()> {
        let this = self.clone();
        Box::pin(async move {
            let options = WaitConditionOptions::builder().cancellation_token(token).build();
            // Cancelled or reached: whoever waits looks again.
            this.wait_condition_with_options(|_| condition(), options).await.unwrap_or_default();
        })
    }

    fn now(&self) -> Option<SystemTime> {
        self.workflow_time()
    }

    fn converter(&self) -> &PayloadConverter {
        self.payload_converter()
    }

    fn cancellation(&self) -> WorkflowCancellationToken {
        self.cancellation_token()
    }

    fn changed(&self) {
        self.state_mut(|_| ());
    }

    fn workflow_id(&self) -> &str {
        self.workflow_id()
    }

    fn show(&self, details: String) {
        self.set_current_details(details);
    }
}
