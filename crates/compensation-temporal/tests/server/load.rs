//! Many workflows at once, two workers without a cache, one of which is killed in the middle.

use std::collections::BTreeMap;

use compensation_temporal::{Ending, INCOMPLETE};
use futures::{StreamExt as _, stream};
use temporalio_client::{
    WorkflowDescribeOptions, WorkflowGetResultOptions, errors::WorkflowGetResultError,
};
use temporalio_workflow::common::error::IncomingError;

use crate::{
    harness::{Closed, Stage},
    ledger::PATIENCE,
    trip::{Act, Leg},
};

const TRIPS: usize = 500;

/// Legs whose effects are told apart by their trip. Every second trip fails at its last leg.
fn legs(trip: usize) -> Vec<Leg> {
    let mut legs: Vec<_> =
        ["car", "hotel", "flight"].map(|name| Leg::new(&format!("{trip}-{name}"))).into();
    match trip % 4 {
        1 => {
            legs[2].act = Act::Refuses;
            legs[2].refusals_do_nothing = true;
            legs[0].undo = Act::FailsFirst(2);
        }
        3 => legs[2].act = Act::FailsForever,
        _ => {}
    }
    if is_stuck(trip) {
        legs[1].undo = Act::FailsForever;
    }
    legs
}

/// Whether the hotel of that trip can't be undone.
fn is_stuck(trip: usize) -> bool {
    trip % 8 == 7
}

/// What its rollback says that it did not undo.
fn not_undone(closed: &Closed) -> Vec<String> {
    let Err(WorkflowGetResultError::Failed(error)) = closed else { return Vec::new() };
    let IncomingError::Application(failure) = &**error else { return Vec::new() };
    if failure.type_name() != Some(INCOMPLETE) {
        return Vec::new();
    }
    let ending: Ending = failure.details().expect("readable").expect("there");
    ending.report.failures.into_iter().map(|undo| undo.activity_name).collect()
}

/// What has happened for each leg, in order: `+` and `-`.
fn effects(ledger: Vec<String>) -> BTreeMap<(usize, String), String> {
    let mut effects = BTreeMap::<_, String>::new();
    for line in ledger {
        let Some(sign @ ('+' | '-')) = line.chars().next() else { continue };
        let leg = line[1..].split('(').next().expect("a name");
        let (trip, leg) = leg.split_once('-').expect("trip and leg");
        let trip: usize = trip.parse().expect("a number");
        effects.entry((trip, leg.to_owned())).or_default().push(sign);
    }
    effects
}

#[tokio::test]
async fn five_hundred_trips_all_end_right_though_a_worker_dies_in_the_middle() {
    let stage = Stage::new().await;
    let first = stage.other_process_with(0);
    let _second = stage.other_process_with(0);
    let started = stream::iter(0..TRIPS).map(|trip| {
        let id = format!("{}-{trip}", stage.name);
        let plan = stage.plan(legs(trip));
        let stage = &stage;
        async move { (trip, stage.start_as(&id, plan).await) }
    });
    let handles: Vec<_> = started.buffer_unordered(32).collect().await;
    // In the middle: some undos are done, and many are still to come.
    stage.sees_so_many(TRIPS).await;
    first.kill();
    let ends = stream::iter(&handles).map(|(trip, handle)| async move {
        let result = handle.get_result(WorkflowGetResultOptions::default());
        let result = tokio::time::timeout(9 * PATIENCE, result).await.expect("it closes");
        let described = handle.describe(WorkflowDescribeOptions::default()).await;
        let status = format!("{:?}", described.expect("it is there").status());
        assert_eq!(status == "Completed", result.is_ok(), "trip {trip}");
        (*trip, status, not_undone(&result))
    });
    let ends: Vec<_> = ends.buffer_unordered(64).collect().await;
    assert_eq!(ends.len(), TRIPS);
    let effects = effects(stage.ledger());
    let of = |trip: usize, leg: &str| {
        effects.get(&(trip, leg.to_owned())).map(String::as_str).unwrap_or_default()
    };
    for (trip, status, not_undone) in ends {
        for leg in ["car", "hotel", "flight"] {
            let seen = of(trip, leg);
            if not_undone.contains(&format!("{trip}-{leg}")) {
                // What is not undone is said so, and is what can't be.
                assert!(is_stuck(trip) && leg == "hotel", "trip {trip}, {leg}: {seen}");
                continue;
            }
            match &*status {
                // Once, and never undone.
                "Completed" => assert_eq!(seen, "+", "trip {trip}, {leg}"),
                // Whatever was done is undone. An undo whose worker died may have run twice.
                "Failed" => assert!(
                    seen.is_empty() || seen.ends_with('-') && !seen.contains("-+"),
                    "trip {trip}, {leg}: {seen}"
                ),
                other => panic!("trip {trip} closed as {other}"),
            }
        }
        // A step in flight on the worker that died has failed, whatever its trip was to do.
        assert!(status == "Failed" || trip % 2 == 0, "trip {trip} should have failed");
    }
}
