//! What a rollback costs in the history: no more than the same one by hand.

use temporalio_client::{
    Client, WorkflowCancelOptions, WorkflowGetResultOptions, WorkflowHandle, WorkflowStartOptions,
};
use temporalio_workflow::common::protos::temporal::api::enums::v1::EventType;

use crate::{
    by_hand::ByHand,
    endings::legs,
    harness::{Stage, cancel, closed, details},
    ledger::PATIENCE,
    trip::{Act, Leg, Records},
    workers::events,
};

/// The events of the same plan, by the manager and by hand.
async fn both(legs: impl Fn() -> Vec<Leg>, waits_for: Option<&str>) -> [Vec<EventType>; 2] {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let handle = stage.start(stage.plan(legs())).await;
    if let Some(line) = waits_for {
        stage.sees(line, 1).await;
        cancel(&handle).await;
    }
    drop(closed(&handle).await);
    let managed = events(&handle).await;

    let stage = Stage::new().await;
    let _worker = stage.worker();
    let handle = by_hand(&stage, legs()).await;
    if let Some(line) = waits_for {
        stage.sees(line, 1).await;
        handle.cancel(WorkflowCancelOptions::default()).await.expect("it runs");
    }
    let result = handle.get_result(WorkflowGetResultOptions::default());
    drop(tokio::time::timeout(PATIENCE, result).await.expect("it closes"));
    [managed, events(&handle).await]
}

async fn by_hand(stage: &Stage, legs: Vec<Leg>) -> WorkflowHandle<Client, ByHand> {
    let options = WorkflowStartOptions::new(&stage.name, &stage.name).build();
    let plan = stage.plan(legs);
    let started = stage.client().start_workflow(ByHand::run, plan, options).await;
    drop(started.expect("started"));
    stage.client().get_workflow_handle(&stage.name)
}

#[tokio::test]
async fn a_trip_that_fails_has_the_events_of_one_by_hand_in_the_same_order() {
    let legs = || {
        let mut legs = legs();
        legs[2].act = Act::Refuses;
        legs[2].refusals_do_nothing = true;
        legs[1].undo = Act::FailsFirst(2);
        legs
    };
    let [managed, by_hand] = both(legs, None).await;
    assert_eq!(managed, by_hand);
}

#[tokio::test]
async fn a_trip_that_is_cancelled_in_a_step_has_the_events_of_one_by_hand_in_the_same_order() {
    let legs = || {
        let mut legs = legs();
        legs[1].act = Act::Waits;
        legs
    };
    let [managed, by_hand] = both(legs, Some("?+hotel")).await;
    assert_eq!(managed, by_hand);
}

#[tokio::test]
async fn a_trip_without_trouble_has_the_events_of_one_by_hand_in_the_same_order() {
    let [managed, by_hand] = both(legs, None).await;
    assert_eq!(managed, by_hand);
}

#[tokio::test]
async fn temporals_pages_show_how_the_rollback_stands_while_it_runs_and_afterwards() {
    let stage = Stage::new().await;
    let _worker = stage.forgetful_worker();
    let mut legs = legs();
    legs[2].act = Act::Refuses;
    legs[2].refusals_do_nothing = true;
    legs[1].undo = Act::Waits;
    let handle = stage.start(stage.plan(legs)).await;
    stage.sees("?-hotel(hotel)", 1).await;
    let running = "**Rolling back: 0 of 3 undone**, 1 skipped, 1 left\n\n\
                   - flight: skipped: it had no effect\n- hotel: **being undone**\n- car: left";
    assert_eq!(details(&handle).await, running);
    stage.open("-hotel");
    drop(closed(&handle).await);
    let ended = "**Rolled back: 2 of 3 undone**, 1 skipped\n\n\
                 - flight: skipped: it had no effect\n- hotel: undone\n- car: undone";
    assert_eq!(details(&handle).await, ended);
}

#[tokio::test]
async fn only_a_mirror_adds_events_and_they_are_activities() {
    let mut kinds = Vec::new();
    for mirror in [Records::Nowhere, Records::Here] {
        let stage = Stage::new().await;
        let _worker = stage.worker();
        let mut legs = legs();
        legs[2].act = Act::Refuses;
        let mut plan = stage.plan(legs);
        plan.mirror = mirror;
        let handle = stage.start(plan).await;
        drop(closed(&handle).await);
        let mut events = events(&handle).await;
        events.retain(|event| !format!("{event:?}").starts_with("WorkflowTask"));
        kinds.push(events);
    }
    let added = |kind: EventType| {
        let count = |events: &[EventType]| events.iter().filter(|event| **event == kind).count();
        count(&kinds[1]) - count(&kinds[0])
    };
    let scheduled = added(EventType::ActivityTaskScheduled);
    assert!(scheduled > 0);
    assert_eq!(kinds[1].len() - kinds[0].len(), 3 * scheduled);
}
