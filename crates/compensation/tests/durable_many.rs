//! Orders to many sagas: what they would be given to, and what comes of each.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use compensation::{
    Applied, Engine, EngineError, Expected, Mask, Order, Plan, Selection, Status, Timestamp, Verb,
    repository::{MemoryRepository, Query},
};
use durable::{Does, Gate, World, id, life, on};

fn order() -> Order {
    Order::new("Ada", "the line is up again")
}

fn of(name: &str) -> Selection {
    Selection {
        query: Query { name: Some(name.to_owned()), ..Query::default() },
        ..Selection::default()
    }
}

/// Sagas `1` to `3`, stuck because the undo of `a` fails, and `4`, which is completed.
async fn stuck(data: &MemoryRepository, world: &World) -> Engine {
    let engine = on(data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    for saga in ["1", "2", "3"] {
        let _ = engine.run("trip", id(saga), &1).await.expect("an outcome");
    }
    world.heal("b");
    let _ = engine.run("trip", id("4"), &1).await.expect("an outcome");
    world.trace();
    engine
}

fn said(targets: &compensation::Targets) -> Vec<String> {
    let one = |target: &compensation::Target| {
        format!("{} {} {:?}", target.id, target.step.as_deref().unwrap_or("-"), target.expected)
    };
    targets.list.iter().map(one).collect()
}

#[test]
fn a_retry_of_many_is_for_each_step_that_waits_and_the_oldest_come_first() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        let before = durable::journal(&data, "1").await;
        let found = engine.select(Verb::Retry, &Selection::default(), |_, _| {}).await;
        let found = found.expect("a store");
        assert_eq!(said(&found), ["1 a Changed", "2 a Changed", "3 a Changed"]);
        assert_eq!((found.sagas, found.more), (3, false));
        let why = found.list[0].why.as_deref();
        assert_eq!(why, Some("its undo failed and has no attempts left"));
        assert_eq!(durable::journal(&data, "1").await, before, "nothing was done");
        let done = engine.select(Verb::Done, &Selection::default(), |_, _| {}).await;
        assert!(done.expect("a store").list.is_empty(), "it is undos that wait");
    });
}

#[test]
fn an_order_to_many_goes_on_after_refusals_and_says_what_came_of_each() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        world.heal("^a");
        let found = engine.select(Verb::Retry, &of("trip"), |_, _| {}).await.expect("a store");
        engine.abandon(&id("1"), order()).await.expect("abandoned");
        let may = |saga: compensation::SagaId| async move {
            let reason = "not that one".to_owned();
            if saga == id("2") { Err(EngineError::Held { id: saga, reason }) } else { Ok(()) }
        };
        let given = engine.give_all(Verb::Retry, found.list, &order(), may).await;
        let [one, two, three] = &given[..] else { panic!("{given:?}") };
        assert!(matches!(one.answer, Err(EngineError::Refused { .. })), "{one:?}");
        assert!(matches!(two.answer, Err(EngineError::Held { .. })), "{two:?}");
        assert!(matches!(three.answer, Ok(Applied::Changed)), "{three:?}");
        let _ = engine.wait(&id("3")).await.expect("an outcome");
        assert_eq!(world.trace(), ["^a"]);
        let counts = engine.counts().await.expect("counts");
        assert_eq!((counts.get(Status::Compensated), counts.get(Status::Stuck)), (1, 1));
    });
}

#[test]
fn what_an_undo_of_many_would_do_is_said_for_each_saga() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        let found = engine.select(Verb::Undo, &of("trip"), |_, _| {}).await.expect("a store");
        assert_eq!(said(&found), ["1 - Already", "2 - Already", "3 - Already", "4 - Changed"]);
        let undoes: Vec<&str> = found.list[3].undoes.iter().map(|step| &**step).collect();
        assert_eq!(undoes, ["b", "a"]);
        let abandon = engine.select(Verb::Abandon, &of("trip"), |_, _| {}).await.expect("a store");
        let Expected::Refused(why) = &abandon.list[3].expected else { panic!("{abandon:?}") };
        assert!(why.contains("only a saga that is not over"), "{why}");
    });
}

