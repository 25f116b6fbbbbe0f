//! The scenes whose histories are kept, played once more: they have the events today that they had when they were
//! recorded. With `COMPENSATION_TEMPORAL_RECORD=1` what is not kept yet is recorded; a file that is there is never
//! written over.

use std::{env, fs, path::Path};

use temporalio_client::{
    WorkflowCancelOptions, WorkflowFetchHistoryOptions, WorkflowGetResultOptions, WorkflowHistory,
    WorkflowSignalOptions, WorkflowStartOptions,
};
use temporalio_workflow::common::protos::temporal::api::enums::v1::EventType;

use crate::{
    harness::Stage,
    journey::{Journey, SCENES, Scene},
    ledger::PATIENCE,
};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1");

#[tokio::test]
async fn every_scene_has_the_events_that_were_recorded() {
    for scene in SCENES {
        let stage = Stage::new().await;
        let _worker = stage.worker();
        for (run, today) in play(&stage, scene).await.into_iter().enumerate() {
            let name = if run == 0 { scene.to_owned() } else { format!("{scene}-{}", run + 1) };
            let file = Path::new(KEPT).join(format!("{name}.json"));
            if !file.exists() && env::var_os("COMPENSATION_TEMPORAL_RECORD").is_some() {
                fs::write(&file, &today).expect("a file");
            }
            let kept = fs::read(&file).expect("recorded");
            assert_eq!(kinds(&today).await, kinds(&kept).await, "{name}");
        }
    }
}

/// Plays a scene; the histories of its runs.
async fn play(stage: &Stage, scene: &str) -> Vec<Vec<u8>> {
    let options = WorkflowStartOptions::new(&stage.name, &stage.name).build();
    let name = scene.to_owned();
    let input = Scene { name, ledger: stage.address(), carried: None };
    let first = stage.client().start_workflow(Journey::run, input, options).await.expect("started");
    let whole = stage.client().get_workflow_handle::<Journey>(&stage.name);
    match scene {
        "cancelled-in-a-step" => {
            stage.sees("?+boat", 1).await;
            first.cancel(WorkflowCancelOptions::default()).await.expect("it runs");
        }
        "asked-to-compensate" => {
            stage.sees("?+boat", 1).await;
            let why = "the customer called".to_owned();
            let signal = WorkflowSignalOptions::default();
            first.signal(Journey::compensate, why, signal).await.expect("it runs");
            stage.open("+boat");
        }
        _ => {}
    }
    let end = whole.get_result(WorkflowGetResultOptions::default());
    drop(tokio::time::timeout(PATIENCE, end).await.expect("it closes"));
    let all = WorkflowFetchHistoryOptions::default;
    let mut runs = vec![first.fetch_history(all()).to_json().await.expect("a history")];
    if scene == "renewed" {
        runs.push(whole.fetch_history(all()).to_json().await.expect("a history"));
    }
    runs
}

/// The kinds of its events, sorted; but for workflow tasks, of which there may be more or fewer.
async fn kinds(json: &[u8]) -> Vec<EventType> {
    let history = WorkflowHistory::from_json(json).expect("a history of the SDK");
    let events = history.into_events().await.expect("in memory");
    let kinds = events.iter().map(|event| event.event_type());
    let mut kinds: Vec<_> = kinds
        .filter(|kind| {
            !format!("{kind:?}").contains("Task") || format!("{kind:?}").contains("Activity")
        })
        .collect();
    kinds.sort_unstable();
    kinds
}
