//! A full disk, a foreign lock, a file that goes away: nothing is acknowledged that is not kept, and the
//! store works again once its surroundings do.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::Path, time::Duration};

use compensation::{
    Engine, Outcome, RetryPolicy, Saga, SagaId, Status, StepContext, StepError, Timestamp,
    UndoContext,
    repository::{Created, Entry, ErrorKind, Head, NewSaga, Query, Repository},
};
use compensation_sqlite::{SqliteOptions, SqliteRepository};
use rusqlite::Connection;
use tempfile::tempdir;

fn saga(text: &str, input: String) -> NewSaga {
    NewSaga {
        id: SagaId::new(text).expect("an id"),
        name: "trip".into(),
        plan: "{}".into(),
        input,
        head: Head { status: Status::Running, reason: None },
        entry: Entry { at: Timestamp::now(), body: "[]".to_owned() },
    }
}

async fn ids(store: &SqliteRepository) -> Vec<String> {
    let page = store.list(Query { limit: 10_000, ..Query::default() }).await.expect("a list");
    page.sagas.iter().map(|saga| saga.id.to_string()).collect()
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_acknowledged_that_is_not_kept() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteOptions::new().max_bytes(256 * 1024).open(&path).expect("a store");
    let mut kept = Vec::new();
    let error = loop {
        let text = format!("saga-{}", kept.len());
        match store.create(saga(&text, "x".repeat(4_000))).await {
            Ok(created) => {
                assert!(matches!(created, Created::New(_)));
                kept.push(text);
            }
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Exhausted, "{error}");
    assert!(error.to_string().ends_with("the disk is full: make room for it"), "{error}");
    assert!(kept.len() > 20);
    kept.reverse();
    assert_eq!(ids(&store).await, kept);
    drop(store);
    // With more room it goes on.
    let store = SqliteRepository::open(&path).expect("a store");
    store.create(saga("more", String::new())).await.expect("room");
    kept.insert(0, "more".to_owned());
    assert_eq!(ids(&store).await, kept);
}

#[tokio::test]
async fn the_sagas_of_an_engine_whose_disk_is_full_wait_and_then_go_on() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteOptions::new().max_bytes(160 * 1024).open(&path).expect("a store");
    let mut trip = Saga::<u32>::builder("trip");
    for name in ["a", "b", "c"] {
        trip.step(name, |_: StepContext<u32>| async { Ok::<_, StepError>("x".repeat(30_000)) })
            .undo(|_: UndoContext<u32>, _| async { Ok::<_, StepError>(()) })
            .retry(RetryPolicy::none())
            .add();
    }
    let trip = trip.build().expect("a sound saga");
    let engine = Engine::open(store).register(trip.clone()).start().await.expect("a start");
    let mut told = engine.subscribe();
    for number in 0..3_u32 {
        let id = SagaId::new(format!("saga-{number}")).expect("an id");
        // Some find no room even to start; they are told so.
        match engine.start("trip", id, &number).await {
            Ok(()) => {}
            Err(error) => assert!(error.is_exhausted(), "{error}"),
        }
    }
    while !matches!(
        told.recv().await.expect("a notice").news,
        compensation::News::StoreFailing { .. }
    ) {}
    engine.drain().await;
    drop(engine);
    // The next process has more room.
    let store = SqliteRepository::open(&path).expect("a store");
    let engine = Engine::open(store).register(trip).start().await.expect("a start");
    let page = engine.list(Query::default()).await.expect("a list");
    assert!(!page.sagas.is_empty());
    for found in page.sagas {
        let outcome = engine.wait(&found.id).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    }
}

fn lock(path: &Path) -> Connection {
    let foreign = Connection::open(path).expect("a connection");
    foreign.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    foreign
}

#[tokio::test]
async fn a_foreign_lock_is_a_temporary_failure() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let options = SqliteOptions::new().busy_timeout(Duration::from_millis(1));
    let store = options.open(&path).expect("a store");
    let foreign = lock(&path);
    let error = store.create(saga("a", String::new())).await.expect_err("locked");
    assert_eq!(error.kind(), ErrorKind::Temporary);
    assert!(error.to_string().contains("another program has it locked"), "{error}");
    assert!(ids(&store).await.is_empty(), "reading goes on");
    foreign.execute_batch("ROLLBACK").expect("an end");
    store.create(saga("a", String::new())).await.expect("free again");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_deleted_in_use_is_noticed_and_nothing_more_is_acknowledged() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteRepository::open(&path).expect("a store");
    store.create(saga("a", String::new())).await.expect("a start");
    let away = folder.path().join("away.db");
    fs::rename(&path, &away).expect("a move");
    let error = store.create(saga("b", String::new())).await.expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.to_string().contains("has been moved, deleted or replaced"), "{error}");
    assert!(!path.exists(), "it does not come back empty");
    fs::rename(&away, &path).expect("a move back");
    store.create(saga("b", String::new())).await.expect("back again");
    assert_eq!(ids(&store).await, ["b", "a"]);
}

#[tokio::test]
async fn one_write_that_is_refused_does_not_fail_its_neighbours() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteRepository::open(&path).expect("a store");
    let Created::New(key) = store.create(saga("a", String::new())).await.expect("a start") else {
        panic!("new");
    };
    // An entry that the store does not expect, as after a restore from an old backup.
    Connection::open(&path)
        .expect("a connection")
        .execute("INSERT INTO journal VALUES (?1, 1, 0, 'unexpected')", [key.0])
        .expect("an entry");
    let entry = Entry { at: Timestamp::now(), body: "[1]".to_owned() };
    let head = Head { status: Status::Running, reason: None };
    let append = compensation::repository::Append { key, seq: 1, entry, head };
    let (bad, one, two) = tokio::join!(
        store.append(append),
        store.create(saga("b", String::new())),
        store.create(saga("c", String::new())),
    );
    assert!(bad.is_err());
    assert!(matches!((one, two), (Ok(Created::New(_)), Ok(Created::New(_)))));
}

