//! Word of sagas that park.

mod stage;

use std::{sync::Arc, time::Duration};

use compensation::{Order, repository::MemoryRepository};
use compensation_metrics::Parks;
use stage::{Stage, id, life};

/// A stage where every saga is stuck in the end.
fn failing() -> Stage {
    let stage = Stage::default();
    stage.charge_fails(true);
    stage.cancel_fails(true);
    stage
}

#[test]
fn a_saga_that_the_engine_parks_is_told_once() {
    life(async {
        let engine = failing().engine(Arc::new(MemoryRepository::new())).await;
        let mut parks = Parks::watch(&engine);
        let _ = engine.run("trip", id("1"), &()).await.expect("an end");
        let park = parks.next().await;
        assert_eq!((park.id, park.saga.as_str()), (id("1"), "trip"));
        assert!(park.reason.contains("no line"), "{}", park.reason);
        let more = tokio::time::timeout(Duration::from_secs(120), parks.next()).await;
        assert!(more.is_err(), "told again: {more:?}");
    });
}

#[test]
fn a_saga_that_was_stuck_before_is_told_too() {
    life(async {
        let engine = failing().engine(Arc::new(MemoryRepository::new())).await;
        let _ = engine.run("trip", id("1"), &()).await.expect("an end");
        assert_eq!(Parks::watch(&engine).next().await.id, id("1"));
    });
}

#[test]
fn a_saga_that_another_process_parks_is_told_within_seconds() {
    life(async {
        let data = MemoryRepository::new();
        let here = failing().engine(Arc::new(data.another_owner())).await;
        let there = failing().engine(Arc::new(data.another_owner())).await;
        let mut parks = Parks::watch(&here);
        let nothing = tokio::time::timeout(Duration::from_secs(1), parks.next()).await;
        assert!(nothing.is_err());
        let _ = there.run("trip", id("1"), &()).await.expect("an end");
        let park = tokio::time::timeout(Duration::from_secs(3), parks.next()).await;
        assert_eq!(park.expect("word of it").id, id("1"));
    });
}

#[test]
fn a_saga_that_parks_again_after_a_retry_is_told_again() {
    life(async {
        let data = MemoryRepository::new();
        let here = failing().engine(Arc::new(data.another_owner())).await;
        let there = failing().engine(Arc::new(data.another_owner())).await;
        let mut parks = Parks::watch(&here);
        let _ = there.run("trip", id("1"), &()).await.expect("an end");
        let _ = parks.next().await;
        // The clock of moments is the real one: the second park must have a later one.
        let first = there.history(&id("1")).await.expect("it is there").summary.updated;
        while compensation::Timestamp::now() <= first {}
        there.retry(&id("1"), "car", Order::new("Ada", "again")).await.expect("an order");
        let _ = there.wait(&id("1")).await.expect("an end");
        let again = tokio::time::timeout(Duration::from_secs(60), parks.next()).await;
        assert_eq!(again.expect("word of it").id, id("1"));
    });
}
