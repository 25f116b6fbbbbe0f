//! How an attempt becomes an activity: which limits it has, and how often the server may make it.

use std::time::Duration;

use compensation::{
    Plan, RetryPolicy, UndoPlan,
    machine::{Command, Task, UnknownPolicy},
};
use temporalio_workflow::{
    ActivityCancellationType, ActivityOptions, RetryPolicy as ServerPolicy,
    WorkflowCancellationToken,
};

use super::{
    limits::{SagaLimits, clamped},
    names,
};

/// What is added to a time limit before the server enforces it too. The worker enforces the limit itself, and drops
/// what is late, so that no undo races it; the server's limit is for workers that can't.
const GRACE: Duration = Duration::from_secs(5);

/// How often the server may make an attempt. `None`: without end.
pub(super) fn budget(plan: &Plan, command: Command) -> Option<u32> {
    policy(plan, command).map_or(Some(1), |policy| policy.attempts())
}

/// Whether the server counts the attempts, and not the machine.
pub(super) fn server_counts(plan: &Plan, command: Command) -> bool {
    policy(plan, command).is_some()
}

/// The budget that the server has for an attempt; none where each is to be a command of its own: where the machine
/// must know of each failure, to probe, and where an attempt must not be repeated.
fn policy(plan: &Plan, command: Command) -> Option<&RetryPolicy> {
    let step = plan.steps.get(usize::from(command.step))?;
    match (command.task, &step.undo) {
        (Task::Act, _) if step.unknown != Some(UnknownPolicy::Probe) && step.idempotent => {
            Some(&step.retry)
        }
        (Task::Undo(_), UndoPlan::Run { retry, idempotent: true, .. }) => Some(retry),
        _ => None,
    }
}

pub(super) fn options(
    plan: &Plan,
    limits: &SagaLimits,
    command: Command,
    limit: Option<Duration>,
    token: WorkflowCancellationToken,
) -> ActivityOptions {
    let policy = policy(plan, command);
    let one = RetryPolicy::none();
    let retry = policy.unwrap_or(&one);
    let first = clamped(retry.first_wait());
    let server = ServerPolicy::builder()
        .initial_interval(first)
        .backoff_coefficient(f64::from(retry.growth()))
        .maximum_interval(clamped(retry.longest_wait()).max(first))
        // The server counts in 32 bits with a sign; 0 is without end.
        .maximum_attempts(budget(plan, command).map_or(0, |attempts| attempts.min(i32::MAX as u32)))
        .build();
    let step = plan.steps.get(usize::from(command.step)).map_or("", |step| step.name.as_str());
    let heartbeat = limits.heartbeat_timeout();
    let limit = limit.unwrap_or(limits.attempt_timeout());
    // A dead worker is noticed by its silence first, so that it is not taken for a slow one.
    let close = clamped(limit.saturating_add(heartbeat).saturating_add(GRACE));
    ActivityOptions::with_start_to_close_timeout(close)
        .schedule_to_start_timeout(limits.queue_timeout())
        .heartbeat_timeout(heartbeat)
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(token)
        .retry_policy(server)
        .summary(names::summary(step, command.task))
        .build()
}
