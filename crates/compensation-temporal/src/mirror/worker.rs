//! The worker's side of the mirror: the activity that has the repository.

use std::{fmt, sync::Arc};

use ::compensation::records::RecordRepository;
use futures_util::future::BoxFuture;
use temporalio_sdk::activities::{
    ActivityContext, ActivityDefinitions, ActivityError, ActivityImplementer, ExecutableActivity,
};
use temporalio_workflow::common::{ActivityDefinition, error::ApplicationFailure};

use super::{
    ACTIVITY,
    batch::Batch,
    write::{Origin, write},
};

/// The activity that writes the records of workflows into a repository. Register it on a worker of the task queue that
/// the [`Mirror`](crate::Mirror) names, or of the workflow's own.
///
/// ```
/// use std::sync::Arc;
/// use compensation::records::MemoryRecords;
/// use compensation_temporal::RecordMirror;
/// use temporalio_sdk::WorkerOptions;
///
/// let records = Arc::new(MemoryRecords::new()); // or `SqliteRecords::open("records.db")?`
/// let options = WorkerOptions::new("trips").register_activities(RecordMirror::new(records));
/// # drop(options.build());
/// ```
pub struct RecordMirror(Arc<dyn RecordRepository>);

impl RecordMirror {
    /// Writes into that repository.
    #[must_use]
    pub fn new(records: Arc<dyn RecordRepository>) -> Self {
        Self(records)
    }
}

impl fmt::Debug for RecordMirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordMirror").finish_non_exhaustive()
    }
}

impl ActivityImplementer for RecordMirror {
    fn register_all(self: Arc<Self>, defs: &mut ActivityDefinitions) {
        defs.register_activity::<Write>(self);
    }
}

/// The definition of the activity.
struct Write;

impl ActivityDefinition for Write {
    type Input = Batch;
    type Output = ();

    fn name(&self) -> &str {
        ACTIVITY
    }
}

impl ExecutableActivity for Write {
    type Implementer = RecordMirror;
    const REQUIRES_INSTANCE: bool = true;

    fn definition() -> Self {
        Self
    }

    fn execute(
        receiver: Option<Arc<RecordMirror>>,
        ctx: ActivityContext,
        batch: Batch,
    ) -> BoxFuture<'static, Result<(), ActivityError>> {
        Box::pin(async move {
            let Some(RecordMirror(records)) = receiver.as_deref() else {
                return Err(refused("the mirror has no repository"));
            };
            let info = ctx.info();
            let Some(workflow_id) = info.workflow_id.clone() else {
                return Err(refused("only a workflow is mirrored"));
            };
            let origin = Origin { workflow_id, run_id: info.workflow_run_id.clone() };
            for line in &batch.lines {
                let written = write(&**records, &origin, line).await;
                written
                    .map_err(|error| ActivityError::application(ApplicationFailure::new(error)))?;
            }
            Ok(())
        })
    }
}

fn refused(why: &'static str) -> ActivityError {
    ActivityError::application(ApplicationFailure::non_retryable(why))
}
