//! The one place of this crate that asks the time or sleeps. It is tokio's clock, so that a paused one passes
//! at once; but for one wait, which is for other threads.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

pub(crate) use tokio::time::Instant;

pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) async fn sleep(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Runs a future for at most `limit`, then drops it. `None` means that the limit was reached.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Holds this thread up until the future is ready, which other threads see to; `None`: it was not within `limit`
/// of real time. The runtime that calls this does nothing meanwhile, so a paused clock stands still.
pub(crate) fn wait<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    // What tokio's own parts may do at a stretch is renewed by the runtime only, which stands still.
    let mut future = pin!(tokio::task::unconstrained(future));
    // What is ready at once needs nobody to be woken.
    if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return Some(done);
    }
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    let until = std::time::Instant::now() + limit;
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(done);
        }
        let left = until.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
