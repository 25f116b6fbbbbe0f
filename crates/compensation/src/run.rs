//! Running a saga in process: no store, nothing kept beyond its end.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use serde_json::value::RawValue;

use crate::{
    drive::{Drive, End, Evidence, Host, Ordered, Start, Wish},
    error::StepError,
    event::Change,
    handler::{AnyValue, Codec, Scope, Value},
    id::SagaId,
    machine::Machine,
    outcome::Outcome,
    saga::Saga,
};

impl<I: Value> Saga<I> {
    /// Runs it in this process, without a store.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the saga, it does not forget it: what is in flight is settled and
    /// what is done is undone in the background, on the runtime on which it is dropped. (Once its
    /// pivot is done, or may be, the saga is finished instead.) Dropped where there is no tokio
    /// runtime, or one that shuts down, undos may be left: that is reported as a `tracing` error
    /// that names the steps. Nothing of this survives the process; for that, run the saga on an
    /// [`Engine`](crate::Engine).
    ///
    /// # Panics
    /// Never by a step: a panic in a step is that attempt's failure.
    pub fn run(&self, input: I) -> Run {
        self.start(input, None)
    }

    /// The same under an id of the caller's choice, from which idempotency keys are made.
    pub fn run_as(&self, id: SagaId, input: I) -> Run {
        self.start(input, Some(id))
    }

    fn start(&self, input: I, id: Option<SagaId>) -> Run {
        let definition = self.definition().clone();
        let scope = definition.scope(Box::new(input), id);
        let machine = Machine::new(definition.graph.clone());
        let start = Start::new(definition, scope.clone(), machine);
        let host = InProcess { scope: scope.clone(), asked: false };
        let drive = Drive::new(start, host);
        Run { future: Some(Box::pin(finish(drive))), scope, begun: false }
    }
}

async fn finish(drive: Drive<InProcess>) -> Outcome {
    let mut drive = Watched(drive);
    loop {
        let held = match drive.0.run().await {
            End::Broken(illegal) => Some(format!("defect in the library: {illegal}")),
            End::Ended | End::Drained => None,
            End::Unwritten(never) => match never {},
        };
        if let Some(outcome) = Outcome::of(drive.0.report(held)) {
            return outcome;
        }
    }
}

/// A saga running in process. See [`Saga::run`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Run {
    /// Taken out once it has ended.
    future: Option<Pin<Box<dyn Future<Output = Outcome> + Send>>>,
    scope: Arc<Scope>,
    begun: bool,
}

impl Future for Run {
    type Output = Outcome;

    /// # Panics
    /// When polled after it has ended, like every future.
    #[allow(clippy::panic, reason = "the custom of futures")]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.begun = true;
        let Some(future) = &mut self.future else {
            panic!("`Run` polled after it has ended");
        };
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let (Some(future), true) = (self.future.take(), self.begun) {
            self.scope.cancel();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(future);
            }
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("saga", &self.scope.plan.saga).finish_non_exhaustive()
    }
}

/// Says aloud what is lost where a drive is dropped before its end.
struct Watched(Drive<InProcess>);

impl Drop for Watched {
    fn drop(&mut self) {
        let machine = self.0.machine();
        if machine.status().is_open() {
            let (saga, steps) = self.0.owed();
            tracing::error!(saga, ?steps, "dropped before its end: these steps are not undone");
        }
    }
}

/// Nothing is written, so nothing can fail.
enum Never {}

struct InProcess {
    scope: Arc<Scope>,
    /// Whether the one order that there can be has been passed on.
    asked: bool,
}

impl Host for InProcess {
    type Error = Never;

    fn encode(&mut self, _: &Codec, _: &AnyValue) -> Result<Option<Box<RawValue>>, StepError> {
        Ok(None)
    }

    fn record(&mut self, _: Change, _: Evidence<'_>) {}

    async fn flush(
        &mut self,
        _: &Machine,
        _: impl FnOnce() -> Option<String> + Send,
    ) -> Result<(), Never> {
        Ok(())
    }

    fn poll_order(&mut self, _: &mut Context<'_>) -> Poll<Ordered> {
        if self.asked || !self.scope.is_cancelled() {
            return Poll::Pending;
        }
        self.asked = true;
        let change = Change::CancelRequested;
        Poll::Ready(Ordered::Change(Box::new(Wish::of(change)), None))
    }
}
