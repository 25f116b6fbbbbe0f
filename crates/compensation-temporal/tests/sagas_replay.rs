//! Histories of sagas, recorded once and replayed for ever: a change to the order of commands would break workflows
//! that are under way. New ones are recorded with `COMPENSATION_TEMPORAL_RECORD=DIRECTORY ./server-tests`.
#![allow(clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

use std::{fs, path::Path};

use compensation_temporal::SagaWorkflow;
use temporalio_client::WorkflowHistory;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};

#[tokio::test]
async fn every_recorded_history_replays_without_a_difference() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sagas/histories");
    let options =
        WorkflowReplayerOptions::new().register_workflow::<SagaWorkflow>().expect("one").build();
    let replayer = WorkflowReplayer::new(options).expect("a replayer");
    let mut replayed = 0;
    for entry in fs::read_dir(directory).expect("the histories are committed") {
        let path = entry.expect("an entry").path();
        let json = fs::read(&path).expect("a file");
        let history = WorkflowHistory::from_json(&json).expect("a history");
        let ended = replayer.replay_workflow(history).await;
        assert!(ended.is_ok(), "{}: {ended:?}", path.display());
        replayed += 1;
    }
    assert!(replayed >= 10, "only {replayed} histories are there");
}
