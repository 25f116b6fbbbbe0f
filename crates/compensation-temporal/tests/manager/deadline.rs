//! A rollback that has so much time and no more.

use std::{io, time::Duration};

use compensation_temporal::{
    ActivityPolicy, Compensate, CompensateError, CompensationManager, CompensationStep, Report,
    Retry, UndoContext, step,
};

use crate::stage::{Act, End, Stage, run, waits};

const LIMIT: Duration = Duration::from_secs(10);

fn many(stage: &Stage, names: &[&'static str]) -> CompensationManager<Stage> {
    let saga = CompensationManager::new();
    for name in names {
        let undo: &'static str = format!("-{name}").leak();
        saga.register_simple(stage, *name, Act(undo), String::new()).expect("new");
    }
    saga
}

fn incomplete(ended: Result<Report, CompensateError>) -> Report {
    match ended {
        Err(CompensateError::Incomplete(report)) => report,
        other => panic!("it ended otherwise: {other:?}"),
    }
}

#[test]
fn no_undo_starts_after_it_and_a_further_call_goes_on() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c", "d"]);
    stage.pace(Duration::from_secs(6));
    let report = incomplete(run(saga.compensate_with(&stage, Compensate::all().within(LIMIT))));
    assert_eq!(report.compensated, ["d", "c"]);
    let left: Vec<_> = report.left.iter().map(|left| left.activity_name.as_str()).collect();
    assert_eq!(left, ["b", "a"]);
    assert_eq!(report.left[0].reason, "the time for the rollback is over");
    assert_eq!(run(saga.compensate(&stage)).expect("the rest").compensated, ["b", "a"]);
}

#[test]
fn the_server_is_told_what_is_left_and_no_timer_runs() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b"]);
    stage.pace(Duration::from_secs(6));
    run(saga.compensate_with(&stage, Compensate::all().within(LIMIT))).expect("just in time");
    assert_eq!(stage.log(), ["-b(\"\")", "-a(\"\")"]);
    let total = |undo| stage.options(undo).close_timeouts.schedule_to_close();
    assert_eq!(total("-b"), Some(Duration::from_secs(10)));
    assert_eq!(total("-a"), Some(Duration::from_secs(4)));
}

#[test]
fn a_shorter_total_time_of_the_undo_itself_stays() {
    let stage = Stage::new();
    let saga = CompensationManager::new();
    let policy =
        ActivityPolicy { total: Some(Duration::from_secs(3)), ..ActivityPolicy::default() };
    let undo = CompensationStep::new("a", Act("-a"), String::new()).policy(policy);
    saga.register_compensation(&stage, undo).expect("new");
    run(saga.compensate_with(&stage, Compensate::all().within(LIMIT))).expect("it succeeds");
    let total = stage.options("-a").close_timeouts.schedule_to_close();
    assert_eq!(total, Some(Duration::from_secs(3)));
}

#[test]
fn a_wait_between_attempts_that_would_pass_it_is_not_begun() {
    let stage = Stage::new();
    let saga = CompensationManager::new();
    let undo = CompensationStep::new("a", Act("-a"), String::new());
    let undo = undo.retry(Retry::times(5).first(Duration::from_secs(4))).counted();
    saga.register_compensation(&stage, undo).expect("new");
    stage.script("-a", vec![End::Fails; 5]);
    let report = incomplete(run(saga.compensate_with(&stage, Compensate::all().within(LIMIT))));
    assert_eq!(stage.log(), ["-a(\"\")", "sleep 4s", "-a(\"\")"]);
    assert_eq!(report.failures[0].attempts, 2);
}

#[test]
fn a_closure_is_asked_to_stop() {
    let stage = Stage::new();
    let saga = CompensationManager::new();
    let undo = CompensationStep::closure("a", |scope: UndoContext<Stage>| async move {
        let done = scope.run(Act("inner"), String::new(), &ActivityPolicy::default()).await;
        done.map(drop).map_err(io::Error::other)
    });
    saga.register_compensation(&stage, undo).expect("new");
    stage.script("inner", [End::Hangs]);
    let report = incomplete(run(saga.compensate_with(&stage, Compensate::all().within(LIMIT))));
    assert_eq!(stage.log(), ["inner(\"\")", "sleep 10s", "inner cancelled"]);
    assert_eq!(report.failures[0].activity_name, "a");
}

#[test]
fn a_step_in_flight_is_waited_for_no_longer_and_is_left() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    stage.script("+b", [End::Hangs]);
    let step = step("b", Act("+b"), String::new()).undo(Act("-b"), |_| String::new());
    let mut step = Box::pin(saga.step(&stage, step));
    waits(&mut step);
    let report = incomplete(run(saga.compensate_with(&stage, Compensate::all().within(LIMIT))));
    assert_eq!(report.left.len(), 2);
    assert_eq!(stage.log(), ["+b(\"\")", "sleep 10s"]);
    stage.release();
    run(step).expect("it goes on");
    assert_eq!(run(saga.compensate(&stage)).expect("now").compensated, ["b", "a"]);
}

#[test]
fn a_time_limit_beyond_all_measure_is_none() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    let what = Compensate::all().within(Duration::MAX);
    run(saga.compensate_with(&stage, what)).expect("it succeeds");
}

#[test]
fn a_time_limit_of_zero_undoes_nothing_and_says_so() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    let what = Compensate::all().within(Duration::ZERO);
    let report = incomplete(run(saga.compensate_with(&stage, what)));
    assert_eq!((report.left.len(), stage.log().len()), (1, 0));
}
