//! Records as JSON: field names and formats of the Go package, and what is refused.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use compensation::{
    CompensationStatus, Timestamp,
    records::{RecordId, UndoRecord},
};
use serde_json::{Value, json};

fn sample() -> Value {
    json!({
        "id": "019f5fbb-7ec0-7000-8000-000000000000",
        "revision": 4,
        "workflowId": "order-4711",
        "runId": "run-2",
        "activityName": "charge-card",
        "status": "failed",
        "error": "declined",
        "startedAt": "2026-07-14T09:30:00.250Z",
        "completedAt": "2026-07-14T09:30:00.500Z",
        "duration": 250_000_000,
        "retries": 2,
        "compensationData": { "charge": "ch-99" },
        "metadata": { "tenant": "acme" },
        "createdAt": "2026-07-14T08:25:51.040Z",
        "updatedAt": "2026-07-14T09:30:00.500Z",
    })
}

fn read(value: Value) -> serde_json::Result<UndoRecord> {
    serde_json::from_value(value)
}

#[test]
fn a_record_is_read_and_written_back_the_same() {
    let record = read(sample()).expect("a record");
    assert_eq!(record.id.to_string(), "019f5fbb-7ec0-7000-8000-000000000000");
    assert_eq!(record.status, CompensationStatus::Failed);
    assert_eq!(record.duration, Some(Duration::from_millis(250)));
    assert_eq!(record.compensation_data["charge"], "ch-99");
    assert_eq!(record.metadata["tenant"], "acme");
    assert_eq!(serde_json::to_value(&record).expect("plain data"), sample());
}

#[test]
fn empty_fields_are_left_out() {
    let id = RecordId::at(Timestamp::from_millis(1_000));
    let record = UndoRecord::with_id(id, "order", "charge");
    let text = serde_json::to_string(&record).expect("plain data");
    let moment = "1970-01-01T00:00:01.000Z";
    let expected = format!(
        r#"{{"id":"{id}","revision":0,"workflowId":"order","activityName":"charge","status":"pending","createdAt":"{moment}","updatedAt":"{moment}"}}"#
    );
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<UndoRecord>(&text).expect("a record"), record);
}

#[test]
fn only_what_it_is_about_and_how_it_stands_must_be_said() {
    let id = RecordId::now();
    let text = json!({
        "id": id, "workflowId": "order", "activityName": "charge", "status": "pending",
        "startedAt": "0001-01-01T00:00:00Z",
    });
    let record = read(text).expect("a record");
    assert_eq!(record, UndoRecord::with_id(id, "order", "charge"));
}

#[test]
fn a_moment_of_making_that_is_not_that_of_the_id_is_refused() {
    let mut sample = sample();
    sample["createdAt"] = "2026-01-01T00:00:00Z".into();
    let refused = read(sample).expect_err("a refusal").to_string();
    assert!(refused.contains("says that it was made at 2026-01-01T00:00:00.000Z"), "{refused}");
}

#[test]
fn an_id_that_is_no_record_id_is_refused() {
    let mut sample = sample();
    sample["id"] = "order-4711".into();
    let refused = read(sample).expect_err("a refusal").to_string();
    assert!(refused.contains("`order-4711` is no id of a record"), "{refused}");
}