#[tokio::test]
async fn a_commit_that_fails_acknowledges_nothing_and_fails_nobody_else() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteRepository::open(&path).expect("a store");
    // What the trigger writes is found wanting at the end of the transaction, and no sooner.
    Connection::open(&path)
        .expect("a connection")
        .execute_batch(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TABLE child (parent REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER fails AFTER INSERT ON saga WHEN new.id LIKE 'bad%'
             BEGIN INSERT INTO child VALUES (1); END",
        )
        .expect("a trigger");
    let (one, bad, two) = tokio::join!(
        store.create(saga("one", String::new())),
        store.create(saga("bad", String::new())),
        store.create(saga("two", String::new())),
    );
    assert_eq!(bad.expect_err("nothing was committed").kind(), ErrorKind::Permanent);
    assert!(matches!((one, two), (Ok(Created::New(_)), Ok(Created::New(_)))));
    assert_eq!(ids(&store).await.len(), 2);
}

#[tokio::test]
async fn a_missing_entry_is_noticed() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteRepository::open(&path).expect("a store");
    let Created::New(key) = store.create(saga("a", String::new())).await.expect("a start") else {
        panic!("new");
    };
    Connection::open(&path)
        .expect("a connection")
        .execute("INSERT INTO journal VALUES (?1, 2, 0, '[]')", [key.0])
        .expect("an entry");
    let found = store.load(&SagaId::new("a").expect("an id")).await.expect("a load");
    let journal = found.expect("a saga").journal;
    assert_eq!(journal[1].body, "entry 1 is missing from the store");
}

#[tokio::test]
async fn other_tools_read_the_sagas_in_words() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteRepository::open(&path).expect("a store");
    store.create(saga("a", "41".to_owned())).await.expect("a start");
    let tool = Connection::open(&path).expect("a connection");
    let row: (String, String, String, String) = tool
        .query_row("SELECT id, saga, status, input FROM sagas", (), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .expect("a row");
    assert_eq!(row, ("a".to_owned(), "trip".to_owned(), "running".to_owned(), "41".to_owned()));
}

#[tokio::test]
async fn a_damaged_row_does_not_keep_others_from_being_taken_over() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    {
        let dead = SqliteRepository::open(&path).expect("a store");
        for text in ["a", "b", "c"] {
            dead.create(saga(text, String::new())).await.expect("a start");
        }
    }
    Connection::open(&path)
        .expect("a connection")
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             UPDATE saga SET start = CAST(x'ff' AS TEXT) WHERE id = 'b';
             UPDATE saga SET id = '', plan = 99 WHERE id = 'c'",
        )
        .expect("damage");
    let store = SqliteRepository::open(&path).expect("a store");
    store.recover().await.expect("a recovery");
    let claimed = store.claim(10).await.expect("a claim");
    let told: Vec<_> = claimed.iter().map(|saga| saga.summary.id.as_str()).collect();
    assert_eq!(told, ["a", "b", "damaged-3"]);
    assert!(claimed[1].journal[0].body.starts_with("damaged in the store"));
    assert_eq!(&*claimed[2].plan, "missing from the store");
}

#[tokio::test]
async fn an_owner_that_was_taken_for_dead_writes_no_more_to_what_others_own() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteRepository::open(&path).expect("a store");
    let Created::New(key) = store.create(saga("a", String::new())).await.expect("a start") else {
        panic!("new");
    };
    // Somebody tidies up, and another process comes by before this one notices.
    for entry in fs::read_dir(folder.path()).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.to_string_lossy().contains("-owner-") {
            fs::remove_file(path).expect("a lock file");
        }
    }
    let other = SqliteRepository::open(&path).expect("a store");
    other.recover().await.expect("a recovery");
    assert_eq!(other.claim(10).await.expect("a claim").len(), 1);
    let append = |body: &str| compensation::repository::Append {
        key,
        seq: 1,
        entry: Entry { at: Timestamp::now(), body: body.to_owned() },
        head: Head { status: Status::Running, reason: None },
    };
    let error = store.append(append("[1]")).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::NotOwner);
    other.append(append("[2]")).await.expect("its own");
    // It is an owner again, of what is new.
    store.create(saga("b", String::new())).await.expect("a start");
    assert_eq!(other.recover().await.expect("a recovery"), 0);
}

#[tokio::test]
async fn a_saga_whose_status_or_id_is_damaged_hides_no_other() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let store = SqliteRepository::open(&path).expect("a store");
    for text in ["a", "b", "c"] {
        let Created::New(key) = store.create(saga(text, String::new())).await.expect("a start")
        else {
            panic!("new");
        };
        let letter = compensation::repository::Letter {
            key: format!("to-{text}"),
            saga: SagaId::new(text).expect("an id"),
            at: Timestamp::now(),
            body: "{}".to_owned(),
        };
        store.post(letter).await.expect("a letter");
        store.release(vec![key]).await.expect("a release");
    }
    let foreign = Connection::open(&path).expect("a connection");
    let spoil = "UPDATE saga SET status = 9 WHERE id = 'a'; UPDATE saga SET id = '' WHERE id = 'b'";
    foreign.execute_batch(spoil).expect("damage");
    assert!(ids(&store).await.contains(&"c".to_owned()));
    let letters = store.inbox(10).await.expect("an inbox");
    assert!(letters.iter().any(|letter| letter.key == "to-c"));
    store.purge(Timestamp::from_millis(i64::MAX), 10).await.expect("a purge");
    assert_eq!(store.claim(10).await.expect("a claim").len(), 2);
}
