//! Workflows that do as the journey does, but for their rollback: what a careless change of the manager would look like.

use compensation_temporal::CompensationManager;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult};
use temporalio_workflow::common::error::ApplicationFailure;

use crate::journey::{Scene, leg};

/// Undoes the first step first.
#[workflow]
#[derive(Default)]
pub(crate) struct Forwards {
    saga: CompensationManager<WorkflowContext<Forwards>>,
}

#[workflow_methods]
impl Forwards {
    #[run(name = "Journey.v1")]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        scene: Scene,
    ) -> WorkflowResult<usize> {
        let saga = ctx.state(|journey| journey.saga.clone());
        for name in ["car", "hotel", "boat", "flight"] {
            drop(saga.step(ctx, leg(&scene, name)).await);
        }
        for name in ["car", "hotel", "boat"] {
            saga.compensate_partial(ctx, [name]).await?;
        }
        Err(ApplicationFailure::non_retryable("no seat").into())
    }
}

/// Undoes the last step only.
#[workflow]
#[derive(Default)]
pub(crate) struct Halfway {
    saga: CompensationManager<WorkflowContext<Halfway>>,
}

#[workflow_methods]
impl Halfway {
    #[run(name = "Journey.v1")]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        scene: Scene,
    ) -> WorkflowResult<usize> {
        let saga = ctx.state(|journey| journey.saga.clone());
        for name in ["car", "hotel", "boat", "flight"] {
            drop(saga.step(ctx, leg(&scene, name)).await);
        }
        saga.compensate_partial(ctx, ["boat"]).await?;
        Err(ApplicationFailure::non_retryable("no seat").into())
    }
}
