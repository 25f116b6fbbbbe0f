//! Undos that fail.

use compensation_temporal::{Ending, INCOMPLETE};
use temporalio_client::errors::WorkflowGetResultError;
use temporalio_workflow::common::error::IncomingError;

use crate::{
    endings::legs,
    harness::{Stage, closed, records, statuses},
    trip::Act,
};

#[tokio::test]
async fn an_undo_that_fails_twice_succeeds_at_the_third_attempt_of_the_server() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[1].undo = Act::FailsFirst(2);
    legs[2].act = Act::Refuses;
    let handle = stage.start(stage.plan(legs)).await;
    assert_eq!(closed(&handle).await.0, "Failed");
    let failed = "!-hotel(hotel)";
    let expected = ["-flight", failed, failed, "-hotel(hotel)", "-car(car)"];
    assert_eq!(stage.ledger()[2..], expected);
}

#[tokio::test]
async fn counted_attempts_are_recorded_exactly() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[1].undo = Act::FailsFirst(2);
    legs[1].counted = true;
    legs[2].act = Act::Refuses;
    let handle = stage.start(stage.plan(legs)).await;
    assert_eq!(closed(&handle).await.0, "Failed");
    let records = records(&handle).await;
    assert_eq!(records.iter().map(|record| record.retries).collect::<Vec<_>>(), [0, 2, 0]);
    assert!(records[1].executed_at.is_some() && records[1].duration.is_some());
}

#[tokio::test]
async fn an_undo_that_fails_for_ever_is_told_beside_what_failed_first_and_the_others_run() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[1].undo = Act::FailsForever;
    legs[2].act = Act::Refuses;
    let handle = stage.start(stage.plan(legs)).await;
    let (status, result) = closed(&handle).await;
    assert_eq!(status, "Failed");
    let Err(WorkflowGetResultError::Failed(error)) = result else { panic!("{result:?}") };
    let IncomingError::Application(failure) = *error else { panic!("{error:?}") };
    assert_eq!(failure.type_name(), Some(INCOMPLETE));
    let ending: Ending = failure.details().expect("readable").expect("there");
    assert!(ending.failure.expect("the refusal").contains("+flight is refused"));
    let undo = &ending.report.failures[0];
    assert_eq!((undo.activity_name.as_str(), undo.attempts), ("hotel", 3));
    assert_eq!(undo.error, "-hotel(hotel) fails");
    assert_eq!(ending.report.compensated, ["flight", "car"]);
    // The activity's own failure is the cause, whole.
    let cause = failure.cause().and_then(IncomingError::cause).expect("activity, application");
    assert_eq!(cause.failure().message, "+flight is refused");
    assert_eq!(statuses(&handle).await, ["car completed", "hotel failed", "flight completed"]);
    assert_eq!(stage.ledger().iter().filter(|line| line.starts_with('!')).count(), 3);
}
