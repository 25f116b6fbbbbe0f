//! Histories that a server once recorded, replayed with what the manager does today. One that does not replay would
//! break workflows that are running: gate the change with `patched`, and keep the old way for them.
#![allow(clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

mod journey;
mod others;

use std::{ffi::OsString, fs, path::Path};

use journey::{Journey, SCENES};
use others::{Forwards, Halfway};
use temporalio_client::WorkflowHistory;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use temporalio_workflow::{common::WorkflowDefinition, workflows::WorkflowImplementation};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1");

fn history(name: &str) -> WorkflowHistory {
    let file = Path::new(KEPT).join(format!("{name}.json"));
    let json = fs::read(&file).expect("a history; record it with COMPENSATION_TEMPORAL_RECORD=1");
    WorkflowHistory::from_json(&json).expect("a history of the SDK")
}

/// Replays a history with that workflow, and tells in what it differs.
async fn replay<W>(name: &str) -> Result<(), String>
where
    W: WorkflowImplementation,
    <W::Run as WorkflowDefinition>::Input: Send,
{
    let options = WorkflowReplayerOptions::new().register_workflow::<W>().expect("one").build();
    let replayer = WorkflowReplayer::new(options).expect("a replayer");
    replayer.replay_workflow(history(name)).await.map_err(|error| error.to_string())
}

/// The names of the files that a scene has: one for each run.
fn files(scene: &str) -> Vec<String> {
    match scene {
        "renewed" => vec!["renewed".to_owned(), "renewed-2".to_owned()],
        other => vec![other.to_owned()],
    }
}

#[tokio::test]
async fn every_history_that_was_ever_recorded_replays() {
    for scene in SCENES {
        for name in files(scene) {
            replay::<Journey>(&name).await.unwrap_or_else(|why| panic!("{name}: {why}"));
        }
    }
}

#[test]
fn no_history_is_forgotten() {
    let mut kept: Vec<_> = fs::read_dir(KEPT)
        .expect("a directory")
        .map(|file| file.expect("readable").path().file_stem().expect("a name").to_owned())
        .collect();
    kept.sort();
    let mut known: Vec<_> = SCENES.into_iter().flat_map(files).map(OsString::from).collect();
    known.sort();
    assert_eq!(kept, known);
}

#[tokio::test]
async fn a_rollback_in_another_order_is_caught() {
    let why = replay::<Forwards>("linear").await.expect_err("it undoes the first step first");
    assert!(why.contains("Nondeterminism"), "{why}");
}

#[tokio::test]
async fn a_rollback_that_forgets_an_undo_is_caught() {
    let why = replay::<Halfway>("linear").await.expect_err("it undoes one step only");
    assert!(why.contains("Nondeterminism"), "{why}");
}
