//! Workers and workflows on the server that `./server-tests` has started, and the ledger of a workflow's effects.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use compensation::records::{MemoryRecords, RecordRepository as _, UndoRecord};
use compensation_temporal::{CompensationExecutionRecord, Ending, RecordMirror};
use futures::StreamExt as _;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, UntypedQuery, WorkflowCancelOptions,
    WorkflowDescribeOptions, WorkflowFetchHistoryOptions, WorkflowGetResultOptions, WorkflowHandle,
    WorkflowQueryOptions, WorkflowStartOptions, errors::WorkflowGetResultError,
};
use temporalio_sdk::{
    Runtime, Worker, WorkerOptions,
    workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions},
};
use temporalio_workflow::common::{
    data_converters::RawValue, protos::temporal::api::enums::v1::EventType,
};

use crate::{
    agencies::Agencies,
    by_hand::ByHand,
    journey::Journey,
    ledger::{Ledger, PATIENCE},
    trip::{Leg, Plan, Records, Town, Trip, Wedge},
    workers::{InProcess, OtherProcess, address},
};

const CACHED: &str = "COMPENSATION_TEMPORAL_CACHED";

pub(crate) async fn connect() -> Client {
    let target = format!("http://{}", address()).parse::<url::Url>().expect("host:port");
    let options = ConnectionOptions::new(target)
        .connect_timeout(PATIENCE)
        // It is in every history, and some of them are kept.
        .identity("tests".to_owned())
        .build();
    let connection = Connection::connect(options).await.expect("the server is up");
    Client::new(connection, ClientOptions::new("default").build()).expect("a namespace")
}

/// Polls a queue until it is told to stop.
async fn work(
    queue: String,
    cached: usize,
    records: Arc<MemoryRecords>,
    told: Option<tokio::sync::oneshot::Receiver<()>>,
) {
    let runtime = Runtime::from_current_tokio(Default::default()).expect("inside tokio");
    let options = WorkerOptions::new(queue)
        .max_cached_workflows(cached)
        // So long the tasks of a workflow wait for a worker that was killed.
        .sticky_queue_schedule_to_start_timeout(Duration::from_secs(1))
        .graceful_shutdown_period(Duration::ZERO)
        .register_workflow::<Trip>()
        .and_then(|options| options.register_workflow::<Wedge>())
        .and_then(|options| options.register_workflow::<ByHand>())
        .and_then(|options| options.register_workflow::<Journey>())
        .expect("four workflows")
        .register_activities(Town)
        .register_activities(Agencies)
        .register_activities(RecordMirror::new(records))
        .build();
    let mut worker = Worker::new(&runtime, connect().await, options).expect("a worker");
    let stop = worker.shutdown_handle();
    if let Some(told) = told {
        tokio::spawn(async move {
            told.await.unwrap_or_default();
            stop();
        });
    }
    worker.run().await.expect("it polls until it is stopped");
}

/// What [`OtherProcess`] runs: it starts this very program again, with this test and a queue. Without a queue there is
/// nothing to work on.
#[tokio::test]
async fn worker_process() {
    if let Some(queue) = OtherProcess::queue() {
        let cached = env::var(CACHED).ok().and_then(|cached| cached.parse().ok());
        work(queue, cached.unwrap_or(100), Arc::default(), None).await;
    }
}

/// One workflow and all that belongs to it.
pub(crate) struct Stage {
    pub(crate) name: String,
    client: Client,
    ledger: Ledger,
    records: Arc<MemoryRecords>,
}

pub(crate) type Closed = Result<usize, WorkflowGetResultError>;

impl Stage {
    pub(crate) async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("trip-{}-{number}", std::process::id());
        Self { name, client: connect().await, ledger: Ledger::new().await, records: Arc::default() }
    }

    pub(crate) fn worker(&self) -> InProcess {
        self.in_process(100)
    }

    /// A worker that forgets every workflow at once, and replays it for each task.
    pub(crate) fn forgetful_worker(&self) -> InProcess {
        self.in_process(0)
    }

    fn in_process(&self, cached: usize) -> InProcess {
        let (queue, records) = (self.name.clone(), self.records.clone());
        InProcess::start(move |told| work(queue, cached, records, Some(told)))
    }

    pub(crate) fn other_process(&self) -> OtherProcess {
        self.other_process_with(100)
    }

    /// Another process that keeps so many workflows in its cache.
    pub(crate) fn other_process_with(&self, cached: usize) -> OtherProcess {
        OtherProcess::start(&self.name, &[(CACHED, cached.to_string())])
    }

    /// Where activities tell what they do.
    pub(crate) fn address(&self) -> String {
        self.ledger.address.clone()
    }

    pub(crate) fn plan(&self, legs: impl IntoIterator<Item = Leg>) -> Plan {
        Plan {
            ledger: self.address(),
            legs: legs.into_iter().collect(),
            hold: false,
            together: false,
            parallel: 1,
            renew_after: None,
            mirror: Records::Nowhere,
            within: None,
            carried: None,
        }
    }

    pub(crate) async fn start(&self, plan: Plan) -> WorkflowHandle<Client, Trip> {
        self.start_as(&self.name, plan).await
    }

    /// Starts one more workflow on the same queue.
    pub(crate) async fn start_as(&self, id: &str, plan: Plan) -> WorkflowHandle<Client, Trip> {
        let options = WorkflowStartOptions::new(&self.name, id)
            // So long a task waits for an answer of a worker that was killed.
            .task_timeout(Duration::from_secs(2))
            .build();
        let started = self.client.start_workflow(Trip::run, plan, options).await.expect("started");
        drop(started);
        // A handle without a run follows a workflow that continues as new.
        self.client.get_workflow_handle::<Trip>(id)
    }

    /// What the mirror of this workflow has.
    pub(crate) async fn mirrored(&self) -> Vec<UndoRecord> {
        self.records.history(&self.name).await.expect("in memory")
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What has happened out of Temporal, in order.
    pub(crate) fn ledger(&self) -> Vec<String> {
        self.ledger.lines()
    }

    /// Waits until that has happened so often.
    pub(crate) async fn sees(&self, line: &str, times: usize) {
        self.ledger.sees(line, times).await;
    }

    /// Waits until so much has happened.
    pub(crate) async fn sees_so_many(&self, lines: usize) {
        self.ledger.sees_so_many(lines).await;
    }

    /// Lets an activity go on that waits.
    pub(crate) fn open(&self, word: &str) {
        self.ledger.open(word);
    }
}

