//! The engine's own life: draining, its cap, its observers, and what it forgets.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use std::time::Duration;

use compensation::{
    EngineError, News, Outcome, Part, Status,
    repository::{MemoryRepository, Query},
};
use durable::{Does, Gate, World, id, life, on};

#[test]
fn a_drain_settles_what_is_in_flight_and_the_next_engine_goes_on() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    let trip = world.chain("trip", &["a", "b"]);
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let engine = on(&data).register(trip.clone()).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        let drained = engine.drain();
        gate.open();
        drained.await;
        let found = engine.report(&id("1")).await.expect("a report");
        assert_eq!(found.phase("a"), Some(compensation::machine::Phase::Done));
        assert_eq!(found.status(), Status::Running);
        // It has let it go while it lives.
        let next = on(&data).register(trip).start().await.expect("start");
        assert!(next.wait(&id("1")).await.expect("an outcome").is_completed());
    });
    assert_eq!(world.trace(), ["a", "b"], "nothing that was settled runs again");
}

#[test]
fn a_draining_engine_starts_nothing() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = on(&data).register(world.chain("trip", &["a"])).start().await.expect("start");
        engine.drain().await;
        let error = engine.run("trip", id("1"), &1).await.expect_err("closing");
        assert!(matches!(error, EngineError::Closing), "{error}");
        assert!(engine.list(Query::default()).await.expect("a list").sagas.is_empty());
    });
}

#[test]
fn a_drain_does_not_wait_for_a_pause_between_attempts() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = compensation::Saga::builder("trip");
    let slow = compensation::RetryPolicy::new(9).first(Duration::from_secs(3_600));
    trip.step("a", world.action("a")).undo(world.undo("a")).retry(slow).add();
    let trip = trip.build().expect("a sound saga");
    world.tell("a", Does::Refuses);
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let mut told = engine.subscribe();
        engine.start("trip", id("1"), &1).await.expect("started");
        while !matches!(told.recv().await.expect("a notice").news, News::Failed { .. }) {}
        let before = tokio::time::Instant::now();
        engine.drain().await;
        assert!(before.elapsed() < Duration::from_secs(60), "by the virtual clock");
    });
}

#[test]
fn no_more_sagas_run_at_once_than_the_cap_says() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let engine = on(&data)
            .register(world.chain("trip", &["a"]))
            .max_concurrent(2)
            .start()
            .await
            .expect("start");
        let all: Vec<_> = (0..6)
            .map(|number| {
                let engine = engine.clone();
                let saga = id(&format!("saga-{number}"));
                tokio::spawn(async move { engine.run("trip", saga, &number).await })
            })
            .collect();
        gate.reached(2).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.trace(), ["a", "a"]);
        assert_eq!(engine.running(), 2);
        gate.open();
        for one in all {
            assert!(one.await.expect("no panic").expect("an outcome").is_completed());
        }
    });
}

#[test]
fn observers_are_told_what_happens_in_order() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
        let mut told = engine.subscribe();
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        let mut news = Vec::new();
        while let Ok(notice) = told.try_recv() {
            assert_eq!((notice.id, &*notice.saga), (id("1"), "trip"));
            assert!(notice.created <= notice.at);
            news.push(match notice.news {
                News::Created => "created".to_owned(),
                News::Started { step, part: Part::Undo, attempt } => format!("^{step} {attempt}"),
                News::Started { step, attempt, .. } => format!("{step} {attempt}"),
                News::Done { step, part: Part::Undo } => format!("^{step} done"),
                News::Done { step, .. } => format!("{step} done"),
                News::Failed { step, message, .. } => format!("{step} failed: {message}"),
                News::Status { status, .. } => status.to_string(),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(
            news,
            [
                "created",
                "a 1",
                "a done",
                "b 1",
                "b failed: b refused",
                "^a 1",
                "compensating",
                "^a done",
                "compensated"
            ]
        );
    });
}

#[test]
fn finished_sagas_are_deleted_after_their_time() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = on(&data)
            .register(world.chain("trip", &["a"]))
            .keep_finished(Duration::ZERO)
            .start()
            .await
            .expect("start");
        world.tell("^a", Does::Fails);
        for number in 0..3 {
            let saga = id(&format!("saga-{number}"));
            let _ = engine.run("trip", saga, &number).await.expect("an outcome");
        }
        let order = compensation::Order::new("Ada", "a mistake");
        engine.cancel(&id("saga-1"), order).await.expect("cancelled");
        assert!(matches!(engine.wait(&id("saga-1")).await, Ok(Outcome::Stuck(_))));
        // The stores' clock is the machine's: wait for it to move, then for the next sweep.
        let now = compensation::Timestamp::now();
        while compensation::Timestamp::now() <= now {
            std::hint::spin_loop();
        }
        tokio::time::sleep(Duration::from_secs(6)).await;
        let left = engine.list(Query::default()).await.expect("a list").sagas;
        let left: Vec<_> = left.iter().map(|saga| saga.id.as_str()).collect();
        assert_eq!(left, ["saga-1"], "what is stuck is kept");
    });
}

#[test]
fn what_another_process_left_is_found_while_running() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    let trip = world.chain("trip", &["a"]);
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let watcher = on(&data).register(trip.clone()).start().await.expect("start");
        let gate = gate.clone();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                life(async {
                    let engine = on(&data).register(trip).start().await.expect("start");
                    engine.start("trip", id("1"), &1).await.expect("started");
                    gate.reached(1).await;
                });
            });
        });
        world.heal("a");
        assert!(watcher.wait(&id("1")).await.expect("an outcome").is_completed());
    });
    assert_eq!(world.trace(), ["a", "a"]);
}

#[test]
fn asking_for_a_saga_that_runs_needs_no_place() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let trip = world.chain("trip", &["a"]);
        let engine = on(&data).register(trip).max_concurrent(1).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        engine.start("trip", id("1"), &1).await.expect("it is there");
        engine.start("trip", id("1"), &2).await.expect_err("another input");
    });
}

#[test]
fn more_sagas_than_places_are_taken_over_in_turn() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    let trip = world.chain("trip", &["a"]);
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let engine = on(&data).register(trip.clone()).start().await.expect("start");
        for number in 0..20 {
            engine.start("trip", id(&format!("saga-{number}")), &number).await.expect("started");
        }
        gate.reached(20).await;
    });
    world.heal("a");
    life(async {
        let engine = on(&data).register(trip).max_concurrent(3).start().await.expect("start");
        engine.idle().await.expect("idle");
        assert_eq!(engine.counts().await.expect("counts").get(Status::Completed), 20);
    });
}
