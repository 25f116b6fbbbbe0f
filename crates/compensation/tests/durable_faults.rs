//! A store that fails: nothing is acknowledged that is not kept, nothing is forgotten, and the engine goes
//! on once the store does.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod durable;

use std::time::Duration;

use compensation::{
    Engine, EngineError, News, Outcome, Saga,
    repository::{ErrorKind, MemoryRepository},
};
use compensation_testing::{Faults, FaultyRepository};
use durable::{Does, Gate, World, id, journal, life, on};

async fn engine(data: &MemoryRepository, saga: Saga<u32>) -> (Engine, Faults) {
    let (store, faults) = FaultyRepository::around(data.another_owner());
    let engine = Engine::open(store).register(saga).start().await.expect("start");
    // Its first look for what others left is over, so that it takes no fault meant for the test.
    tokio::time::sleep(Duration::from_secs(1)).await;
    (engine, faults)
}

#[test]
fn a_write_that_fails_for_a_while_is_tried_again_and_no_step_runs_meanwhile() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let (engine, faults) = engine(&data, world.chain("trip", &["a", "b"])).await;
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        faults.fail(u64::MAX, ErrorKind::Exhausted);
        gate.open();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(world.trace(), ["a"], "`b` waits until the end of `a` is written down");
        assert!(faults.refused() < 60, "no busy loop: {} tries in 30 s", faults.refused());
        faults.heal();
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        assert_eq!(world.trace(), ["b"]);
    });
}

#[test]
fn observers_are_told_that_the_store_fails() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let (engine, faults) = engine(&data, world.chain("trip", &["a"])).await;
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        let mut told = engine.subscribe();
        faults.fail(1, ErrorKind::Temporary);
        gate.open();
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        let first = told.recv().await.expect("a notice");
        assert!(matches!(first.news, News::StoreFailing { .. }), "{first:?}");
    });
}

#[test]
fn a_write_whose_answer_is_lost_is_there_once() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let (engine, faults) = engine(&data, world.chain("trip", &["a", "b"])).await;
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        faults.lose(2, ErrorKind::Temporary);
        gate.open();
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        assert_eq!(journal(&data, "1").await.len(), 3);
        assert_eq!(world.trace(), ["a", "b"]);
    });
}

#[test]
fn a_saga_that_could_not_be_stored_is_not_started_and_may_be_started_again() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let (engine, faults) = engine(&data, world.chain("trip", &["a"])).await;
        faults.fail(2, ErrorKind::Exhausted);
        let error = engine.run("trip", id("1"), &1).await.expect_err("no room");
        assert!(error.is_exhausted() && error.may_pass(), "{error}");
        engine.start("trip", id("1"), &1).await.expect_err("no room");
        assert_eq!(world.trace(), Vec::<String>::new());
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
    });
}

#[test]
fn a_start_whose_answer_is_lost_is_one_saga_when_it_is_repeated() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let (engine, faults) = engine(&data, world.chain("trip", &["a"])).await;
        faults.lose(1, ErrorKind::Temporary);
        engine.run("trip", id("1"), &1).await.expect_err("no answer");
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        assert_eq!(world.trace(), ["a"]);
    });
}

#[test]
fn a_store_that_refuses_for_good_stops_the_saga_and_a_healed_one_lets_it_go_on() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let (engine, faults) = engine(&data, world.chain("trip", &["a", "b"])).await;
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        faults.fail(u64::MAX, ErrorKind::Permanent);
        gate.open();
        let error = engine.wait(&id("1")).await.expect_err("refused");
        assert!(matches!(error, EngineError::Store(_)), "{error}");
        assert_eq!(world.trace(), ["a"]);
        faults.heal();
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(outcome.is_completed());
        assert_eq!(world.trace(), ["a", "b"], "what was not written down is attempted again");
    });
}

#[test]
fn a_rollback_goes_on_when_the_store_does() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("c", Does::Refuses);
    world.tell("^b", Does::Waits(gate.clone()));
    life(async {
        let (engine, faults) = engine(&data, world.chain("trip", &["a", "b", "c"])).await;
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        faults.fail(5, ErrorKind::Temporary);
        gate.open();
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["a", "b", "c", "^b", "^a"]);
    });
}

#[test]
fn an_engine_does_not_start_on_a_store_that_fails() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let (store, faults) = FaultyRepository::around(data.another_owner());
        faults.fail(1, ErrorKind::Permanent);
        let started = Engine::open(store).register(world.chain("trip", &["a"])).start().await;
        assert!(matches!(started, Err(EngineError::Store(_))));
    });
}

#[test]
fn a_drain_ends_though_the_store_fails_and_nothing_is_lost() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    let trip = world.chain("trip", &["a", "b"]);
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let (engine, faults) = engine(&data, trip.clone()).await;
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        faults.fail(u64::MAX, ErrorKind::Temporary);
        gate.open();
        engine.drain().await;
        engine.wait(&id("1")).await.map(drop).expect_err("not over");
    });
    world.trace();
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
    });
    assert_eq!(world.trace(), ["a", "b"]);
}
