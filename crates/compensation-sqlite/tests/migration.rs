//! Files that older versions of this program wrote are brought up to date, with all that is in them.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use compensation::{
    SagaId, Status, Timestamp,
    repository::{Append, Entry, Head, Letter, Posted, Query, Repository},
};
use compensation_sqlite::SqliteRepository;
use rusqlite::Connection;
use tempfile::tempdir;

/// The tables and the rows of a file of schema 1, as the program of that time made it.
const SCHEMA_1: &str = include_str!("schema-1.sql");

fn older_file(path: &std::path::Path) {
    let db = Connection::open(path).expect("a file");
    db.execute_batch(SCHEMA_1).expect("tables and rows");
    let version: i64 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    assert_eq!(version, 1, "the sample is of schema 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_schema_1_keeps_its_sagas_and_takes_letters() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    older_file(&path);

    let store = SqliteRepository::open(&path).expect("a store");
    let page = store.list(Query::default()).await.expect("a page");
    let ids: Vec<_> = page.sagas.iter().map(|saga| saga.id.to_string()).collect();
    assert_eq!(ids, ["second", "first"]);
    assert_eq!(store.counts().await.expect("counts").get(Status::Running), 1);
    let saga = store.claim(1).await.expect("a claim").pop().expect("the open saga");
    assert_eq!(saga.journal.len(), 2);
    let append = Append {
        key: saga.key,
        seq: 2,
        entry: Entry { at: Timestamp::from_millis(9_000), body: "[2]".to_owned() },
        head: Head { status: Status::Running, reason: None },
    };
    store.append(append).await.expect("an entry");
    let letter = Letter {
        key: "l".to_owned(),
        saga: SagaId::new("second").expect("an id"),
        at: Timestamp::from_millis(9_000),
        body: "{}".to_owned(),
    };
    assert_eq!(store.post(letter.clone()).await.expect("an answer"), Posted::Waits);
    assert_eq!(store.inbox(10).await.expect("letters"), [letter]);
    drop(store);
    SqliteRepository::open_existing(&path).expect("the same file, up to date");
}

#[test]
fn programs_that_open_an_older_file_at_once_bring_it_up_to_date_once() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    older_file(&path);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| SqliteRepository::open(&path).expect("a store"));
        }
    });
}
