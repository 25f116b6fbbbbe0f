//! Steps: registered first, recorded by how they ended, undone with their output.

use std::{cell::RefCell, io, rc::Rc};

use compensation_temporal::{
    Compensate, CompensationManager, FailureKind, NotDone, Retry, Step, StepError, WhenUnknown,
    step,
};
use serde_json::json;
use temporalio_workflow::ActivityCancellationType;

use crate::stage::{Act, End, Number, Stage, run, waits};

/// Gives a number, which its undo is told.
fn car() -> Step<Stage, Number> {
    step("car", Number("+car"), ())
        .undo(Act("-car"), |car| car.map_or_else(|| "none".to_owned(), ToString::to_string))
}

#[test]
fn a_step_gives_its_output_and_its_undo_is_told_it() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Gives(json!(17))]);
    assert_eq!(run(saga.step(&stage, car())).expect("it succeeds"), 17);
    assert!(saga.is_executed("car"));
    run(saga.compensate(&stage)).expect("it succeeds");
    assert_eq!(stage.log(), ["+car()", "-car(\"17\")"]);
}

#[test]
fn a_steps_activity_is_waited_for_when_it_is_cancelled() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Gives(json!(1))]);
    run(saga.step(&stage, car())).expect("it succeeds");
    let options = stage.options("+car");
    assert_eq!(options.cancellation_type, ActivityCancellationType::WaitCancellationCompleted);
    assert_eq!(options.retry_policy.map(|retry| retry.maximum_attempts()), Some(3));
}

#[test]
fn the_undo_is_registered_before_the_activity_starts() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Hangs]);
    let mut step = Box::pin(saga.step(&stage, car()));
    waits(&mut step);
    assert_eq!(saga.pending(), ["car"]);
    assert!(!saga.is_executed("car"));
}

#[test]
fn a_step_that_timed_out_is_undone_without_an_output() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::TimesOut, End::TimesOut, End::TimesOut]);
    let error = run(saga.step(&stage, car())).expect_err("it times out");
    assert_eq!(error.failure().expect("failed").kind, FailureKind::Timeout);
    assert!(!saga.is_executed("car"));
    stage.log();
    run(saga.compensate(&stage)).expect("it succeeds");
    assert_eq!(stage.log(), ["-car(\"none\")"]);
}

#[test]
fn a_refusal_is_undone_unless_it_is_declared_to_have_no_effect() {
    for (declared, undone) in [
        (NotDone::never(), true),
        (NotDone::on_refusals(), false),
        (NotDone::on_types(["NoCars"]), false),
        (NotDone::on_types(["Other"]), true),
    ] {
        let (stage, saga) = (Stage::new(), CompensationManager::new());
        stage.script("+car", [End::Refuses("NoCars")]);
        let step = step("car", Number("+car"), ())
            .not_done(declared.clone())
            .undo(Act("-car"), |_| String::new());
        let error = run(saga.step(&stage, step)).expect_err("it is refused");
        assert!(matches!(error, StepError::Failed { not_done, .. } if not_done != undone));
        stage.log();
        run(saga.compensate(&stage)).expect("it succeeds");
        assert_eq!(stage.log().len(), usize::from(undone), "{declared:?}");
    }
}

#[test]
fn a_retryable_failure_is_no_refusal() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Fails]);
    let step = step("car", Number("+car"), ())
        .retry(Retry::none())
        .not_done(NotDone::on_refusals())
        .undo(Act("-car"), |_| String::new());
    run(saga.step(&stage, step)).expect_err("it fails");
    assert_eq!(saga.pending(), ["car"]);
}

#[test]
fn an_unknown_outcome_may_be_parked() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Refuses("Lost")]);
    run(saga.step(&stage, car().when_unknown(WhenUnknown::Park))).expect_err("it fails");
    stage.log();
    run(saga.compensate(&stage)).expect_err("it is left");
    assert!(stage.log().is_empty());
}

#[test]
fn a_step_does_not_begin_in_a_cancelled_workflow_and_leaves_nothing_to_undo() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.cancel();
    let error = run(saga.step(&stage, car())).expect_err("it is cancelled");
    assert!(error.is_cancelled());
    assert_eq!((saga.compensation_count(), stage.log().len()), (0, 0));
}

