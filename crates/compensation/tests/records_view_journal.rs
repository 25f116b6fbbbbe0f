//! The undos of durable sagas as records: what the view reads from a journal, moment by moment.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use std::{sync::Arc, time::Duration};

use compensation::{
    CompensationStatus, RetryPolicy, Saga, SagaRecords, Status, Timestamp,
    machine::UnknownPolicy,
    records::UndoRecord,
    repository::{Append, Created, Entry, Head, MemoryRepository, NewSaga, Repository as _},
};
use durable::{World, id, life};

fn at(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis))
}

/// What the view says of a saga of that plan with a journal of these entries.
fn view(saga: &Saga<u32>, journal: &[(i64, &str)]) -> Vec<UndoRecord> {
    let data = MemoryRepository::new();
    life(async {
        let head = Head { status: Status::Running, reason: None };
        let mut key = None;
        for (&(millis, body), seq) in journal.iter().zip(0..) {
            let entry = Entry { at: Timestamp::from_millis(millis), body: body.to_owned() };
            match key {
                None => {
                    let saga = NewSaga {
                        id: id("1"),
                        name: "trip".into(),
                        plan: serde_json::to_string(saga.plan()).expect("plain data").into(),
                        input: "1".to_owned(),
                        head: head.clone(),
                        entry,
                    };
                    let created = data.create(saga).await.expect("a start");
                    let Created::New(new) = created else { panic!("new") };
                    key = Some(new);
                }
                Some(key) => {
                    let append = Append { key, seq, entry, head: head.clone() };
                    data.append(append).await.expect("an entry");
                }
            }
        }
        let records = SagaRecords::new(Arc::new(data.another_owner()));
        records.history(&id("1")).await.expect("a history")
    })
}

const REFUSED: &str = r#""failure":{"message":"full","certainty":"not_done","retryable":false}"#;
const LOST: &str = r#""failure":{"message":"lost","certainty":"unknown","retryable":true}"#;

/// Two steps, each with two attempts of its undo.
fn chain() -> Saga<u32> {
    let world = World::default();
    let mut trip = Saga::builder("trip");
    for step in ["a", "b"] {
        let retry = RetryPolicy::new(2);
        trip.step(step, world.action(step)).undo(world.undo(step)).undo_retry(retry).add();
    }
    trip.build().expect("a sound saga")
}

