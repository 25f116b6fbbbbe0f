//! The workflow that runs every saga.

use std::{cell::RefCell, error::Error, rc::Rc};

use compensation::Status;
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, WorkflowTermination,
    common::error::ApplicationFailure, workflow, workflow_methods,
};

use super::{
    drive, json::SagaJson, order::SagaOrder, report::SagaReport, steering::Steering,
    wire::SagaInput,
};

/// Type of the failure of a saga that was undone because a step failed. Its details are a [`SagaReport`].
pub const COMPENSATED: &str = "SagaCompensated";

/// Type of the failure of a saga that a person gave up. Its details are a [`SagaReport`].
pub const ABANDONED: &str = "SagaAbandoned";

/// Type of the failure of a workflow whose input is no saga.
const BAD_INPUT: &str = "SagaBadInput";

/// Type of the failure of a workflow that this library steered wrongly.
const DEFECT: &str = "SagaDefect";

/// The workflow that runs a saga. `SagaWorker` registers it, and `TemporalSagas` starts it.
///
/// It closes as *completed* with a [`SagaReport`] (as JSON) for its result; as *failed* with a failure of type [`COMPENSATED`] or
/// [`ABANDONED`] that has the report for its details; or as *cancelled*, undone because somebody asked for it, with the
/// report for its details. A stuck saga stays open and waits for an update `order`. The query `report` tells how it
/// stands.
#[workflow]
pub struct SagaWorkflow {
    steering: Result<Rc<RefCell<Steering>>, String>,
}

#[workflow_methods]
impl SagaWorkflow {
    #[init]
    fn new(_: &WorkflowContextView, input: SagaInput) -> Self {
        let steering = input.0.and_then(Steering::new);
        Self { steering: steering.map(|steering| Rc::new(RefCell::new(steering))) }
    }

    /// Runs the saga.
    #[run(name = "CompensationSaga")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<SagaJson<SagaReport>> {
        let steering = ctx.state(|this| this.steering.clone());
        let steering = steering.map_err(|why| fails(BAD_INPUT, why, None))?;
        let ended = drive::drive(&*ctx, &steering).await;
        let report = steering.borrow().report();
        match ended {
            Ok(Status::Completed) => Ok(SagaJson(report)),
            Ok(Status::Compensated)
                if steering.borrow().recalled || ctx.cancellation_token().is_cancelled() =>
            {
                Err(WorkflowTermination::cancelled_with_details(SagaJson(report)))
            }
            Ok(status) => {
                let kind = if status == Status::Abandoned { ABANDONED } else { COMPENSATED };
                let why = report.reason.clone().unwrap_or_else(|| status.to_string());
                Err(fails(kind, why, Some(report)))
            }
            Err(illegal) => Err(fails(DEFECT, illegal.to_string(), Some(report))),
        }
    }

    /// How the saga stands.
    #[query]
    pub fn report(&self, _: &WorkflowContextView) -> SagaJson<Option<SagaReport>> {
        SagaJson(self.steering.as_ref().ok().map(|steering| steering.borrow().report()))
    }

    /// Takes an order: to cancel, retry, skip, mark as done or abandon.
    #[update]
    pub fn order(
        &mut self,
        _: &mut SyncWorkflowContext<Self>,
        order: SagaJson<SagaOrder>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.steering.as_ref().map_err(String::clone)?.borrow_mut().order(&order.0)?;
        Ok(())
    }

    /// Refuses what makes no sense, before it leaves a trace.
    #[update_validator(order)]
    fn check(
        &self,
        _: &WorkflowContextView,
        order: &SagaJson<SagaOrder>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.steering.as_ref().map_err(String::clone)?.borrow().check(&order.0)?;
        Ok(())
    }
}

fn fails(kind: &str, why: String, report: Option<SagaReport>) -> WorkflowTermination {
    let failure = ApplicationFailure::builder(why).type_name(kind.to_owned()).non_retryable(true);
    WorkflowTermination::from(match report {
        Some(report) => failure.details(SagaJson(report)).build(),
        None => failure.build(),
    })
}
