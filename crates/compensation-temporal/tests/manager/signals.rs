//! What a signal asks for: no further step begins, and the end of the workflow heeds it.

use std::any::Any;

use compensation_temporal::{
    CompensationManager, Ending, INCOMPLETE, REQUESTED, Snapshot, Step, StepError, StopKind, step,
};
use temporalio_workflow::{
    WorkflowResult, WorkflowTermination,
    common::error::{ApplicationFailure, OutgoingWorkflowError},
};

use crate::stage::{Act, End, Stage, run, waits};

fn car() -> Step<Stage, Act> {
    step("car", Act("+car"), String::new())
        .undo(Act("-car"), |car| car.map_or("none", |_| "some").to_owned())
}

fn manager(stage: &Stage) -> CompensationManager<Stage> {
    let saga = CompensationManager::new();
    run(saga.step(stage, car())).expect("it succeeds");
    stage.log();
    saga
}

fn failure<T>(closed: WorkflowResult<T>) -> ApplicationFailure {
    match closed {
        Err(WorkflowTermination::Failed(OutgoingWorkflowError::Application(failure))) => *failure,
        Err(other) => panic!("closed otherwise: {other:?}"),
        Ok(_) => panic!("it completed"),
    }
}

/// The details of a workflow that closed as cancelled.
fn ending<T>(closed: WorkflowResult<T>) -> Ending {
    match closed {
        Err(WorkflowTermination::Cancelled { details: Some(details) }) => {
            let details: Box<dyn Any> = details;
            *details.downcast().expect("an ending")
        }
        Err(other) => panic!("closed otherwise: {other:?}"),
        Ok(_) => panic!("it completed"),
    }
}

#[test]
fn no_step_begins_after_it_and_nothing_of_it_is_registered() {
    let stage = Stage::new();
    let saga = manager(&stage);
    saga.ask_to_compensate("the customer called");
    let hotel = step("hotel", Act("+hotel"), String::new()).no_undo("none");
    let error = run(saga.step(&stage, hotel)).expect_err("it is to stop");
    let said = "step `hotel` did not begin: it was asked to compensate: the customer called";
    assert_eq!(error.to_string(), said);
    assert!(!error.is_cancelled());
    assert_eq!((saga.compensation_count(), stage.log().len()), (1, 0));
}

#[test]
fn a_workflow_asked_to_compensate_is_undone_and_fails_with_the_reason() {
    let stage = Stage::new();
    let saga = manager(&stage);
    saga.ask_to_compensate("the customer called");
    let stopped = run(saga.step(&stage, car()));
    let failure = failure(run(saga.finish(&stage, stopped)));
    assert_eq!(failure.type_name(), Some(REQUESTED));
    assert_eq!(failure.to_string(), "it was asked to compensate: the customer called");
    assert_eq!(stage.log(), ["-car(\"some\")"]);
}

#[test]
fn what_is_asked_for_before_the_end_is_heeded_though_there_is_a_result() {
    let stage = Stage::new();
    let saga = manager(&stage);
    saga.ask_to_compensate("");
    assert_eq!(
        failure(run(saga.finish(&stage, WorkflowResult::Ok(7)))).type_name(),
        Some(REQUESTED)
    );
    assert_eq!(stage.log(), ["-car(\"some\")"]);
}

#[test]
fn a_step_in_flight_may_end_when_it_is_to_compensate() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Hangs]);
    let mut step = Box::pin(saga.step(&stage, car()));
    waits(&mut step);
    saga.ask_to_compensate("");
    waits(&mut step);
    stage.release();
    run(step).expect("it was not stopped");
}

#[test]
fn a_step_in_flight_is_asked_to_stop_when_it_is_to_cancel() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Hangs]);
    let mut step = Box::pin(saga.step(&stage, car()));
    waits(&mut step);
    saga.ask_to_cancel("closed for winter");
    let stopped = run(step);
    assert!(stopped.as_ref().is_err_and(StepError::is_cancelled), "{stopped:?}");
    let ending = ending(run(saga.finish(&stage, stopped)));
    assert_eq!(ending.failure, None);
    let stop = ending.stop.expect("the signal");
    assert_eq!((stop.kind, stop.reason.as_str()), (StopKind::Cancel, "closed for winter"));
    assert_eq!(ending.report.compensated, ["car"]);
    assert_eq!(stage.log(), ["+car(\"\")", "+car cancelled", "-car(\"none\")"]);
}

#[test]
fn a_step_after_it_was_asked_to_cancel_is_cancelled() {
    let stage = Stage::new();
    let saga = manager(&stage);
    saga.ask_to_cancel("");
    let stopped = run(saga.step(&stage, car()));
    assert!(stopped.as_ref().is_err_and(StepError::is_cancelled), "{stopped:?}");
    ending(run(saga.finish(&stage, stopped)));
    assert_eq!(stage.log(), ["-car(\"some\")"]);
}

