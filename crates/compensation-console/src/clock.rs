//! The one place of this crate that asks the time or waits.

use std::time::Duration;

use compensation::Timestamp;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// A moment for measuring spans.
pub(crate) type Moment = Instant;

pub(crate) fn moment() -> Moment {
    Instant::now()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Ticks from time to time.
pub(crate) type Ticks = Interval;

/// Ticks at once and then every so often; what was missed is not made up for.
pub(crate) fn every(span: Duration) -> Ticks {
    let mut interval = tokio::time::interval(span);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

pub(crate) async fn sleep(span: Duration) {
    tokio::time::sleep(span).await;
}
