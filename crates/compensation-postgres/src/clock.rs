//! Time limits and pauses. No other file of this crate asks the time or waits for it.

use std::{future::Future, thread, time::Duration};

/// Stops this thread for so long.
pub(crate) fn pause(span: Duration) {
    thread::sleep(span);
}

/// What becomes of a future that may take so long; `None` where it took longer.
pub(crate) async fn within<F: Future>(span: Duration, work: F) -> Option<F::Output> {
    tokio::time::timeout(span, work).await.ok()
}
