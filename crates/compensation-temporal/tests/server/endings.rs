//! Success, and failure at each step.

use std::time::Duration;

use temporalio_client::{
    WorkflowGetResultOptions, WorkflowStartOptions, errors::WorkflowGetResultError,
};
use temporalio_workflow::common::{
    error::IncomingError, protos::temporal::api::enums::v1::EventType,
};

use crate::{
    harness::{Closed, Stage, closed, records, statuses},
    trip::{Act, Leg, Wedge},
    workers::events,
};

const NAMES: [&str; 3] = ["car", "hotel", "flight"];

pub(crate) fn legs() -> Vec<Leg> {
    NAMES.into_iter().map(Leg::new).collect()
}

/// The type and message of what failed first.
fn cause(closed: Closed) -> String {
    let Err(WorkflowGetResultError::Failed(error)) = closed else {
        panic!("not failed: {closed:?}");
    };
    let mut error: &IncomingError = &error;
    while let Some(cause) = error.cause() {
        error = cause;
    }
    error.failure().message.clone()
}

#[tokio::test]
async fn a_trip_without_trouble_completes_and_undoes_nothing() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let handle = stage.start(stage.plan(legs())).await;
    let (status, result) = closed(&handle).await;
    assert_eq!((status.as_str(), result.expect("a result")), ("Completed", 3));
    assert_eq!(stage.ledger(), ["+car", "+hotel", "+flight"]);
    assert_eq!(statuses(&handle).await, ["car pending", "hotel pending", "flight pending"]);
}

#[tokio::test]
async fn a_refusal_at_each_step_undoes_the_steps_before_it_last_first() {
    for place in 0..3 {
        let stage = Stage::new().await;
        let _worker = stage.worker();
        let mut legs = legs();
        legs[place].act = Act::Refuses;
        legs[place].refusals_do_nothing = true;
        let handle = stage.start(stage.plan(legs)).await;
        let (status, result) = closed(&handle).await;
        assert_eq!(status, "Failed");
        assert_eq!(cause(result), format!("+{} is refused", NAMES[place]));
        let done = NAMES[..place].iter().map(|name| format!("+{name}"));
        let undone = NAMES[..place].iter().rev().map(|name| format!("-{name}({name})"));
        assert_eq!(stage.ledger(), done.chain(undone).collect::<Vec<_>>());
        assert_eq!(records(&handle).await.len(), place + 1);
    }
}

#[tokio::test]
async fn an_undeclared_failure_at_each_step_undoes_that_step_too_without_an_output() {
    for place in 0..3 {
        let stage = Stage::new().await;
        let _worker = stage.worker();
        let mut legs = legs();
        legs[place].act = Act::FailsForever;
        let handle = stage.start(stage.plan(legs)).await;
        assert_eq!(closed(&handle).await.0, "Failed");
        let mut expected: Vec<_> = NAMES[..place].iter().map(|name| format!("+{name}")).collect();
        expected.extend([format!("!+{}", NAMES[place]), format!("-{}", NAMES[place])]);
        expected.extend(NAMES[..place].iter().rev().map(|name| format!("-{name}({name})")));
        assert_eq!(stage.ledger(), expected);
    }
}

#[tokio::test]
async fn a_step_that_took_effect_and_lost_its_reply_is_undone() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[1].act = Act::LosesItsReply;
    legs[1].timeout = Duration::from_secs(1);
    let handle = stage.start(stage.plan(legs)).await;
    assert_eq!(closed(&handle).await.0, "Failed");
    assert_eq!(stage.ledger(), ["+car", "+hotel", "-hotel", "-car(car)"]);
    assert_eq!(statuses(&handle).await, ["car completed", "hotel completed"]);
}

#[tokio::test]
async fn a_result_that_does_not_serialize_fails_the_workflow_and_does_not_wedge_its_task() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let options = WorkflowStartOptions::new(&stage.name, &stage.name).build();
    let started = stage.client().start_workflow(Wedge::run, stage.address(), options).await;
    let handle = started.expect("started");
    let result = handle.get_result(WorkflowGetResultOptions::default()).await;
    assert!(matches!(result, Err(WorkflowGetResultError::Failed(_))), "{result:?}");
    assert_eq!(stage.ledger(), ["-car"]);
}