#[test]
fn the_first_reason_stays_unless_a_cancel_follows() {
    let saga = CompensationManager::<Stage>::new();
    saga.ask_to_compensate("one");
    saga.ask_to_compensate("two");
    assert_eq!(saga.stop().map(|stop| stop.reason).as_deref(), Some("one"));
    saga.ask_to_cancel("three");
    saga.ask_to_cancel("four");
    saga.ask_to_compensate("five");
    let stop = saga.stop().expect("asked");
    assert_eq!((stop.kind, stop.reason.as_str()), (StopKind::Cancel, "three"));
}

#[test]
fn a_cancel_that_is_asked_for_in_the_rollback_does_not_reach_it_and_closes_as_cancelled() {
    let stage = Stage::new();
    let saga = manager(&stage);
    stage.script("-car", [End::Hangs]);
    let broken: WorkflowResult<()> = Err(ApplicationFailure::non_retryable("it broke").into());
    let mut finish = Box::pin(saga.finish(&stage, broken));
    waits(&mut finish);
    saga.ask_to_cancel("late");
    waits(&mut finish);
    stage.release();
    let ending = ending(run(finish));
    assert_eq!(ending.failure.as_deref(), Some("it broke"));
    assert_eq!(ending.report.compensated, ["car"]);
}

#[test]
fn an_error_that_came_first_stays_the_error_of_a_workflow_that_is_asked_to_compensate() {
    let stage = Stage::new();
    let saga = manager(&stage);
    saga.ask_to_compensate("late");
    let broken: WorkflowResult<()> = Err(ApplicationFailure::non_retryable("it broke").into());
    assert_eq!(failure(run(saga.finish(&stage, broken))).to_string(), "it broke");
}

#[test]
fn a_wait_that_its_token_ended_is_no_cancel_of_a_workflow_that_is_asked_to_compensate() {
    let stage = Stage::new();
    let saga = manager(&stage);
    saga.ask_to_compensate("enough");
    let ended: WorkflowResult<()> = Err(WorkflowTermination::cancelled());
    assert_eq!(failure(run(saga.finish(&stage, ended))).type_name(), Some(REQUESTED));
}

#[test]
fn the_token_is_cancelled_by_either_signal_and_by_the_workflows_own_cancel() {
    type Asks = fn(&Stage, &CompensationManager<Stage>);
    let asks: [Asks; 3] = [
        |_, saga| saga.ask_to_compensate(""),
        |_, saga| saga.ask_to_cancel(""),
        |stage, _| stage.cancel(),
    ];
    for ask in asks {
        let (stage, saga) = (Stage::new(), CompensationManager::new());
        let token = saga.token(&stage);
        assert!(!token.is_cancelled());
        ask(&stage, &saga);
        assert!(token.is_cancelled() && saga.token(&stage).is_cancelled());
        // One that is made only afterwards is cancelled too.
        let (stage, saga) = (Stage::new(), CompensationManager::new());
        ask(&stage, &saga);
        assert!(saga.token(&stage).is_cancelled());
    }
}

#[test]
fn what_is_asked_for_is_not_lost_when_the_workflow_continues_as_new() {
    let stage = Stage::new();
    let saga = manager(&stage);
    saga.ask_to_compensate("the customer called");
    let text = serde_json::to_string(&saga.snapshot().expect("idle")).expect("plain data");
    let snapshot: Snapshot = serde_json::from_str(&text).expect("just written");
    let next = CompensationManager::new();
    let token = next.token(&stage);
    next.restore(snapshot).expect("empty");
    assert_eq!(next.stop(), saga.stop());
    assert!(token.is_cancelled());
}

#[test]
fn an_incomplete_rollback_that_was_asked_for_tells_both() {
    let stage = Stage::new();
    let saga = manager(&stage);
    stage.script("-car", [End::Refuses("Gone")]);
    saga.ask_to_compensate("the customer called");
    let failure = failure(run(saga.finish(&stage, WorkflowResult::Ok(()))));
    assert_eq!(failure.type_name(), Some(INCOMPLETE));
    let said = "it was asked to compensate: the customer called; and the rollback is incomplete: \
                the undo of `car` failed (1 attempt): it went wrong (Gone)";
    assert_eq!(failure.to_string(), said);
}

#[test]
fn the_report_of_the_last_rollback_is_there_for_a_query() {
    let stage = Stage::new();
    let saga = manager(&stage);
    assert_eq!(saga.report(), None);
    let report = run(saga.compensate(&stage)).expect("it succeeds");
    assert_eq!(saga.report(), Some(report));
}
