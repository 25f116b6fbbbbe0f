//! The attempts of one undo, until it succeeds or its budget is spent.

use temporalio_workflow::{ActivityExecutionError, WorkflowCancellationToken};

use crate::{
    compensation::{Undo, UndoContext, UndoPolicy},
    context::SagaContext,
    deadline::Deadline,
    failure::{ActivityFailure, FailureKind},
    policy::{ActivityPolicy, Retry},
};

/// A budget that is spent.
pub(crate) struct Spent {
    pub(crate) error: String,
    pub(crate) kind: Option<FailureKind>,
    /// Attempts that the server made on its own.
    pub(crate) unseen: u32,
}

/// Out of what an attempt may take its time.
pub(crate) struct Bounds<'a> {
    /// Cancelled where the rollback is given up.
    pub(crate) token: &'a WorkflowCancellationToken,
    pub(crate) deadline: Deadline,
}

struct Failed {
    spent: Spent,
    retryable: bool,
}

/// Attempts an undo. `started` is called for each attempt that this workflow starts.
pub(crate) async fn attempts<C: SagaContext>(
    ctx: &C,
    bounds: &Bounds<'_>,
    name: &str,
    undo: &Undo<C>,
    policy: &UndoPolicy,
    mut started: impl FnMut(),
) -> Result<(), Spent> {
    let retry = policy.retry();
    // Who repeats: the server, where it can, for that costs no events.
    let own = policy.counted || matches!(undo, Undo::Closure(_));
    let (own, server) = if own { (retry, Retry::none()) } else { (Retry::none(), retry) };
    let server = policy.activity.clone().retry(server);
    let mut failures = 0;
    loop {
        started();
        let failed = match attempt(ctx, bounds, name, undo, &server).await {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        failures += 1;
        let left = own.attempts().is_none_or(|attempts| failures < attempts);
        let wait = own.wait(failures);
        // A wait beyond the deadline would be for nothing.
        let in_time = bounds.deadline.left(ctx).is_none_or(|left| wait < left);
        if !left || !failed.retryable || !in_time || bounds.token.is_cancelled() {
            return Err(failed.spent);
        }
        if !wait.is_zero() && !ctx.sleep(wait, bounds.token.clone()).await {
            return Err(failed.spent);
        }
        // A timer may be late, and no time at all would be no limit to the server.
        if bounds.deadline.is_over(ctx) {
            return Err(failed.spent);
        }
    }
}

async fn attempt<C: SagaContext>(
    ctx: &C,
    bounds: &Bounds<'_>,
    name: &str,
    undo: &Undo<C>,
    policy: &ActivityPolicy,
) -> Result<(), Failed> {
    match undo {
        Undo::Activity { activity, input } => {
            let policy = policy.clone().at_most(bounds.deadline.left(ctx));
            let options = policy.to_options(bounds.token.clone(), format!("undo of {name}"));
            let ended = ctx.run_activity(activity, input.clone(), options).await;
            ended.map(drop).map_err(|error| failed(&error, &policy.retry))
        }
        Undo::Closure(closure) => {
            let token = bounds.token.child_token();
            if bounds.token.is_cancelled() {
                token.cancel();
            }
            let scope = UndoContext { context: ctx.clone(), token: token.clone() };
            let ended = match bounds.deadline.race(ctx, closure(scope)).await {
                Ok(ended) => ended,
                Err(late) => {
                    token.cancel_with_reason("the time for the rollback is over");
                    late.await
                }
            };
            ended.map_err(|error| Failed {
                spent: Spent { error: error.to_string(), kind: None, unseen: 0 },
                retryable: true,
            })
        }
        Undo::Nothing(_) => Ok(()),
    }
}

fn failed(error: &ActivityExecutionError, retry: &Retry) -> Failed {
    let failure = ActivityFailure::of(error);
    let unseen = failure.attempts(retry) - 1;
    let spent = Spent { error: failure.to_string(), kind: Some(failure.kind), unseen };
    Failed { spent, retryable: failure.retryable }
}
