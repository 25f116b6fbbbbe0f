//! How often an attempt is repeated, and how long to wait in between. Knows nothing of sagas and
//! asks no clock.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use serde::{Deserialize, Serialize};

/// A budget of attempts with exponential backoff and jitter.
///
/// # Defaults
/// [`RetryPolicy::none`]: one attempt. [`RetryPolicy::new`]: as many as said, waiting 200 ms, then
/// twice as long each time, at most 30 s, each wait lengthened by a random part of itself so that
/// many sagas do not knock at the same moment.
///
/// ```
/// use std::time::Duration;
/// use compensation::RetryPolicy;
///
/// let policy = RetryPolicy::new(5).first(Duration::from_millis(50)).max(Duration::from_secs(2));
/// assert_eq!(policy.attempts(), Some(5));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in all; absent means without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    first_ms: u64,
    factor: f32,
    max_ms: u64,
    jitter: bool,
}

impl RetryPolicy {
    /// At most `attempts` attempts in all, the first included; 0 counts as 1.
    #[must_use]
    pub fn new(attempts: u32) -> Self {
        Self {
            attempts: Some(attempts.max(1)),
            first_ms: 200,
            factor: 2.0,
            max_ms: 30_000,
            jitter: true,
        }
    }

    /// One attempt.
    #[must_use]
    pub fn none() -> Self {
        Self::new(1)
    }

    /// Attempts without end.
    #[must_use]
    pub fn forever() -> Self {
        Self { attempts: None, ..Self::none() }
    }

    /// Waits so long after the first failure. Default: 200 ms.
    #[must_use]
    pub fn first(mut self, wait: Duration) -> Self {
        self.first_ms = millis(wait);
        self
    }

    /// Multiplies the wait by this after each further failure; less than 1 counts as 1. Default: 2.
    #[must_use]
    pub fn factor(mut self, factor: f32) -> Self {
        self.factor = if factor.is_finite() { factor.max(1.0) } else { 1.0 };
        self
    }

    /// Waits at most so long, jitter aside. Default: 30 s.
    #[must_use]
    pub fn max(mut self, wait: Duration) -> Self {
        self.max_ms = millis(wait);
        self
    }

    /// Waits exactly as computed, without the random part.
    #[must_use]
    pub fn without_jitter(mut self) -> Self {
        self.jitter = false;
        self
    }

    /// Attempts in all; `None` means without end.
    #[must_use]
    pub fn attempts(&self) -> Option<u32> {
        self.attempts
    }

    /// The wait after the first failure, jitter aside.
    #[must_use]
    pub fn first_wait(&self) -> Duration {
        Duration::from_millis(self.first_ms.min(self.max_ms))
    }

    /// What the wait is multiplied by after each further failure; at least 1.
    #[must_use]
    pub fn growth(&self) -> f32 {
        if self.factor.is_finite() { self.factor.max(1.0) } else { 1.0 }
    }

    /// The longest wait, jitter aside.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        Duration::from_millis(self.max_ms)
    }

    /// How long to wait after the given number of failures; none after 0.
    #[must_use]
    pub fn wait(&self, failures: u32) -> Duration {
        // Beyond 64 doublings every wait has long reached its cap.
        let Some(nth) = failures.min(64).checked_sub(1) else { return Duration::ZERO };
        let first = self.first_wait();
        let mut waits = ExponentialBuilder::new()
            .with_min_delay(first)
            .with_factor(self.factor)
            .with_max_delay(Duration::from_millis(self.max_ms))
            .without_max_times();
        if self.jitter {
            waits = waits.with_jitter();
        }
        waits.build().nth(nth as usize).unwrap_or(first)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::none()
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap() {
        let policy = RetryPolicy::new(9)
            .first(Duration::from_millis(100))
            .max(Duration::from_millis(350))
            .without_jitter();
        let waits: Vec<_> = (0..5).map(|failures| policy.wait(failures).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 350, 350]);
    }

    #[test]
    fn jitter_only_lengthens_a_wait_and_at_most_doubles_it() {
        let policy = RetryPolicy::forever().first(Duration::from_millis(100));
        for _ in 0..100 {
            let wait = policy.wait(1).as_millis();
            assert!((100..=200).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn a_policy_read_back_is_the_same() {
        let policy = RetryPolicy::new(3).factor(1.5);
        let text = serde_json::to_string(&policy).expect("plain data");
        assert_eq!(serde_json::from_str::<RetryPolicy>(&text).expect("just written"), policy);
    }
}
