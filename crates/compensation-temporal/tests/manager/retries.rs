//! Budgets of attempts: the server's, the workflow's own, and none.

use std::{cell::Cell, io, rc::Rc, time::Duration};

use compensation_temporal::{
    ActivityPolicy, CompensationManager, CompensationStatus, CompensationStep, FailureKind, Retry,
    UndoContext,
};
use temporalio_workflow::ActivityCancellationType;

use crate::stage::{Act, End, Stage, run};

fn manager(stage: &Stage, step: CompensationStep<Stage>) -> CompensationManager<Stage> {
    let saga = CompensationManager::new();
    saga.register_compensation(stage, step).expect("new");
    saga
}

fn undo() -> CompensationStep<Stage> {
    CompensationStep::new("a", Act("-a"), String::new())
}

#[test]
fn the_defaults_are_thirty_seconds_and_three_attempts_of_the_server() {
    let stage = Stage::new();
    run(manager(&stage, undo()).compensate(&stage)).expect("it succeeds");
    let options = stage.options("-a");
    assert_eq!(options.close_timeouts.start_to_close(), Some(Duration::from_secs(30)));
    assert_eq!(options.close_timeouts.schedule_to_close(), None);
    assert_eq!(options.cancellation_type, ActivityCancellationType::WaitCancellationCompleted);
    assert_eq!(options.summary.as_deref(), Some("undo of a"));
    let retry = options.retry_policy.expect("bounded");
    assert_eq!((retry.maximum_attempts(), retry.initial_interval().as_secs()), (3, 1));
    assert_eq!(retry.maximum_interval(), Some(Duration::from_secs(30)));
}

#[test]
fn every_limit_reaches_the_server() {
    let stage = Stage::new();
    let policy = ActivityPolicy {
        total: Some(Duration::from_secs(50)),
        schedule_to_start: Some(Duration::from_secs(5)),
        heartbeat: Some(Duration::from_secs(2)),
        task_queue: Some("refunds".to_owned()),
        ..ActivityPolicy::within(Duration::from_secs(10)).retry(Retry::times(7))
    };
    run(manager(&stage, undo().policy(policy)).compensate(&stage)).expect("it succeeds");
    let options = stage.options("-a");
    assert_eq!(options.close_timeouts.start_to_close(), Some(Duration::from_secs(10)));
    assert_eq!(options.close_timeouts.schedule_to_close(), Some(Duration::from_secs(50)));
    assert_eq!(options.schedule_to_start_timeout, Some(Duration::from_secs(5)));
    assert_eq!(options.heartbeat_timeout, Some(Duration::from_secs(2)));
    assert_eq!(options.task_queue.as_deref(), Some("refunds"));
    assert_eq!(options.retry_policy.map(|retry| retry.maximum_attempts()), Some(7));
}

#[test]
fn timeout_and_retry_may_be_set_alone() {
    let stage = Stage::new();
    let step = undo().timeout(Duration::from_secs(4)).retry(Retry::forever());
    run(manager(&stage, step).compensate(&stage)).expect("it succeeds");
    let options = stage.options("-a");
    assert_eq!(options.close_timeouts.start_to_close(), Some(Duration::from_secs(4)));
    assert_eq!(options.retry_policy.map(|retry| retry.maximum_attempts()), Some(0));
}

#[test]
fn a_budget_that_the_server_has_spent_is_recorded_in_full() {
    let stage = Stage::new();
    stage.script("-a", [End::Fails, End::TimesOut, End::Fails, End::Fails]);
    let saga = manager(&stage, undo());
    let error = run(saga.compensate(&stage)).expect_err("three attempts fail");
    let failure = &error.report().expect("it began").failures[0];
    assert_eq!((failure.attempts, failure.kind), (3, Some(FailureKind::Application)));
    assert_eq!(stage.log().len(), 3);
    let record = saga.records().remove(0);
    assert_eq!((record.status, record.retries), (CompensationStatus::Failed, 2));
    assert_eq!(record.error.as_deref(), Some("it went wrong"));
}