#[test]
fn moments_attempts_and_errors_are_those_of_the_journal() {
    let forward = [
        (1_000, r#"[{"e":"action_started","s":0}]"#.to_owned()),
        (
            2_000,
            r#"[{"e":"action_done","s":0,"output":7},{"e":"action_started","s":1}]"#.to_owned(),
        ),
        (
            3_000,
            format!(r#"[{{"e":"action_failed","s":1,{REFUSED}}},{{"e":"undo_started","s":0}}]"#),
        ),
        (4_000, format!(r#"[{{"e":"undo_failed","s":0,{LOST}}}]"#)),
        (5_000, r#"[{"e":"undo_started","s":0}]"#.to_owned()),
        (6_500, r#"[{"e":"undo_done","s":0}]"#.to_owned()),
    ];
    let until = |entries: usize| {
        let journal: Vec<_> =
            forward[..entries].iter().map(|(millis, body)| (*millis, body.as_str())).collect();
        let mut undos = view(&chain(), &journal);
        assert_eq!(undos.len(), 2);
        (undos.remove(0), undos.remove(0))
    };

    let (a, b) = until(2);
    assert_eq!((a.status, b.status), (CompensationStatus::Pending, CompensationStatus::Pending));
    assert_eq!((Some(a.created_at()), Some(a.updated_at)), (at(1_000), at(2_000)));
    assert_eq!(a.revision, 2);

    let (a, b) = until(3);
    assert_eq!((a.status, a.started_at), (CompensationStatus::Running, at(3_000)));
    assert_eq!((b.status, b.completed_at), (CompensationStatus::Skipped, at(3_000)));

    let (a, _) = until(4);
    assert_eq!(a.status, CompensationStatus::Running, "another attempt is waited for");
    assert_eq!((a.error.as_deref(), a.completed_at), (Some("lost"), None));

    let (a, _) = until(6);
    assert_eq!(a.status, CompensationStatus::Completed);
    assert_eq!((a.started_at, a.completed_at), (at(3_000), at(6_500)));
    assert_eq!(a.duration, Some(Duration::from_millis(3_500)));
    assert_eq!((a.retries, a.error), (1, None));
    assert_eq!(a.compensation_data, 7);
}

#[test]
fn an_undo_of_which_nobody_knows_whether_it_is_owed_is_failed() {
    let world = World::default();
    let mut trip = Saga::builder("trip");
    let a = trip.step("a", world.action("a")).undo(world.undo("a")).independent();
    a.retry(RetryPolicy::none()).unknown(UnknownPolicy::Park).add();
    trip.step("b", world.action("b")).undo(world.undo("b")).independent().add();
    let journal = [
        (1_000, r#"[{"e":"action_started","s":0},{"e":"action_started","s":1}]"#.to_owned()),
        (2_000, format!(r#"[{{"e":"action_failed","s":0,{LOST}}}]"#)),
        (3_000, format!(r#"[{{"e":"action_failed","s":1,{REFUSED}}}]"#)),
    ];
    let journal: Vec<_> = journal.iter().map(|(at, body)| (*at, body.as_str())).collect();
    let trip = trip.build().expect("a sound saga");

    let waits = &view(&trip, &journal[..2])[0];
    assert_eq!(waits.status, CompensationStatus::Pending, "it may yet go forward");

    let parked = &view(&trip, &journal)[0];
    assert_eq!(parked.status, CompensationStatus::Failed);
    assert_eq!(parked.error.as_deref(), Some("nobody knows whether it had its effect"));
    assert_eq!((parked.started_at, parked.completed_at), (None, at(3_000)));
    assert_eq!((parked.duration, parked.retries), (None, 0));
}

#[test]
fn a_parked_undo_that_is_ordered_again_is_not_over() {
    let failed = format!(r#"[{{"e":"undo_failed","s":0,{REFUSED}}}]"#);
    let journal = [
        (1_000, r#"[{"e":"action_started","s":0}]"#),
        (2_000, r#"[{"e":"action_done","s":0},{"e":"cancel_requested","by":"Ada","why":"x"}]"#),
        (3_000, r#"[{"e":"undo_started","s":0}]"#),
        (4_000, failed.as_str()),
        (5_000, r#"[{"e":"retry_ordered","s":0,"by":"Ada","why":"x"}]"#),
        (6_000, r#"[{"e":"undo_started","s":0}]"#),
    ];
    let undo = |entries: usize| view(&chain(), &journal[..entries]).remove(0);
    let parked = undo(4);
    assert_eq!(parked.status, CompensationStatus::Failed);
    assert_eq!((parked.completed_at, parked.retries), (at(4_000), 0));
    for entries in [5, 6] {
        let again = undo(entries);
        assert_eq!(again.status, CompensationStatus::Running);
        assert_eq!((again.started_at, again.completed_at), (at(3_000), None));
        assert_eq!(again.error.as_deref(), Some("full"));
    }
    assert_eq!(undo(6).retries, 1);
}

#[test]
fn a_journal_with_a_clock_that_was_set_back_has_no_span() {
    let journal = [
        (9_000, r#"[{"e":"action_started","s":0}]"#),
        (9_000, r#"[{"e":"action_done","s":0},{"e":"cancel_requested","by":"Ada","why":"x"}]"#),
        (9_000, r#"[{"e":"undo_started","s":0}]"#),
        (8_000, r#"[{"e":"undo_done","s":0}]"#),
    ];
    let undo = &view(&chain(), &journal)[0];
    assert_eq!((undo.started_at, undo.completed_at), (at(9_000), at(8_000)));
    assert_eq!(undo.duration, Some(Duration::ZERO));
}
