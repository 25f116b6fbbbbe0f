//! Sagas defined once, run as Temporal workflows.
//!
//! The definition is the typed one that [`Saga::run`](compensation::Saga::run) and [`Engine`](compensation::Engine)
//! run. Its functions run as activities, on workers; the workflow, [`SagaWorkflow`], holds its plan and walks it by the
//! same machine. What is in this module without the feature `worker` is the workflow's side; with it come
//! `SagaWorker`, which hosts definitions, and `TemporalSagas`, which starts sagas and asks after them.

mod act;
mod drive;
mod json;
mod limits;
mod names;
mod order;
mod report;
mod steering;
mod verdict;
mod wire;
#[allow(
    missing_docs,
    reason = "the macro makes a constant of each method, which has the method's doc"
)]
mod workflow;

#[cfg(feature = "worker")]
mod client;
#[cfg(feature = "worker")]
mod worker;

#[cfg(feature = "worker")]
pub use client::{SagasError, Started, TemporalSagas};
pub use json::SagaJson;
pub use limits::SagaLimits;
pub use order::{SagaOrder, Verb};
pub use report::{SagaReport, SagaStepReport};
pub use wire::SagaInput;
#[cfg(feature = "worker")]
pub use worker::{SagaWorker, SagaWorkerError};
pub use workflow::{ABANDONED, COMPENSATED, SagaWorkflow};
