//! Waits. The only place of the program that does, beside the ends of processes.

use std::time::Duration;

/// Waits that long.
pub(crate) async fn sleep(span: Duration) {
    tokio::time::sleep(span).await;
}
