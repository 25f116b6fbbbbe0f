//! What a person may order, and what the record says of it.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod durable;

use compensation::{
    EngineError, Order, Outcome, Saga, Status, machine::Phase, repository::MemoryRepository,
};
use durable::{Does, Gate, World, id, journal, life, on};

fn order() -> Order {
    Order::new("Ada", "the customer called")
}

/// A saga that is stuck because the undo of `a` fails.
async fn stuck(data: &MemoryRepository, world: &World) -> compensation::Engine {
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    let engine = on(data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
    let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
    assert!(matches!(outcome, Outcome::Stuck(_)));
    assert_eq!(
        outcome.report().reason().expect("a reason"),
        "step `a` needs a person: its undo failed and has no attempts left (^a failed)"
    );
    world.trace();
    engine
}

#[test]
fn a_running_saga_that_is_cancelled_is_undone_once_its_step_has_settled() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b", "c"])).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        engine.cancel(&id("1"), order()).await.expect("cancelled");
        assert_eq!(world.trace(), ["a", "b"], "an action in flight is not raced by its undo");
        gate.open();
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["^b", "^a"]);
        let said = journal(&data, "1").await.join("\n");
        assert!(said.contains(r#""by":"Ada","why":"the customer called""#), "{said}");
    });
}

#[test]
fn a_completed_saga_can_be_undone() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        engine.cancel(&id("1"), order()).await.expect("cancelled");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["a", "b", "^b", "^a"]);
    });
}

#[test]
fn after_its_pivot_a_saga_can_not_be_undone() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    trip.step("a", world.action("a")).undo(world.undo("a")).add();
    trip.step("b", world.action("b")).no_undo("it is the point of no return").pivot().add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        let error = engine.cancel(&id("1"), order()).await.expect_err("too late");
        assert!(matches!(error, EngineError::Refused { .. }), "{error}");
        assert!(error.to_string().contains("it is past its pivot"), "{error}");
        assert_eq!(world.trace(), ["a", "b"]);
        // Asking changed nothing, and nobody holds it.
        let found = engine.list(Default::default()).await.expect("a list").sagas.remove(0);
        assert_eq!((found.head.status, found.owned), (Status::Completed, false));
    });
}

#[test]
fn a_parked_undo_can_be_ordered_again() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        world.heal("^a");
        engine.retry(&id("1"), "a", order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["^a"]);
    });
}

#[test]
fn a_parked_undo_that_fails_again_is_stuck_again() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        engine.retry(&id("1"), "a", order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        assert_eq!(outcome.report().failures().len(), 3);
    });
}

#[test]
fn a_parked_undo_can_be_skipped() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        engine.skip(&id("1"), "a", order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(outcome.report().phase("a"), Some(Phase::UndoSkipped));
        assert_eq!(world.trace(), Vec::<String>::new());
    });
}

#[test]
fn a_parked_undo_can_be_declared_done() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        engine.mark_done(&id("1"), "a", None, order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), Vec::<String>::new());
    });
}

#[test]
fn a_stuck_saga_can_be_abandoned_by_name() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        engine.abandon(&id("1"), order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        let Outcome::Abandoned(report) = outcome else { panic!("{outcome:?}") };
        assert_eq!(report.abandoned(), Some(&order()));
        assert_eq!(report.reason().as_deref(), Some("by Ada: the customer called"));
        let error = engine.retry(&id("1"), "a", order()).await.expect_err("it is over");
        assert!(matches!(error, EngineError::Refused { .. }));
    });
}

#[test]
fn an_output_that_a_person_gives_is_read_by_later_steps() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    let a = trip
        .step("a", world.action("a"))
        .undo(world.undo("a"))
        .unknown(compensation::machine::UnknownPolicy::Park)
        .add();
    trip.step("b", move |cx| async move {
        Ok::<_, compensation::OutputMissing>(cx.output(&a)?.clone())
    })
    .no_undo("it only reads")
    .add();
    let trip = trip.build().expect("a sound saga");
    world.tell("a", Does::Fails);
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        let output = serde_json::value::RawValue::from_string(r#""by hand""#.to_owned());
        let output = output.expect("JSON");
        engine.mark_done(&id("1"), "a", Some(output), order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(outcome.is_completed(), "{outcome:?}");
        let read = engine.report(&id("1")).await.expect("a report");
        assert_eq!(read.stored_output("b").expect("an output").get(), r#""by hand""#);
    });
}

#[test]
fn an_output_of_another_type_than_the_step_has_is_refused() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    trip.step("a", world.action("a"))
        .undo(world.undo("a"))
        .unknown(compensation::machine::UnknownPolicy::Park)
        .add();
    let trip = trip.build().expect("a sound saga");
    world.tell("a", Does::Fails);
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let _ = engine.run("trip", id("1"), &1).await.expect("an outcome");
        let output = serde_json::value::RawValue::from_string("17".to_owned()).expect("JSON");
        let error = engine.mark_done(&id("1"), "a", Some(output), order()).await;
        let error = error.expect_err("a string is wanted");
        assert!(error.to_string().contains("invalid type: integer `17`"), "{error}");
        assert_eq!(engine.report(&id("1")).await.expect("a report").status(), Status::Stuck);
        engine.mark_done(&id("1"), "a", None, order()).await.expect("it can still be mended");
    });
}

#[test]
fn an_order_for_a_step_that_is_not_there_names_those_that_are() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        let error = engine.retry(&id("1"), "c", order()).await.expect_err("no such step");
        assert_eq!(error.to_string(), "saga `1` has no step `c`: its steps are `a`, `b`");
        let error = engine.retry(&id("2"), "a", order()).await.expect_err("no such saga");
        assert_eq!(error.to_string(), "there is no saga `2` in this store");
    });
}

#[test]
fn an_order_for_a_saga_of_another_living_process_is_refused() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let trip = world.chain("trip", &["a"]);
        let one = on(&data).register(trip.clone()).start().await.expect("start");
        let two = on(&data).register(trip).start().await.expect("start");
        one.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        let error = two.cancel(&id("1"), order()).await.expect_err("another's");
        assert!(matches!(error, EngineError::OwnedElsewhere { .. }), "{error}");
        gate.open();
        assert!(two.wait(&id("1")).await.expect("an outcome").is_completed());
    });
}

#[test]
fn orders_outlive_the_process_that_took_them() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    let trip = world.chain("trip", &["a", "b"]);
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let engine = on(&data).register(trip.clone()).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        engine.cancel(&id("1"), order()).await.expect("cancelled");
    });
    world.heal("b");
    world.trace();
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["^b", "^a"], "`b` may have had its effect");
    });
}