#[test]
fn a_step_that_is_cancelled_while_it_runs_is_undone() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Hangs]);
    let mut step = Box::pin(saga.step(&stage, car()));
    waits(&mut step);
    stage.cancel();
    assert!(run(step).expect_err("it is cancelled").is_cancelled());
    stage.log();
    run(saga.compensate(&stage)).expect("it succeeds");
    assert_eq!(stage.log(), ["-car(\"none\")"]);
}

#[test]
fn an_output_that_can_not_be_read_is_undone_as_registered_and_counts_as_executed() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Gives(json!("no number"))]);
    let error = run(saga.step(&stage, car())).expect_err("no number");
    assert!(matches!(error, StepError::Output { .. }), "{error}");
    assert!(saga.is_executed("car"));
    stage.log();
    run(saga.compensate(&stage)).expect("it succeeds");
    assert_eq!(stage.log(), ["-car(\"none\")"]);
}

#[test]
fn a_rollback_waits_for_a_step_in_flight_and_then_undoes_it_with_its_output() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Hangs]);
    let step = step("car", Act("+car"), String::new())
        .undo(Act("-car"), |car| car.map_or("none", |_| "some").to_owned());
    let mut step = Box::pin(saga.step(&stage, step));
    waits(&mut step);
    let mut rollback = Box::pin(saga.compensate(&stage));
    waits(&mut rollback);
    assert_eq!(stage.log(), ["+car(\"\")"]);
    stage.release();
    run(rollback).expect("it succeeds");
    assert_eq!(stage.log(), ["+car released", "-car(\"some\")"]);
    // The step has its end too, though the rollback saw it first.
    run(step).expect("it was done");
}

#[test]
fn a_step_whose_future_was_dropped_is_asked_to_stop_and_undone() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Hangs]);
    let mut step = Box::pin(saga.step(&stage, car()));
    waits(&mut step);
    drop(step);
    let token = stage.options("+car").cancellation_token.expect("its own");
    assert!(!token.is_cancelled());
    stage.log();
    run(saga.compensate(&stage)).expect("it succeeds");
    assert!(token.is_cancelled());
    assert_eq!(stage.log(), ["-car(\"none\")"]);
}

#[test]
fn a_rollback_to_a_savepoint_does_not_wait_for_steps_before_it() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Hangs]);
    let mut step = Box::pin(saga.step(&stage, car()));
    waits(&mut step);
    let savepoint = saga.savepoint();
    run(saga.compensate_with(&stage, Compensate::since(savepoint))).expect("nothing to do");
    stage.release();
}

#[test]
fn a_closure_undo_is_told_the_output() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Gives(json!(5))]);
    let told = Rc::new(RefCell::new(Vec::new()));
    let seen = told.clone();
    let step = step("car", Number("+car"), ()).undo_fn(move |_, car| {
        seen.borrow_mut().push(car.map(|car| *car));
        async { Ok::<_, io::Error>(()) }
    });
    run(saga.step(&stage, step)).expect("it succeeds");
    run(saga.compensate(&stage)).expect("it succeeds");
    assert_eq!(told.take(), [Some(5)]);
}

#[test]
fn a_step_without_an_undo_is_passed_over_with_its_reason() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    let step = step("mail", Act("+mail"), String::new()).no_undo("it is sent");
    run(saga.step(&stage, step)).expect("it succeeds");
    assert_eq!(saga.executed_activities(), ["mail"]);
    let report = run(saga.compensate(&stage)).expect("nothing to fail");
    assert_eq!(report.skipped[0].reason, "it is sent");
}

#[test]
fn the_options_of_the_undo_are_its_own() {
    let (stage, saga) = (Stage::new(), CompensationManager::new());
    stage.script("+car", [End::Gives(json!(1))]);
    let step = car().undo_retry(Retry::times(8)).undo_idempotent(false).allow_skip();
    run(saga.step(&stage, step)).expect("it succeeds");
    stage.script("-car", [End::Fails]);
    let report = run(saga.compensate(&stage)).expect("skipped");
    assert_eq!(report.skipped[0].activity_name, "car");
    assert_eq!(stage.options("-car").retry_policy.map(|retry| retry.maximum_attempts()), Some(1));
}
