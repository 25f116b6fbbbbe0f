//! Workers for tests, of the manager and of sagas alike: on a thread of this process until they are dropped, or in a
//! process of their own, to be killed. What they work on is said by whoever starts them.

use std::{
    env,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use temporalio_client::{Client, WorkflowFetchHistoryOptions, WorkflowHandle};
use temporalio_workflow::common::{
    HasWorkflowDefinition, protos::temporal::api::enums::v1::EventType,
};
use tokio::sync::oneshot;

const ADDRESS: &str = "COMPENSATION_TEMPORAL_ADDRESS";
const QUEUE: &str = "COMPENSATION_TEMPORAL_QUEUE";

/// Where the server is, as HOST:PORT.
pub(crate) fn address() -> String {
    env::var(ADDRESS)
        .unwrap_or_else(|_| panic!("{ADDRESS} is not set: run these tests with ./server-tests"))
}

/// A worker in this process, until it is dropped.
pub(crate) struct InProcess {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl InProcess {
    /// Starts one that works until it is told to stop.
    pub(crate) fn start<F: Future<Output = ()>>(
        work: impl FnOnce(oneshot::Receiver<()>) -> F + Send + 'static,
    ) -> Self {
        let (stop, told) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio");
            runtime.block_on(work(told));
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
    }
}

/// A worker in a process of its own, to be killed.
pub(crate) struct OtherProcess(Child);

impl OtherProcess {
    /// Starts this very program again, with one test alone, `harness::worker_process`: on that queue, and with that in
    /// its environment.
    pub(crate) fn start(queue: &str, more: &[(&str, String)]) -> Self {
        let mut worker = Command::new(env::current_exe().expect("a path"));
        worker.args(["harness::worker_process", "--exact"]).env(QUEUE, queue);
        worker.envs(more.iter().map(|(name, value)| (name, value)));
        Self(worker.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started"))
    }

    /// The queue that this process is to work on, where it was started so.
    pub(crate) fn queue() -> Option<String> {
        env::var(QUEUE).ok()
    }

    /// Kills it as the kernel does: it can't say a word.
    pub(crate) fn kill(mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it is gone");
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        drop(self.0.wait());
    }
}

/// The kinds of all events of a workflow that has closed.
pub(crate) async fn events<W: HasWorkflowDefinition>(
    handle: &WorkflowHandle<Client, W>,
) -> Vec<EventType> {
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    let events = history.into_events().await.expect("a history");
    events.iter().map(|event| event.event_type()).collect()
}
