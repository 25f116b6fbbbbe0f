//! Sagas that a store took for somebody who never had them: they are let go, whatever fails meanwhile, so that
//! none stays with a living owner that drives it not.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::future::ready;

use compensation::{
    SagaId, Status, Timestamp,
    repository::{Created, Entry, Head, NewSaga, Repository},
};
use compensation_sqlite::SqliteRepository;
use rusqlite::Connection;
use tempfile::tempdir;

#[tokio::test]
async fn sagas_that_nobody_waited_for_are_let_go_even_if_that_fails_at_first() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteRepository::open(&path).expect("a store");
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
    let foreign = Connection::open(&path).expect("a connection");
    let fails = "CREATE TRIGGER fails BEFORE UPDATE OF owner ON saga
        WHEN OLD.owner IS NOT NULL AND NEW.owner IS NULL BEGIN SELECT RAISE(ABORT, 'injected'); END;";
    foreign.execute_batch(fails).expect("a trigger");
    // The claim waits for this while who asked for it goes.
    foreign.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let mut claim = store.claim(1);
    tokio::select! {
        biased;
        _ = &mut claim => panic!("it waits"),
        () = ready(()) => drop(claim),
    }
    foreign.execute_batch("ROLLBACK").expect("an end");
    // Done after the claim, and in vain too while nothing can be let go.
    let _ = store.recover().await;
    foreign.execute_batch("DROP TRIGGER fails").expect("an end");
    assert_eq!(store.recover().await.expect("a recovery"), 1);
    assert_eq!(store.claim(1).await.expect("a claim").len(), 1);
}
