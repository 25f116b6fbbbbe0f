//! Activities that nobody does: bounded, unknown, and then as the policy says.

use temporalio_client::errors::WorkflowGetResultError;

use crate::{
    endings::legs,
    harness::{Closed, Stage, closed, statuses},
    trip::{Act, Doer},
};

fn said(closed: Closed) -> String {
    match closed {
        Err(WorkflowGetResultError::Failed(error)) => error.failure().message.clone(),
        other => panic!("not failed: {other:?}"),
    }
}

#[tokio::test]
async fn a_step_that_no_worker_takes_is_given_up_in_time_and_undone_as_unknown() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[1].doer = Doer::Nobody;
    let handle = stage.start(stage.plan(legs)).await;
    assert_eq!(closed(&handle).await.0, "Failed");
    assert_eq!(stage.ledger(), ["+car", "-hotel", "-car(car)"]);
}

#[tokio::test]
async fn a_step_that_no_worker_takes_is_left_where_unknown_outcomes_are_parked() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[1].doer = Doer::Nobody;
    legs[1].park = true;
    let handle = stage.start(stage.plan(legs)).await;
    let (status, result) = closed(&handle).await;
    assert_eq!(status, "Failed");
    let said = said(result);
    assert!(said.contains("`hotel` is left: its outcome is unknown"), "{said}");
    assert_eq!(stage.ledger(), ["+car", "-car(car)"]);
}

#[tokio::test]
async fn a_step_of_a_type_that_the_worker_does_not_know_is_undone_as_unknown() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[1].doer = Doer::Ignorant;
    let handle = stage.start(stage.plan(legs)).await;
    assert_eq!(closed(&handle).await.0, "Failed");
    assert_eq!(stage.ledger(), ["+car", "-hotel", "-car(car)"]);
}

#[tokio::test]
async fn an_undo_that_nobody_does_is_a_failure_that_names_the_reason_and_the_others_run() {
    for (undoer, why) in [(Doer::Nobody, "ScheduleToStart"), (Doer::Ignorant, "never_heard_of")] {
        let stage = Stage::new().await;
        let _worker = stage.worker();
        let mut legs = legs();
        legs[1].undoer = undoer;
        legs[2].act = Act::Refuses;
        let handle = stage.start(stage.plan(legs)).await;
        let (status, result) = closed(&handle).await;
        assert_eq!(status, "Failed");
        let said = said(result);
        assert!(said.contains("the undo of `hotel` failed") && said.contains(why), "{said}");
        assert_eq!(stage.ledger(), ["+car", "+hotel", "-flight", "-car(car)"]);
        assert_eq!(statuses(&handle).await[1], "hotel failed");
    }
}
