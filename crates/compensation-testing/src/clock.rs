//! The one place of this crate that asks the time or sleeps. It is tokio's clock, so that a paused one passes
//! at once.

use std::{future::Future, time::Duration};

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
