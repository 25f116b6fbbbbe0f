//! What is registered and recorded, and what is asked about it.

use compensation_temporal::{CompensationManager, CompensationStatus, CompensationStep};

use crate::stage::{Act, End, Stage, run};

fn two(stage: &Stage) -> CompensationManager<Stage> {
    let saga = CompensationManager::new();
    saga.register_simple(stage, "car", Act("cancel-car"), "c".to_owned()).expect("new");
    let hotel = CompensationStep::new("hotel", Act("cancel-hotel"), "h".to_owned());
    saga.register_compensation(stage, hotel).expect("new");
    saga
}

#[test]
fn an_empty_manager_has_nothing_and_undoes_nothing() {
    let (stage, saga) = (Stage::new(), CompensationManager::<Stage>::new());
    assert_eq!((saga.compensation_count(), saga.executed_count()), (0, 0));
    assert!(saga.records().is_empty() && saga.executed_activities().is_empty());
    let report = run(saga.compensate(&stage)).expect("nothing to fail");
    assert_eq!(report.to_string(), "nothing to undo");
    assert!(stage.log().is_empty());
}

#[test]
fn what_is_registered_is_pending_and_runs_nothing() {
    let stage = Stage::new();
    let saga = two(&stage);
    let records = saga.records();
    let names: Vec<_> = records.iter().map(|record| record.activity_name.as_str()).collect();
    assert_eq!(names, ["car", "hotel"]);
    assert!(records.iter().all(|record| record.status == CompensationStatus::Pending));
    assert_eq!(saga.pending(), ["hotel", "car"]);
    assert!(stage.log().is_empty());
}

#[test]
fn executions_are_counted_and_named_in_the_order_of_registration() {
    let stage = Stage::new();
    let saga = two(&stage);
    saga.record_execution("hotel").expect("registered");
    assert!(saga.is_executed("hotel") && !saga.is_executed("car") && !saga.is_executed("boat"));
    assert_eq!((saga.compensation_count(), saga.executed_count()), (2, 1));
    saga.record_execution("car").expect("registered");
    assert_eq!(saga.executed_activities(), ["car", "hotel"]);
}

#[test]
fn clear_forgets_compensations_and_records() {
    let stage = Stage::new();
    let saga = two(&stage);
    run(saga.compensate(&stage)).expect("both succeed");
    saga.clear().expect("idle");
    assert!(saga.records().is_empty());
    assert_eq!(saga.compensation_count(), 0);
}

#[test]
fn a_record_has_the_workflows_times_and_the_last_error() {
    let stage = Stage::new();
    let saga = CompensationManager::new();
    let car = CompensationStep::new("car", Act("cancel-car"), String::new()).counted();
    saga.register_compensation(&stage, car).expect("new");
    stage.script("cancel-car", [End::Fails, End::Fails]);
    run(saga.compensate(&stage)).expect("the third attempt succeeds");
    let record = saga.records().remove(0);
    assert_eq!(record.status, CompensationStatus::Completed);
    assert_eq!(record.executed_at.map(|moment| moment.as_millis()), Some(1_000_000));
    assert_eq!(record.duration.map(|span| span.as_secs()), Some(3));
    assert_eq!((record.retries, record.error), (2, None));
}

#[test]
fn clones_are_one_manager() {
    let stage = Stage::new();
    let saga = two(&stage);
    saga.clone().record_execution("car").expect("registered");
    assert!(saga.is_executed("car"));
}

#[test]
fn a_name_may_be_used_again_once_it_is_undone() {
    let stage = Stage::new();
    let saga = two(&stage);
    run(saga.compensate(&stage)).expect("both succeed");
    stage.log();
    saga.register_simple(&stage, "car", Act("cancel-car"), "again".to_owned()).expect("free");
    assert!(!saga.is_executed("car"));
    run(saga.compensate(&stage)).expect("it succeeds");
    assert_eq!(stage.log(), ["cancel-car(\"again\")"]);
    assert_eq!(saga.records().len(), 3);
}
