//! Sagas that a store took for somebody who never had them: they are let go, whatever fails meanwhile, so that
//! none stays with a living owner that drives it not.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod base;

use std::future::ready;

use base::{Base, connect};
use compensation::{
    SagaId, Status, Timestamp,
    repository::{Created, Entry, Head, NewSaga, Repository},
};
use compensation_postgres::PostgresRepository;

/// A saga that waits to be claimed.
async fn waiting(store: &PostgresRepository) {
    let new = NewSaga {
        id: SagaId::new("a").expect("an id"),
        name: "trip".into(),
        plan: "{}".into(),
        input: "1".to_owned(),
        head: Head { status: Status::Running, reason: None },
        entry: Entry { at: Timestamp::from_millis(1), body: "[]".to_owned() },
    };
    let Created::New(key) = store.create(new).await.expect("a start") else { panic!("new") };
    store.release(vec![key]).await.expect("a release");
}

#[tokio::test(flavor = "multi_thread")]
async fn sagas_that_were_claimed_and_could_not_be_read_are_let_go() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    let store = base.options().open(&base.url()).await.expect("a store");
    waiting(&store).await;
    let schema = base.schema();
    let away = format!("ALTER TABLE {schema}.plan RENAME TO away");
    client.batch_execute(&away).await.expect("a table that is away");
    store.claim(1).await.expect_err("no plans, no sagas");
    let back = format!("ALTER TABLE {schema}.away RENAME TO plan");
    client.batch_execute(&back).await.expect("a table");
    assert_eq!(store.recover().await.expect("a recovery"), 1);
    assert_eq!(store.claim(1).await.expect("a claim").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sagas_that_nobody_waited_for_are_let_go_even_if_that_fails_at_first() {
    let base = Base::new();
    let mut client = connect(&base.url()).await.expect("a connection");
    let store = base.options().open(&base.url()).await.expect("a store");
    waiting(&store).await;
    let schema = base.schema();
    let full = format!(
        "CREATE FUNCTION {schema}.full() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER is_full BEFORE UPDATE ON {schema}.saga FOR EACH ROW
            WHEN (OLD.owner IS NOT NULL AND NEW.owner IS NULL) EXECUTE FUNCTION {schema}.full()"
    );
    client.batch_execute(&full).await.expect("a trigger");
    // The claim waits for this while who asked for it goes.
    let lock = client.transaction().await.expect("a transaction");
    let locked = format!("SELECT FROM {schema}.owner FOR UPDATE");
    lock.query(&locked, &[]).await.expect("a lock");
    let mut claim = store.claim(1);
    tokio::select! {
        biased;
        _ = &mut claim => panic!("it waits"),
        () = ready(()) => drop(claim),
    }
    lock.rollback().await.expect("an end");
    // Done after the claim, and in vain too while there is no room.
    let _ = store.recover().await;
    client.batch_execute(&format!("DROP TRIGGER is_full ON {schema}.saga")).await.expect("room");
    assert_eq!(store.recover().await.expect("a recovery"), 1);
    assert_eq!(store.claim(1).await.expect("a claim").len(), 1);
}
