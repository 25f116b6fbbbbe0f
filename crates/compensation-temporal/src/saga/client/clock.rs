//! The client's time: how long to wait for an answer, and how often to ask.

use std::time::Duration;

/// How long to wait for a worker's answer to a query or an order.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How often a saga that is waited for is asked whether it is stuck, at first and later on.
const ASK: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// What came within the time that there was.
pub(super) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Waits before the next question, longer each time.
pub(super) async fn pause(asked: u32) {
    let pause = ASK.0.saturating_mul(1 << asked.min(10)).min(ASK.1);
    tokio::time::sleep(pause).await;
}
