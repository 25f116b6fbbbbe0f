//! What a rollback runs, in which order, and what it leaves.

use compensation_temporal::{
    Compensate, CompensateError, CompensationManager, CompensationStatus, CompensationStep, Report,
    WhenUnknown,
};
use temporalio_workflow::WorkflowCancellationToken;

use crate::stage::{Act, End, Stage, run, waits};

/// `a`, `b`, `c`, ... each undone by an activity of its name with a minus.
fn many(stage: &Stage, names: &[&'static str]) -> CompensationManager<Stage> {
    let saga = CompensationManager::new();
    for name in names {
        let undo: &'static str = format!("-{name}").leak();
        saga.register_simple(stage, *name, Act(undo), String::new()).expect("new");
        saga.record_execution(name).expect("registered");
    }
    saga
}

fn incomplete(ended: Result<Report, CompensateError>) -> Report {
    match ended {
        Err(CompensateError::Incomplete(report)) => report,
        other => panic!("not incomplete: {other:?}"),
    }
}

fn undone(stage: &Stage) -> String {
    stage.log().concat().replace("(\"\")", "")
}

#[test]
fn the_last_is_undone_first() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c"]);
    let report = run(saga.compensate(&stage)).expect("all succeed");
    assert_eq!(report.compensated, ["c", "b", "a"]);
    assert_eq!(undone(&stage), "-c-b-a");
}

#[test]
fn what_is_undone_is_never_undone_again() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b"]);
    run(saga.compensate(&stage)).expect("all succeed");
    stage.log();
    let again = run(saga.compensate(&stage)).expect("nothing is left");
    assert!(again.compensated.is_empty() && stage.log().is_empty());
}

#[test]
fn all_others_run_where_one_fails_and_a_second_call_runs_only_that_one() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c"]);
    stage.script("-b", [End::Refuses("Gone")]);
    let report = incomplete(run(saga.compensate(&stage)));
    assert_eq!(report.compensated, ["c", "a"]);
    assert_eq!(report.failures[0].activity_name, "b");
    assert_eq!(report.failures[0].error, "it went wrong (Gone)");
    assert_eq!(saga.records()[1].status, CompensationStatus::Failed);
    stage.log();
    run(saga.compensate(&stage)).expect("now it succeeds");
    assert_eq!(undone(&stage), "-b");
}

#[test]
fn halt_starts_nothing_after_a_failure_and_tells_what_is_left() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c"]);
    stage.script("-b", [End::Refuses("Gone")]);
    let report = incomplete(run(saga.compensate_with(&stage, Compensate::all().halt_on_failure())));
    assert_eq!(undone(&stage), "-c-b");
    assert_eq!(report.left[0].activity_name, "a");
    run(saga.compensate(&stage)).expect("a further call goes on");
    assert_eq!(undone(&stage), "-b-a");
}

#[test]
fn only_the_named_ones_are_undone_last_first() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c"]);
    run(saga.compensate_partial(&stage, ["a", "c"])).expect("both succeed");
    assert_eq!(undone(&stage), "-c-a");
    assert_eq!(saga.pending(), ["b"]);
}

#[test]
fn only_what_came_after_a_savepoint_is_undone() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    let savepoint = saga.savepoint();
    saga.register_simple(&stage, "b", Act("-b"), String::new()).expect("new");
    run(saga.compensate_with(&stage, Compensate::since(savepoint))).expect("it succeeds");
    assert_eq!(undone(&stage), "-b");
    assert_eq!(saga.pending(), ["a"]);
}

#[test]
fn what_had_no_effect_is_passed_over() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b"]);
    saga.record_not_done("b").expect("registered");
    let report = run(saga.compensate(&stage)).expect("a succeeds");
    assert_eq!(undone(&stage), "-a");
    assert_eq!(report.skipped[0].reason, "it had no effect");
    assert_eq!(saga.records()[1].status, CompensationStatus::Skipped);
}

#[test]
fn what_was_never_recorded_is_undone_unless_only_the_executed_is_asked_for() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    saga.register_simple(&stage, "b", Act("-b"), String::new()).expect("new");
    run(saga.compensate_with(&stage, Compensate::all().executed_only())).expect("a succeeds");
    assert_eq!(undone(&stage), "-a");
    run(saga.compensate(&stage)).expect("b succeeds");
    assert_eq!(undone(&stage), "-b");
}

