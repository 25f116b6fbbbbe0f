//! Signals that ask a workflow to undo itself.

use std::time::Duration;

use compensation_temporal::{REQUESTED, StopKind};
use temporalio_client::{
    Client, WorkflowHandle, WorkflowQueryOptions, WorkflowSignalOptions,
    errors::WorkflowGetResultError,
};
use temporalio_workflow::common::error::IncomingError;

use crate::{
    endings::legs,
    harness::{Closed, Stage, closed, ending, knows, statuses},
    trip::{Act, Trip},
};

async fn compensate(handle: &WorkflowHandle<Client, Trip>) {
    let (why, options) = ("the customer called".to_owned(), WorkflowSignalOptions::default());
    handle.signal(Trip::compensate, why, options).await.expect("a running workflow");
}

fn is_requested(closed: Closed) {
    let Err(WorkflowGetResultError::Failed(error)) = closed else { panic!("{closed:?}") };
    let IncomingError::Application(failure) = *error else { panic!("{error:?}") };
    assert_eq!(failure.type_name(), Some(REQUESTED));
}

#[tokio::test]
async fn a_trip_asked_to_compensate_in_a_step_lets_it_end_and_undoes_all_of_it() {
    for forgetful in [false, true] {
        let stage = Stage::new().await;
        let _worker = if forgetful { stage.forgetful_worker() } else { stage.worker() };
        let mut legs = legs();
        legs[1].act = Act::Waits;
        let handle = stage.start(stage.plan(legs)).await;
        stage.sees("?+hotel", 1).await;
        compensate(&handle).await;
        stage.open("+hotel");
        let (status, result) = closed(&handle).await;
        assert_eq!(status, "Failed");
        is_requested(result);
        assert_eq!(stage.ledger(), ["+car", "?+hotel", "+hotel", "-hotel(hotel)", "-car(car)"]);
    }
}

#[tokio::test]
async fn a_trip_asked_to_cancel_in_a_step_stops_it_and_closes_as_cancelled() {
    for forgetful in [false, true] {
        let stage = Stage::new().await;
        let _worker = if forgetful { stage.forgetful_worker() } else { stage.worker() };
        let mut legs = legs();
        legs[1].act = Act::Waits;
        let handle = stage.start(stage.plan(legs)).await;
        stage.sees("?+hotel", 1).await;
        let (why, options) = ("winter".to_owned(), WorkflowSignalOptions::default());
        handle.signal(Trip::cancel, why, options).await.expect("a running workflow");
        let (status, result) = closed(&handle).await;
        assert_eq!(status, "Canceled");
        let stop = ending(result).stop.expect("the signal");
        assert_eq!((stop.kind, stop.reason.as_str()), (StopKind::Cancel, "winter"));
        assert_eq!(stage.ledger(), ["+car", "?+hotel", "x+hotel", "-hotel", "-car(car)"]);
    }
}

#[tokio::test]
async fn a_trip_that_waits_for_something_else_is_woken_by_the_managers_token() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut plan = stage.plan(legs());
    plan.hold = true;
    let handle = stage.start(plan).await;
    knows(&handle, 3).await;
    compensate(&handle).await;
    let (status, result) = closed(&handle).await;
    assert_eq!(status, "Failed");
    is_requested(result);
    assert_eq!(stage.ledger()[3..], ["-flight(flight)", "-hotel(hotel)", "-car(car)"]);
}

#[tokio::test]
async fn queries_tell_records_and_report_of_a_trip_that_is_closed() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[0].undo = Act::Refuses;
    legs[2].act = Act::Refuses;
    let handle = stage.start(stage.plan(legs)).await;
    drop(closed(&handle).await);
    assert_eq!(statuses(&handle).await, ["car failed", "hotel completed", "flight completed"]);
    let report = handle.query(Trip::report, (), WorkflowQueryOptions::default()).await;
    let report = report.expect("an answer").expect("there was a rollback");
    assert_eq!(report.compensated, ["flight", "hotel"]);
    assert_eq!(report.failures[0].error, "-car(car) is refused (Refused)");
}

#[tokio::test]
async fn a_rollback_whose_time_is_over_leaves_the_rest_and_says_so() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[2].act = Act::Refuses;
    legs[1].undo = Act::WaitsDeaf;
    let mut plan = stage.plan(legs);
    plan.within = Some(Duration::from_secs(2));
    let handle = stage.start(plan).await;
    let (status, result) = closed(&handle).await;
    // The activity that was given up ends too, or its worker would wait for it.
    stage.open("-hotel");
    assert_eq!(status, "Failed");
    let Err(WorkflowGetResultError::Failed(error)) = result else { panic!("{result:?}") };
    let said = error.failure().message.clone();
    assert!(said.contains("the undo of `hotel` failed"), "{said}");
    assert!(said.ends_with("`car` is left: the time for the rollback is over"), "{said}");
    assert_eq!(statuses(&handle).await, ["car pending", "hotel failed", "flight completed"]);
}
