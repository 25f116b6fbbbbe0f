//! A cancel at every moment: the workflow closes as cancelled, and everything is undone.

use temporalio_client::{WorkflowCancelOptions, WorkflowSignalOptions};

use crate::{
    endings::legs,
    harness::{Stage, cancel, cancel_is_seen, closed, ending, knows, statuses},
    trip::{Act, Trip},
};

#[tokio::test]
async fn a_cancel_before_the_first_step_does_nothing() {
    let stage = Stage::new().await;
    let handle = stage.start(stage.plan(legs())).await;
    handle.cancel(WorkflowCancelOptions::default()).await.expect("it waits for a worker");
    let _worker = stage.worker();
    assert_eq!(closed(&handle).await.0, "Canceled");
    assert!(stage.ledger().is_empty(), "{:?}", stage.ledger());
}

#[tokio::test]
async fn a_cancel_during_each_step_stops_it_and_undoes_it_and_those_before() {
    let names = ["car", "hotel", "flight"];
    for place in 0..3 {
        let stage = Stage::new().await;
        let _worker = stage.worker();
        let mut legs = legs();
        legs[place].act = Act::Waits;
        let handle = stage.start(stage.plan(legs)).await;
        stage.sees(&format!("?+{}", names[place]), 1).await;
        cancel(&handle).await;
        let (status, result) = closed(&handle).await;
        assert_eq!(status, "Canceled");
        let ending = ending(result);
        assert_eq!(ending.failure, None);
        assert_eq!(ending.report.compensated.len(), place + 1);
        let name = names[place];
        let mut expected: Vec<_> = names[..place].iter().map(|name| format!("+{name}")).collect();
        // The undo starts after the activity has stopped, and not beside it.
        expected.extend([format!("?+{name}"), format!("x+{name}"), format!("-{name}")]);
        expected.extend(names[..place].iter().rev().map(|name| format!("-{name}({name})")));
        assert_eq!(stage.ledger(), expected);
    }
}

#[tokio::test]
async fn a_step_that_is_deaf_to_the_cancel_is_waited_for_and_undone_with_its_output() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[1].act = Act::WaitsDeaf;
    let handle = stage.start(stage.plan(legs)).await;
    stage.sees("?+hotel", 1).await;
    cancel(&handle).await;
    stage.open("+hotel");
    assert_eq!(closed(&handle).await.0, "Canceled");
    assert_eq!(stage.ledger(), ["+car", "?+hotel", "+hotel", "-hotel(hotel)", "-car(car)"]);
}

#[tokio::test]
async fn a_cancel_after_each_step_undoes_it_and_those_before() {
    for place in 1..=3 {
        let stage = Stage::new().await;
        let _worker = stage.worker();
        let mut legs = legs();
        legs.truncate(place);
        let mut plan = stage.plan(legs);
        plan.hold = true;
        let handle = stage.start(plan).await;
        knows(&handle, place).await;
        cancel(&handle).await;
        let (status, result) = closed(&handle).await;
        assert_eq!(status, "Canceled");
        let undone = ["flight", "hotel", "car"];
        assert_eq!(ending(result).report.compensated, undone[3 - place..]);
        let expected = undone[3 - place..].iter().map(|name| format!("-{name}({name})"));
        assert_eq!(stage.ledger()[place..], expected.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_cancel_during_the_rollback_does_not_stop_it_and_keeps_what_failed_first() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[2].act = Act::Refuses;
    legs[2].refusals_do_nothing = true;
    legs[1].undo = Act::Waits;
    let handle = stage.start(stage.plan(legs)).await;
    stage.sees("?-hotel(hotel)", 1).await;
    cancel(&handle).await;
    assert!(!cancel_is_seen(&handle).await, "the cancel has reached the undo");
    stage.open("-hotel");
    let (status, result) = closed(&handle).await;
    assert_eq!(status, "Canceled");
    let ending = ending(result);
    assert!(ending.failure.expect("the refusal").contains("+flight is refused"));
    assert_eq!(ending.report.compensated, ["hotel", "car"]);
    assert_eq!(stage.ledger()[2..], ["?-hotel(hotel)", "-hotel(hotel)", "-car(car)"]);
}

#[tokio::test]
async fn an_undo_that_is_a_closure_is_shielded_and_told_the_output() {
    let stage = Stage::new().await;
    let _worker = stage.forgetful_worker();
    let mut legs = legs();
    for leg in &mut legs {
        leg.by_closure = true;
    }
    legs[1].undo = Act::FailsFirst(2);
    legs[2].act = Act::Waits;
    let handle = stage.start(stage.plan(legs)).await;
    stage.sees("?+flight", 1).await;
    cancel(&handle).await;
    assert_eq!(closed(&handle).await.0, "Canceled");
    let failed = "!-hotel(hotel)";
    let expected = ["x+flight", "-flight", failed, failed, "-hotel(hotel)", "-car(car)"];
    assert_eq!(stage.ledger()[3..], expected);
}

#[tokio::test]
async fn a_cancelled_workflow_whose_undo_fails_closes_as_cancelled_and_tells_it() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[0].undo = Act::Refuses;
    legs[2].act = Act::Waits;
    let handle = stage.start(stage.plan(legs)).await;
    stage.sees("?+flight", 1).await;
    cancel(&handle).await;
    let (status, result) = closed(&handle).await;
    assert_eq!(status, "Canceled");
    let report = ending(result).report;
    assert_eq!(report.failures[0].activity_name, "car");
    assert_eq!(report.compensated, ["flight", "hotel"]);
    assert_eq!(statuses(&handle).await[0], "car failed");
}

#[tokio::test]
async fn a_signal_that_rolls_back_waits_for_the_step_in_flight_and_undoes_nothing_twice() {
    for forgetful in [false, true] {
        let stage = Stage::new().await;
        let _worker = if forgetful { stage.forgetful_worker() } else { stage.worker() };
        let mut legs = legs();
        legs[1].act = Act::WaitsDeaf;
        legs[0].undo = Act::Waits;
        let handle = stage.start(stage.plan(legs)).await;
        stage.sees("?+hotel", 1).await;
        let signal = WorkflowSignalOptions::default();
        handle.signal(Trip::roll_back, (), signal).await.expect("a running workflow");
        stage.open("+hotel");
        stage.sees("?-car(car)", 1).await;
        stage.open("-car");
        // The next step is refused: a decision to roll back is never turned forward again.
        assert_eq!(closed(&handle).await.0, "Failed");
        let expected = ["+car", "?+hotel", "+hotel", "-hotel(hotel)", "?-car(car)", "-car(car)"];
        assert_eq!(stage.ledger(), expected);
    }
}
