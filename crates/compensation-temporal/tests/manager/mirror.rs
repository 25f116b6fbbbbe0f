//! The mirror, seen from the workflow: what it is told and when, and that nothing depends on it.

use std::time::Duration;

use compensation_temporal::{ActivityPolicy, CompensationManager, Mirror, Snapshot};
use serde_json::{Value, json};
use temporalio_workflow::WorkflowResult;

use crate::stage::{Act, End, Stage, run, waits};

const MIRROR: &str = "compensation.mirror";

fn many(stage: &Stage, names: &[&'static str]) -> CompensationManager<Stage> {
    let saga = CompensationManager::new();
    saga.mirror(Mirror::new());
    for name in names {
        let undo: &'static str = format!("-{name}").leak();
        saga.register_simple(stage, *name, Act(undo), (*name).to_owned()).expect("new");
    }
    saga
}

/// What one activity was told.
fn lines(entry: &str) -> Vec<Value> {
    let input = entry.strip_prefix(&format!("{MIRROR}(")).and_then(|rest| rest.strip_suffix(')'));
    let batch: Value = serde_json::from_str(input.expect("the mirror")).expect("JSON");
    batch["lines"].as_array().expect("lines").clone()
}

/// Name and status of every undo in each activity of the mirror.
fn told(log: &[String]) -> Vec<String> {
    let mirrored = log.iter().filter(|entry| entry.starts_with("compensation.mirror("));
    let word = |line: &Value| format!("{} {}", line["activityName"], line["status"]);
    mirrored
        .map(|entry| lines(entry).iter().map(word).collect::<Vec<_>>().join(", ").replace('"', ""))
        .collect()
}

#[test]
fn a_rollback_is_told_as_it_goes_on_and_in_the_end() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b"]);
    stage.script("-a", [End::Hangs]);
    let mut rollback = Box::pin(saga.compensate(&stage));
    waits(&mut rollback);
    assert_eq!(told(&stage.log()), ["b completed, a running"]);
    stage.release();
    run(rollback).expect("it succeeds");
    assert_eq!(told(&stage.log()), ["a completed"]);
}

#[test]
fn undos_do_not_wait_for_a_mirror_that_hangs_and_changes_meanwhile_are_told_at_once() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c"]);
    stage.script(MIRROR, [End::Hangs]);
    stage.script("-c", [End::Hangs]);
    let mut rollback = Box::pin(saga.compensate(&stage));
    waits(&mut rollback);
    stage.release();
    run(rollback).expect("it succeeds");
    let log = stage.log();
    assert_eq!(
        told(&log),
        ["a pending, b pending, c running", "c completed, b completed, a completed"]
    );
}

#[test]
fn a_mirror_that_fails_is_told_in_the_report_and_harms_nothing() {
    for end in [End::Refuses("Broken"), End::NoWorker] {
        let stage = Stage::new();
        let saga = many(&stage, &["a"]);
        stage.script(MIRROR, [end]);
        let report = run(saga.compensate(&stage)).expect("the undo succeeds");
        assert!(report.is_complete());
        assert!(report.mirror.is_some());
        assert!(report.to_string().starts_with("undone: a; the records are not mirrored: "));
    }
}

#[test]
fn what_could_not_be_written_is_written_with_what_comes_next() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b"]);
    stage.script(MIRROR, [End::Refuses("Broken")]);
    stage.script("-a", [End::Hangs]);
    let mut rollback = Box::pin(saga.compensate(&stage));
    waits(&mut rollback);
    stage.release();
    let report = run(rollback).expect("it succeeds");
    assert_eq!(report.mirror, None);
    assert_eq!(told(&stage.log()), ["b completed, a running", "b completed, a completed"]);
}

#[test]
fn a_mirror_that_goes_on_failing_is_given_up() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b"]);
    stage.script(MIRROR, vec![End::Refuses("Broken"); 9]);
    let report = run(saga.compensate(&stage)).expect("the undos succeed");
    assert_eq!(report.mirror.as_deref(), Some("it went wrong (Broken)"));
    assert!(told(&stage.log()).len() <= 2);
}

#[test]
fn it_is_bounded_whatever_its_policy_says() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    saga.mirror(Mirror::new().policy(ActivityPolicy::within(Duration::from_secs(3))));
    run(saga.compensate(&stage)).expect("it succeeds");
    let limits = stage.options(MIRROR).close_timeouts;
    assert_eq!(limits.schedule_to_close(), Some(Duration::from_secs(30)));
    assert_eq!(limits.start_to_close(), Some(Duration::from_secs(3)));
}

#[test]
fn a_cancel_of_the_workflow_does_not_reach_it() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    stage.cancel();
    let report = run(saga.compensate(&stage)).expect("it succeeds");
    assert_eq!((report.mirror, told(&stage.log()).len()), (None, 1));
}

#[test]
fn inputs_are_written_only_where_they_are_asked_for() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b"]);
    run(saga.write_records(&stage)).expect("written");
    assert_eq!(lines(&stage.log()[0])[0].get("input"), None);
    saga.mirror(Mirror::new().with_inputs());
    run(saga.write_records(&stage)).expect("written");
    assert_eq!(lines(&stage.log()[0])[1]["input"], json!("b"));
}

#[test]
fn many_records_go_in_batches() {
    let stage = Stage::new();
    let names: Vec<&'static str> = (0..250).map(|n| &*format!("n{n}").leak()).collect();
    run(many(&stage, &names).write_records(&stage)).expect("written");
    let sizes: Vec<_> = stage.log().iter().map(|entry| lines(entry).len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[test]
fn what_was_mirrored_is_passed_over_when_the_workflow_completes() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    run(saga.write_records(&stage)).expect("written");
    run(saga.finish(&stage, WorkflowResult::Ok(()))).expect("completed");
    assert_eq!(told(&stage.log()), ["a pending", "a skipped"]);
}

#[test]
fn a_workflow_that_was_never_mirrored_completes_without_a_word() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    run(saga.finish(&stage, WorkflowResult::Ok(()))).expect("completed");
    assert!(stage.log().is_empty());
}

#[test]
fn a_record_keeps_its_id_over_a_continue_as_new_and_is_always_told_as_newer() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    run(saga.write_records(&stage)).expect("written");
    let first = lines(&stage.log()[0]).remove(0);
    let text = serde_json::to_string(&saga.snapshot().expect("idle")).expect("plain data");
    let snapshot: Snapshot = serde_json::from_str(&text).expect("just written");
    let next = CompensationManager::new();
    next.mirror(Mirror::new());
    next.restore(snapshot).expect("empty");
    run(next.compensate(&stage)).expect("it succeeds");
    let second = lines(&stage.log()[1]).remove(0);
    assert_eq!(first["id"], second["id"]);
    assert!(second["sequence"].as_u64() > first["sequence"].as_u64());
}
