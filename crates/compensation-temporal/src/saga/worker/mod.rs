//! Workers that host definitions.

mod activity;
mod clock;
mod host;

use std::{fmt, sync::Arc, time::Duration};

use compensation::AnySaga;
use temporalio_client::Client;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};

use super::workflow::SagaWorkflow;
use host::Host;

/// How long attempts in flight may go on when the worker is stopped, where nothing is said.
const GRACE: Duration = Duration::from_secs(10);

/// A worker for sagas: it runs their workflows, and the functions of the definitions that it hosts.
///
/// Any number of workers may share a queue. Several versions of a definition may be hosted by one: a saga goes on with
/// the one that it was started with, or is undone by the last, as in an [`Engine`](compensation::Engine).
#[must_use = "a worker works once it is run"]
pub struct SagaWorker {
    queue: String,
    host: Host,
    grace: Duration,
    cached: usize,
}

/// Why a worker can't go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SagaWorkerError {
    /// It hosts nothing.
    #[error("the worker on `{0}` hosts no saga: give it one before it is run")]
    Nothing(String),
    /// The SDK refused to begin, or stopped: the server is gone, or has no such namespace.
    #[error("the worker on `{queue}` can't work: {why}")]
    Sdk {
        /// Its queue.
        queue: String,
        /// What the SDK said.
        why: String,
    },
}

impl SagaWorker {
    /// A worker that takes its tasks from that queue.
    pub fn new(queue: impl Into<String>) -> Self {
        Self { queue: queue.into(), host: Host::default(), grace: GRACE, cached: 1_000 }
    }

    /// Hosts a definition. Of several versions of one name the last is the one that undoes what fits none of them.
    pub fn host(mut self, saga: impl Into<AnySaga>) -> Self {
        self.host.add(saga.into());
        self
    }

    /// When the worker is stopped, attempts in flight may go on for so long; then they are dropped, and are made
    /// again elsewhere, or are of unknown outcome. Default: 10 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Keeps at most so many workflows at hand; others are replayed for each task. Default: 1,000.
    pub fn cached(mut self, workflows: usize) -> Self {
        self.cached = workflows;
        self
    }

    /// Works until `stop` is ready, then takes nothing more, lets attempts in flight end, and returns.
    ///
    /// It is to run inside a tokio runtime with its time and I/O enabled. The future can't be sent to another thread, as
    /// the SDK keeps workflows on one; attempts run on the runtime.
    ///
    /// # Errors
    /// [`SagaWorkerError`] where it can't begin, or the server is gone for good.
    ///
    /// # Cancel safety
    /// None: what is in flight is dropped, as if the process had died.
    pub async fn run(
        self,
        client: Client,
        stop: impl Future<Output = ()>,
    ) -> Result<(), SagaWorkerError> {
        let Self { queue, host, grace, cached } = self;
        if host.is_empty() {
            return Err(SagaWorkerError::Nothing(queue));
        }
        let failed = |why: String| SagaWorkerError::Sdk { queue: queue.clone(), why };
        let runtime = Runtime::from_current_tokio(Default::default())
            .map_err(|error| failed(error.to_string()))?;
        let host = Arc::new(host);
        let mut options = WorkerOptions::new(queue.clone())
            .max_cached_workflows(cached)
            // A cancel reaches a step with a heartbeat.
            .max_heartbeat_throttle_interval(clock::BEAT)
            .graceful_shutdown_period(grace)
            .register_workflow::<SagaWorkflow>()
            .map_err(|error| failed(error.to_string()))?
            .build();
        activity::register(&host, &mut options);
        let mut worker =
            Worker::new(&runtime, client, options).map_err(|error| failed(error.to_string()))?;
        let shut_down = worker.shutdown_handle();
        let stopped = async {
            stop.await;
            host.close();
            shut_down();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ran = worker.run() => ran.map_err(|error| failed(error.to_string())),
            () = stopped => Ok(()),
        }
    }
}

impl fmt::Debug for SagaWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaWorker")
            .field("queue", &self.queue)
            .field("sagas", &self.host.names())
            .finish_non_exhaustive()
    }
}
