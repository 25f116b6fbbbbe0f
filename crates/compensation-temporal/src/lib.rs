//! Compensation inside Temporal workflows: what a workflow did is undone when it fails or is cancelled.
//!
//! A [`CompensationManager`] belongs to one workflow. Each [`step`] registers its undo, runs its activity and records
//! how it ended; [`finish`](CompensationManager::finish) undoes everything if the result is an error, and closes the
//! workflow rightly.
//!
//! ```
//! use compensation_temporal::{CompensationExecutionRecord, CompensationManager, NotDone, Report, step};
//! use temporalio_macros::{activities, workflow, workflow_methods};
//! use temporalio_sdk::{
//!     SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
//!     activities::{ActivityContext, ActivityError},
//! };
//!
//! #[workflow]
//! #[derive(Default)]
//! pub struct BookTrip {
//!     saga: CompensationManager<WorkflowContext<BookTrip>>,
//! }
//!
//! #[workflow_methods]
//! impl BookTrip {
//!     #[run]
//!     pub async fn run(ctx: &mut WorkflowContext<Self>, who: String) -> WorkflowResult<u32> {
//!         let saga = ctx.state(|trip| trip.saga.clone());
//!         let result = book(ctx, &saga, who).await;
//!         saga.finish(ctx, result).await
//!     }
//!
//!     #[query]
//!     pub fn records(&self, _: &WorkflowContextView) -> Vec<CompensationExecutionRecord> {
//!         self.saga.records()
//!     }
//!
//!     #[query]
//!     pub fn report(&self, _: &WorkflowContextView) -> Option<Report> {
//!         self.saga.report()
//!     }
//!
//!     #[signal]
//!     pub fn compensate(&mut self, _: &mut SyncWorkflowContext<Self>, why: String) {
//!         self.saga.ask_to_compensate(why);
//!     }
//!
//!     #[signal]
//!     pub fn cancel(&mut self, _: &mut SyncWorkflowContext<Self>, why: String) {
//!         self.saga.ask_to_cancel(why);
//!     }
//! }
//!
//! async fn book(
//!     ctx: &WorkflowContext<BookTrip>,
//!     saga: &CompensationManager<WorkflowContext<BookTrip>>,
//!     who: String,
//! ) -> WorkflowResult<u32> {
//!     let car = step("car", Agency::reserve_car, who)
//!         .not_done(NotDone::on_refusals())
//!         .undo(Agency::cancel_car, |car| car.copied());
//!     Ok(saga.step(ctx, car).await?)
//! }
//!
//! pub struct Agency;
//!
//! #[activities]
//! impl Agency {
//!     #[activity]
//!     pub async fn reserve_car(_: ActivityContext, who: String) -> Result<u32, ActivityError> {
//!         println!("a car for {who}");
//!         Ok(17)
//!     }
//!
//!     /// Without a number the reply was lost: there may be a car, or not.
//!     #[activity]
//!     pub async fn cancel_car(_: ActivityContext, car: Option<u32>) -> Result<(), ActivityError> {
//!         println!("no car {car:?}");
//!         Ok(())
//!     }
//! }
//! ```
//!
//! # The same definition on Temporal
//! A [`Saga`](::compensation::Saga) needs no workflow of its own: a `SagaWorker` hosts it, and `TemporalSagas` starts it and
//! waits for it. (Both come with the feature `worker`, which is on by default.)
//!
//! ```no_run
//! # #[cfg(feature = "worker")]
//! # mod trip {
//! use compensation::{Order, Outcome, Saga, SagaId, StepContext, StepError, UndoContext};
//! use compensation_temporal::{SagaWorker, TemporalSagas};
//!
//! async fn reserve(cx: StepContext<String>) -> Result<u32, StepError> {
//!     println!("a car for {}, once for {}", cx.input(), cx.idempotency_key());
//!     Ok(17)
//! }
//! async fn cancel(_: UndoContext<String>, car: Option<u32>) -> Result<(), StepError> {
//!     println!("no car {car:?}");
//!     Ok(())
//! }
//!
//! fn trip() -> Result<Saga<String>, compensation::DefinitionError> {
//!     let mut trip = Saga::<String>::builder("book-trip");
//!     trip.step("reserve-car", reserve).undo(cancel).add();
//!     trip.build()
//! }
//!
//! pub async fn work() -> Result<(), Box<dyn std::error::Error>> {
//!     let sagas = TemporalSagas::connect("127.0.0.1:7233", "trips").await?;
//!     let stop = std::future::pending(); // or a signal
//!     Ok(SagaWorker::new("trips").host(trip()?).run(sagas.client().clone(), stop).await?)
//! }
//!
//! pub async fn book() -> Result<(), Box<dyn std::error::Error>> {
//!     let sagas = TemporalSagas::connect("127.0.0.1:7233", "trips").await?;
//!     let id = SagaId::new("4711")?;
//!     if let Outcome::Stuck(report) = sagas.run(trip()?, &id, "Ada").await? {
//!         println!("{}", report.reason().unwrap_or_default());
//!         sagas.retry(&id, "reserve-car", Order::new("Ada", "the agency is back")).await?;
//!     }
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # What may be relied on
//! * **An undo is registered before its activity starts**, so no lost reply loses it.
//! * **Outcomes have three values.** Done; not done, where a failure was [declared](NotDone) to mean that; else
//!   unknown: a timeout, a lost worker, a cancel, any other failure. Unknown is undone, unless it is
//!   [parked](WhenUnknown::Park).
//! * **An undo never runs beside its own activity.** A cancelled activity is waited for, and so is one in flight when a
//!   rollback begins.
//! * **A cancel does not reach compensations**, whether it comes before, during or after a step, or in the rollback.
//!   The workflow then closes as cancelled.
//! * **The first failure is kept**, with every undo that failed: see [`Ending`].
//! * **Nothing is undone twice** that is recorded as undone. An attempt may be made again when its worker dies: an undo is
//!   to be idempotent, or to say that it [is not](CompensationStep::idempotent).
//! * **No value that does not serialize wedges a workflow task**: it is an error of the step, or of the workflow.
//! * **It is deterministic**: no clock, no randomness and no map order of its own; the history of a workflow replays, also
//!   with later versions: one that must emit other commands asks `patched` for it, and the histories that earlier ones
//!   wrote are kept and replayed.
//! * **It costs no event** more than the same rollback by hand, but for the [mirror](Mirror). What Temporal's pages show of
//!   a rollback is no event.
//!
//! # What Temporal does not give
//! A workflow that is *terminated*, or that reaches its execution or run time-out, ends without running another line:
//! nothing is undone. A panic in workflow code fails the workflow task, which is attempted again until the code is
//! mended; then the workflow goes on, and undoes what is to be undone.

