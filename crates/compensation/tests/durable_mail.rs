//! Orders to sagas that another process drives: they reach it by letter, are carried out once, and are answered as
//! if they had been given there.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;
#[path = "durable/hooked.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod hooked;

use std::time::Duration;

use compensation::{
    Applied, Engine, EngineError, Order, Outcome, Saga, Status, Timestamp,
    repository::{Letter, MemoryRepository, Query, Reply, Repository},
};
use durable::{Does, Gate, World, id, journal, life, on};
use hooked::{settle, until};

fn order() -> Order {
    Order::new("Ada", "the customer called")
}

/// Two engines on one store, the first of which drives saga `1`, at its gate in `b`.
async fn two(data: &MemoryRepository, trip: Saga<u32>, gate: &Gate) -> (Engine, Engine) {
    let one = on(data).register(trip.clone()).start().await.expect("start");
    let two = on(data).register(trip).start().await.expect("start");
    one.start("trip", id("1"), &1).await.expect("started");
    gate.reached(1).await;
    (one, two)
}

/// A letter with an order to undo saga `1`, as another process would post it.
fn cancel_letter(key: &str) -> Letter {
    let body = r#"{"e":"cancel_requested","by":"Ada","why":"late"}"#.to_owned();
    Letter { key: key.to_owned(), saga: id("1"), at: Timestamp::now(), body }
}

async fn answer(store: &MemoryRepository, key: &str) -> String {
    loop {
        match store.reply(key).await.expect("a reply") {
            Reply::Answered(text) => return text,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn cancels(data: &MemoryRepository) -> usize {
    journal(data, "1").await.join("").matches("cancel_requested").count()
}

#[test]
fn a_refusal_in_another_process_is_the_same_error_as_at_home() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let (one, two) = two(&data, world.chain("trip", &["a", "b"]), &gate).await;
        let here = one.skip(&id("1"), "a", order()).await.expect_err("it is done");
        let there = two.skip(&id("1"), "a", order()).await.expect_err("it is done");
        assert!(matches!(there, EngineError::Refused { .. }), "{there}");
        assert_eq!(here.to_string(), there.to_string());
        gate.open();
    });
}

#[test]
fn the_same_order_again_changes_nothing_and_says_so() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let (one, two) = two(&data, world.chain("trip", &["a", "b"]), &gate).await;
        assert_eq!(two.cancel(&id("1"), order()).await.expect("ordered"), Applied::Changed);
        assert_eq!(two.cancel(&id("1"), order()).await.expect("ordered"), Applied::Already);
        assert_eq!(one.cancel(&id("1"), order()).await.expect("ordered"), Applied::Already);
        gate.open();
        let _ = two.wait(&id("1")).await.expect("an outcome");
        assert_eq!(two.cancel(&id("1"), order()).await.expect("ordered"), Applied::Already);
        assert_eq!(cancels(&data).await, 1);
    });
}

#[test]
fn an_order_is_effective_in_the_other_process_within_a_second() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let (_one, two) = two(&data, world.chain("trip", &["a", "b"]), &gate).await;
        let begun = tokio::time::Instant::now();
        two.cancel(&id("1"), order()).await.expect("ordered");
        assert!(begun.elapsed() < Duration::from_secs(1), "the clock is virtual");
        gate.open();
    });
}

#[test]
fn resuming_what_another_process_drives_changes_nothing() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let (_one, two) = two(&data, world.chain("trip", &["a", "b"]), &gate).await;
        let before = journal(&data, "1").await;
        two.resume(&id("1")).await.expect("it is driven");
        assert_eq!(journal(&data, "1").await, before);
        gate.open();
    });
}

#[test]
fn an_order_whose_poster_died_is_carried_out_once() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let (_one, two) = two(&data, world.chain("trip", &["a", "b"]), &gate).await;
        let poster = data.another_owner();
        poster.post(cancel_letter("l")).await.expect("posted");
        drop(poster);
        assert_eq!(answer(&data, "l").await, r#"{"is":"changed"}"#);
        gate.open();
        assert!(matches!(two.wait(&id("1")).await, Ok(Outcome::Compensated(_))));
        assert_eq!(cancels(&data).await, 1);
        assert_eq!(world.trace(), ["a", "b", "^b", "^a"]);
    });
}

#[test]
fn an_order_to_a_dead_owner_is_carried_out_by_the_next_one() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    let trip = world.chain("trip", &["a", "b", "c"]);
    life(async {
        let one = on(&data).register(trip.clone()).start().await.expect("start");
        one.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        // Its process dies before it looks for letters again.
        data.post(cancel_letter("l")).await.expect("posted");
    });
    world.heal("b");
    world.trace();
    life(async {
        let two = on(&data).register(trip).start().await.expect("start");
        let outcome = two.wait(&id("1")).await.expect("an outcome");
        if let Outcome::Completed(_) = outcome {
            // It was done before the letter was read: then it is undone after all.
            answer(&data, "l").await;
        }
        until(|| two.running() == 0).await;
        assert!(matches!(two.wait(&id("1")).await, Ok(Outcome::Compensated(_))));
        assert_eq!(cancels(&data).await, 1);
    });
}

