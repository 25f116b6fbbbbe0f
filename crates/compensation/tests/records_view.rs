//! The undos of durable sagas as records: what the view says of each course of a saga.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use std::sync::Arc;

use compensation::{
    CompensationStatus, Engine, Order, RetryPolicy, Saga, SagaRecordQuery, SagaRecords, Status,
    Timestamp,
    records::{RecordError, UndoRecord},
    repository::{Append, Created, Entry, Head, MemoryRepository, NewSaga, Repository},
};
use durable::{Does, Gate, World, id, life, on};

fn view(data: &MemoryRepository) -> SagaRecords {
    SagaRecords::new(Arc::new(data.another_owner()))
}

async fn history(data: &MemoryRepository, saga: &str) -> Vec<UndoRecord> {
    view(data).history(&id(saga)).await.expect("a history")
}

/// The steps, and how their undos stand.
fn standing(undos: &[UndoRecord]) -> Vec<(&str, &str)> {
    undos.iter().map(|undo| (undo.activity_name.as_str(), undo.status.as_str())).collect()
}

fn reasons(undos: &[UndoRecord]) -> Vec<&str> {
    undos.iter().map(|undo| undo.reason.as_deref().unwrap_or_default()).collect()
}

fn order() -> Order {
    Order::new("Ada", "the customer called")
}

async fn started(data: &MemoryRepository, saga: Saga<u32>) -> Engine {
    on(data).register(saga).start().await.expect("start")
}

#[test]
fn undos_are_registered_before_anything_runs() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let engine = started(&data, world.chain("trip", &["a", "b", "c"])).await;
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        let undos = history(&data, "1").await;
        assert_eq!(standing(&undos), [("a", "pending"), ("b", "pending"), ("c", "pending")]);
        let (done, waiting) = (&undos[0], &undos[2]);
        assert_eq!(done.workflow_id, "1");
        assert_eq!(done.metadata["saga"], "trip");
        assert_eq!(done.compensation_data, "made by a", "what the undo would be given");
        assert!(waiting.compensation_data.is_null());
        assert_eq!((done.started_at, done.completed_at, done.duration), (None, None, None));
    });
}

#[test]
fn undos_of_a_completed_saga_are_skipped_and_not_pending() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = started(&data, world.chain("trip", &["a", "b"])).await;
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        let undos = history(&data, "1").await;
        assert_eq!(standing(&undos), [("a", "skipped"), ("b", "skipped")]);
        assert_eq!(reasons(&undos), ["the saga completed"; 2]);
        assert!(undos[0].completed_at.is_some());
        assert!(view(&data).pending(None).await.expect("a page").records.is_empty());
        // Until a person wants them after all.
        engine.cancel(&id("1"), order()).await.expect("cancelled");
        let _ = engine.wait(&id("1")).await.expect("an outcome");
        let undos = history(&data, "1").await;
        assert_eq!(standing(&undos), [("a", "completed"), ("b", "completed")]);
        assert_eq!(reasons(&undos), [""; 2]);
    });
}

#[test]
fn undos_of_a_compensated_saga_are_completed_or_were_not_needed() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    life(async {
        let engine = started(&data, world.chain("trip", &["a", "b", "c"])).await;
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert_eq!(outcome.report().status(), Status::Compensated);
        let undos = history(&data, "1").await;
        assert_eq!(standing(&undos), [("a", "completed"), ("b", "skipped"), ("c", "skipped")]);
        assert_eq!(reasons(&undos), ["", "its step had no effect", "its step was never started"]);
        let done = &undos[0];
        assert!(done.started_at.is_some() && done.completed_at.is_some());
        assert!(done.duration.is_some());
        assert_eq!((done.retries, done.error.as_deref()), (0, None));
        assert!(undos.iter().all(|undo| undo.updated_at >= undo.created_at()));
    });
}

#[test]
fn an_undo_whose_process_died_is_running_until_it_is_taken_over() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    let trip = world.chain("trip", &["a", "b"]);
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Waits(gate.clone()));
    life(async {
        let engine = started(&data, trip.clone()).await;
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
    });
    world.heal("^a");
    life(async {
        let undos = history(&data, "1").await;
        assert_eq!(standing(&undos), [("a", "running"), ("b", "skipped")]);
        assert!(undos[0].started_at.is_some());
        assert_eq!((undos[0].completed_at, undos[0].retries), (None, 0));
        let pending = view(&data).pending(None).await.expect("a page");
        assert_eq!(standing(&pending.records), [("a", "running")]);

        let engine = started(&data, trip).await;
        let _ = engine.wait(&id("1")).await.expect("an outcome");
        let again = history(&data, "1").await;
        assert_eq!(standing(&again), [("a", "completed"), ("b", "skipped")]);
        assert_eq!(again[0].retries, 1, "the attempt that was cut off counts");
        assert_eq!(again[0].started_at, undos[0].started_at);
        assert_eq!(again[0].id, undos[0].id, "it is the same record");
        assert!(again[0].revision > undos[0].revision);
    });
}

