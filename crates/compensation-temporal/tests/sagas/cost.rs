//! What a saga costs in events, beside the same written by hand with the bare SDK.

use std::time::Duration;

use temporalio_client::{WorkflowGetResultOptions, WorkflowStartOptions};
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::{
    ActivityOptions, Runtime, Worker, WorkerOptions, WorkflowContext, WorkflowResult,
    activities::{ActivityContext, ActivityError},
};
use temporalio_workflow::common::error::ApplicationFailure;

use crate::{
    harness::{Stage, sagas},
    town::{Does, trip},
    workers::events,
};

/// Car, hotel and a flight that is refused, undone by hand.
#[workflow]
#[derive(Default)]
struct ByHand;

#[workflow_methods]
impl ByHand {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let options = || ActivityOptions::start_to_close_timeout(Duration::from_secs(20));
        ctx.execute_activity(Bare::works, (), options()).await?;
        ctx.execute_activity(Bare::works, (), options()).await?;
        let flight = ctx.execute_activity(Bare::refuses, (), options()).await;
        if let Err(error) = flight {
            ctx.execute_activity(Bare::works, (), options()).await?;
            ctx.execute_activity(Bare::works, (), options()).await?;
            return Err(error.into());
        }
        Ok(())
    }
}

struct Bare;

#[activities]
impl Bare {
    #[activity]
    async fn works(_: ActivityContext) -> Result<(), ActivityError> {
        Ok(())
    }

    #[activity]
    async fn refuses(_: ActivityContext) -> Result<(), ActivityError> {
        Err(ActivityError::application(ApplicationFailure::non_retryable("no seat")))
    }
}

#[tokio::test]
async fn a_compensated_saga_has_no_more_events_than_the_same_written_by_hand() {
    let stage = Stage::new().await.does("+flight", Does::Refuses);
    let worker = stage.worker();
    stage.start(&trip()).await;
    let _ = stage.ends().await;
    let saga = events(&stage.handle()).await;
    drop(worker);

    let queue = format!("{}-by-hand", stage.id);
    let client = sagas(&queue).await.client().clone();
    let runtime = Runtime::from_current_tokio(Default::default()).expect("inside tokio");
    let options = WorkerOptions::new(queue.clone())
        .register_workflow::<ByHand>()
        .expect("one")
        .register_activities(Bare)
        .build();
    let mut worker = Worker::new(&runtime, client.clone(), options).expect("a worker");
    let stop = worker.shutdown_handle();
    let by_hand = async {
        let options = WorkflowStartOptions::new(&queue, &queue).build();
        let handle = client.start_workflow(ByHand::run, (), options).await.expect("started");
        handle.get_result(WorkflowGetResultOptions::default()).await.expect_err("it is undone");
        let by_hand = events(&handle).await;
        stop();
        by_hand
    };
    let (ran, by_hand) = tokio::join!(worker.run(), by_hand);
    ran.expect("it worked until it was stopped");
    assert_eq!(saga, by_hand);
}
