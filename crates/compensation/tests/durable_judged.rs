//! What is judged of a stored saga before an order is given to it: it says what the order would do, and neither guesses
//! nor fails with the program.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use compensation::{
    Applied, EngineError, Expected, Order, Status, Verb,
    repository::{Created, Entry, Head, MemoryRepository, NewSaga, Repository},
};
use durable::{World, id, journal, left, life, on};

fn order() -> Order {
    Order::new("Ada", "the machine is gone")
}

#[test]
fn a_dry_run_knows_that_what_was_in_flight_died_with_its_process() {
    let (data, world) = (MemoryRepository::new(), World::default());
    left(&data, &world, world.chain("trip", &["a", "b"]), "1", "b");
    life(async {
        let engine = on(&data).without_recovery().start().await.expect("start");
        let found = engine.select_one(Verb::Abandon, &id("1"), None, |_, _| {}).await;
        let target = found.expect("a saga").list.remove(0);
        let given = engine.give(Verb::Abandon, &target, order()).await.expect("ordered");
        assert_eq!((target.expected, given), (Expected::Changed, Applied::Changed));
    });
}

#[test]
fn a_saga_whose_journal_lacks_what_its_head_says_is_not_driven_by_an_order() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a", "b"]);
    left(&data, &world, trip.clone(), "1", "b");
    life(async {
        let saga = data.load(&id("1")).await.expect("a store").expect("a saga");
        let damaged = NewSaga {
            id: id("2"),
            name: saga.summary.name,
            plan: saga.plan,
            input: saga.input,
            head: Head { status: Status::Completed, reason: None },
            entry: Entry { at: saga.journal[0].at, body: saga.journal[0].body.clone() },
        };
        assert!(matches!(data.create(damaged).await, Ok(Created::New(_))));
        let engine = on(&data).register(trip).without_recovery().start().await.expect("start");
        let before = journal(&data, "2").await;
        let resumed = engine.resume(&id("2")).await.expect_err("its end is lost");
        assert!(matches!(resumed, EngineError::Held { .. }), "{resumed}");
        let undone = engine.cancel(&id("2"), order()).await.expect_err("its end is lost");
        assert!(matches!(undone, EngineError::Held { .. }), "{undone}");
        assert_eq!(world.trace(), Vec::<String>::new(), "nobody may guess");
        assert_eq!(journal(&data, "2").await, before);
    });
}

#[test]
fn an_order_to_a_saga_whose_definition_can_not_be_made_is_refused_and_harms_nobody() {
    let (data, world) = (MemoryRepository::new(), World::default());
    left(&data, &world, world.chain("trip", &["a", "b"]), "1", "b");
    life(async {
        let opened = on(&data).without_recovery().resolve_with(|_| panic!("no such file"));
        let engine = opened.start().await.expect("start");
        let asked = engine.clone();
        let cancelled = tokio::spawn(async move { asked.cancel(&id("1"), order()).await }).await;
        let error = cancelled.expect("no panic").expect_err("nobody has it");
        assert!(matches!(error, EngineError::Held { .. }), "{error}");
        assert!(error.to_string().contains("no such file"), "{error}");
    });
}
