//! How activities are attempted: budgets of attempts and time limits as plain data, and what the SDK makes of
//! them. Asks no clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_workflow::{
    ActivityCancellationType, ActivityCloseTimeouts, ActivityOptions, RetryPolicy,
    WorkflowCancellationToken,
};

/// As good as without limit. The server refuses the task, again and again, for a limit that it can't count in.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Characters of a summary: it is one line for people, in a history that is kept for long.
const SUMMARY: usize = 80;

/// A budget of attempts with exponential backoff.
///
/// # Default
/// Three attempts; a second after the first, then twice as long each time, at most 30 s.
///
/// ```
/// use std::time::Duration;
/// use compensation_temporal::Retry;
///
/// let retry = Retry::times(5).first(Duration::from_millis(200));
/// assert_eq!(retry.wait(3), Duration::from_millis(800));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// Absent means without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    first: Duration,
    factor: f64,
    max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self::times(3)
    }
}

impl Retry {
    /// At most so many attempts in all, the first included; 0 counts as 1.
    #[must_use]
    pub fn times(attempts: u32) -> Self {
        Self {
            attempts: Some(attempts.max(1)),
            first: Duration::from_secs(1),
            factor: 2.0,
            max: Duration::from_secs(30),
        }
    }

    /// One attempt.
    #[must_use]
    pub fn none() -> Self {
        Self::times(1)
    }

    /// Attempts without end.
    #[must_use]
    pub fn forever() -> Self {
        Self { attempts: None, ..Self::default() }
    }

    /// Waits so long after the first failure. Default: 1 s.
    #[must_use]
    pub fn first(mut self, wait: Duration) -> Self {
        self.first = wait;
        self
    }

    /// Multiplies the wait by this after each further failure; less than 1 counts as 1. Default: 2.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = if factor.is_finite() { factor.max(1.0) } else { 1.0 };
        self
    }

    /// Waits at most so long. Default: 30 s.
    #[must_use]
    pub fn max(mut self, wait: Duration) -> Self {
        self.max = wait;
        self
    }

    /// Attempts in all; `None` means without end.
    #[must_use]
    pub fn attempts(&self) -> Option<u32> {
        self.attempts
    }

    /// How long to wait after the given number of failures; none after 0. There is no random part: a workflow
    /// must wait as long each time that it is replayed.
    #[must_use]
    pub fn wait(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let doublings = i32::try_from(doublings).unwrap_or(i32::MAX);
        let seconds = self.first.as_secs_f64() * self.factor.powi(doublings);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.max).min(self.max)
    }

    fn to_sdk(&self) -> RetryPolicy {
        RetryPolicy::builder()
            .initial_interval(bounded(self.first))
            .backoff_coefficient(self.factor)
            // The server refuses a longest wait that is shorter than the first.
            .maximum_interval(bounded(self.max.max(self.first)))
            // To Temporal, 0 is without limit.
            .maximum_attempts(self.attempts.unwrap_or(0))
            .build()
    }
}

/// How an activity is attempted, as data: a snapshot carries it, which the SDK's own options can't be.
///
/// # Defaults
/// 30 s for one attempt, the default [`Retry`], the workflow's own task queue, no other limit.
///
/// Temporal's own default is to attempt without limit. A saga that never learns of a failure never rolls
/// back, so here the budget is bounded unless [`Retry::forever`] says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActivityPolicy {
    /// The longest that one attempt may take, once a worker has it. Not zero.
    pub timeout: Duration,
    /// The budget of attempts.
    pub retry: Retry,
    /// The longest that all attempts and waits may take together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Duration>,
    /// The longest that it may wait for a worker. Without a limit it waits as long as there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_to_start: Option<Duration>,
    /// The longest that may pass between heartbeats. An activity learns only by heartbeats that it is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Duration>,
    /// The task queue, where it is another than the workflow's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<String>,
}

impl Default for ActivityPolicy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            retry: Retry::default(),
            total: None,
            schedule_to_start: None,
            heartbeat: None,
            task_queue: None,
        }
    }
}

impl ActivityPolicy {
    /// The default with that time limit for one attempt.
    #[must_use]
    pub fn within(timeout: Duration) -> Self {
        Self { timeout, ..Self::default() }
    }

    /// The same with that budget of attempts.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The same, with no more time in all than that.
    pub(crate) fn at_most(mut self, left: Option<Duration>) -> Self {
        self.total = match (self.total, left) {
            (Some(total), Some(left)) => Some(total.min(left)),
            (total, left) => total.or(left),
        };
        self
    }

    /// Whether an attempt has any time at all. The server refuses the whole task otherwise, again and again.
    pub(crate) fn is_possible(&self) -> bool {
        !self.timeout.is_zero() && self.total.is_none_or(|total| !total.is_zero())
    }

    /// The SDK's options for it. A cancel is reported once the activity has ended, so that its undo can't run
    /// beside it.
    #[must_use]
    pub fn to_options(&self, token: WorkflowCancellationToken, summary: String) -> ActivityOptions {
        let start_to_close = bounded(self.timeout);
        let limits = match self.total {
            None => ActivityCloseTimeouts::StartToClose(start_to_close),
            Some(total) => ActivityCloseTimeouts::ScheduleAndStartToClose {
                start_to_close,
                schedule_to_close: bounded(total),
            },
        };
        ActivityOptions::with_close_timeouts(limits)
            .maybe_task_queue(self.task_queue.clone())
            .maybe_schedule_to_start_timeout(self.schedule_to_start.map(bounded))
            .maybe_heartbeat_timeout(self.heartbeat.map(bounded))
            .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
            .cancellation_token(token)
            .retry_policy(self.retry.to_sdk())
            .summary(summary.chars().take(SUMMARY).collect::<String>())
            .build()
    }
}

fn bounded(limit: Duration) -> Duration {
    limit.min(CENTURY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_budget_is_three_attempts_a_second_doubling_to_thirty() {
        let retry = Retry::default();
        assert_eq!(retry.attempts(), Some(3));
        let waits: Vec<_> = (0..8).map(|failures| retry.wait(failures).as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn a_wait_beyond_what_a_duration_can_hold_is_the_longest_wait() {
        assert_eq!(Retry::forever().factor(9.0).wait(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn to_temporal_no_limit_of_attempts_is_zero_and_the_longest_wait_not_below_the_first() {
        let sdk = Retry::forever().first(Duration::from_secs(60)).to_sdk();
        assert_eq!(sdk.maximum_attempts(), 0);
        assert_eq!(sdk.maximum_interval(), Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_policy_read_back_is_the_same() {
        let policy = ActivityPolicy {
            total: Some(Duration::from_secs(90)),
            task_queue: Some("refunds".to_owned()),
            ..ActivityPolicy::within(Duration::from_millis(1_500)).retry(Retry::forever())
        };
        let text = serde_json::to_string(&policy).expect("plain data");
        assert_eq!(serde_json::from_str::<ActivityPolicy>(&text).expect("just written"), policy);
    }
}
