//! Workers that die, and workers that forget.

use crate::{
    endings::legs,
    harness::{Stage, cancel, closed, knows, statuses},
    trip::Act,
};

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_an_undo_is_replaced_and_nothing_is_lost() {
    let stage = Stage::new().await;
    let first = stage.other_process();
    let mut legs = legs();
    legs[2].act = Act::Refuses;
    legs[2].refusals_do_nothing = true;
    legs[1].undo = Act::Waits;
    let handle = stage.start(stage.plan(legs)).await;
    stage.sees("?-hotel(hotel)", 1).await;
    first.kill();
    let _second = stage.other_process();
    stage.sees("?-hotel(hotel)", 2).await;
    stage.open("-hotel");
    assert_eq!(closed(&handle).await.0, "Failed");
    let expected =
        ["+car", "+hotel", "?-hotel(hotel)", "?-hotel(hotel)", "-hotel(hotel)", "-car(car)"];
    assert_eq!(stage.ledger(), expected);
    assert_eq!(statuses(&handle).await, ["car completed", "hotel completed", "flight skipped"]);
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_a_step_leaves_an_unknown_outcome_that_is_undone() {
    let stage = Stage::new().await;
    let first = stage.other_process();
    let mut legs = legs();
    legs[1].act = Act::Waits;
    let handle = stage.start(stage.plan(legs)).await;
    stage.sees("?+hotel", 1).await;
    first.kill();
    let _second = stage.other_process();
    assert_eq!(closed(&handle).await.0, "Failed");
    assert_eq!(stage.ledger(), ["+car", "?+hotel", "-hotel", "-car(car)"]);
}

#[tokio::test]
async fn a_cancel_while_no_worker_is_there_is_found_by_the_next_one() {
    let stage = Stage::new().await;
    let first = stage.other_process();
    let mut plan = stage.plan(legs());
    plan.hold = true;
    let handle = stage.start(plan).await;
    knows(&handle, 3).await;
    first.kill();
    cancel(&handle).await;
    let _second = stage.other_process();
    assert_eq!(closed(&handle).await.0, "Canceled");
    assert_eq!(stage.ledger()[3..], ["-flight(flight)", "-hotel(hotel)", "-car(car)"]);
}

#[tokio::test]
async fn a_worker_that_replays_everything_for_each_task_does_nothing_twice() {
    for parallel in [1, 2] {
        let stage = Stage::new().await;
        let _worker = stage.forgetful_worker();
        let mut legs = legs();
        legs[0].undo = Act::FailsFirst(1);
        legs[0].counted = true;
        legs[1].undo = Act::Waits;
        legs[2].act = Act::FailsForever;
        let mut plan = stage.plan(legs);
        plan.parallel = parallel;
        let handle = stage.start(plan).await;
        stage.sees("?-hotel(hotel)", 1).await;
        cancel(&handle).await;
        stage.open("-hotel");
        assert_eq!(closed(&handle).await.0, "Canceled");
        let mut ledger = stage.ledger();
        ledger.sort_unstable();
        let mut expected = [
            "+car",
            "+hotel",
            "!+flight",
            "-flight",
            "?-hotel(hotel)",
            "-hotel(hotel)",
            "!-car(car)",
            "-car(car)",
        ];
        expected.sort_unstable();
        assert_eq!(ledger, expected);
    }
}