#[test]
fn an_unknown_outcome_that_parks_is_left_and_undone_by_name() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    let parks =
        CompensationStep::new("b", Act("-b"), String::new()).when_unknown(WhenUnknown::Park);
    saga.register_compensation(&stage, parks).expect("new");
    let report = incomplete(run(saga.compensate(&stage)));
    assert_eq!(undone(&stage), "-a");
    assert_eq!(report.left[0].activity_name, "b");
    run(saga.compensate_partial(&stage, ["b"])).expect("it succeeds");
    assert_eq!(undone(&stage), "-b");
}

#[test]
fn so_many_run_at_once_and_the_last_still_starts_first() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c"]);
    stage.script("-c", [End::Hangs]);
    stage.script("-b", [End::Hangs]);
    stage.script("-a", [End::Hangs]);
    let mut rollback = Box::pin(saga.compensate_with(&stage, Compensate::all().parallel(2)));
    waits(&mut rollback);
    assert_eq!(undone(&stage), "-c-b");
    let running = |record: &_| matches!(record, CompensationStatus::Running);
    assert_eq!(saga.records().iter().filter(|record| running(&record.status)).count(), 2);
    stage.release();
    run(rollback).expect("all succeed");
}

#[test]
fn halt_in_parallel_lets_what_is_in_flight_end() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c"]);
    stage.script("-c", [End::Hangs]);
    stage.script("-b", [End::Refuses("Gone")]);
    let what = Compensate::all().parallel(2).halt_on_failure();
    let mut rollback = Box::pin(saga.compensate_with(&stage, what));
    waits(&mut rollback);
    stage.release();
    let report = incomplete(run(rollback));
    assert_eq!((report.compensated, report.failures.len()), (vec!["c".to_owned()], 1));
    assert_eq!(report.left[0].activity_name, "a");
}

#[test]
fn more_lanes_than_compensations_do_no_harm() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b"]);
    let what = Compensate::all().parallel(u16::MAX);
    assert_eq!(run(saga.compensate_with(&stage, what)).expect("all").compensated, ["b", "a"]);
}

#[test]
fn what_is_registered_by_an_undo_is_undone_by_the_same_call() {
    let (stage, saga) = (Stage::new(), CompensationManager::<Stage>::new());
    let inner = saga.clone();
    let step = CompensationStep::closure("a", move |scope| {
        let added = inner.register_simple(scope.context(), "b", Act("-b"), String::new());
        async move { added }
    });
    saga.register_compensation(&stage, step).expect("new");
    assert_eq!(run(saga.compensate(&stage)).expect("both").compensated, ["a", "b"]);
}

#[test]
fn a_rollback_is_not_reached_by_the_workflows_cancellation() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c"]);
    stage.script("-b", [End::CancelsWorkflow]);
    run(saga.compensate(&stage)).expect("all succeed");
    assert_eq!(undone(&stage), "-c-b-a");
    let again = many(&stage, &["d"]);
    run(again.compensate(&stage)).expect("also after the cancel");
    assert_eq!(undone(&stage), "-d");
}

#[test]
fn a_rollback_is_given_up_by_its_own_token_and_tells_what_is_left() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c"]);
    stage.script("-b", [End::Hangs]);
    let token = WorkflowCancellationToken::new();
    let what = Compensate::all().abort_on(token.clone());
    let mut rollback = Box::pin(saga.compensate_with(&stage, what));
    waits(&mut rollback);
    token.cancel();
    let report = incomplete(run(rollback));
    assert_eq!(report.compensated, ["c"]);
    assert_eq!(report.failures[0].activity_name, "b");
    assert_eq!(report.left[0].reason, "the rollback was given up");
    stage.log();
    run(saga.compensate(&stage)).expect("a further call goes on");
    assert_eq!(undone(&stage), "-b-a");
}

#[test]
fn two_runs_emit_the_same_commands_in_the_same_order() {
    let names: Vec<&'static str> = (0..40).map(|n| &*format!("n{n}").leak()).collect();
    let trace = || {
        let stage = Stage::new();
        let saga = many(&stage, &names);
        stage.script("-n7", [End::Fails, End::TimesOut]);
        stage.script("-n20", [End::Refuses("Gone")]);
        incomplete(run(saga.compensate_with(&stage, Compensate::all().parallel(7))));
        stage.log()
    };
    assert_eq!(trace(), trace());
}
