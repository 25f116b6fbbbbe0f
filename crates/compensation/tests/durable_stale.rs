//! What an engine was told of a saga may be out of date when it hears it: the saga may have been driven here
//! meanwhile, and let go.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;
#[path = "durable/hooked.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod hooked;

use std::{sync::Arc, time::Duration};

use compensation::{
    Engine, Order, Outcome,
    repository::{ErrorKind, MemoryRepository, Query, Repository},
};
use compensation_testing::FaultyRepository;
use durable::{Does, Gate, World, id, journal, left, life};
use hooked::{hooked, settle, until};
use tokio::time::timeout;

/// Longer than anything here takes on the virtual clock, unless it hangs.
const LONG: Duration = Duration::from_secs(600);

fn order() -> Order {
    Order::new("Ada", "the customer called")
}

#[test]
fn a_claimed_saga_that_was_driven_to_its_end_before_the_claim_was_answered_is_not_run_again() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a", "b"]);
    left(&data, &world, trip.clone(), "1", "a");
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        hooks.claimed.hold();
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        until(|| hooks.claimed.reached() > 0).await;
        let outcome = engine.finish(&id("1")).await.expect("an outcome");
        assert!(outcome.is_completed());
        let before = journal(&data, "1").await;
        assert_eq!(world.trace(), ["a", "b"]);
        hooks.claimed.free();
        timeout(LONG, engine.idle()).await.expect("it ends").expect("nothing is left");
        assert_eq!(world.trace(), Vec::<String>::new(), "it is over");
        assert_eq!(journal(&data, "1").await, before);
    });
}

#[test]
fn an_order_whose_saga_was_driven_and_let_go_before_it_was_acquired_is_carried_out() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    let trip = world.chain("trip", &["a", "b"]);
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        assert!(matches!(engine.run("trip", id("1"), &1).await, Ok(Outcome::Stuck(_))));
        until(|| engine.running() == 0).await;
        hooks.acquired.hold();
        let (first, second) = (engine.clone(), engine.clone());
        let skips = tokio::spawn(async move { first.skip(&id("1"), "b", order()).await });
        until(|| hooks.acquired.reached() == 1).await;
        let retries = tokio::spawn(async move { second.retry(&id("1"), "a", order()).await });
        until(|| hooks.acquired.reached() == 2).await;
        world.heal("^a");
        hooks.acquired.free_one();
        skips.await.expect("no panic").expect_err("there is nothing to skip");
        until(|| engine.running() == 0).await;
        hooks.acquired.free();
        retries.await.expect("no panic").expect("it is parked, and nobody has it");
        assert!(matches!(engine.wait(&id("1")).await, Ok(Outcome::Compensated(_))));
    });
}

#[test]
fn draining_waits_for_a_claim_that_is_not_answered_yet() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    left(&data, &world, trip.clone(), "1", "a");
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        hooks.claimed.hold();
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        until(|| hooks.claimed.reached() > 0).await;
        let drainer = engine.clone();
        let draining = tokio::spawn(async move { drainer.drain().await });
        settle().await;
        assert!(!draining.is_finished(), "it owns a saga, and has not let it go");
        hooks.claimed.free();
        timeout(LONG, draining).await.expect("it ends").expect("no panic");
        let found = data.list(Query::default()).await.expect("a list").sagas.remove(0);
        assert!(!found.owned, "it is let go");
    });
}

#[test]
fn draining_waits_for_a_saga_that_is_being_acquired() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    left(&data, &world, trip.clone(), "1", "a");
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        hooks.acquired.hold();
        let opened = Engine::open(store).register(trip).without_recovery();
        let engine = opened.start().await.expect("start");
        let resumer = engine.clone();
        let resuming = tokio::spawn(async move { resumer.resume(&id("1")).await });
        until(|| hooks.acquired.reached() > 0).await;
        let drainer = engine.clone();
        let draining = tokio::spawn(async move { drainer.drain().await });
        settle().await;
        assert!(!draining.is_finished(), "it owns a saga, and has not let it go");
        hooks.acquired.free();
        timeout(LONG, draining).await.expect("it ends").expect("no panic");
        resuming.await.expect("no panic").expect("it was taken");
        let found = data.list(Query::default()).await.expect("a list").sagas.remove(0);
        assert!(!found.owned, "it is let go");
    });
}

#[test]
fn a_saga_that_could_not_be_written_is_let_go_by_draining_once_the_store_works() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    let trip = world.chain("trip", &["a", "b"]);
    life(async {
        let (store, faults) = FaultyRepository::around(data.another_owner());
        let store: Arc<dyn Repository> = Arc::new(store);
        let opened = Engine::open_shared(store.clone()).register(trip.clone());
        let engine = opened.start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        faults.fail(1, ErrorKind::Permanent);
        gate.open();
        engine.wait(&id("1")).await.map(drop).expect_err("it can't be written");
        engine.drain().await;
        let found = data.list(Query::default()).await.expect("a list").sagas.remove(0);
        assert!(!found.owned, "the process lives, and nobody drives it");
        let next = Engine::open_shared(store).register(trip).start().await.expect("start");
        timeout(LONG, next.idle()).await.expect("it ends").expect("nothing is left");
        assert!(next.wait(&id("1")).await.expect("an outcome").is_completed());
    });
}
