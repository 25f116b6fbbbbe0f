//! Bad input: each has a defined result, and changes nothing.

use std::{cell::RefCell, rc::Rc, time::Duration};

use compensation_temporal::{
    ActivityPolicy, CompensateError, CompensationManager, CompensationStep, ManagerError,
    StepError, step,
};

use crate::stage::{Act, Bad, End, Stage, Unwritable, run, waits};

fn one(stage: &Stage) -> CompensationManager<Stage> {
    let saga = CompensationManager::new();
    saga.register_simple(stage, "car", Act("cancel-car"), "c".to_owned()).expect("new");
    saga
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let stage = Stage::new();
    let saga = one(&stage);
    let again = saga.register_simple(&stage, "car", Act("other"), String::new());
    assert!(matches!(again, Err(ManagerError::Duplicate(name)) if name == "car"));
    assert_eq!(saga.compensation_count(), 1);
}

#[test]
fn an_input_that_does_not_serialize_is_refused_before_anything_is_done() {
    let stage = Stage::new();
    let saga = one(&stage);
    let error = saga.register_simple(&stage, "bad", Bad, Unwritable).expect_err("unwritable");
    assert_eq!(error.to_string(), "the input of the undo of `bad` does not serialize");
    assert_eq!(saga.compensation_count(), 1);
}

#[test]
fn a_steps_input_that_does_not_serialize_is_refused_before_it_begins() {
    let (stage, saga) = (Stage::new(), CompensationManager::<Stage>::new());
    let step = step("bad", Bad, Unwritable).undo(Act("undo"), |_| String::new());
    let error = run(saga.step(&stage, step)).expect_err("unwritable");
    assert_eq!(error.to_string(), "the input of the activity of `bad` does not serialize");
    assert_eq!((saga.compensation_count(), stage.log().len()), (0, 0));
}

#[test]
fn a_steps_undo_whose_input_does_not_serialize_is_refused_before_it_begins() {
    let (stage, saga) = (Stage::new(), CompensationManager::<Stage>::new());
    let step = step("a", Act("act"), String::new()).undo(Bad, |_| Unwritable);
    let error = run(saga.step(&stage, step)).expect_err("unwritable");
    assert!(matches!(error, StepError::Refused(ManagerError::Input { .. })), "{error}");
    assert_eq!((saga.compensation_count(), stage.log().len()), (0, 0));
}

#[test]
fn a_time_limit_of_zero_is_refused_for_the_server_would_refuse_the_task_for_ever() {
    let (stage, saga) = (Stage::new(), CompensationManager::<Stage>::new());
    let none = ActivityPolicy::within(Duration::ZERO);
    let no_time = |error: StepError| match error {
        StepError::Refused(ManagerError::NoTime { what, .. }) => what,
        other => panic!("{other}"),
    };
    let undo = CompensationStep::new("a", Act("-a"), String::new()).timeout(Duration::ZERO);
    let error = saga.register_compensation(&stage, undo).expect_err("no time");
    assert_eq!(no_time(error.into()), "the undo");
    let act = step("a", Act("+a"), String::new()).policy(none.clone());
    let act = act.undo(Act("-a"), |_| String::new());
    assert_eq!(no_time(run(saga.step(&stage, act)).expect_err("no time")), "the activity");
    let undo = step("a", Act("+a"), String::new()).undo(Act("-a"), |_| String::new());
    let undo = undo.undo_policy(none);
    assert_eq!(no_time(run(saga.step(&stage, undo)).expect_err("no time")), "the undo");
    assert_eq!((saga.compensation_count(), stage.log().len()), (0, 0));
}

#[test]
fn an_execution_of_something_unregistered_is_refused() {
    let saga = one(&Stage::new());
    let error = saga.record_execution("boat").expect_err("unknown");
    assert!(matches!(&error, ManagerError::NotRegistered(name) if name == "boat"), "{error}");
    assert!(matches!(saga.record_not_done("boat"), Err(ManagerError::NotRegistered(_))));
    assert_eq!(saga.executed_count(), 0);
}

#[test]
fn an_unknown_name_among_others_undoes_nothing() {
    let stage = Stage::new();
    let saga = one(&stage);
    let error = run(saga.compensate_partial(&stage, ["car", "boat", "mule"])).expect_err("unknown");
    assert_eq!(error.to_string(), "not registered: boat, mule");
    assert!(stage.log().is_empty());
    run(saga.compensate(&stage)).expect("the manager is not left compensating");
}

#[test]
fn a_rollback_during_a_rollback_is_refused_and_the_first_goes_on() {
    let stage = Stage::new();
    let saga = one(&stage);
    stage.script("cancel-car", [End::Hangs]);
    let mut first = Box::pin(saga.compensate(&stage));
    waits(&mut first);
    assert!(matches!(run(saga.compensate(&stage)), Err(CompensateError::Compensating)));
    assert!(matches!(saga.clear(), Err(ManagerError::Compensating)));
    assert!(matches!(saga.snapshot(), Err(ManagerError::Compensating)));
    stage.release();
    assert_eq!(run(first).expect("it is released").compensated, ["car"]);
}

#[test]
fn a_step_during_a_rollback_is_refused() {
    let stage = Stage::new();
    let saga = one(&stage);
    stage.script("cancel-car", [End::Hangs]);
    let mut rollback = Box::pin(saga.compensate(&stage));
    waits(&mut rollback);
    let step = step("b", Act("act"), String::new()).no_undo("none");
    let error = run(saga.step(&stage, step)).expect_err("refused");
    assert!(matches!(error, StepError::Refused(ManagerError::Compensating)), "{error}");
}

#[test]
fn an_undo_that_rolls_back_is_refused_and_does_not_deadlock() {
    let stage = Stage::new();
    let saga = CompensationManager::<Stage>::new();
    let (inner, seen) = (saga.clone(), Rc::new(RefCell::new(None)));
    let told = seen.clone();
    let step = CompensationStep::closure("a", move |scope| {
        let (inner, told) = (inner.clone(), told.clone());
        async move {
            let again = inner.compensate(scope.context()).await;
            *told.borrow_mut() = again.err().map(|error| error.to_string());
            Ok::<_, std::io::Error>(())
        }
    });
    saga.register_compensation(&stage, step).expect("new");
    run(saga.compensate(&stage)).expect("the closure succeeds");
    let said = seen.borrow().clone();
    assert_eq!(said.as_deref(), Some("a rollback is under way: wait until it has ended"));
}

#[test]
fn a_dropped_rollback_leaves_a_manager_that_can_go_on() {
    let stage = Stage::new();
    let saga = one(&stage);
    stage.script("cancel-car", [End::Hangs]);
    let mut first = Box::pin(saga.compensate(&stage));
    waits(&mut first);
    drop(first);
    assert_eq!(saga.pending(), ["car"]);
    assert_eq!(run(saga.compensate(&stage)).expect("again").compensated, ["car"]);
}
