//! The workflow whose histories are kept. It is frozen: a history is replayed with it for ever. For something new add a
//! scene, and record it; don't change one that there is.

use std::{io, time::Duration};

use compensation_temporal::{
    ActivityPolicy, Compensate, CompensationManager, Mirror, NotDone, Retry, SagaContext, Snapshot,
    Step, UndoContext, step,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowResult, workflows::join_all,
};
use temporalio_workflow::common::ActivityDefinition;

/// Every scene that there is.
pub(crate) const SCENES: [&str; 11] = [
    "linear",
    "cancelled-in-a-step",
    "parallel",
    "partial",
    "halted",
    "renewed",
    "counted",
    "asked-to-compensate",
    "mirrored",
    "closure-within",
    "together",
];

/// What the workflow is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scene {
    pub(crate) name: String,
    /// Where activities tell what they do.
    pub(crate) ledger: String,
    #[serde(default)]
    pub(crate) carried: Option<Snapshot>,
}

/// An activity, by its name: a replay needs no more of it. Each has one of its own, for the order of two activities of
/// one name is not told apart by a replay.
#[derive(Clone, Copy)]
struct Does(&'static str);

impl ActivityDefinition for Does {
    type Input = Value;
    type Output = String;

    fn name(&self) -> &str {
        self.0
    }
}

/// What books it, and what cancels it.
fn activities(name: &str) -> [Does; 2] {
    match name {
        "car" => [Does("book-car"), Does("cancel-car")],
        "hotel" => [Does("book-hotel"), Does("cancel-hotel")],
        "boat" => [Does("book-boat"), Does("cancel-boat")],
        _ => [Does("book-flight"), Does("cancel-flight")],
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Journey {
    saga: CompensationManager<WorkflowContext<Journey>>,
}

#[workflow_methods]
impl Journey {
    #[run(name = "Journey.v1")]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        scene: Scene,
    ) -> WorkflowResult<usize> {
        let saga = ctx.state(|journey| journey.saga.clone());
        let what = match &*scene.name {
            "parallel" | "together" => Compensate::all().parallel(2),
            "halted" => Compensate::all().halt_on_failure(),
            "closure-within" => Compensate::all().within(Duration::from_secs(60)),
            _ => Compensate::all(),
        };
        if scene.name == "mirrored" {
            saga.mirror(Mirror::new());
        }
        let result = Self::travel(ctx, &saga, scene).await;
        saga.finish_with(ctx, result, what).await
    }

    async fn travel(
        ctx: &WorkflowContext<Self>,
        saga: &CompensationManager<WorkflowContext<Self>>,
        mut scene: Scene,
    ) -> WorkflowResult<usize> {
        if scene.name == "renewed" {
            if let Some(carried) = scene.carried.take() {
                saga.restore(carried)?;
            } else {
                saga.step(ctx, leg(&scene, "car")).await?;
                saga.step(ctx, leg(&scene, "hotel")).await?;
                let rest = Scene { carried: Some(saga.snapshot()?), ..scene };
                ctx.continue_as_new(rest, ContinueAsNewOptions::default())?;
                return Ok(0);
            }
        } else if scene.name == "together" {
            let names = ["car", "hotel", "boat", "flight"];
            for ended in join_all(names.map(|name| saga.step(ctx, leg(&scene, name)))).await {
                ended?;
            }
        } else {
            for name in ["car", "hotel", "boat"] {
                saga.step(ctx, leg(&scene, name)).await?;
            }
        }
        if scene.name == "partial" {
            saga.compensate_partial(ctx, ["car", "boat"]).await?;
            return Ok(saga.executed_count());
        }
        saga.step(ctx, leg(&scene, "flight")).await?;
        Ok(saga.executed_count())
    }

    #[signal]
    pub(crate) fn compensate(&mut self, _: &mut SyncWorkflowContext<Self>, why: String) {
        self.saga.ask_to_compensate(why);
    }
}

/// One step: the flight fails, and so does what the scene says.
pub(crate) fn leg<C: SagaContext>(
    scene: &Scene,
    name: &'static str,
) -> Step<C, impl ActivityDefinition> {
    let call = |sign: char, act: Value| json!({ "ledger": scene.ledger, "word": format!("{sign}{name}"), "act": act, "told": null });
    let act = match (&*scene.name, name) {
        ("cancelled-in-a-step", "boat") => json!("Waits"),
        ("asked-to-compensate", "boat") => json!("WaitsDeaf"),
        (_, "flight") => json!("Refuses"),
        _ => json!("Works"),
    };
    let undo = match (&*scene.name, name) {
        ("halted", "hotel") => json!("Refuses"),
        ("counted", "hotel") => json!({ "FailsFirst": 2 }),
        _ => json!("Works"),
    };
    let beats = ActivityPolicy {
        heartbeat: Some(Duration::from_secs(5)),
        ..ActivityPolicy::within(Duration::from_secs(60)).retry(Retry::none())
    };
    let [books, cancels] = activities(name);
    let step = step(name, books, call('+', act)).policy(beats).not_done(NotDone::on_refusals());
    let undo = call('-', undo);
    if scene.name == "closure-within" && name == "hotel" {
        return step.undo_fn(move |scope: UndoContext<C>, _| {
            let undo = undo.clone();
            async move {
                let policy = ActivityPolicy::default();
                scope.run(cancels, undo, &policy).await.map(drop).map_err(io::Error::other)
            }
        });
    }
    let step = step
        .undo(cancels, move |done: Option<&String>| {
            let mut undo = undo.clone();
            undo["told"] = json!(done);
            undo
        })
        .undo_retry(Retry::times(3).first(Duration::from_millis(50)));
    if scene.name == "counted" { step.counted() } else { step }
}