#[test]
fn a_second_rollback_adds_to_the_attempts() {
    let stage = Stage::new();
    stage.script("-a", [End::Refuses("Gone"), End::Refuses("Gone")]);
    let saga = manager(&stage, undo());
    run(saga.compensate(&stage)).expect_err("it is refused");
    let error = run(saga.compensate(&stage)).expect_err("it is refused again");
    assert_eq!(error.report().expect("it began").failures[0].attempts, 2);
}

#[test]
fn what_is_not_idempotent_has_one_attempt_whatever_its_budget() {
    let stage = Stage::new();
    stage.script("-a", [End::Fails]);
    let saga = manager(&stage, undo().retry(Retry::times(9)).idempotent(false));
    run(saga.compensate(&stage)).expect_err("its one attempt fails");
    assert_eq!(stage.log(), ["-a(\"\")"]);
}

#[test]
fn a_skippable_one_whose_budget_is_spent_is_no_failure_and_is_not_run_again() {
    let stage = Stage::new();
    stage.script("-a", [End::Refuses("Gone")]);
    let saga = manager(&stage, undo().allow_skip());
    let report = run(saga.compensate(&stage)).expect("skipped");
    assert_eq!(report.skipped[0].reason, "it went wrong (Gone)");
    let record = saga.records().remove(0);
    assert_eq!(record.status, CompensationStatus::Skipped);
    assert_eq!(record.error.as_deref(), Some("it went wrong (Gone)"));
    stage.log();
    run(saga.compensate(&stage)).expect("nothing is left");
    assert!(stage.log().is_empty());
}

#[test]
fn counted_attempts_are_the_workflows_own_with_timers_between_them() {
    let stage = Stage::new();
    stage.script("-a", [End::Fails, End::TimesOut]);
    let saga = manager(&stage, undo().counted());
    run(saga.compensate(&stage)).expect("the third succeeds");
    assert_eq!(stage.log(), ["-a(\"\")", "sleep 1s", "-a(\"\")", "sleep 2s", "-a(\"\")"]);
    assert_eq!(saga.records()[0].retries, 2);
}

#[test]
fn counted_attempts_end_with_a_refusal_or_where_there_is_no_worker() {
    for end in [End::Refuses("Gone"), End::NoWorker] {
        let stage = Stage::new();
        stage.script("-a", [end]);
        run(manager(&stage, undo().counted()).compensate(&stage)).expect_err("it fails at once");
        assert_eq!(stage.log().len(), 1);
    }
}

#[test]
fn a_missing_worker_is_named_as_the_reason() {
    let stage = Stage::new();
    stage.script("-a", [End::NoWorker]);
    let error = run(manager(&stage, undo()).compensate(&stage)).expect_err("nobody takes it");
    assert_eq!(error.report().expect("it began").failures[0].kind, Some(FailureKind::NoWorker));
}

#[test]
fn a_closure_is_repeated_by_the_workflow_and_may_run_shielded_activities() {
    let stage = Stage::new();
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let step = CompensationStep::closure("a", move |scope: UndoContext<Stage>| {
        let call = counted.replace(counted.get() + 1);
        async move {
            if call == 0 {
                return Err(io::Error::other("not yet"));
            }
            let policy = ActivityPolicy::default();
            let inner = scope.run(Act("inner"), "x".to_owned(), &policy).await;
            inner.map(drop).map_err(io::Error::other)
        }
    });
    let saga = manager(&stage, step);
    stage.cancel();
    run(saga.compensate(&stage)).expect("the second call succeeds");
    assert_eq!(stage.log(), ["sleep 1s", "inner(\"x\")"]);
    assert_eq!((calls.get(), saga.records()[0].retries), (2, 1));
}

#[test]
fn a_closure_that_has_succeeded_is_dropped_with_what_it_captured() {
    let stage = Stage::new();
    let captured = Rc::new(());
    let kept = captured.clone();
    let step = CompensationStep::closure("a", move |_| {
        let _kept = kept.clone();
        async { Ok::<_, io::Error>(()) }
    });
    let saga = manager(&stage, step);
    run(saga.compensate(&stage)).expect("it succeeds");
    assert_eq!(Rc::strong_count(&captured), 1);
}
