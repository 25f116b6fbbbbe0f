//! Limits that Temporal asks for and a plan does not name. They travel with each saga, in its workflow's input.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits of a saga on Temporal, beyond those of its plan.
///
/// ```
/// use std::time::Duration;
/// use compensation_temporal::SagaLimits;
///
/// let limits = SagaLimits::default().heartbeat(Duration::from_secs(3));
/// assert_eq!(limits.heartbeat_timeout(), Duration::from_secs(3));
/// assert_eq!(limits.queue_timeout(), Duration::from_secs(3600));
/// assert_eq!(limits.attempt_timeout(), Duration::from_secs(7 * 24 * 3600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SagaLimits {
    heartbeat_ms: u64,
    queue_ms: u64,
    attempt_ms: u64,
}

/// The longest that any limit may be: what is over it counts as this. Ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Default for SagaLimits {
    /// Heartbeats within 10 s, an hour in the queue, and 7 days for an attempt whose step has no limit.
    fn default() -> Self {
        Self { heartbeat_ms: 10_000, queue_ms: 3_600_000, attempt_ms: 7 * 24 * 3_600_000 }
    }
}

impl SagaLimits {
    /// A worker that is not heard of for so long is taken for dead. Default: 10 s. Workers beat by themselves, as
    /// long as no step blocks all their threads.
    #[must_use]
    pub fn heartbeat(mut self, limit: Duration) -> Self {
        self.heartbeat_ms = millis(limit);
        self
    }

    /// An attempt that no worker takes for so long has failed: known not to be done, where no other attempt can
    /// have been made before. Default: an hour.
    #[must_use]
    pub fn queue(mut self, limit: Duration) -> Self {
        self.queue_ms = millis(limit);
        self
    }

    /// The longest that an attempt may take whose step names no limit. Default: 7 days.
    #[must_use]
    pub fn attempt(mut self, limit: Duration) -> Self {
        self.attempt_ms = millis(limit);
        self
    }

    /// See [`heartbeat`](Self::heartbeat).
    #[must_use]
    pub fn heartbeat_timeout(&self) -> Duration {
        clamped(Duration::from_millis(self.heartbeat_ms))
    }

    /// See [`queue`](Self::queue).
    #[must_use]
    pub fn queue_timeout(&self) -> Duration {
        clamped(Duration::from_millis(self.queue_ms))
    }

    /// See [`attempt`](Self::attempt).
    #[must_use]
    pub fn attempt_timeout(&self) -> Duration {
        clamped(Duration::from_millis(self.attempt_ms))
    }
}

fn millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)
}

/// What the server takes: it refuses a limit of nothing, and one that its protocol can't write.
pub(super) fn clamped(limit: Duration) -> Duration {
    limit.clamp(Duration::from_millis(1), LONGEST)
}
