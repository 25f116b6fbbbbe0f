//! Defects that users of other saga libraries suffered, each as a promise kept.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use std::time::Duration;

use compensation::{
    EngineError, Outcome, Saga, Status, StepContext, StepError, Timestamp,
    repository::{Append, Entry, Head, MemoryRepository, Query, Repository},
};
use durable::{Does, Gate, World, id, life, on};

/// Steps `a` and `b` side by side.
fn beside(world: &World) -> Saga<u32> {
    let mut trip = Saga::builder("trip");
    for step in ["a", "b"] {
        let (undo, none) = (world.undo(step), compensation::RetryPolicy::none());
        trip.step(step, world.action(step)).undo(undo).undo_retry(none).independent().add();
    }
    trip.build().expect("a sound saga")
}

async fn run(data: &MemoryRepository, saga: Saga<u32>) -> Outcome {
    let name = saga.name().to_owned();
    let engine = on(data).register(saga).start().await.expect("start");
    engine.run(&name, id("1"), &1).await.expect("an outcome")
}

#[test]
fn a_panic_in_an_action_is_recorded_and_undone() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Panics);
    let outcome = life(run(&data, world.chain("trip", &["a", "b"])));
    assert!(matches!(outcome, Outcome::Compensated(_)));
    assert_eq!(outcome.report().failures()[0].to_string(), "step `b` failed: panicked: b panicked");
    assert_eq!(world.trace(), ["a", "b", "^b", "^a"]);
}

#[test]
fn a_panic_in_an_undo_is_recorded_and_stuck_and_the_other_undos_run() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("c", Does::Refuses);
    world.tell("^b", Does::Panics);
    let outcome = life(run(&data, world.chain("trip", &["a", "b", "c"])));
    assert!(matches!(outcome, Outcome::Stuck(_)));
    assert_eq!(world.trace(), ["a", "b", "c", "^b", "^a"]);
    assert!(outcome.report().reason().expect("a reason").contains("^b panicked"));
}

#[test]
fn two_steps_that_fail_side_by_side_are_both_told() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("a", Does::Fails);
    world.tell("b", Does::Refuses);
    let outcome = life(run(&data, beside(&world)));
    assert!(matches!(outcome, Outcome::Compensated(_)));
    assert_eq!(outcome.report().failures().len(), 2);
}

#[test]
fn two_undos_that_fail_side_by_side_are_both_told() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("^a", Does::Fails);
    world.tell("^b", Does::Fails);
    life(async {
        let engine = on(&data).register(beside(&world)).start().await.expect("start");
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        let order = compensation::Order::new("Ada", "a mistake");
        engine.cancel(&id("1"), order).await.expect("cancelled");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        let reason = outcome.report().reason().expect("a reason");
        assert!(reason.contains("step `a`") && reason.contains("step `b`"), "{reason}");
    });
    // The record with two failed undos is read by the next process, which runs other sagas too.
    life(async {
        let engine = on(&data).register(beside(&world)).start().await.expect("start");
        engine.idle().await.expect("idle");
        assert_eq!(engine.report(&id("1")).await.expect("a report").status(), Status::Stuck);
        assert!(engine.run("trip", id("2"), &1).await.expect("an outcome").is_completed());
    });
}

#[test]
fn a_sibling_in_flight_is_settled_and_then_undone() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Refuses);
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let engine = on(&data).register(beside(&world)).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        while engine.report(&id("1")).await.expect("a report").failures().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.trace(), ["a", "b"], "its undo waits for it");
        gate.open();
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["^b"]);
    });
}

#[test]
fn reads_that_race_a_failure_are_harmless() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    let trip = world.chain("trip", &["a", "b"]);
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        for number in 0..50 {
            let saga = id(&format!("saga-{number}"));
            engine.start("trip", saga.clone(), &1).await.expect("started");
            loop {
                let report = engine.report(&saga).await.expect("a report");
                if !report.status().is_open() {
                    assert_eq!(report.status(), Status::Compensated);
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    });
}

#[test]
fn an_engine_whose_clients_are_gone_sleeps() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let engine = on(&data).register(world.chain("trip", &["a"])).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        drop(engine);
        // A busy loop would never let the paused clock move on by itself.
        tokio::time::sleep(Duration::from_secs(60)).await;
        gate.open();
        while data.counts().await.expect("counts").get(Status::Completed) == 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn nothing_is_kept_of_a_saga_that_is_over() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let input = std::sync::Arc::new(());
    let mut trip = Saga::<u32>::builder("trip");
    let kept = input.clone();
    trip.step("a", move |_: StepContext<u32>| {
        let kept = kept.clone();
        async move {
            drop(kept);
            Ok::<_, StepError>(())
        }
    })
    .no_undo("nothing")
    .add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let before = std::sync::Arc::strong_count(&input);
        for number in 0..100 {
            let saga = id(&format!("saga-{number}"));
            assert!(engine.run("trip", saga, &number).await.expect("an outcome").is_completed());
        }
        assert_eq!(engine.running(), 0);
        assert_eq!(std::sync::Arc::strong_count(&input), before);
        assert_eq!(
            engine
                .list(Query { limit: 200, ..Query::default() })
                .await
                .expect("a list")
                .sagas
                .len(),
            100
        );
    });
    drop(world);
}

#[test]
fn many_wide_stages_are_walked_through() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::<u32>::builder("trip");
    let mut stage: Vec<compensation::StepRef<()>> = Vec::new();
    for number in 0..60 {
        let pair = ["left", "right"].map(|side| {
            let act = |_: StepContext<u32>| async { Ok::<_, StepError>(()) };
            let step = trip.step(format!("{side}-{number}"), act).no_undo("nothing").independent();
            stage.iter().fold(step, |step, before| step.after(before)).add()
        });
        stage = pair.to_vec();
    }
    let trip = trip.build().expect("a sound saga");
    assert!(life(run(&data, trip)).is_completed());
    drop(world);
}

#[test]
fn an_end_that_the_journal_does_not_bear_out_is_told_and_not_waited_for() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let trip = world.chain("trip", &["a", "b"]);
        let engine = on(&data).register(trip).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
    });
    life(async {
        // A file that was put together from two backups: the head is a later one's.
        let other = data.another_owner();
        other.recover().await.expect("a recovery");
        let saga = other.claim(1).await.expect("a claim").remove(0);
        let entry = Entry { at: Timestamp::from_millis(0), body: "[]".to_owned() };
        let head = Head { status: Status::Completed, reason: None };
        let seq = saga.journal.len() as u32;
        other.append(Append { key: saga.key, seq, entry, head }).await.expect("an entry");
        let engine = on(&data).register(world.chain("trip", &["a", "b"])).start().await;
        let error = engine.expect("start").wait(&id("1")).await.expect_err("a contradiction");
        assert!(matches!(error, EngineError::Held { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "saga `1` can't be run: the store says that it is completed, and its journal that it is \
             running"
        );
    });
}
