//! Who only reads a store leaves no trace in it; who writes becomes an owner, once.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use compensation::{
    Engine, SagaId, Status, Timestamp,
    repository::{Entry, Head, NewSaga, Query, Repository},
};
use compensation_sqlite::SqliteRepository;
use rusqlite::Connection;
use tempfile::tempdir;

fn saga(text: &str) -> NewSaga {
    NewSaga {
        id: SagaId::new(text).expect("an id"),
        name: "trip".into(),
        plan: "{}".into(),
        input: String::new(),
        head: Head { status: Status::Running, reason: None },
        entry: Entry { at: Timestamp::now(), body: "[]".to_owned() },
    }
}

/// A number that changes with every write of others.
fn version(watcher: &Connection) -> i64 {
    watcher.pragma_query_value(None, "data_version", |row| row.get(0)).expect("a number")
}

fn owners(watcher: &Connection) -> i64 {
    watcher.query_row("SELECT count(*) FROM owner", (), |row| row.get(0)).expect("a count")
}

fn locks(folder: &Path) -> usize {
    let left = fs::read_dir(folder).expect("a directory");
    let names = left.map(|entry| entry.expect("an entry").file_name());
    names.filter(|name| name.to_string_lossy().contains("-owner-")).count()
}

#[tokio::test]
async fn who_only_reads_writes_nothing() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    SqliteRepository::open(&path).expect("a store").create(saga("a")).await.expect("a start");
    let watcher = Connection::open(&path).expect("a connection");
    let before = version(&watcher);
    let store = SqliteRepository::open(&path).expect("a store");
    let engine = Engine::open(store).without_recovery().start().await.expect("a start");
    let id = SagaId::new("a").expect("an id");
    assert_eq!(engine.list(Query::default()).await.expect("a list").sagas.len(), 1);
    assert_eq!(engine.counts().await.expect("counts").get(Status::Running), 1);
    assert!(engine.history(&id).await.is_err(), "what it can't read it says, and does not park");
    assert_eq!((owners(&watcher), locks(folder.path())), (0, 0));
    engine.drain().await;
    drop(engine);
    assert_eq!((version(&watcher), locks(folder.path())), (before, 0));
}

#[tokio::test]
async fn who_only_reads_does_not_wait_for_who_writes() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    SqliteRepository::open(&path).expect("a store").create(saga("a")).await.expect("a start");
    let foreign = Connection::open(&path).expect("a connection");
    foreign.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    // It would wait for 5 s, and then fail.
    let store = SqliteRepository::open(&path).expect("a store");
    assert_eq!(store.list(Query::default()).await.expect("a list").sagas.len(), 1);
}

#[tokio::test]
async fn the_first_write_makes_an_owner_and_the_next_ones_no_other() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteRepository::open(&path).expect("a store");
    let watcher = Connection::open(&path).expect("a connection");
    assert_eq!((owners(&watcher), locks(folder.path())), (0, 0));
    for text in ["a", "b", "c"] {
        store.create(saga(text)).await.expect("a start");
        assert_eq!((owners(&watcher), locks(folder.path())), (1, 1));
    }
    let page = store.list(Query::default()).await.expect("a list");
    assert!(page.sagas.iter().all(|saga| saga.owned), "its readers know it as well");
    drop(store);
    assert_eq!((owners(&watcher), locks(folder.path())), (0, 0));
}

#[tokio::test]
async fn an_owner_that_could_not_enter_enters_with_the_next_write() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteRepository::open(&path).expect("a store");
    // Something stands where the first owner's lock would be.
    let place = folder.path().join("sagas.db-owner-1");
    fs::create_dir(&place).expect("a directory");
    let error = store.create(saga("a")).await.expect_err("no lock, no owner");
    assert!(error.to_string().contains("which proves who owns sagas"), "{error}");
    let watcher = Connection::open(&path).expect("a connection");
    assert_eq!(owners(&watcher), 0, "nobody takes it for dead, for it was never there");
    assert!(store.list(Query::default()).await.expect("a list").sagas.is_empty());
    fs::remove_dir(&place).expect("an empty directory");
    store.create(saga("a")).await.expect("a start");
    assert_eq!((owners(&watcher), locks(folder.path())), (1, 1));
}
