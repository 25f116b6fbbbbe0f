//! One attempt in flight: its time limit, and the border at which a panic becomes a failure.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use tracing::Span;

use crate::{
    clock,
    error::{Certainty, StepError},
    handler::{Attempted, Attempting},
    machine::{Command, Task},
};

/// An attempt, or the wait before one.
pub(crate) struct Running {
    pub(super) command: Command,
    /// Taken out once it has ended.
    future: Option<Attempting>,
    span: Span,
}

/// The attempt reached its time limit.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(crate) struct TimedOut(Duration);

/// The attempt panicked.
#[derive(Debug, thiserror::Error)]
#[error("panicked: {0}")]
pub(crate) struct Panicked(String);

impl Running {
    pub(crate) fn attempt(
        command: Command,
        future: Attempting,
        limit: Option<Duration>,
        span: Span,
    ) -> Self {
        let future = match limit {
            None => future,
            Some(limit) => Box::pin(async move {
                let ended = clock::within(limit, future).await;
                ended.unwrap_or_else(|| failed(command.task, StepError::from(TimedOut(limit))))
            }),
        };
        Self { command, future: Some(future), span }
    }

    pub(super) fn wait(command: Command, span: Duration) -> Self {
        let future = async move {
            clock::sleep(span).await;
            Attempted::Waited
        };
        Self { command, future: Some(Box::pin(future)), span: Span::none() }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Attempted> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        let inside = self.span.enter();
        // The future is dropped after a panic and never polled again, so nobody sees broken state.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(ended)) => ended,
            Err(payload) => failed(self.command.task, StepError::from(panicked(&*payload))),
        };
        drop(inside);
        self.discard();
        told(&self.span, &ended);
        Poll::Ready(ended)
    }

    fn discard(&mut self) {
        let _inside = self.span.enter();
        let future = self.future.take();
        // What user code panics with in its `drop` changes nothing: the attempt is over.
        if catch_unwind(AssertUnwindSafe(|| drop(future))).is_err() {
            tracing::warn!("a step's future panicked while it was dropped");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.future.is_some() {
            self.discard();
        }
    }
}

/// Writes into an attempt's span how it ended.
fn told(span: &Span, ended: &Attempted) {
    if span.is_disabled() {
        return;
    }
    let (outcome, error) = match ended {
        Attempted::Acted(Err(error)) if error.certainty() == Certainty::Unknown => {
            ("unknown", Some(error))
        }
        Attempted::Acted(Err(error)) => ("not done", Some(error)),
        Attempted::Probed(Err(error)) | Attempted::Undone(Err(error)) => ("failed", Some(error)),
        Attempted::Probed(Ok(None)) => ("not done", None),
        _ => ("done", None),
    };
    span.record("outcome", outcome);
    // The error's own texts may panic.
    if let Some(Ok(text)) = error.map(|error| guarded(|| error.to_string())) {
        span.record("error", text);
    }
}

/// Runs one function behind the same border as an attempt: a panic is its failure.
pub(crate) async fn caught<F: Future<Output = Result<(), StepError>>>(
    function: impl FnOnce() -> F,
) -> Result<(), StepError> {
    // Called inside the future, so that a panic of the call itself is caught too.
    let mut future = pin!(async move { function().await });
    poll_fn(|cx| {
        // After a panic the future is never polled again, so nobody sees broken state.
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)))
            .unwrap_or_else(|payload| Poll::Ready(Err(StepError::from(panicked(&*payload)))))
    })
    .await
}

fn failed(task: Task, error: StepError) -> Attempted {
    match task {
        Task::Act => Attempted::Acted(Err(error)),
        Task::Probe => Attempted::Probed(Err(error)),
        Task::Undo(_) => Attempted::Undone(Err(error)),
    }
}

/// Runs code of the user's that is no future (its serde, its texts) behind the same border.
pub(crate) fn guarded<T>(code: impl FnOnce() -> T) -> Result<T, Panicked> {
    // What the code was at work on is not looked at again.
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| panicked(&*payload))
}

fn panicked(payload: &(dyn Any + Send)) -> Panicked {
    let text = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no message)".to_owned());
    Panicked(text)
}
