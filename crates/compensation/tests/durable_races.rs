//! Races for a saga inside one engine: whoever wins, it is driven by one, and nobody waits for ever.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;
#[path = "durable/hooked.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod hooked;

use std::{sync::atomic::Ordering, time::Duration};

use compensation::{
    Engine, EngineError, Order, Saga, SagaId, StepContext, StepError,
    repository::{Created, ErrorKind, MemoryRepository, NewSaga, Query, Repository},
};
use compensation_testing::FaultyRepository;
use durable::{Does, Gate, World, id, left, life, on};
use hooked::{hooked, settle, until};
use tokio::time::{sleep, timeout};

/// Longer than anything here takes on the virtual clock, unless it hangs.
const LONG: Duration = Duration::from_secs(600);

/// The same saga as left by a dead process, put into another store by an owner who is returned.
async fn put(from: &MemoryRepository, name: &str, into: &MemoryRepository) -> MemoryRepository {
    let saga = from.load(&id(name)).await.expect("a store").expect("a saga");
    let owner = into.another_owner();
    let created = owner.create(NewSaga {
        id: saga.summary.id,
        name: saga.summary.name,
        plan: saga.plan,
        input: saga.input,
        head: saga.summary.head,
        entry: saga.journal[0].clone(),
    });
    assert!(matches!(created.await, Ok(Created::New(_))));
    owner
}

async fn ends(engine: &Engine, saga: &SagaId) -> bool {
    timeout(LONG, engine.wait(saga)).await.is_ok()
}

#[test]
fn a_start_that_races_the_recovery_of_the_same_saga_leaves_it_driven() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    left(&data, &world, trip.clone(), "1", "a");
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        hooks.create.hold();
        hooks.claimed.hold();
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        until(|| hooks.claimed.reached() > 0).await;
        let starting = engine.clone();
        let started = tokio::spawn(async move { starting.start("trip", id("1"), &1).await });
        until(|| hooks.create.reached() > 0).await;
        hooks.claimed.free();
        settle().await;
        hooks.create.free();
        started.await.expect("no panic").expect("it is there");
        assert!(ends(&engine, &id("1")).await, "owned by a living engine, driven by nobody");
        assert_eq!(world.trace(), ["a"]);
    });
}

#[test]
fn a_second_start_is_acknowledged_only_once_the_saga_is_stored() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        let trip = world.chain("trip", &["a"]);
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        hooks.create.hold();
        let starts: Vec<_> = (0..2)
            .map(|_| {
                let engine = engine.clone();
                tokio::spawn(async move { engine.start("trip", id("1"), &1).await })
            })
            .collect();
        settle().await;
        assert!(starts.iter().all(|start| !start.is_finished()), "nothing is stored yet");
        hooks.create.free();
        for start in starts {
            start.await.expect("no panic").expect("stored");
        }
    });
}

#[test]
fn idling_waits_for_what_another_look_has_claimed_and_not_yet_begun_to_drive() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    left(&data, &world, trip.clone(), "1", "a");
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        hooks.claimed.hold();
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        until(|| hooks.claimed.reached() > 0).await;
        let idler = engine.clone();
        let idling = tokio::spawn(async move { idler.idle().await });
        settle().await;
        assert!(!idling.is_finished(), "the engine's own look has a saga at hand");
        hooks.claimed.free();
        idling.await.expect("no panic").expect("nothing is left");
        assert_eq!(world.trace(), ["a"]);
    });
}

#[test]
fn idling_that_is_given_up_after_a_claim_leaves_what_was_claimed_driven() {
    let (data, other, world) = (MemoryRepository::new(), MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    left(&other, &world, trip.clone(), "1", "a");
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        sleep(Duration::from_secs(1)).await;
        drop(put(&other, "1", &data).await);
        hooks.claimed.hold();
        let before = hooks.claimed.reached();
        let idler = engine.clone();
        let idling = tokio::spawn(async move { idler.idle().await });
        until(|| hooks.claimed.reached() > before).await;
        idling.abort();
        hooks.claimed.free();
        assert!(ends(&engine, &id("1")).await, "claimed, and driven by nobody");
    });
}

#[test]
fn a_resume_that_is_given_up_while_it_parks_leaves_nothing_behind() {
    let (data, world) = (MemoryRepository::new(), World::default());
    left(&data, &world, world.chain("trip", &["a"]), "1", "a");
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        let engine = Engine::open(store).without_recovery().start().await.expect("start");
        hooks.park.hold();
        let resumer = engine.clone();
        let resuming = tokio::spawn(async move { resumer.resume(&id("1")).await });
        until(|| hooks.park.reached() > 0).await;
        resuming.abort();
        hooks.park.free();
        timeout(LONG, engine.drain()).await.expect("nothing is left in the table");
    });
}

#[test]
fn what_is_taken_over_while_the_engine_drains_is_not_started() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a", "b", "c"]);
    left(&data, &world, trip.clone(), "1", "a");
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        hooks.claimed.hold();
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        until(|| hooks.claimed.reached() > 0).await;
        let drainer = engine.clone();
        let draining = tokio::spawn(async move { drainer.drain().await });
        settle().await;
        hooks.claimed.free();
        timeout(LONG, draining).await.expect("it ends").expect("no panic");
        settle().await;
        assert_eq!(world.trace(), Vec::<String>::new());
        let found = data.list(Query::default()).await.expect("a list").sagas.remove(0);
        assert!(!found.owned, "it is let go");
    });
}

#[test]
fn idling_of_a_drained_engine_ends() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    left(&data, &world, trip.clone(), "1", "a");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        engine.drain().await;
        assert!(matches!(engine.idle().await, Err(EngineError::Closing)));
    });
}

