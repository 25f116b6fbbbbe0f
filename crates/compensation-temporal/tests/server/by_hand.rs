//! The same rollback by hand, with the bare SDK: what the manager's history is compared with.

use std::time::Duration;

use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ActivityCancellationType, ActivityOptions, WorkflowContext, WorkflowResult, WorkflowTermination,
};
use temporalio_workflow::{RetryPolicy, WorkflowCancellationToken};

use crate::trip::{Act, Call, Does, Plan};

#[workflow]
#[derive(Default)]
pub(crate) struct ByHand;

fn options(token: WorkflowCancellationToken, attempts: u32) -> ActivityOptions {
    let retry = RetryPolicy::builder()
        .initial_interval(Duration::from_millis(50))
        .maximum_attempts(attempts)
        .build();
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(20))
        .heartbeat_timeout(Duration::from_secs(1))
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(token)
        .retry_policy(retry)
        .build()
}

#[workflow_methods]
impl ByHand {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, plan: Plan) -> WorkflowResult<usize> {
        let call = |word: String, act: Act, told: Option<String>| Call {
            ledger: plan.ledger.clone(),
            word,
            act,
            told,
        };
        let mut undos = Vec::new();
        let mut failure = None;
        for leg in &plan.legs {
            let act = call(format!("+{}", leg.name), leg.act, None);
            let options = options(ctx.cancellation_token(), 1);
            match ctx.execute_activity(Does("Town::does"), act, options).await {
                Ok(done) => undos.push(call(format!("-{}", leg.name), leg.undo, Some(done))),
                Err(error) => {
                    if !leg.refusals_do_nothing {
                        undos.push(call(format!("-{}", leg.name), leg.undo, None));
                    }
                    failure = Some(error);
                    break;
                }
            }
        }
        let Some(failure) = failure else { return Ok(undos.len()) };
        while let Some(undo) = undos.pop() {
            let options = options(WorkflowCancellationToken::new(), 3);
            ctx.execute_activity(Does("Town::does"), undo, options).await?;
        }
        Err(if ctx.cancellation_token().is_cancelled() {
            WorkflowTermination::cancelled()
        } else {
            failure.into()
        })
    }
}
