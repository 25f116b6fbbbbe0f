//! The same workflow twice: by hand with the bare SDK, and with the manager.

use std::time::Duration;

use compensation_temporal::{CompensationManager, NotDone, Retry, step};
use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ActivityCancellationType, ActivityOptions, RetryPolicy, WorkflowCancellationToken,
    WorkflowContext, WorkflowResult, common::ActivityDefinition,
};

/// The activity that fails.
pub(crate) const REFUSES: &str = "refuses";

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) steps: u32,
    /// The last step fails.
    pub(crate) fails: bool,
}

impl Plan {
    fn activity(&self, number: u32) -> Does {
        Does(if self.fails && number + 1 == self.steps { REFUSES } else { "does" })
    }
}

struct Does(&'static str);

impl ActivityDefinition for Does {
    type Input = String;
    type Output = String;

    fn name(&self) -> &str {
        self.0
    }
}

fn options(token: WorkflowCancellationToken, summary: String) -> ActivityOptions {
    let retry =
        RetryPolicy::builder().initial_interval(Duration::from_secs(1)).maximum_attempts(3).build();
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(30))
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(token)
        .retry_policy(retry)
        .summary(summary)
        .build()
}

#[workflow]
#[derive(Default)]
pub(crate) struct ByHand;

#[workflow_methods]
impl ByHand {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, plan: Plan) -> WorkflowResult<u32> {
        let mut done = Vec::new();
        for number in 0..plan.steps {
            let how = options(ctx.cancellation_token(), format!("step-{number}"));
            let input = format!("order-{number}");
            match ctx.execute_activity(plan.activity(number), input, how).await {
                Ok(output) => done.push((number, output)),
                Err(error) => {
                    while let Some((number, output)) = done.pop() {
                        let token = WorkflowCancellationToken::new();
                        let options = options(token, format!("undo of step-{number}"));
                        ctx.execute_activity(Does("undoes"), output, options).await?;
                    }
                    return Err(error.into());
                }
            }
        }
        Ok(plan.steps)
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Managed {
    saga: CompensationManager<WorkflowContext<Managed>>,
}

#[workflow_methods]
impl Managed {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, plan: Plan) -> WorkflowResult<u32> {
        let saga = ctx.state(|workflow| workflow.saga.clone());
        let result = Self::book(ctx, &saga, plan).await;
        saga.finish(ctx, result).await
    }

    async fn book(
        ctx: &WorkflowContext<Self>,
        saga: &CompensationManager<WorkflowContext<Self>>,
        plan: Plan,
    ) -> WorkflowResult<u32> {
        for number in 0..plan.steps {
            let name = format!("step-{number}");
            let step = step(name, plan.activity(number), format!("order-{number}"))
                .retry(Retry::times(3))
                .not_done(NotDone::on_refusals())
                .undo(Does("undoes"), |output| output.cloned().unwrap_or_default());
            saga.step(ctx, step).await?;
        }
        Ok(plan.steps)
    }
}