pub(crate) async fn cancel(handle: &WorkflowHandle<Client, Trip>) {
    handle.cancel(WorkflowCancelOptions::default()).await.expect("a running workflow");
}

/// How the workflow closed, and by which status; its history replays without a difference.
pub(crate) async fn closed(handle: &WorkflowHandle<Client, Trip>) -> (String, Closed) {
    let result = handle.get_result(WorkflowGetResultOptions::default());
    let result = tokio::time::timeout(PATIENCE, result).await.expect("it closes");
    let description =
        handle.describe(WorkflowDescribeOptions::default()).await.expect("it is there");
    replay(handle).await;
    (format!("{:?}", description.status()), result)
}

/// Waits until the history has what is looked for.
async fn reaches(
    handle: &WorkflowHandle<Client, Trip>,
    reached: impl Fn(&[EventType]) -> bool,
) -> Vec<EventType> {
    let options = WorkflowFetchHistoryOptions::builder().wait_new_event(true).build();
    let mut events = handle.fetch_history(options);
    let mut kinds = Vec::new();
    while !reached(&kinds) {
        let event = tokio::time::timeout(PATIENCE, events.next()).await;
        match event.unwrap_or_else(|_| panic!("it does not come to that: {kinds:?}")) {
            Some(event) => kinds.push(event.expect("an event").event_type()),
            None => panic!("it has ended without: {kinds:?}"),
        }
    }
    kinds
}

/// Waits until a worker has seen the cancel, and tells whether it asked any activity to stop.
pub(crate) async fn cancel_is_seen(handle: &WorkflowHandle<Client, Trip>) -> bool {
    let kinds = reaches(handle, |kinds| {
        let cancel = EventType::WorkflowExecutionCancelRequested;
        let at = kinds.iter().position(|kind| *kind == cancel);
        at.is_some_and(|at| kinds[at..].contains(&EventType::WorkflowTaskCompleted))
    });
    kinds.await.contains(&EventType::ActivityTaskCancelRequested)
}

/// Waits until so many activities are done, and the workflow knows.
pub(crate) async fn knows(handle: &WorkflowHandle<Client, Trip>, done: usize) {
    let known = |kinds: &[EventType]| {
        let completed = kinds.iter().filter(|kind| **kind == EventType::ActivityTaskCompleted);
        completed.count() == done && kinds.ends_with(&[EventType::WorkflowTaskCompleted])
    };
    reaches(handle, known).await;
}

/// The text that Temporal's pages show beside a workflow.
pub(crate) async fn details(handle: &WorkflowHandle<Client, Trip>) -> String {
    let query = UntypedQuery::new("__temporal_workflow_metadata");
    let empty = RawValue::empty();
    let answer = handle.query(query, empty, WorkflowQueryOptions::default()).await;
    let payload = answer.expect("an answer").payloads.remove(0);
    let metadata: serde_json::Value = serde_json::from_slice(&payload.data).expect("JSON");
    metadata["currentDetails"].as_str().unwrap_or_default().to_owned()
}

async fn replay(handle: &WorkflowHandle<Client, Trip>) {
    let options = WorkflowReplayerOptions::new().register_workflow::<Trip>().expect("one").build();
    let replayer = WorkflowReplayer::new(options).expect("a replayer");
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    replayer.replay_workflow(history).await.expect("the same commands as the first time");
}

pub(crate) async fn records(
    handle: &WorkflowHandle<Client, Trip>,
) -> Vec<CompensationExecutionRecord> {
    handle.query(Trip::records, (), WorkflowQueryOptions::default()).await.expect("an answer")
}

/// Name and status of every compensation.
pub(crate) async fn statuses(handle: &WorkflowHandle<Client, Trip>) -> Vec<String> {
    let records = records(handle).await;
    records.iter().map(|record| format!("{} {}", record.activity_name, record.status)).collect()
}

/// The details of a cancelled workflow.
pub(crate) fn ending(closed: Closed) -> Ending {
    match closed {
        Err(WorkflowGetResultError::Cancelled { details }) => {
            details.deserialize().expect("an ending")
        }
        other => panic!("not cancelled: {other:?}"),
    }
}
