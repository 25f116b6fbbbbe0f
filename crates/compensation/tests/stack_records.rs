//! Records as JSON: field names and formats of the Go package, so that one tool reads both.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use compensation::{
    CompensationExecutionRecord, CompensationRecord, CompensationStatus, CompensationStep,
    RetryPolicy, SagaManager, StepError,
};
use serde_json::{Value, json};

#[test]
fn a_record_of_the_go_package_is_read() {
    let text = r#"{"name":"release","executed":true,"executedAt":"2025-03-01T12:00:00.123456789+02:00","error":"boom","duration":1500000000}"#;
    let record: CompensationRecord = serde_json::from_str(text).expect("a record");
    assert_eq!(record.name, "release");
    assert_eq!(record.executed_at.expect("a moment").to_string(), "2025-03-01T10:00:00.123Z");
    assert_eq!(record.duration, Some(Duration::from_millis(1_500)));
    assert_eq!(record.status(), CompensationStatus::Failed);
}

#[test]
fn the_zero_moment_of_the_go_package_is_none() {
    let text = r#"{"name":"release","executed":false,"executedAt":"0001-01-01T00:00:00Z"}"#;
    let record: CompensationRecord = serde_json::from_str(text).expect("a record");
    assert_eq!(record.executed_at, None);
    assert_eq!(record.status(), CompensationStatus::Pending);
}

#[test]
fn an_execution_record_of_the_go_package_is_read_and_written_back_the_same() {
    let sample = json!({
        "activityName": "ChargeCard",
        "status": "failed",
        "executedAt": "2025-03-01T10:00:00.123Z",
        "duration": 250_000_000,
        "error": "declined",
        "retries": 2,
    });
    let record: CompensationExecutionRecord =
        serde_json::from_value(sample.clone()).expect("a record");
    assert_eq!(record.retries, 2);
    assert_eq!(serde_json::to_value(&record).expect("plain data"), sample);
}

#[test]
fn empty_fields_are_left_out() {
    let text = r#"{"activityName":"ChargeCard","status":"pending"}"#;
    let record: CompensationExecutionRecord = serde_json::from_str(text).expect("a record");
    assert_eq!(serde_json::to_string(&record).expect("plain data"), text);
}

#[tokio::test]
async fn a_record_that_is_written_has_the_field_names_of_the_go_package() {
    let saga = SagaManager::new();
    saga.add_compensation("release", || async { Ok::<_, StepError>(()) });
    saga.compensate().await.expect("undone");
    let value = serde_json::to_value(&saga.records()[0]).expect("plain data");
    let fields: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(fields, ["duration", "executed", "executedAt", "name", "status"]);
    assert_eq!(value["status"], "completed");
    assert!(value["duration"].is_u64());
    assert!(value["executedAt"].as_str().expect("a text").ends_with('Z'));
    let back: CompensationRecord = serde_json::from_value(value).expect("a record");
    assert_eq!(back, saga.records()[0].clone());
}

#[test]
fn a_record_becomes_one_of_an_execution() {
    let text = r#"{"name":"release","executed":true,"duration":7}"#;
    let record: CompensationRecord = serde_json::from_str(text).expect("a record");
    let execution = CompensationExecutionRecord::from(record);
    assert_eq!(execution.activity_name, "release");
    assert_eq!(execution.status, CompensationStatus::Completed);
}

#[test]
fn every_status_is_read_by_its_word() {
    for status in CompensationStatus::ALL {
        assert_eq!(CompensationStatus::parse(status.as_str()), Some(status));
        let word: Value = serde_json::to_value(status).expect("a word");
        assert_eq!(word, status.as_str());
    }
}

#[test]
fn a_step_is_read_back_the_same() {
    let mut step = CompensationStep::new("ChargeCard", json!({ "amount": 7 }));
    step.timeout = Some(Duration::from_secs(3));
    step.retry_policy = RetryPolicy::new(4);
    let text = serde_json::to_string(&step).expect("plain data");
    assert_eq!(serde_json::from_str::<CompensationStep>(&text).expect("a step"), step);
}
