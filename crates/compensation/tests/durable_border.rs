//! User code that is no step: its serde, its texts, definitions that change. Nothing of it harms another saga.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use compensation::{
    Engine, EngineError, Order, Outcome, Saga, Status, StepContext, StepError, UndoContext,
    machine::UnknownPolicy,
    repository::{MemoryRepository, Query},
};
use durable::{Does, Gate, World, id, life, on};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that panics when it is written.
#[derive(Clone, Debug)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("no words for it")
    }
}

impl<'de> Deserialize<'de> for Unwritable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[test]
fn an_output_that_panics_when_it_is_written_is_a_failure_and_undone() {
    let data = MemoryRepository::new();
    let mut trip = Saga::<u32>::builder("trip");
    trip.step("a", |_: StepContext<u32>| async { Ok::<_, StepError>(Unwritable) })
        .undo(|_: UndoContext<u32>, _| async { Ok::<_, StepError>(()) })
        .add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
        let failure = outcome.report().failures()[0].to_string();
        assert_eq!(failure, "step `a` failed: panicked: no words for it");
    });
}

#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words for it")
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn an_error_that_panics_when_it_is_told_is_a_failure_and_undone() {
    let data = MemoryRepository::new();
    let mut trip = Saga::<u32>::builder("trip");
    trip.step("a", |_: StepContext<u32>| async { Err::<(), _>(Unspeakable) })
        .undo(|_: UndoContext<u32>, _| async { Ok::<_, StepError>(()) })
        .add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    });
}

static SICK: AtomicBool = AtomicBool::new(false);

/// An input that panics when it is read, while that is said.
#[derive(Clone, Debug, Serialize)]
struct Sick(u32);

impl<'de> Deserialize<'de> for Sick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        assert!(!SICK.load(Ordering::SeqCst), "it can't be read");
        Ok(Self(number))
    }
}

#[test]
fn an_input_that_panics_when_it_is_read_parks_its_saga_alone() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    let sick = || {
        let mut sick = Saga::<Sick>::builder("sick");
        sick.step("z", |_: StepContext<Sick>| std::future::pending::<Result<(), StepError>>())
            .no_undo("it never ends")
            .add();
        sick.build().expect("a sound saga")
    };
    let trip = world.chain("trip", &["a"]);
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let opened = on(&data).register(sick()).register(trip.clone());
        let engine = opened.start().await.expect("start");
        engine.start("sick", id("sick"), &1).await.expect("started");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
    });
    world.heal("a");
    SICK.store(true, Ordering::SeqCst);
    life(async {
        let engine = on(&data).register(sick()).register(trip).start().await.expect("start");
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        engine.idle().await.expect("idle");
        let reason = engine.report(&id("sick")).await.expect("a report").reason();
        assert!(reason.expect("a reason").contains("panicked: it can't be read"));
    });
}

#[test]
fn the_undo_of_an_unknown_effect_gets_no_output_after_a_crash_either() {
    let data = MemoryRepository::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let trip = |blocks: bool| {
        let seen = seen.clone();
        let mut trip = Saga::<u32>::builder("trip");
        trip.step("a", |_: StepContext<u32>| async { Err::<(), _>(StepError::unknown("lost")) })
            .undo(move |_: UndoContext<u32>, output| {
                let seen = seen.clone();
                async move {
                    seen.lock().expect("no panic").push(output);
                    if blocks {
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, StepError>(())
                }
            })
            .add();
        trip.build().expect("a sound saga")
    };
    life(async {
        let engine = on(&data).register(trip(true)).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        while seen.lock().expect("no panic").is_empty() {
            tokio::task::yield_now().await;
        }
    });
    life(async {
        let engine = on(&data).register(trip(false)).start().await.expect("start");
        let _ = engine.wait(&id("1")).await.expect("an outcome");
    });
    assert_eq!(*seen.lock().expect("no panic"), [None, None]);
}

async fn head(engine: &Engine) -> compensation::repository::Head {
    engine.list(Query::default()).await.expect("a list").sagas.remove(0).head
}

#[test]
fn a_completed_saga_stays_completed_for_an_engine_that_does_not_know_it() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let one = on(&data).register(world.chain("trip", &["a"])).start().await.expect("start");
        assert!(one.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        one.drain().await;
        let two = on(&data).start().await.expect("start");
        two.resume(&id("1")).await.expect_err("nobody knows it here");
        assert_eq!(head(&two).await.status, Status::Completed);
    });
}

#[test]
fn a_stuck_saga_of_a_changed_definition_is_undone_and_does_not_go_on() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = |last: &'static str, more: bool| {
        let mut trip = Saga::<u32>::builder("trip");
        let parks = UnknownPolicy::Park;
        trip.step("a", world.action("a")).undo(world.undo("a")).unknown(parks).add();
        trip.step("b", world.action(last)).undo(world.undo("b")).add();
        if more {
            trip.step("c", world.action("c")).undo(world.undo("c")).add();
        }
        trip.build().expect("a sound saga")
    };
    world.tell("a", Does::Fails);
    life(async {
        let one = on(&data).register(trip("b", false)).start().await.expect("start");
        let outcome = one.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        one.drain().await;
        world.heal("a");
        world.trace();
        let two = on(&data).register(trip("new b", true)).start().await.expect("start");
        let order = || Order::new("Ada", "it is mended");
        two.retry(&id("1"), "a", order()).await.expect("ordered");
        // It has turned back. Whether `a` had its effect is still a question for a person.
        let outcome = two.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)), "{outcome:?}");
        two.retry(&id("1"), "a", order()).await.expect("ordered");
        let outcome = two.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
        assert_eq!(world.trace(), ["^a"]);
    });
}

#[test]
fn a_saga_that_nobody_knows_any_more_can_be_abandoned() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    life(async {
        let one =
            on(&data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
        let outcome = one.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        one.drain().await;
        let two = on(&data).start().await.expect("start");
        let order = Order::new("Ada", "its program is gone");
        let error = two.retry(&id("1"), "a", order.clone()).await.expect_err("nobody can run it");
        assert!(matches!(error, EngineError::Held { .. }), "{error}");
        let reason = head(&two).await.reason.expect("a reason");
        assert!(reason.contains("^a failed"), "its own reason stays: {reason}");
        two.abandon(&id("1"), order).await.expect("given up");
        assert_eq!(head(&two).await.status, Status::Abandoned);
    });
}