/// A saga that is stuck because the undo of `b` fails twice; the undo of `a` ran nevertheless.
async fn stuck(data: &MemoryRepository, world: &World) -> Engine {
    world.tell("c", Does::Refuses);
    world.tell("^b", Does::Fails);
    let mut trip = Saga::builder("trip");
    for step in ["a", "b", "c"] {
        let retry = RetryPolicy::new(2);
        trip.step(step, world.action(step)).undo(world.undo(step)).undo_retry(retry).add();
    }
    let engine = started(data, trip.build().expect("a sound saga")).await;
    let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
    assert_eq!(outcome.report().status(), Status::Stuck);
    engine
}

#[test]
fn an_undo_that_is_parked_is_failed() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let _engine = stuck(&data, &world).await;
        let undos = history(&data, "1").await;
        assert_eq!(standing(&undos), [("a", "completed"), ("b", "failed"), ("c", "skipped")]);
        let failed = &undos[1];
        assert_eq!((failed.retries, failed.error.as_deref()), (1, Some("^b failed")));
        assert!(failed.completed_at.is_some() && failed.duration.is_some());
        let summary = view(&data).summary(&id("1")).await.expect("a summary");
        let counts = CompensationStatus::ALL.map(|status| summary.get(status));
        assert_eq!(counts, [0, 0, 1, 1, 1]);
        let found = view(&data).get(&id("1"), "b").await.expect("an answer");
        assert_eq!(found.as_ref(), Some(failed));
        assert_eq!(view(&data).get(&id("1"), "x").await.expect("an answer"), None);
    });
}

#[test]
fn a_parked_undo_that_is_tried_again_goes_on_with_its_count() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        world.heal("^b");
        engine.retry(&id("1"), "b", order()).await.expect("an order");
        let _ = engine.wait(&id("1")).await.expect("an outcome");
        let undo = &history(&data, "1").await[1];
        assert_eq!(undo.status, CompensationStatus::Completed);
        assert_eq!((undo.retries, undo.error.as_deref()), (2, None));
    });
}

#[test]
fn what_a_person_decided_is_the_reason() {
    for (skips, status, said) in
        [(true, "skipped", "skipped by"), (false, "completed", "declared done by")]
    {
        let (data, world) = (MemoryRepository::new(), World::default());
        life(async {
            let engine = stuck(&data, &world).await;
            if skips {
                engine.skip(&id("1"), "b", order()).await.expect("an order");
            } else {
                engine.mark_undone(&id("1"), "b", order()).await.expect("an order");
            }
            let undos = history(&data, "1").await;
            assert_eq!(standing(&undos)[1], ("b", status));
            assert_eq!(reasons(&undos)[1], format!("{said} Ada: the customer called"));
            assert_eq!(undos[1].error.is_some(), skips, "a success has no error");
        });
    }
}

#[test]
fn undos_of_an_abandoned_saga_are_over() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    let a = trip.step("a", world.action("a")).undo(world.undo("a")).add();
    let retry = RetryPolicy::none();
    let b = trip.step("b", world.action("b")).undo(world.undo("b")).undo_retry(retry).after(&a);
    let b = b.add();
    trip.step("c", world.action("c")).undo(world.undo("c")).after(&b).add();
    trip.halt_on_undo_failure();
    let trip = trip.build().expect("a sound saga");
    world.tell("c", Does::Refuses);
    world.tell("^b", Does::Fails);
    life(async {
        let engine = started(&data, trip).await;
        let _ = engine.run("trip", id("1"), &1).await.expect("an outcome");
        let undos = history(&data, "1").await;
        assert_eq!(standing(&undos), [("a", "pending"), ("b", "failed"), ("c", "skipped")]);
        engine.abandon(&id("1"), order()).await.expect("an order");
        let undos = history(&data, "1").await;
        assert_eq!(standing(&undos), [("a", "skipped"), ("b", "failed"), ("c", "skipped")]);
        assert_eq!(reasons(&undos)[0], "given up by Ada: the customer called");
        assert!(view(&data).pending(None).await.expect("a page").records.is_empty());
    });
}

