//! How a workflow closes.

use compensation_temporal::{CompensateError, CompensationManager, INCOMPLETE, ManagerError, step};
use temporalio_workflow::{
    WorkflowResult, WorkflowTermination,
    common::{
        data_converters::PayloadConversionError,
        error::{ApplicationFailure, OutgoingWorkflowError},
    },
};

use crate::stage::{Act, End, Stage, Unwritable, run, waits};

fn one(stage: &Stage) -> CompensationManager<Stage> {
    let saga = CompensationManager::new();
    saga.register_simple(stage, "car", Act("-car"), String::new()).expect("new");
    saga
}

fn broken<T>() -> WorkflowResult<T> {
    Err(ApplicationFailure::non_retryable("the engine is broken").into())
}

fn application<T>(closed: WorkflowResult<T>) -> ApplicationFailure {
    match closed {
        Err(WorkflowTermination::Failed(OutgoingWorkflowError::Application(failure))) => *failure,
        Err(other) => panic!("closed otherwise: {other:?}"),
        Ok(_) => panic!("it completed"),
    }
}

fn cancelled<T>(closed: &WorkflowResult<T>) -> Option<bool> {
    match closed {
        Err(WorkflowTermination::Cancelled { details }) => Some(details.is_some()),
        _ => None,
    }
}

#[test]
fn a_result_completes_and_undoes_nothing() {
    let stage = Stage::new();
    let result = run(one(&stage).finish(&stage, WorkflowResult::Ok(7)));
    assert_eq!(result.expect("completed"), 7);
    assert!(stage.log().is_empty());
}

#[test]
fn an_error_is_undone_and_stays_the_same_error() {
    let stage = Stage::new();
    let failure = application(run(one(&stage).finish(&stage, broken::<()>())));
    assert_eq!(failure.to_string(), "the engine is broken");
    assert_eq!(stage.log(), ["-car(\"\")"]);
}

#[test]
fn a_failed_undo_is_told_beside_what_failed_first() {
    let stage = Stage::new();
    stage.script("-car", [End::Refuses("Gone")]);
    let failure = application(run(one(&stage).finish(&stage, broken::<()>())));
    assert_eq!(failure.type_name(), Some(INCOMPLETE));
    assert!(failure.is_non_retryable());
    let cause = failure.cause().expect("what failed first").failure();
    assert_eq!(cause.message, "the engine is broken");
    assert_eq!(
        failure.to_string(),
        "the engine is broken; and the rollback is incomplete: \
         the undo of `car` failed (1 attempt): it went wrong (Gone)"
    );
}

#[test]
fn a_steps_failure_closes_with_the_activitys_own_failure() {
    let stage = Stage::new();
    let saga = one(&stage);
    stage.script("+hotel", [End::Refuses("NoRooms")]);
    let step = step("hotel", Act("+hotel"), String::new()).undo(Act("-hotel"), |_| String::new());
    let result = run(saga.step(&stage, step));
    let closed = run(saga.finish(&stage, result.map(drop)));
    let Err(WorkflowTermination::Failed(OutgoingWorkflowError::ActivityExecution(error))) = closed
    else {
        panic!("closed otherwise: {closed:?}");
    };
    assert_eq!(error.cause().expect("the cause").failure().message, "it went wrong");
    assert_eq!(stage.log(), ["+hotel(\"\")", "-hotel(\"\")", "-car(\"\")"]);
}

#[test]
fn a_failed_activity_is_told_by_what_it_said() {
    let stage = Stage::new();
    let saga = one(&stage);
    stage.script("+hotel", [End::Refuses("NoRooms")]);
    stage.script("-car", [End::Refuses("Gone")]);
    let hotel = step("hotel", Act("+hotel"), String::new()).no_undo("none");
    let result = run(saga.step(&stage, hotel));
    let failure = application(run(saga.finish(&stage, result.map(drop))));
    let text = failure.to_string();
    assert!(text.starts_with("an activity failed: it went wrong (NoRooms); and "), "{text}");
}

#[test]
fn a_cancelled_workflow_is_undone_and_closes_as_cancelled() {
    let stage = Stage::new();
    let saga = one(&stage);
    stage.cancel();
    let closed = run(saga.finish(&stage, Err::<(), _>(WorkflowTermination::cancelled())));
    assert_eq!(cancelled(&closed), Some(true));
    assert_eq!(stage.log(), ["-car(\"\")"]);
}

#[test]
fn a_workflow_that_fails_while_it_is_cancelled_closes_as_cancelled() {
    let stage = Stage::new();
    let saga = one(&stage);
    stage.script("-car", [End::CancelsWorkflow]);
    let closed = run(saga.finish(&stage, broken::<()>()));
    assert_eq!(cancelled(&closed), Some(true));
}

#[test]
fn a_cancel_closes_as_cancelled_also_where_an_undo_fails() {
    let stage = Stage::new();
    let saga = one(&stage);
    stage.cancel();
    stage.script("-car", [End::Refuses("Gone")]);
    let closed = run(saga.finish(&stage, Err::<(), _>(WorkflowTermination::cancelled())));
    assert_eq!(cancelled(&closed), Some(true));
}

#[test]
fn a_cancel_before_anything_was_registered_has_nothing_to_tell() {
    let (stage, saga) = (Stage::new(), CompensationManager::<Stage>::new());
    stage.cancel();
    let closed = run(saga.finish(&stage, Err::<(), _>(WorkflowTermination::cancelled())));
    assert_eq!(cancelled(&closed), Some(false));
}

#[test]
fn a_result_that_came_in_spite_of_a_cancel_completes() {
    let stage = Stage::new();
    let saga = one(&stage);
    stage.cancel();
    assert_eq!(run(saga.finish(&stage, WorkflowResult::Ok(1))).expect("completed"), 1);
    assert!(stage.log().is_empty());
}

#[test]
fn a_result_that_does_not_serialize_is_undone_and_fails_the_workflow_not_its_task() {
    let stage = Stage::new();
    let failure = application(run(one(&stage).finish(&stage, WorkflowResult::Ok(Unwritable))));
    assert_eq!(failure.to_string(), "Encoding error: this can't be written");
    assert_eq!(stage.log(), ["-car(\"\")"]);
}

#[test]
fn a_conversion_error_fails_the_workflow_not_its_task() {
    let stage = Stage::new();
    let error = Err::<(), _>(PayloadConversionError::WrongEncoding);
    application(run(one(&stage).finish(&stage, error)));
    assert_eq!(stage.log(), ["-car(\"\")"]);
}

#[test]
fn refusals_fail_the_workflow_not_its_task() {
    let stage = Stage::new();
    let refused = Err::<(), _>(ManagerError::Duplicate("car".to_owned()));
    let failure = application(run(one(&stage).finish(&stage, refused)));
    assert!(failure.to_string().contains("registered already"), "{failure}");
    let refused = Err::<(), _>(CompensateError::NotRegistered(vec!["boat".to_owned()]));
    application(run(one(&stage).finish(&stage, refused)));
}

#[test]
fn a_rollback_under_way_is_waited_for_and_nothing_is_undone_twice() {
    let stage = Stage::new();
    let saga = one(&stage);
    stage.script("-car", [End::Hangs]);
    let mut rollback = Box::pin(saga.compensate(&stage));
    waits(&mut rollback);
    let mut finish = Box::pin(saga.finish(&stage, broken::<()>()));
    waits(&mut finish);
    stage.release();
    run(rollback).expect("it succeeds");
    application(run(finish));
    assert_eq!(stage.log(), ["-car(\"\")", "-car released"]);
}
