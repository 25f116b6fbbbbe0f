//! The one place of this crate that asks the time.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Measures a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Ticks from time to time.
pub(crate) type Ticks = Interval;

/// Ticks at once and then every so often; what was missed is not made up for.
pub(crate) fn every(span: Duration) -> Ticks {
    let mut interval = tokio::time::interval(span);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