#[test]
fn undos_of_a_saga_past_its_pivot_are_not_needed() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("c", Does::Waits(gate.clone()));
    let mut trip = Saga::builder("trip");
    let a = trip.step("a", world.action("a")).undo(world.undo("a")).add();
    let b = trip.step("b", world.action("b")).no_undo("no way back").pivot().after(&a).add();
    trip.step("c", world.action("c")).no_undo("it is retried").after(&b).add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = started(&data, trip).await;
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        let undos = history(&data, "1").await;
        assert_eq!(standing(&undos), [("a", "skipped")], "steps without an undo have no record");
        assert_eq!(reasons(&undos), ["the saga is past its pivot"]);
    });
}

#[test]
fn records_of_a_saga_sort_by_its_steps_and_are_always_the_same() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = started(&data, world.chain("trip", &["a", "b", "c"])).await;
        for saga in ["1", "2"] {
            let _ = engine.run("trip", id(saga), &1).await.expect("an outcome");
        }
        let (one, two) = (history(&data, "1").await, history(&data, "2").await);
        assert!(one.is_sorted_by_key(|undo| undo.id) && two.is_sorted_by_key(|undo| undo.id));
        assert!(one.iter().all(|undo| two.iter().all(|other| other.id != undo.id)));
        assert_eq!(one, history(&data, "1").await);
        let saga = data.load(&id("1")).await.expect("a load").expect("a saga");
        assert_eq!(one[0].created_at(), saga.summary.created);
    });
}

#[test]
fn a_listing_is_by_saga_and_can_be_narrowed() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = started(&data, world.chain("trip", &["a", "b"])).await;
        for saga in ["1", "2", "3"] {
            let _ = engine.run("trip", id(saga), &1).await.expect("an outcome");
        }
        world.tell("b", Does::Refuses);
        world.tell("^a", Does::Fails);
        let _ = engine.run("trip", id("4"), &1).await.expect("an outcome");
        let view = view(&data);
        let list = async |query| view.list(query).await.expect("a page");
        let two = SagaRecordQuery { limit: 2, ..SagaRecordQuery::default() };
        let page = list(two.clone()).await;
        let sagas: Vec<_> = page.records.iter().map(|undo| undo.workflow_id.as_str()).collect();
        assert_eq!(sagas, ["4", "4", "3", "3"]);
        let page = list(SagaRecordQuery { after: page.next, ..two }).await;
        assert_eq!(page.records.len(), 4);
        let failed = SagaRecordQuery {
            statuses: vec![CompensationStatus::Failed],
            ..SagaRecordQuery::default()
        };
        let page = list(failed.clone()).await;
        assert_eq!(standing(&page.records), [("a", "failed")]);
        let of_b = SagaRecordQuery { activity_name: Some("b".to_owned()), ..failed.clone() };
        assert!(list(of_b).await.records.is_empty());
        let other = SagaRecordQuery { saga: Some("order".to_owned()), ..failed };
        assert!(list(other).await.records.is_empty());
        let pending = view.pending(None).await.expect("a page");
        assert_eq!(standing(&pending.records), [("a", "failed")]);
    });
}

#[test]
fn a_saga_that_can_not_be_read_is_told_and_holds_up_no_other() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = started(&data, world.chain("trip", &["a"])).await;
        let _ = engine.run("trip", id("1"), &1).await.expect("an outcome");
        let store = data.another_owner();
        let head = Head { status: Status::Running, reason: None };
        let at = Timestamp::from_millis(1_000);
        let plan = data.load(&id("1")).await.expect("a load").expect("a saga").plan;
        let saga = NewSaga {
            id: id("bad"),
            name: "trip".into(),
            plan,
            input: "1".to_owned(),
            head: head.clone(),
            entry: Entry { at, body: r#"[{"e":"action_started","s":0}]"#.to_owned() },
        };
        let Created::New(key) = store.create(saga).await.expect("a start") else { panic!("new") };
        let entry = Entry { at, body: r#"[{"e":"reincarnated"}]"#.to_owned() };
        store.append(Append { key, seq: 1, entry, head }).await.expect("an entry");
        let error = view(&data).history(&id("bad")).await.expect_err("a refusal");
        assert!(
            matches!(&error, RecordError::Unreadable { workflow_id, .. } if workflow_id == "bad"),
            "{error:?}"
        );
        let page = view(&data).list(SagaRecordQuery::default()).await.expect("a page");
        assert_eq!(standing(&page.records), [("a", "skipped")]);
        assert_eq!(page.unreadable.len(), 1);
        assert!(page.unreadable[0].1.contains("reincarnated"), "{:?}", page.unreadable);
    });
}

#[test]
fn a_saga_that_nobody_knows_has_no_records() {
    let data = MemoryRepository::new();
    life(async {
        assert!(history(&data, "1").await.is_empty());
        assert_eq!(view(&data).summary(&id("1")).await.expect("a summary").total(), 0);
    });
}
