//! Workers for sagas on the server that `./server-tests` has started, and one saga with its ledger.

use std::{env, path::Path, time::Duration};

use compensation::{AnySaga, Order, Outcome, Report, Saga, SagaId};
use compensation_temporal::{SagaLimits, SagaWorker, SagaWorkflow, TemporalSagas};
use temporalio_client::{
    Client, WorkflowCancelOptions, WorkflowDescribeOptions, WorkflowFetchHistoryOptions,
    WorkflowHandle,
};
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};

use crate::{
    ledger::{Ledger, PATIENCE},
    town::{self, Does, Town},
    workers::{InProcess, OtherProcess, address},
};

/// A directory into which the histories of the tests are written, to be committed.
const RECORD: &str = "COMPENSATION_TEMPORAL_RECORD";

pub(crate) async fn sagas(queue: &str) -> TemporalSagas {
    let sagas = TemporalSagas::connect(&address(), queue).await.expect("the server is up");
    // A dead worker is to be noticed soon.
    sagas.limits(SagaLimits::default().heartbeat(Duration::from_secs(1)))
}

/// A worker in this process that hosts these, until it is dropped.
pub(crate) fn hosting(queue: &str, hosted: impl IntoIterator<Item = AnySaga>) -> InProcess {
    start(queue, hosted.into_iter().collect(), 1_000)
}

fn start(queue: &str, hosted: Vec<AnySaga>, cached: usize) -> InProcess {
    let queue = queue.to_owned();
    InProcess::start(async move |told| {
        work(&queue, hosted, cached, async { told.await.unwrap_or_default() }).await;
    })
}

async fn work(queue: &str, hosted: Vec<AnySaga>, cached: usize, stop: impl Future<Output = ()>) {
    let mut worker = SagaWorker::new(queue).cached(cached).grace(Duration::from_millis(100));
    for saga in hosted {
        worker = worker.host(saga);
    }
    let client = sagas(queue).await.client().clone();
    worker.run(client, stop).await.expect("it works until it is stopped");
}

/// What [`OtherProcess`] runs: it starts this very program again, with this test and a queue. Without a queue there is
/// nothing to work on.
#[tokio::test]
async fn worker_process() {
    if let Some(queue) = OtherProcess::queue() {
        work(&queue, town::all(), 1_000, std::future::pending()).await;
    }
}

/// One saga and all that belongs to it.
pub(crate) struct Stage {
    pub(crate) id: SagaId,
    pub(crate) sagas: TemporalSagas,
    pub(crate) town: Town,
    ledger: Ledger,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let id = SagaId::random();
        let ledger = Ledger::new().await;
        let town = Town { ledger: ledger.address.clone(), does: Default::default() };
        Self { sagas: sagas(id.as_str()).await, id, town, ledger }
    }

    /// An action (`+car`), an undo (`-car`) or a probe (`~car`) does this.
    pub(crate) fn does(mut self, what: &str, does: Does) -> Self {
        self.town.does.insert(what.to_owned(), does);
        self
    }

    pub(crate) fn worker(&self) -> InProcess {
        hosting(self.id.as_str(), town::all())
    }

    /// A worker that forgets every workflow at once, and replays it for each task.
    pub(crate) fn forgetful_worker(&self) -> InProcess {
        start(self.id.as_str(), town::all(), 0)
    }

    pub(crate) fn other_process(&self) -> OtherProcess {
        OtherProcess::start(self.id.as_str(), &[])
    }

    pub(crate) async fn start(&self, saga: &Saga<Town>) {
        self.sagas.start(saga.clone(), &self.id, &self.town).await.expect("started");
    }

    pub(crate) fn handle(&self) -> WorkflowHandle<Client, SagaWorkflow> {
        self.sagas.client().get_workflow_handle::<SagaWorkflow>(format!("saga:{}", self.id))
    }

    /// Cancels the workflow by Temporal's own means.
    pub(crate) async fn cancel_workflow(&self) {
        self.handle().cancel(WorkflowCancelOptions::default()).await.expect("it is open");
    }

    /// How the saga ended, and by which status its workflow closed; its history replays without a difference.
    pub(crate) async fn ends(&self) -> (String, Outcome) {
        let outcome = tokio::time::timeout(PATIENCE, self.sagas.wait(&self.id)).await;
        let outcome = outcome.expect("it ends").expect("it can be asked after");
        let described = self.handle().describe(WorkflowDescribeOptions::default()).await;
        replay(&self.handle(), self.id.as_str()).await;
        (format!("{:?}", described.expect("it is there").status()), outcome)
    }

    /// What has happened out of Temporal, in order.
    pub(crate) fn ledger(&self) -> Vec<String> {
        self.ledger.lines()
    }

    /// Waits until that has happened so often.
    pub(crate) async fn sees(&self, line: &str, times: usize) {
        self.ledger.sees(line, times).await;
    }

    /// Lets what waits go on.
    pub(crate) fn open(&self, word: &str) {
        self.ledger.open(word);
    }
}

pub(crate) fn order() -> Order {
    Order::new("Ada", "a test")
}

/// Name and phase of every step.
pub(crate) fn phases(report: &Report) -> Vec<String> {
    report.steps().map(|(name, phase)| format!("{name} {phase}")).collect()
}

async fn replay(handle: &WorkflowHandle<Client, SagaWorkflow>, name: &str) {
    let options =
        WorkflowReplayerOptions::new().register_workflow::<SagaWorkflow>().expect("one").build();
    let replayer = WorkflowReplayer::new(options).expect("a replayer");
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    replayer.replay_workflow(history).await.expect("the same commands as the first time");
    if let Ok(directory) = env::var(RECORD) {
        // By cargo-nextest a test runs on the main thread, under a name in the environment.
        let test = env::var("NEXTEST_TEST_NAME").ok();
        let test = test.or_else(|| std::thread::current().name().map(str::to_owned));
        let test = test.as_deref().unwrap_or(name).replace("::", "-");
        let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        let json = history.to_json().await.expect("JSON");
        let path = Path::new(&directory).join(format!("{test}.json"));
        std::fs::write(path, json).expect("a directory to write to");
    }
}
