//! One id is one saga, however often and by whomever it is started.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use compensation::{
    EngineError, Outcome,
    repository::{MemoryRepository, Query},
};
use durable::{Does, Gate, World, id, life, on};

#[test]
fn starting_a_running_saga_again_waits_for_its_end() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let engine = on(&data).register(world.chain("trip", &["a"])).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        engine.start("trip", id("1"), &1).await.expect("the same");
        let again = engine.run("trip", id("1"), &1);
        gate.open();
        assert!(again.await.expect("an outcome").is_completed());
        assert_eq!(world.trace(), ["a"]);
        assert_eq!(engine.running(), 0);
    });
}

#[test]
fn starting_a_finished_saga_again_gives_its_outcome() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    let trip = world.chain("trip", &["a", "b"]);
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        for _ in 0..2 {
            let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
            assert!(matches!(outcome, Outcome::Compensated(_)));
        }
        engine.start("trip", id("1"), &1).await.expect("the same");
        assert_eq!(world.trace(), ["a", "b", "^a"]);
        assert_eq!(engine.list(Query::default()).await.expect("a list").sagas.len(), 1);
    });
}

#[test]
fn another_input_for_the_same_id_is_an_error() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let engine = on(&data).register(world.chain("trip", &["a"])).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        let running = engine.run("trip", id("1"), &2).await.expect_err("another input");
        gate.open();
        engine.wait(&id("1")).await.expect("an outcome").into_completed().expect("completed");
        let over = engine.run("trip", id("1"), &2).await.expect_err("another input");
        for error in [running, over] {
            assert!(matches!(error, EngineError::OtherInput(_)), "{error}");
            assert_eq!(
                error.to_string(),
                "saga `1` was started with another input: choose another id, or give the same input"
            );
        }
    });
}

#[test]
fn an_id_of_another_definition_is_an_error() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = on(&data)
            .register(world.chain("trip", &["a"]))
            .register(world.chain("order", &["b"]))
            .start()
            .await
            .expect("start");
        let _ = engine.run("trip", id("1"), &1).await.expect("an outcome");
        let error = engine.run("order", id("1"), &1).await.expect_err("taken");
        assert_eq!(error.to_string(), "saga `1` is a `trip`: choose another id");
        assert_eq!(world.trace(), ["a"]);
    });
}

#[test]
fn a_saga_that_is_not_registered_is_refused_before_anything_is_stored() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = on(&data).register(world.chain("trip", &["a"])).start().await.expect("start");
        let error = engine.start("tripp", id("1"), &1).await.expect_err("unknown");
        assert!(matches!(error, EngineError::UnknownSaga(_)), "{error}");
        let error = engine.start("trip", id("1"), &"one").await.expect_err("no number");
        assert!(matches!(error, EngineError::BadInput { .. }), "{error}");
        assert!(engine.list(Query::default()).await.expect("a list").sagas.is_empty());
    });
}

#[test]
fn a_caller_that_goes_away_does_not_stop_the_saga() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
        tokio::select! {
            _ = engine.run("trip", id("1"), &1) => panic!("it waits at the gate"),
            () = gate.reached(1) => {}
        }
        gate.open();
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        assert_eq!(world.trace(), ["a", "b"]);
    });
}

#[test]
fn two_starts_at_once_run_it_once() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let trip = world.chain("trip", &["a", "b"]);
        let one = on(&data).register(trip.clone()).start().await.expect("start");
        let two = on(&data).register(trip).start().await.expect("start");
        let (number, runs) = (1, id("1"));
        let outcomes = tokio::join!(
            one.run("trip", runs.clone(), &number),
            one.run("trip", runs.clone(), &number),
            two.run("trip", runs.clone(), &number),
            two.run("trip", runs, &number),
        );
        for outcome in [outcomes.0, outcomes.1, outcomes.2, outcomes.3] {
            assert!(outcome.expect("an outcome").is_completed());
        }
        assert_eq!(world.trace(), ["a", "b"]);
    });
}