#[test]
fn a_saga_that_is_resumed_after_its_store_refused_stays_its_engines() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    let trip = world.chain("trip", &["a", "b"]);
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let (store, faults) = FaultyRepository::around(data.another_owner());
        let opened = Engine::open(store).register(trip).without_recovery();
        let engine = opened.start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        faults.fail(1, ErrorKind::Permanent);
        gate.open();
        engine.wait(&id("1")).await.map(drop).expect_err("refused");
        let second = Gate::new();
        world.tell("a", Does::Waits(second.clone()));
        engine.resume(&id("1")).await.expect("resumed");
        second.reached(1).await;
        sleep(Duration::from_secs(30)).await;
        let claimed = data.another_owner().claim(10).await.expect("a claim");
        assert!(claimed.is_empty(), "its action is in flight");
    });
}

#[test]
fn a_saga_that_could_not_be_parked_is_parked_once_the_store_works() {
    let (data, world) = (MemoryRepository::new(), World::default());
    left(&data, &world, world.chain("trip", &["a"]), "1", "a");
    life(async {
        let (store, hooks) = hooked(data.another_owner());
        hooks.park_fails.store(true, Ordering::SeqCst);
        let engine = Engine::open(store).start().await.expect("start");
        sleep(Duration::from_secs(60)).await;
        hooks.park_fails.store(false, Ordering::SeqCst);
        sleep(Duration::from_secs(60)).await;
        let found = engine.list(Query::default()).await.expect("a list").sagas.remove(0);
        assert_eq!(found.head.status, compensation::Status::Stuck);
        assert!(!found.owned);
    });
}

#[test]
fn a_start_whose_answer_is_lost_is_driven_though_nobody_repeats_it() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let (store, faults) = FaultyRepository::around(data.another_owner());
        let trip = world.chain("trip", &["a"]);
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        sleep(Duration::from_secs(1)).await;
        faults.lose(1, ErrorKind::Temporary);
        engine.start("trip", id("1"), &1).await.expect_err("no answer");
        assert!(ends(&engine, &id("1")).await, "it is in the store, so it has an ending");
    });
}

#[test]
fn a_saga_that_is_waited_for_is_taken_over_when_its_process_dies() {
    let (data, other, world) = (MemoryRepository::new(), MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    left(&other, &world, trip.clone(), "1", "a");
    life(async {
        let first = put(&other, "1", &data).await;
        let opened = on(&data).register(trip).without_recovery();
        let engine = opened.start().await.expect("start");
        let runner = engine.clone();
        let running = tokio::spawn(async move { runner.run("trip", id("1"), &1).await });
        sleep(Duration::from_secs(10)).await;
        assert!(!running.is_finished(), "its process lives");
        drop(first);
        let ended = timeout(LONG, running).await.expect("it ends").expect("no panic");
        assert!(ended.expect("an outcome").is_completed());
    });
}

#[test]
fn what_a_dead_process_left_gets_a_place_though_new_sagas_wait() {
    let (data, other, world) = (MemoryRepository::new(), MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    left(&other, &world, trip.clone(), "left", "a");
    life(async {
        let mut busy = Saga::<u32>::builder("busy");
        busy.step("s", |_: StepContext<u32>| async {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, StepError>(())
        })
        .no_undo("it only waits")
        .add();
        let busy = busy.build().expect("a sound saga");
        let opened = on(&data).register(trip).register(busy).max_concurrent(2);
        let engine = opened.start().await.expect("start");
        for caller in 0..5 {
            let engine = engine.clone();
            tokio::spawn(async move {
                for number in 0.. {
                    let saga = id(&format!("{caller}-{number}"));
                    let _ = engine.run("busy", saga, &1).await.expect("an outcome");
                }
            });
        }
        sleep(Duration::from_secs(10)).await;
        drop(put(&other, "left", &data).await);
        assert!(ends(&engine, &id("left")).await);
    });
}

#[test]
fn an_order_that_meets_a_driver_in_its_last_turn_is_not_lost() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let (store, faults) = FaultyRepository::around(data.another_owner());
        let trip = world.chain("trip", &["a"]);
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        sleep(Duration::from_secs(1)).await;
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        faults.hold();
        gate.open();
        settle().await;
        let canceller = engine.clone();
        let order = Order::new("Ada", "a mistake");
        let cancelled = tokio::spawn(async move { canceller.cancel(&id("1"), order).await });
        settle().await;
        faults.heal();
        cancelled.await.expect("no panic").expect("a completed saga can be undone");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, compensation::Outcome::Compensated(_)));
    });
}

#[test]
fn nobody_waits_for_an_engine_whose_runtime_has_shut_down() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    let trip = world.chain("trip", &["a"]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let engine = runtime.block_on(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        engine
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    life(async {
        let ended = timeout(LONG, engine.wait(&id("1"))).await.expect("it ends");
        assert!(matches!(ended, Err(EngineError::Closing)));
        timeout(LONG, engine.drain()).await.expect("it ends");
    });
}

#[test]
fn an_order_that_finds_itself_carried_out_is_acknowledged_only_once_that_is_durable() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let (store, faults) = FaultyRepository::around(data.another_owner());
        let trip = world.chain("trip", &["a", "b"]);
        let engine = Engine::open(store).register(trip).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        faults.hold();
        let cancels: Vec<_> = (0..2)
            .map(|_| {
                let engine = engine.clone();
                let order = Order::new("Ada", "a mistake");
                tokio::spawn(async move { engine.cancel(&id("1"), order).await })
            })
            .collect();
        settle().await;
        assert!(cancels.iter().all(|cancel| !cancel.is_finished()), "nothing is written yet");
        faults.heal();
        for cancel in cancels {
            cancel.await.expect("no panic").expect("it is being undone");
        }
        gate.open();
    });
}