mod attempt;
mod compensation;
mod context;
mod deadline;
mod details;
mod entry;
mod error;
mod failure;
mod finish;
mod manager;
mod mirror;
mod payload;
mod policy;
mod report;
mod rollback;
mod saga;
mod select;
mod slot;
mod snapshot;
mod step;
mod stop;

#[cfg(feature = "worker")]
pub use crate::mirror::RecordMirror;
pub use crate::saga::{SagaWorker, SagaWorkerError, SagasError, Started, TemporalSagas};
pub use crate::{
    compensation::{CompensationStep, UndoContext, WhenUnknown},
    context::{ActivityEnd, SagaContext},
    error::{CompensateError, ManagerError, StepError},
    failure::{ActivityFailure, FailureKind, NotDone},
    finish::{Ending, INCOMPLETE},
    manager::CompensationManager,
    mirror::Mirror,
    policy::{ActivityPolicy, Retry},
    report::{Noted, Report, UndoFailure},
    saga::{
        ABANDONED, COMPENSATED, SagaInput, SagaJson, SagaLimits, SagaOrder, SagaReport,
        SagaStepReport, SagaWorkflow, Verb,
    },
    select::{Compensate, Savepoint},
    snapshot::Snapshot,
    step::{NewStep, Step, step},
    stop::{REQUESTED, Stop, StopKind},
};
pub use ::compensation::{CompensationExecutionRecord, CompensationStatus};