#[test]
fn an_order_that_was_carried_out_and_not_answered_is_not_carried_out_again() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    let trip = world.chain("trip", &["a", "b"]);
    let retry = |key: &str| Letter {
        body: r#"{"e":"retry_ordered","s":0,"by":"Ada","why":"x"}"#.to_owned(),
        ..cancel_letter(key)
    };
    life(async {
        let one = on(&data).register(trip.clone()).start().await.expect("start");
        let _ = one.run("trip", id("1"), &1).await.expect("an outcome");
        data.post(retry("l")).await.expect("posted");
        assert_eq!(answer(&data, "l").await, r#"{"is":"changed"}"#);
        until(|| one.running() == 0).await;
    });
    let before = life(journal(&data, "1"));
    assert_eq!(before.join("").matches("retry_ordered").count(), 1);
    world.trace();
    life(async {
        // As if the first process had died after its journal entry and before its answer.
        assert!(data.withdraw("l").await.expect("an answer"));
        data.post(retry("l")).await.expect("posted");
        let two = on(&data).register(trip.clone()).start().await.expect("start");
        assert_eq!(answer(&data, "l").await, r#"{"is":"changed"}"#);
        until(|| two.running() == 0).await;
        assert_eq!(journal(&data, "1").await, before);
        assert_eq!(world.trace(), Vec::<String>::new(), "the undo was not attempted again");
    });
}

#[test]
fn an_order_to_a_saga_that_only_another_process_can_run_is_carried_out_there() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    life(async {
        let one = on(&data).register(world.chain("trip", &["a", "b"])).start().await.expect("one");
        let _ = one.run("trip", id("1"), &1).await.expect("an outcome");
        let two = on(&data).without_recovery().start().await.expect("two, which knows no saga");
        world.heal("^a");
        assert_eq!(two.retry(&id("1"), "a", order()).await.expect("ordered"), Applied::Changed);
        assert!(matches!(one.wait(&id("1")).await, Ok(Outcome::Compensated(_))));
    });
}

#[test]
fn an_order_that_nobody_takes_is_withdrawn() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    life(async {
        let one = on(&data).register(world.chain("trip", &["a", "b"])).start().await.expect("one");
        let _ = one.run("trip", id("1"), &1).await.expect("an outcome");
        one.drain().await;
        let two = on(&data).start().await.expect("two, which knows no saga");
        let error = two.retry(&id("1"), "a", order()).await.expect_err("nobody can");
        assert!(
            error.to_string().contains("this program does not have the saga `trip`"),
            "{error}"
        );
        assert_eq!(data.inbox(10).await.expect("letters"), []);
        let stands = two.list(Query::default()).await.expect("a list").sagas.remove(0).head;
        assert_eq!(stands.status, Status::Stuck);
        assert!(stands.reason.expect("a reason").contains("^a failed"), "its own reason stays");
    });
}

#[test]
fn an_order_to_a_process_that_does_not_listen_is_withdrawn_and_says_who_has_the_saga() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let deaf = data.another_owner();
        let trip = world.chain("trip", &["a"]);
        let one = on(&data).register(trip.clone()).start().await.expect("one");
        assert!(one.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        deaf.acquire(&id("1")).await.expect("an answer");
        let error = one.cancel(&id("1"), order()).await.expect_err("nobody listens");
        assert!(matches!(error, EngineError::OwnedElsewhere { .. }), "{error}");
        assert_eq!(deaf.inbox(10).await.expect("letters"), []);
    });
}

#[test]
fn an_order_that_was_taken_and_not_answered_is_told_as_such() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let deaf = data.another_owner();
        let one = on(&data).register(world.chain("trip", &["a"])).start().await.expect("one");
        assert!(one.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        deaf.acquire(&id("1")).await.expect("an answer");
        let saga = id("1");
        let ordered = one.cancel(&saga, order());
        let take = async {
            loop {
                if let Some(letter) = deaf.inbox(1).await.expect("letters").pop() {
                    return deaf.take(&letter.key).await.expect("an answer");
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let (ordered, taken) = tokio::join!(ordered, take);
        assert!(taken);
        let error = ordered.expect_err("nobody answered");
        assert!(matches!(error, EngineError::Unanswered(_)), "{error}");
        assert_eq!(deaf.inbox(10).await.expect("letters"), [], "it is not carried out later");
    });
}

#[test]
fn an_owner_that_lets_go_while_it_has_a_letter_loses_nothing() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let other = data.another_owner();
        let one = on(&data).register(world.chain("trip", &["a"])).start().await.expect("one");
        assert!(one.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        let key = match other.acquire(&id("1")).await.expect("an answer") {
            compensation::repository::Acquired::Owned(saga) => saga.key,
            held => panic!("{held:?}"),
        };
        let saga = id("1");
        let lets_go = async {
            until_letter(&other).await;
            other.release(vec![key]).await.expect("a release");
        };
        let (ordered, ()) = tokio::join!(one.cancel(&saga, order()), lets_go);
        assert_eq!(ordered.expect("ordered"), Applied::Changed);
        assert!(matches!(one.wait(&id("1")).await, Ok(Outcome::Compensated(_))));
        assert_eq!(cancels(&data).await, 1);
    });
}

