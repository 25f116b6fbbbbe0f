//! A resume on the word of a person: kept with the saga where it had anything to do, and nowhere else.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod durable;

use compensation::{Applied, EngineError, Order, Outcome, Status, repository::MemoryRepository};
use durable::{Does, Gate, World, id, journal, left, life, on};

fn order() -> Order {
    Order::new("Ada", "the machine is back")
}

/// How often the journal of saga `1` has the word.
async fn resumes(data: &MemoryRepository) -> usize {
    journal(data, "1").await.join("").matches("resume_ordered").count()
}

#[test]
fn a_resume_by_a_person_is_kept_with_the_saga_and_drives_it_on() {
    let (data, world) = (MemoryRepository::new(), World::default());
    left(&data, &world, world.chain("trip", &["a", "b"]), "1", "b");
    life(async {
        let trip = world.chain("trip", &["a", "b"]);
        let engine = on(&data).register(trip).without_recovery().start().await.expect("start");
        let applied = engine.resume_by(&id("1"), order()).await.expect("resumed");
        assert_eq!(applied, Applied::Changed);
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        assert_eq!(world.trace(), ["b"]);
        let said = journal(&data, "1").await.join("\n");
        let kept = r#"{"e":"resume_ordered","by":"Ada","why":"the machine is back"}"#;
        assert!(said.contains(kept), "{said}");
        let history = engine.history(&id("1")).await.expect("a history");
        let orders: Vec<_> = history.events.into_iter().filter_map(|event| event.order).collect();
        assert_eq!(orders, [order()]);
    });
}

#[test]
fn an_engine_that_recovers_a_saga_by_itself_writes_no_order() {
    let (data, world) = (MemoryRepository::new(), World::default());
    left(&data, &world, world.chain("trip", &["a", "b"]), "1", "b");
    life(async {
        let trip = world.chain("trip", &["a", "b"]);
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        assert_eq!(resumes(&data).await, 0);
    });
}

#[test]
fn of_a_saga_that_is_driven_here_or_elsewhere_nothing_is_written() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let trip = world.chain("trip", &["a", "b"]);
        let one = on(&data).register(trip.clone()).start().await.expect("start");
        let two = on(&data).register(trip).start().await.expect("start");
        one.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        for engine in [&one, &two] {
            let applied = engine.resume_by(&id("1"), order()).await.expect("it is driven");
            assert_eq!(applied, Applied::Already);
        }
        gate.open();
        assert!(two.wait(&id("1")).await.expect("an outcome").is_completed());
        assert_eq!(resumes(&data).await, 0);
    });
}

#[test]
fn what_is_over_or_waits_for_a_person_is_not_resumed_and_the_refusal_says_what_to_do() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        let over = engine.resume_by(&id("1"), order()).await.expect_err("it is over");
        assert!(over.to_string().contains("only a saga that is not over"), "{over}");
        world.tell("b", Does::Refuses);
        world.tell("^a", Does::Fails);
        let stuck = engine.run("trip", id("2"), &1).await.expect("an outcome");
        assert!(matches!(stuck, Outcome::Stuck(_)));
        let before = journal(&data, "2").await;
        let waits = engine.resume_by(&id("2"), order()).await.expect_err("it waits");
        assert!(matches!(waits, EngineError::Refused { .. }), "{waits}");
        assert!(waits.to_string().contains("retry or skip it"), "{waits}");
        assert_eq!(journal(&data, "2").await, before);
    });
}

#[test]
fn a_saga_that_was_parked_for_want_of_its_definition_is_resumed_where_that_is() {
    let (data, world) = (MemoryRepository::new(), World::default());
    left(&data, &world, world.chain("trip", &["a", "b"]), "1", "b");
    life(async {
        let engine = on(&data).start().await.expect("start");
        let parked = engine.wait(&id("1")).await.expect("nobody here has its definition");
        assert!(matches!(parked, Outcome::Stuck(_)));
        assert_eq!(engine.counts().await.expect("counts").get(Status::Stuck), 1);
        // Ordered where it can't be run, it is carried out where it can.
        let trip = world.chain("trip", &["a", "b"]);
        let knows = on(&data).register(trip).start().await.expect("start");
        let applied = engine.resume_by(&id("1"), order()).await.expect("resumed");
        assert_eq!(applied, Applied::Changed);
        assert!(knows.wait(&id("1")).await.expect("an outcome").is_completed());
        assert_eq!(resumes(&data).await, 1);
    });
}
