//! The worker's time: when to beat.

use std::time::Duration;

/// The longest time between two heartbeats of an attempt.
pub(super) const BEAT: Duration = Duration::from_secs(2);

/// The time from one heartbeat to the next, for a server that waits for so long.
fn interval(timeout: Option<Duration>) -> Duration {
    let third = timeout.map_or(BEAT, |timeout| timeout / 3);
    third.clamp(Duration::from_millis(1), BEAT)
}

/// Waits until it is time for the next heartbeat.
pub(super) async fn beat(timeout: Option<Duration>) {
    tokio::time::sleep(interval(timeout)).await;
}
