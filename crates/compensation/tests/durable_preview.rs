//! What would be undone, and what happened: told from the record, without a change.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod durable;

use compensation::{
    EngineError, Order, Outcome, Preview, RetryPolicy, Saga, Status, Timestamp,
    machine::{Change, Effect, Park, UnknownPolicy},
    repository::{Entry, Head, MemoryRepository, NewSaga, Repository},
};
use durable::{Does, Gate, World, id, journal, life, on};

fn order() -> Order {
    Order::new("Ada", "the customer called")
}

/// Each undo with its stage and what it waits for.
fn undos(preview: &Preview) -> Vec<(String, u32, String)> {
    let line = |undo: &compensation::UndoPreview| {
        let after: Vec<_> = undo.after.iter().map(|step| &**step).collect();
        (undo.step.to_string(), undo.stage, after.join(" "))
    };
    preview.undos.iter().map(line).collect()
}

fn line(step: &str, stage: u32, after: &str) -> (String, u32, String) {
    (step.to_owned(), stage, after.to_owned())
}

#[test]
fn a_completed_saga_is_previewed_as_it_is_then_undone() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let trip = world.chain("trip", &["a", "b", "c"]);
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(engine.run("trip", id("1"), &7).await.expect("an outcome").is_completed());
        let before = journal(&data, "1").await;
        let preview = engine.preview(&id("1")).await.expect("a preview");
        assert_eq!(undos(&preview), [line("c", 1, ""), line("b", 2, "c"), line("a", 3, "b")]);
        let first = &preview.undos[0];
        assert_eq!((first.effect, first.attempt, first.in_flight), (Effect::Sure, 1, false));
        assert_eq!(first.input.get(), "7");
        assert_eq!(first.output.as_ref().expect("an output").get(), r#""made by c""#);
        assert_eq!(preview.ends, Status::Compensated);
        assert_eq!(journal(&data, "1").await, before, "nothing happened");
        world.trace();
        engine.cancel(&id("1"), order()).await.expect("ordered");
        assert!(matches!(engine.wait(&id("1")).await, Ok(Outcome::Compensated(_))));
        assert_eq!(world.trace(), ["^c", "^b", "^a"]);
    });
}

#[test]
fn undos_that_may_run_side_by_side_are_of_one_stage() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    trip.step("a", world.action("a")).undo(world.undo("a")).add();
    trip.step("b", world.action("b")).after_named("a").undo(world.undo("b")).add();
    trip.step("c", world.action("c")).after_named("a").no_undo("it only reads").add();
    trip.step("d", world.action("d")).after_named("c").undo(world.undo("d")).add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        let preview = engine.preview(&id("1")).await.expect("a preview");
        assert_eq!(undos(&preview), [line("d", 1, ""), line("b", 1, ""), line("a", 2, "b d")]);
        assert_eq!(preview.kept, [("c".into(), "it only reads".to_owned())]);
    });
}

#[test]
fn what_is_in_flight_is_previewed_as_what_may_have_to_be_undone() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let trip = world.chain("trip", &["a", "b", "c"]);
        let engine = on(&data).register(trip).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        let preview = engine.preview(&id("1")).await.expect("a preview");
        assert_eq!(undos(&preview), [line("b", 1, ""), line("a", 2, "b")]);
        assert!(preview.undos[0].in_flight && preview.undos[0].output.is_none());
        gate.open();
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
    });
}

#[test]
fn a_step_of_unknown_outcome_is_previewed_without_an_output() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    let policy = UnknownPolicy::Park;
    trip.step("a", world.action("a")).undo(world.undo("a")).unknown(policy).add();
    let trip = trip.build().expect("a sound saga");
    world.tell("a", Does::Fails);
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(matches!(engine.run("trip", id("1"), &1).await, Ok(Outcome::Stuck(_))));
        let preview = engine.preview(&id("1")).await.expect("a preview");
        assert_eq!(undos(&preview), [line("a", 1, "")]);
        assert_eq!(preview.undos[0].effect, Effect::Maybe);
        assert!(preview.undos[0].output.is_none());
    });
}

#[test]
fn what_waits_for_a_person_is_told_and_goes_on_waiting() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    life(async {
        let trip = world.chain("trip", &["a", "b"]);
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(matches!(engine.run("trip", id("1"), &1).await, Ok(Outcome::Stuck(_))));
        let preview = engine.preview(&id("1")).await.expect("a preview");
        assert_eq!(undos(&preview), []);
        assert_eq!(preview.parked, [("a".into(), Park::UndoFailed)]);
        assert_eq!(preview.ends, Status::Stuck);
    });
}

