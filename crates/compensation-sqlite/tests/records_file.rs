//! Records in a file: beside sagas, open to other tools, and under faults.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, sync::Arc, time::Duration};

use compensation::{
    CompensationStatus, Engine, Saga, SagaId, SagaRecords, StepContext, StepError, UndoContext,
    records::{RecordError, RecordFilter, RecordId, RecordRepository, UndoRecord},
    repository::ErrorKind,
};
use compensation_sqlite::{SqliteOptions, SqliteRecords, SqliteRepository};
use rusqlite::Connection;
use tempfile::tempdir;

fn kind(error: &RecordError) -> ErrorKind {
    assert!(matches!(error, RecordError::Store(_)), "{error:?}");
    error.kind()
}

#[tokio::test]
async fn sagas_and_records_share_a_file() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let records = SqliteRecords::open(&path).expect("records");
    let saved = records.save(UndoRecord::new("order", "charge")).await.expect("a save");
    let store = Arc::new(SqliteRepository::open(&path).expect("a store"));
    let mut trip = Saga::<u32>::builder("trip");
    trip.step("a", |_: StepContext<u32>| async { Ok::<_, StepError>(17) })
        .undo(|_: UndoContext<u32>, _| async { Ok::<_, StepError>(()) })
        .add();
    let trip = trip.build().expect("a sound saga");
    let engine = Engine::open_shared(store.clone()).register(trip).start().await.expect("a start");
    let id = SagaId::new("1").expect("an id");
    assert!(engine.run("trip", id.clone(), &1_u32).await.expect("an outcome").is_completed());
    engine.drain().await;
    records.mark_started(saved.id).await.expect("a mark");
    let undos = SagaRecords::new(store).history(&id).await.expect("a history");
    assert_eq!(undos[0].compensation_data, 17);
    let all = records.list(RecordFilter::default()).await.expect("a page");
    assert_eq!(all.records.len(), 1, "what the journal says is not stored a second time");
}

#[tokio::test]
async fn other_tools_read_records_in_words() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("records.db");
    let records = SqliteRecords::open(&path).expect("records");
    let made = "2026-07-14T09:30:00.250Z".parse().expect("a moment");
    let mut record = UndoRecord::with_id(RecordId::at(made), "order", "charge");
    record.status = CompensationStatus::Failed;
    record.error = Some("declined".to_owned());
    record.compensation_data = "ch-99".into();
    record.metadata.insert("tenant".to_owned(), "acme".to_owned());
    let saved = records.save(record).await.expect("a save");
    let tool = Connection::open(&path).expect("a database");
    let row: [String; 7] = tool
        .query_row(
            "SELECT id, workflow, activity, status, created, data, metadata FROM records",
            (),
            |row| {
                let mut cells = [const { String::new() }; 7];
                for (column, cell) in cells.iter_mut().enumerate() {
                    *cell = row.get(column)?;
                }
                Ok(cells)
            },
        )
        .expect("a row");
    let id = saved.id.to_string();
    let words = ["order", "charge", "failed", "2026-07-14T09:30:00.250Z", "\"ch-99\""];
    assert_eq!(row[0], id);
    assert_eq!(row[1..6], words);
    assert_eq!(row[6], r#"{"tenant":"acme"}"#);
}

#[tokio::test]
async fn records_that_are_not_there_are_not_created_where_they_must_exist() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("records.db");
    let error = SqliteRecords::open_existing(&path).expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(!path.exists());
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_acknowledged_that_is_not_kept() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("records.db");
    let records = SqliteOptions::new().max_bytes(256 * 1024).open_records(&path).expect("records");
    let mut kept = Vec::new();
    let error = loop {
        let mut record = UndoRecord::new("order", "charge");
        record.compensation_data = "x".repeat(4_000).into();
        match records.save(record).await {
            Ok(saved) => kept.push(saved),
            Err(error) => break error,
        }
    };
    assert_eq!(kind(&error), ErrorKind::Exhausted, "{error}");
    assert_eq!(records.history("order").await.expect("a history"), kept);
    drop(records);
    let records = SqliteRecords::open(&path).expect("records");
    records.mark_started(kept[0].id).await.expect("room");
}

#[tokio::test]
async fn a_file_that_another_program_locks_is_a_temporary_error() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("records.db");
    let options = SqliteOptions::new().busy_timeout(Duration::from_millis(1));
    let records = options.open_records(&path).expect("records");
    let saved = records.save(UndoRecord::new("order", "charge")).await.expect("a save");
    let other = Connection::open(&path).expect("a database");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let error = records.mark_started(saved.id).await.expect_err("it is locked");
    assert_eq!(kind(&error), ErrorKind::Temporary, "{error}");
    assert_eq!(records.get(saved.id).await.expect("readers go on"), Some(saved.clone()));
    other.execute_batch("ROLLBACK").expect("an end");
    records.mark_started(saved.id).await.expect("a mark");
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_not_written_any_more() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("records.db");
    let records = SqliteRecords::open(&path).expect("records");
    let saved = records.save(UndoRecord::new("order", "charge")).await.expect("a save");
    let away = folder.path().join("away.db");
    fs::rename(&path, &away).expect("a move");
    let error = records.mark_started(saved.id).await.expect_err("it is gone");
    assert_eq!(kind(&error), ErrorKind::Permanent, "{error}");
    assert!(!path.exists(), "it must not come back empty");
    fs::rename(&away, &path).expect("a move");
    records.mark_started(saved.id).await.expect("a mark");
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_told() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("records.db");
    let records = SqliteRecords::open(&path).expect("records");
    let bad = records.save(UndoRecord::new("bad", "charge")).await.expect("a save");
    let good = records.save(UndoRecord::new("good", "charge")).await.expect("a save");
    let tool = Connection::open(&path).expect("a database");
    tool.execute_batch("UPDATE record SET data = '{' WHERE workflow = 'bad'").expect("damage");
    let error = records.get(bad.id).await.expect_err("a refusal");
    assert_eq!(kind(&error), ErrorKind::Permanent, "{error}");
    let error = records.mark_started(bad.id).await.expect_err("a refusal");
    assert_eq!(kind(&error), ErrorKind::Permanent, "{error}");
    records.mark_started(good.id).await.expect("others are not held up");
}

#[tokio::test]
async fn changes_asked_for_at_once_fail_one_by_one() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("records.db");
    let records = Arc::new(SqliteRecords::open(&path).expect("records"));
    let bad = records.save(UndoRecord::new("bad", "charge")).await.expect("a save");
    let tool = Connection::open(&path).expect("a database");
    tool.execute_batch("UPDATE record SET data = '{'").expect("damage");
    // The lock makes all of them wait for one transaction.
    tool.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let save = |number: u32| {
        let records = records.clone();
        let record = UndoRecord::new(format!("order-{number}"), "charge");
        tokio::spawn(async move { records.save(record).await })
    };
    let before: Vec<_> = (0..10).map(save).collect();
    let failing = tokio::spawn({
        let records = records.clone();
        async move { records.mark_started(bad.id).await }
    });
    let after: Vec<_> = (10..20).map(save).collect();
    tokio::task::yield_now().await;
    tool.execute_batch("ROLLBACK").expect("an end");
    failing.await.expect("no panic").expect_err("its row makes no sense");
    for save in before.into_iter().chain(after) {
        save.await.expect("no panic").expect("its neighbour's data is no concern of it");
    }
}