async fn until_letter(store: &MemoryRepository) {
    while store.inbox(1).await.expect("letters").is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_letter_of_a_newer_program_is_answered_and_changes_nothing() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let (_one, _two) = two(&data, world.chain("trip", &["a", "b"]), &gate).await;
        let before = journal(&data, "1").await;
        let strange = Letter { body: r#"{"e":"beamed_up"}"#.to_owned(), ..cancel_letter("l") };
        data.post(strange).await.expect("posted");
        let said = answer(&data, "l").await;
        assert!(said.contains("does not know this order"), "{said}");
        assert_eq!(journal(&data, "1").await, before);
        gate.open();
    });
}

#[test]
fn an_engine_without_recovery_leaves_letters_to_others_alone() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    life(async {
        let one = on(&data).register(trip).without_recovery().start().await.expect("one");
        assert!(one.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        data.post(cancel_letter("l")).await.expect("posted");
        tokio::time::sleep(Duration::from_secs(5)).await;
        settle().await;
        assert_eq!(data.reply("l").await.expect("a reply"), Reply::Waits);
        assert_eq!(one.running(), 0);
    });
}

#[test]
fn a_resume_that_was_carried_out_and_not_answered_is_answered_as_carried_out() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    let trip = world.chain("trip", &["a"]);
    let resume = || Letter {
        body: r#"{"e":"resume_ordered","by":"Ada","why":"x"}"#.to_owned(),
        ..cancel_letter("l")
    };
    life(async {
        let one = on(&data).register(trip.clone()).start().await.expect("start");
        one.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
    });
    world.heal("a");
    life(async {
        let ignorant = on(&data).start().await.expect("one that knows no saga");
        ignorant.idle().await.expect("it is parked");
    });
    life(async {
        data.post(resume()).await.expect("posted");
        let two = on(&data).register(trip.clone()).start().await.expect("start");
        assert_eq!(answer(&data, "l").await, r#"{"is":"changed"}"#);
        assert!(two.wait(&id("1")).await.expect("an outcome").is_completed());
    });
    let before = life(journal(&data, "1"));
    life(async {
        // As if that process had died after its journal entry and before its answer.
        assert!(data.withdraw("l").await.expect("an answer"));
        data.post(resume()).await.expect("posted");
        let _three = on(&data).register(trip).start().await.expect("start");
        let answered = tokio::time::timeout(Duration::from_secs(60), answer(&data, "l")).await;
        assert_eq!(answered.expect("an answer"), r#"{"is":"changed"}"#);
        assert_eq!(journal(&data, "1").await, before);
    });
}

#[test]
fn a_letter_that_is_refused_before_its_saga_is_acquired_is_answered() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    life(async {
        let one = on(&data).register(trip).start().await.expect("start");
        assert!(one.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        let body = r#"{"e":"resume_ordered","by":"Ada","why":"x"}"#.to_owned();
        data.post(Letter { body, ..cancel_letter("l") }).await.expect("posted");
        let answered = tokio::time::timeout(Duration::from_secs(60), answer(&data, "l")).await;
        let said = answered.expect("it does not stay in the inbox for ever");
        assert!(said.contains("refused"), "{said}");
    });
}

#[test]
fn an_order_of_the_dead_that_nobody_can_carry_out_does_not_crowd_the_inbox_for_ever() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let one = on(&data).register(world.chain("trip", &["a"])).start().await.expect("start");
        one.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
    });
    life(async {
        let ignorant = on(&data).start().await.expect("one that knows no saga");
        ignorant.idle().await.expect("it is parked");
        data.post(cancel_letter("young")).await.expect("posted");
        let long_ago = Timestamp::now().as_millis() - 2 * 60 * 60 * 1_000;
        let old = Letter { at: Timestamp::from_millis(long_ago), ..cancel_letter("old") };
        data.post(old).await.expect("posted");
        let answered = tokio::time::timeout(Duration::from_secs(60), answer(&data, "old")).await;
        assert_eq!(answered.expect("an answer"), r#"{"is":"given_up"}"#);
        assert_eq!(data.reply("young").await.expect("a reply"), Reply::Waits);
    });
}