#[test]
fn a_saga_past_its_pivot_has_no_preview() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    trip.step("a", world.action("a")).no_undo("it is the point of no return").pivot().add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        let error = engine.preview(&id("1")).await.expect_err("nothing is undone");
        assert!(matches!(error, EngineError::Refused { .. }), "{error}");
    });
}

#[test]
fn a_history_counts_attempts_and_names_who_ordered_what() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    life(async {
        let trip = world.chain("trip", &["a", "b"]);
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(matches!(engine.run("trip", id("1"), &1).await, Ok(Outcome::Stuck(_))));
        engine.retry(&id("1"), "a", order()).await.expect("ordered");
        let _ = engine.wait(&id("1")).await.expect("an outcome");
        let history = engine.history(&id("1")).await.expect("a history");
        let undos: Vec<_> = history
            .events
            .iter()
            .filter(|event| matches!(event.change, Change::UndoStarted(0)))
            .map(|event| event.attempt)
            .collect();
        assert_eq!(undos, [1, 2]);
        let ordered: Vec<_> = history.events.iter().filter_map(|it| it.order.clone()).collect();
        assert_eq!(ordered, [order()]);
        let failed = history.events.iter().rev().find_map(|event| event.failure.as_ref());
        assert_eq!(failed.expect("a failure").message(), "^a failed");
    });
}

#[test]
fn the_histories_of_several_sagas_are_those_of_each_and_a_damaged_record_is_its_own_error() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = on(&data).register(world.chain("trip", &["a"])).start().await.expect("start");
        for number in ["1", "2"] {
            assert!(engine.run("trip", id(number), &1).await.expect("an outcome").is_completed());
        }
        let damaged = NewSaga {
            id: id("damaged"),
            name: "trip".into(),
            plan: "{".into(),
            input: "1".to_owned(),
            head: Head { status: Status::Completed, reason: None },
            entry: Entry { at: Timestamp::from_millis(1), body: "[]".to_owned() },
        };
        data.create(damaged).await.expect("a saga");
        let ids = ["2", "nobody", "damaged", "1"].map(id).to_vec();
        let histories = engine.histories(ids).await.expect("histories");
        assert_eq!(histories.len(), 3);
        assert!(matches!(histories[&id("damaged")], Err(EngineError::Held { .. })));
        for number in ["1", "2"] {
            let alone = engine.history(&id(number)).await.expect("a history");
            let together = histories[&id(number)].as_ref().expect("a history");
            assert_eq!(together.summary, alone.summary);
            assert_eq!(together.events.len(), alone.events.len());
        }
    });
}

#[test]
fn a_saga_is_half_done_from_its_first_effect_until_it_is_over() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    life(async {
        let mut trip = Saga::builder("trip");
        let none = RetryPolicy::none();
        trip.step("a", world.action("a")).undo(world.undo("a")).undo_retry(none).add();
        trip.step("b", world.action("b")).no_undo("it refuses").add();
        let trip = trip.build().expect("a sound saga");
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(matches!(engine.run("trip", id("1"), &1).await, Ok(Outcome::Stuck(_))));
        let history = engine.history(&id("1")).await.expect("a history");
        let done = history.events.iter().find(|it| matches!(it.change, Change::ActionDone(0)));
        assert_eq!(history.half_done_since, done.map(|event| event.at));
        engine.skip(&id("1"), "a", order()).await.expect("ordered");
        let _ = engine.wait(&id("1")).await.expect("an outcome");
        let history = engine.history(&id("1")).await.expect("a history");
        assert_eq!(history.half_done_since, None);
    });
}

#[test]
fn what_a_definition_calls_secret_is_known_from_the_record() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::<u32>::builder("trip");
    trip.secret_input("*");
    trip.step("a", world.action("a")).undo(world.undo("a")).secret_output().add();
    trip.step("b", world.action("b")).undo(world.undo("b")).add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(engine.run("trip", id("1"), &4711).await.expect("an outcome").is_completed());
        let mask = engine.history(&id("1")).await.expect("a history").mask;
        assert!(mask.hides("a") && !mask.hides("b"));
        assert_eq!(mask.input("4711"), "\"***\"");
        assert_eq!(mask.output("b", r#""made by b""#), r#""made by b""#);
        assert_eq!(mask.text("room 4711 was made by a"), "room *** was ***");
        let stored = data.load(&id("1")).await.expect("a store").expect("a saga");
        assert_eq!(stored.input, "4711", "it is stored as it is");
    });
}
