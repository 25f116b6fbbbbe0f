//! What is left to undo, carried over a continue-as-new.

use std::io;

use compensation_temporal::{
    Compensate, CompensationManager, CompensationStep, ManagerError, Retry, Snapshot, step,
};

use crate::stage::{Act, End, Stage, run, waits};

fn written(saga: &CompensationManager<Stage>) -> String {
    serde_json::to_string(&saga.snapshot().expect("idle")).expect("plain data")
}

fn read(text: &str) -> CompensationManager<Stage> {
    let snapshot: Snapshot = serde_json::from_str(text).expect("just written");
    let saga = CompensationManager::new();
    saga.restore(snapshot).expect("empty");
    saga
}

fn three(stage: &Stage) -> CompensationManager<Stage> {
    let saga = CompensationManager::new();
    for (name, undo) in [("a", "-a"), ("b", "-b"), ("c", "-c")] {
        let step = CompensationStep::new(name, Act(undo), name.to_owned()).retry(Retry::times(9));
        saga.register_compensation(stage, step).expect("new");
    }
    saga.record_execution("a").expect("registered");
    saga
}

#[test]
fn everything_known_is_carried_over() {
    let stage = Stage::new();
    let saga = three(&stage);
    run(saga.compensate_partial(&stage, ["c"])).expect("it succeeds");
    stage.script("-b", [End::Refuses("Gone")]);
    run(saga.compensate_partial(&stage, ["b"])).expect_err("it is refused");
    let back = read(&written(&saga));
    assert_eq!(back.records(), saga.records());
    assert_eq!(back.executed_activities(), ["a"]);
    assert_eq!(written(&back), written(&saga));
}

#[test]
fn a_restored_manager_undoes_what_is_left_with_its_inputs_and_budgets() {
    let stage = Stage::new();
    let saga = three(&stage);
    run(saga.compensate_partial(&stage, ["c"])).expect("it succeeds");
    stage.log();
    run(read(&written(&saga)).compensate(&stage)).expect("all succeed");
    assert_eq!(stage.log(), ["-b(\"b\")", "-a(\"a\")"]);
    assert_eq!(stage.options("-a").retry_policy.map(|retry| retry.maximum_attempts()), Some(9));
}

#[test]
fn a_savepoint_stays_valid() {
    let stage = Stage::new();
    let saga = three(&stage);
    let savepoint = saga.savepoint();
    let back = read(&written(&saga));
    back.register_simple(&stage, "d", Act("-d"), String::new()).expect("new");
    run(back.compensate_with(&stage, Compensate::since(savepoint))).expect("it succeeds");
    assert_eq!(stage.log(), ["-d(\"\")"]);
}

#[test]
fn a_closure_that_is_left_is_refused_and_one_that_is_done_is_not() {
    let (stage, saga) = (Stage::new(), CompensationManager::<Stage>::new());
    let step = CompensationStep::closure("a", |_| async { Ok::<_, io::Error>(()) });
    saga.register_compensation(&stage, step).expect("new");
    assert!(matches!(saga.snapshot(), Err(ManagerError::Closure(name)) if name == "a"));
    run(saga.compensate(&stage)).expect("it succeeds");
    saga.snapshot().expect("nothing but data is left");
}

#[test]
fn a_manager_in_use_takes_over_nothing() {
    let stage = Stage::new();
    let saga = three(&stage);
    let snapshot = saga.snapshot().expect("idle");
    assert!(matches!(saga.restore(snapshot), Err(ManagerError::NotEmpty)));
    assert_eq!(saga.compensation_count(), 3);
}

#[test]
fn a_snapshot_of_a_newer_version_is_refused() {
    let stage = Stage::new();
    let text = written(&three(&stage)).replacen("\"format\":1", "\"format\":2", 1);
    let snapshot: Snapshot = serde_json::from_str(&text).expect("the same fields");
    let refused = CompensationManager::<Stage>::new().restore(snapshot);
    assert!(matches!(refused, Err(ManagerError::Format(2))));
}

#[test]
fn a_step_in_flight_is_refused() {
    let (stage, saga) = (Stage::new(), CompensationManager::<Stage>::new());
    stage.script("+a", [End::Hangs]);
    let step = step("a", Act("+a"), String::new()).undo(Act("-a"), |_| String::new());
    let mut step = Box::pin(saga.step(&stage, step));
    waits(&mut step);
    assert!(matches!(saga.snapshot(), Err(ManagerError::InFlight(name)) if name == "a"));
    assert!(matches!(saga.clear(), Err(ManagerError::InFlight(_))));
}