#[test]
fn a_selection_is_narrowed_by_step_status_and_definition() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        let count = async |verb, selection: Selection| {
            engine.select(verb, &selection, |_, _| {}).await.expect("a store").list.len()
        };
        assert_eq!(count(Verb::Retry, of("another")).await, 0);
        let at = |step: &str| Selection { step: Some(step.to_owned()), ..Selection::default() };
        assert_eq!([count(Verb::Skip, at("a")).await, count(Verb::Skip, at("b")).await], [3, 0]);
        assert_eq!(count(Verb::Abandon, at("a")).await, 3, "whole sagas, by a step that waits");
        let query = Query { status: vec![Status::Completed], ..Query::default() };
        let completed = Selection { query, ..Selection::default() };
        assert_eq!(count(Verb::Undo, completed).await, 1);
    });
}

#[test]
fn a_selection_stops_at_its_limit_and_says_that_there_is_more() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        let select = async |limit| {
            let selection = Selection { limit, ..Selection::default() };
            engine.select(Verb::Retry, &selection, |_, _| {}).await.expect("a store")
        };
        let (two, three) = (select(2).await, select(3).await);
        assert_eq!((two.list.len(), two.sagas, two.more), (2, 2, true));
        assert_eq!((three.list.len(), three.sagas, three.more), (3, 3, false));
        let looks = Selection { looks: 1, ..Selection::default() };
        let one = engine.select(Verb::Retry, &looks, |_, _| {}).await.expect("a store");
        assert_eq!((one.list.len(), one.more), (1, true));
    });
}

#[test]
fn what_has_changed_since_it_was_seen_is_left_out() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        let listed = engine.list(Query::default()).await.expect("a store").sagas;
        let last = listed.iter().map(|saga| saga.updated).max().expect("sagas");
        let select = async |since: Timestamp| {
            let unchanged_since = Some(since);
            let selection = Selection { unchanged_since, ..Selection::default() };
            engine.select(Verb::Retry, &selection, |_, _| {}).await.expect("a store").list.len()
        };
        assert_eq!(select(last).await, 3);
        assert_eq!(select(last.earlier_by(std::time::Duration::from_secs(3_600))).await, 0);
    });
}

#[test]
fn what_is_secret_is_masked_in_the_reasons_that_are_shown() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        let hide = |mask: &mut Mask, plan: &Plan| {
            assert_eq!(plan.saga, "trip");
            mask.hide("^a failed");
        };
        let found = engine.select(Verb::Abandon, &of("trip"), hide).await.expect("a store");
        let why = found.list[0].why.as_deref().expect("a reason");
        assert!(why.ends_with("(***)"), "{why}");
    });
}

#[test]
fn only_what_nobody_drives_and_would_go_on_is_found_to_be_resumed() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    life(async { drop(stuck(&data, &world).await) });
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
        engine.start("trip", id("left"), &1).await.expect("started");
        gate.reached(1).await;
        let driven = engine.select(Verb::Resume, &Selection::default(), |_, _| {}).await;
        assert!(driven.expect("a store").list.is_empty());
    });
    world.heal("b");
    life(async {
        let trip = world.chain("trip", &["a", "b"]);
        let engine = on(&data).register(trip).without_recovery().start().await.expect("start");
        let found = engine.select(Verb::Resume, &Selection::default(), |_, _| {}).await;
        let found = found.expect("a store");
        assert_eq!(said(&found), ["left - Changed"]);
        let applied = engine.give(Verb::Resume, &found.list[0], order()).await.expect("given");
        assert_eq!(applied, Applied::Changed);
        assert!(engine.wait(&id("left")).await.expect("an outcome").is_completed());
    });
}

#[test]
fn of_one_saga_a_named_step_is_judged_whether_it_waits_or_not() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        let one = engine.select_one(Verb::Retry, &id("1"), None, |_, _| {}).await.expect("there");
        assert_eq!(said(&one), ["1 a Changed"]);
        let b = engine.select_one(Verb::Retry, &id("1"), Some("b"), |_, _| {}).await;
        let Expected::Refused(why) = &b.expect("there").list[0].expected else { panic!() };
        assert!(why.contains("only a step or an undo that is parked"), "{why}");
        let none = engine.select_one(Verb::Retry, &id("1"), Some("x"), |_, _| {}).await;
        assert!(matches!(none, Err(EngineError::UnknownStep { .. })));
    });
}
