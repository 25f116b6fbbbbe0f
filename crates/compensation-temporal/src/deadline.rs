//! The time that a rollback has. Between undos the workflow's time is looked at, and an activity is given what is left
//! of it: both cost no event. A timer runs only where there is no activity of this rollback that the server could end.

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use futures_util::future::{Either, select};
use temporalio_workflow::WorkflowCancellationToken;

use crate::context::SagaContext;

/// When a rollback is to give up; never, where there is none.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<SystemTime>);

impl Deadline {
    pub(crate) fn new<C: SagaContext>(ctx: &C, limit: Option<Duration>) -> Self {
        // A moment that can't be counted in never comes.
        Self(limit.and_then(|limit| ctx.now()?.checked_add(limit)))
    }

    /// What is left; `None` where there is no end.
    pub(crate) fn left<C: SagaContext>(self, ctx: &C) -> Option<Duration> {
        let now = ctx.now()?;
        self.0.map(|end| end.duration_since(now).unwrap_or_default())
    }

    pub(crate) fn is_over<C: SagaContext>(self, ctx: &C) -> bool {
        self.left(ctx).is_some_and(|left| left.is_zero())
    }

    /// Waits for the future, and gives it back where the time is over first.
    pub(crate) async fn race<C, F>(self, ctx: &C, future: F) -> Result<F::Output, F>
    where
        C: SagaContext,
        F: Future + Unpin,
    {
        let Some(left) = self.left(ctx) else { return Ok(future.await) };
        if left.is_zero() {
            return Err(future);
        }
        let timer = WorkflowCancellationToken::new();
        match select(future, ctx.sleep(left, timer.clone())).await {
            Either::Left((output, _)) => {
                timer.cancel();
                Ok(output)
            }
            Either::Right((_, future)) => Err(future),
        }
    }
}
