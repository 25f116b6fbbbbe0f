//! In the caller's transaction: sagas that start with it or not at all, and effects that are had once.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod base;

use base::{
    Base, connect,
    trip::{Shop, check, id, make_effects, trip},
};
use compensation::{
    Engine, Outcome, Saga,
    barrier::{Act, Undo},
    repository::{Created, ErrorKind, Repository as _},
};
use compensation_postgres::{Barrier, PostgresRepository};
use tokio_postgres::Client;

/// A connection of the caller's, and a store with a saga beside it.
async fn set_up() -> (Base, Client, PostgresRepository, Saga<u32>) {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    make_effects(&client, base.schema()).await;
    let store = base.options().open(&base.url()).await.expect("a store");
    let saga = trip(&Shop::new(&base.url(), base.schema()));
    (base, client, store, saga)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_starts_with_the_transaction_or_not_at_all() {
    let (base, mut client, store, saga) = set_up().await;
    let undone = client.transaction().await.expect("a transaction");
    let started = store.start_in(&undone, saga.prepare(id(1), &1).expect("a saga")).await;
    assert!(matches!(started, Ok(Created::New(_))));
    undone.rollback().await.expect("an end");
    assert!(store.load(&id(1)).await.expect("a load").is_none());

    let done = client.transaction().await.expect("a transaction");
    store.start_in(&done, saga.prepare(id(2), &1).expect("a saga")).await.expect("a start");
    let again = store.start_in(&done, saga.prepare(id(2), &1).expect("a saga")).await;
    assert_eq!(again.expect("an answer"), Created::Existing);
    done.commit().await.expect("an end");
    let engine = Engine::open(base.options().open(&base.url()).await.expect("a store"));
    let engine = engine.register(saga).start().await.expect("an engine");
    assert!(matches!(engine.finish(&id(2)).await, Ok(Outcome::Completed(_))));
    engine.drain().await;
    check(&store, &client, base.schema(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_that_starts_in_a_transaction_is_taken_up_at_once() {
    let (base, mut client, store, saga) = set_up().await;
    let engine = Engine::open(base.options().open(&base.url()).await.expect("a store"));
    let engine = engine.register(saga.clone()).start().await.expect("an engine");
    let mut notices = engine.subscribe();
    for number in 1..=3 {
        let tx = client.transaction().await.expect("a transaction");
        store.start_in(&tx, saga.prepare(id(number), &1).expect("a saga")).await.expect("a start");
        tx.commit().await.expect("an end");
        // The engine was called: nobody asked it for this saga.
        while let Ok(notice) = notices.recv().await {
            if matches!(&notice.news, compensation::News::Status { status, .. } if status.is_final())
            {
                break;
            }
        }
    }
    engine.drain().await;
    check(&store, &client, base.schema(), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_that_starts_a_saga_of_a_new_plan_keeps_nobody_else_waiting() {
    let (base, mut client, store, saga) = set_up().await;
    let open = client.transaction().await.expect("a transaction");
    store.start_in(&open, saga.prepare(id(1), &1).expect("a saga")).await.expect("a start");
    let engine = Engine::open(base.options().open(&base.url()).await.expect("a store"));
    let engine = engine.register(saga).start().await.expect("an engine");
    assert!(matches!(engine.run("trip", id(2), &1).await, Ok(Outcome::Completed(_))));
    open.rollback().await.expect("an end");
    engine.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_that_starts_the_same_saga_fails_no_start_of_another() {
    let (_base, mut client, store, saga) = set_up().await;
    let prepared = |number| saga.prepare(id(number), &1).expect("a saga");
    let open = client.transaction().await.expect("a transaction");
    store.start_in(&open, prepared(1)).await.expect("a start");
    let (first, same, other) = tokio::join!(
        store.create(prepared(0)),
        store.create(prepared(1)),
        store.create(prepared(2))
    );
    assert!(matches!((first, other), (Ok(Created::New(_)), Ok(Created::New(_)))));
    assert_eq!(same.expect_err("a wait").kind(), ErrorKind::Temporary);
    open.commit().await.expect("an end");
    assert_eq!(store.create(prepared(1)).await.expect("an answer"), Created::Existing);
}

async fn barrier(base: &Base) -> (Barrier, Client, Client) {
    let one = connect(&base.url()).await.expect("a connection");
    let two = connect(&base.url()).await.expect("a connection");
    one.batch_execute(&format!("CREATE SCHEMA {}", base.schema())).await.expect("a schema");
    let barrier = Barrier::in_schema(base.schema()).expect("a name");
    barrier.make_table(&one).await.expect("a table");
    barrier.make_table(&one).await.expect("the same table");
    (barrier, one, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_let_through_once_and_finds_its_output_again() {
    let base = Base::new();
    let (barrier, mut client, _) = barrier(&base).await;
    let tx = client.transaction().await.expect("a transaction");
    assert_eq!(barrier.act::<u32>(&tx, "k").await.expect("an answer"), Act::Now);
    barrier.keep(&tx, "k", &17).await.expect("kept");
    tx.commit().await.expect("an end");
    let tx = client.transaction().await.expect("a transaction");
    assert_eq!(barrier.act(&tx, "k").await.expect("an answer"), Act::Before(Some(17)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_was_rolled_back_is_let_through_again() {
    let base = Base::new();
    let (barrier, mut client, _) = barrier(&base).await;
    for _ in 0..2 {
        let tx = client.transaction().await.expect("a transaction");
        assert_eq!(barrier.act::<()>(&tx, "k").await.expect("an answer"), Act::Now);
        tx.rollback().await.expect("an end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_is_let_through_once_with_the_output() {
    let base = Base::new();
    let (barrier, mut client, _) = barrier(&base).await;
    let tx = client.transaction().await.expect("a transaction");
    barrier.act::<u32>(&tx, "k").await.expect("an answer");
    barrier.keep(&tx, "k", &17).await.expect("kept");
    tx.commit().await.expect("an end");
    for expected in [Undo::Now(Some(17)), Undo::Before] {
        let tx = client.transaction().await.expect("a transaction");
        assert_eq!(barrier.undo::<u32>(&tx, "k").await.expect("an answer"), expected);
        tx.commit().await.expect("an end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_before_its_action_has_nothing_to_do_and_stops_it() {
    let base = Base::new();
    let (barrier, mut client, _) = barrier(&base).await;
    for expected in [Undo::Nothing, Undo::Before] {
        let tx = client.transaction().await.expect("a transaction");
        assert_eq!(barrier.undo::<()>(&tx, "k").await.expect("an answer"), expected);
        tx.commit().await.expect("an end");
    }
    let tx = client.transaction().await.expect("a transaction");
    assert_eq!(barrier.act::<()>(&tx, "k").await.expect("an answer"), Act::TooLate);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_comes_again_after_its_undo_is_too_late() {
    let base = Base::new();
    let (barrier, mut client, _) = barrier(&base).await;
    let tx = client.transaction().await.expect("a transaction");
    barrier.act::<()>(&tx, "k").await.expect("an answer");
    barrier.undo::<()>(&tx, "k").await.expect("an answer");
    tx.commit().await.expect("an end");
    let tx = client.transaction().await.expect("a transaction");
    assert_eq!(barrier.act::<()>(&tx, "k").await.expect("an answer"), Act::TooLate);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_waits_for_its_action_that_is_under_way() {
    let base = Base::new();
    let (barrier, mut one, mut two) = barrier(&base).await;
    let acting = one.transaction().await.expect("a transaction");
    barrier.act::<()>(&acting, "k").await.expect("an answer");
    let undoing = two.transaction().await.expect("a transaction");
    let mut undo = Box::pin(barrier.undo::<()>(&undoing, "k"));
    let (undone, committed) = tokio::join!(&mut undo, acting.commit());
    committed.expect("an end");
    assert_eq!(undone.expect("an answer"), Undo::Now(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_long_ago_can_be_forgotten() {
    let base = Base::new();
    let (barrier, mut client, _) = barrier(&base).await;
    let tx = client.transaction().await.expect("a transaction");
    for key in ["a", "b", "c"] {
        barrier.act::<()>(&tx, key).await.expect("an answer");
    }
    tx.commit().await.expect("an end");
    let hour = std::time::Duration::from_secs(3_600);
    assert_eq!(barrier.forget(&client, hour, 10).await.expect("a count"), 0);
    assert_eq!(barrier.forget(&client, std::time::Duration::ZERO, 2).await.expect("a count"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_not_forgotten_before_its_undo() {
    let base = Base::new();
    let (barrier, mut client, _) = barrier(&base).await;
    let tx = client.transaction().await.expect("a transaction");
    barrier.act::<()>(&tx, "k").await.expect("an answer");
    barrier.undo::<()>(&tx, "k").await.expect("an answer");
    tx.commit().await.expect("an end");
    let older = format!(
        "UPDATE {}.barrier SET since = since - interval '2 hours' WHERE part = 0",
        base.schema()
    );
    client.execute(&older, &[]).await.expect("older");
    let hour = std::time::Duration::from_secs(3_600);
    assert_eq!(barrier.forget(&client, hour, 10).await.expect("a count"), 0);
    let tx = client.transaction().await.expect("a transaction");
    assert_eq!(barrier.act::<()>(&tx, "k").await.expect("an answer"), Act::TooLate);
}