#[tokio::test]
async fn so_many_undos_run_at_once_and_the_last_starts_first() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    for leg in &mut legs {
        leg.undo = Act::Waits;
    }
    legs.push(Leg { act: Act::Refuses, refusals_do_nothing: true, ..Leg::new("visa") });
    let mut plan = stage.plan(legs);
    plan.parallel = 2;
    let handle = stage.start(plan).await;
    stage.sees("?-flight(flight)", 1).await;
    stage.sees("?-hotel(hotel)", 1).await;
    let running = statuses(&handle).await;
    assert_eq!(running, ["car pending", "hotel running", "flight running", "visa skipped"]);
    for word in ["-flight", "-hotel", "-car"] {
        stage.open(word);
    }
    assert_eq!(closed(&handle).await.0, "Failed");
    assert!(stage.ledger().ends_with(&["-car(car)".to_owned()]), "{:?}", stage.ledger());
}

#[tokio::test]
async fn what_is_left_is_carried_over_a_continue_as_new() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[2].act = Act::Refuses;
    let mut plan = stage.plan(legs);
    plan.renew_after = Some(2);
    let handle = stage.start(plan).await;
    assert_eq!(closed(&handle).await.0, "Failed");
    assert_eq!(stage.ledger(), ["+car", "+hotel", "-flight", "-hotel(hotel)", "-car(car)"]);
}

#[tokio::test]
async fn steps_taken_at_once_are_settled_and_then_all_undone() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[0].act = Act::Waits;
    legs[1].act = Act::Refuses;
    legs[1].refusals_do_nothing = true;
    let mut plan = stage.plan(legs);
    plan.together = true;
    let handle = stage.start(plan).await;
    stage.sees("+flight", 1).await;
    stage.sees("?+car", 1).await;
    stage.open("+car");
    assert_eq!(closed(&handle).await.0, "Failed");
    assert!(stage.ledger().ends_with(&[
        "+car".into(),
        "-flight(flight)".into(),
        "-car(car)".into()
    ]));
}

#[tokio::test]
async fn fifty_steps_at_once_are_undone_at_once() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let names: Vec<_> = (0..50).map(|number| format!("leg{number}")).collect();
    let mut legs: Vec<_> = names.iter().map(|name| Leg::new(name)).collect();
    legs[7].act = Act::FailsForever;
    let mut plan = stage.plan(legs);
    plan.together = true;
    plan.parallel = u16::MAX;
    let handle = stage.start(plan).await;
    assert_eq!(closed(&handle).await.0, "Failed");
    let ledger = stage.ledger();
    for name in names.iter().filter(|name| *name != "leg7") {
        let undone = format!("-{name}({name})");
        assert_eq!(ledger.iter().filter(|line| **line == undone).count(), 1, "{undone}");
    }
    assert_eq!(ledger.iter().filter(|line| *line == "-leg7").count(), 1);
}

#[tokio::test]
async fn limits_and_names_beyond_all_measure_do_not_wedge_the_task() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let name = "long".repeat(200);
    let long = Leg { timeout: Duration::MAX, ..Leg::new(&name) };
    let refuses = Leg { act: Act::Refuses, refusals_do_nothing: true, ..Leg::new("visa") };
    let handle = stage.start(stage.plan([long, refuses])).await;
    assert_eq!(closed(&handle).await.0, "Failed");
    assert_eq!(stage.ledger(), [format!("+{name}"), format!("-{name}({name})")]);
}

#[tokio::test]
async fn a_rollback_adds_nothing_to_the_history_but_its_activities_and_their_tasks() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[2].act = Act::Refuses;
    legs[1].undo = Act::FailsFirst(1);
    let handle = stage.start(stage.plan(legs)).await;
    assert_eq!(closed(&handle).await.0, "Failed");
    let mut events = events(&handle).await;
    let task = [
        EventType::WorkflowTaskScheduled,
        EventType::WorkflowTaskStarted,
        EventType::WorkflowTaskCompleted,
    ];
    let activity = |end| [EventType::ActivityTaskScheduled, EventType::ActivityTaskStarted, end];
    let done = activity(EventType::ActivityTaskCompleted);
    let failed = activity(EventType::ActivityTaskFailed);
    let mut expected = vec![EventType::WorkflowExecutionStarted];
    expected.extend(task);
    for end in [done, done, failed, done, done, done] {
        expected.extend(end);
        expected.extend(task);
    }
    expected.push(EventType::WorkflowExecutionFailed);
    events.sort_unstable();
    expected.sort_unstable();
    assert_eq!(events, expected);
}
