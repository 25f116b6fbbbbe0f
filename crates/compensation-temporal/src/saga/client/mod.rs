//! Starting sagas on a Temporal server, waiting for them, and telling them what to do.

mod clock;
mod error;
mod orders;

use std::{error::Error, fmt};

use compensation::{AnySaga, Outcome, Report, SagaId, Status};
use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::value::RawValue;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, WorkflowDescribeOptions,
    WorkflowExecutionStatus, WorkflowFetchHistoryOptions, WorkflowGetResultOptions, WorkflowHandle,
    WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowQueryOptions, WorkflowStartOptions,
    errors::{
        WorkflowGetResultError, WorkflowInteractionError, WorkflowQueryError, WorkflowStartError,
    },
};
use temporalio_common::{
    HasWorkflowDefinition, WorkflowDefinition as _,
    data_converters::{SerializationContextData, WorkflowSerializationContext},
    error::IncomingError,
    protos::temporal::api::history::v1::history_event::Attributes,
};

use super::{
    json::SagaJson,
    limits::SagaLimits,
    names,
    report::SagaReport,
    wire::{FORMAT, MAX_CALL_BYTES, SagaInput, Start},
    workflow::{ABANDONED, COMPENSATED, SagaWorkflow},
};

pub use error::SagasError;

/// Sagas on one queue of a Temporal server. Cheap to clone.
#[derive(Clone)]
pub struct TemporalSagas {
    client: Client,
    queue: String,
    limits: SagaLimits,
}

/// Whether a saga was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It is new.
    New,
    /// The same saga, with the same input, was started before.
    Before,
}

/// The workflow's definition. The workflow itself belongs to one thread, and a handle on it would too.
type Run = <SagaWorkflow as HasWorkflowDefinition>::Run;

type Handle = WorkflowHandle<Client, Run>;

impl TemporalSagas {
    /// Connects to the server at `HOST:PORT`, namespace `default`, without TLS. For anything else make a [`Client`]
    /// and use [`new`](Self::new).
    ///
    /// # Errors
    /// [`SagasError::Address`], and [`SagasError::Unreachable`] after at most 10 s.
    pub async fn connect(address: &str, queue: impl Into<String>) -> Result<Self, SagasError> {
        let target = format!("http://{address}").parse::<url::Url>().ok();
        let target = target.filter(|target| target.port().is_some() && target.path() == "/");
        let target = target.ok_or_else(|| SagasError::Address(address.to_owned()))?;
        let unreachable =
            |why: String| SagasError::Unreachable { address: address.to_owned(), why };
        let options = ConnectionOptions::new(target).connect_timeout(clock::PATIENCE).build();
        let connected = clock::within(clock::PATIENCE, Connection::connect(options)).await;
        let connection = connected
            .ok_or_else(|| unreachable(format!("no answer within {:?}", clock::PATIENCE)))?
            .map_err(|error| unreachable(root(&error)))?;
        let client = Client::new(connection, ClientOptions::new("default").build())
            .map_err(|error| unreachable(error.to_string()))?;
        Ok(Self::new(client, queue))
    }

    /// By a client of your own, with its namespace, its TLS and its data converter. Workers need the same.
    pub fn new(client: Client, queue: impl Into<String>) -> Self {
        Self { client, queue: queue.into(), limits: SagaLimits::default() }
    }

    /// Starts sagas with these limits from now on.
    #[must_use]
    pub fn limits(mut self, limits: SagaLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Starts a saga, if it was not started before: the same id, definition and input mean the same saga, also after
    /// its end, for as long as the server keeps closed workflows. Its workflow's id is `saga:` and the id.
    ///
    /// # Errors
    /// [`SagasError::BadInput`], [`SagasError::TooLarge`]; [`SagasError::OtherSaga`] and [`SagasError::OtherInput`]
    /// where the id is taken; [`SagasError::Server`].
    pub async fn start(
        &self,
        saga: impl Into<AnySaga>,
        id: &SagaId,
        input: &(impl Serialize + ?Sized),
    ) -> Result<Started, SagasError> {
        let saga = saga.into();
        let bad = |error| SagasError::BadInput { saga: saga.name().to_owned(), error };
        let input = serde_json::value::to_raw_value(input).map_err(bad)?;
        saga.check_input(input.get()).map_err(bad)?;
        self.start_plan(saga.plan().clone(), id, input).await
    }

    async fn start_plan(
        &self,
        plan: compensation::Plan,
        id: &SagaId,
        input: Box<RawValue>,
    ) -> Result<Started, SagasError> {
        let (name, text) = (plan.saga.clone(), input.get().to_owned());
        let (saga_id, limits) = (id.clone(), self.limits);
        let start = Start { format: FORMAT, saga_id, plan, input, limits };
        let bytes = serde_json::to_vec(&start).map_or(usize::MAX, |bytes| bytes.len());
        if bytes > MAX_CALL_BYTES {
            return Err(SagasError::TooLarge { bytes, limit: MAX_CALL_BYTES });
        }
        let options = WorkflowStartOptions::new(&self.queue, names::workflow_id(id))
            .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
            .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
            .static_summary(format!("saga {name}"))
            .build();
        let input = SagaInput(Ok(start));
        match self.client.start_workflow(SagaWorkflow::run, input, options).await {
            Ok(_) => Ok(Started::New),
            Err(WorkflowStartError::AlreadyStarted { .. }) => {
                self.check_same(id, &name, &text).await.map(|()| Started::Before)
            }
            Err(error) => Err(SagasError::Server(error.to_string())),
        }
    }

    /// Starts a saga and waits for it; see [`start`](Self::start) and [`wait`](Self::wait).
    ///
    /// # Errors
    /// Theirs.
    ///
    /// # Cancel safety
    /// The saga goes on when the future is dropped.
    pub async fn run(
        &self,
        saga: impl Into<AnySaga>,
        id: &SagaId,
        input: &(impl Serialize + ?Sized),
    ) -> Result<Outcome, SagasError> {
        self.start(saga, id, input).await?;
        self.wait(id).await
    }

    /// Waits until a saga has ended, or is stuck. It waits as long as no worker takes the saga.
    ///
    /// # Errors
    /// [`SagasError::NotFound`], [`SagasError::Cut`], [`SagasError::Unreadable`], [`SagasError::Server`].
    ///
    /// # Cancel safety
    /// The saga goes on when the future is dropped.
    pub async fn wait(&self, id: &SagaId) -> Result<Outcome, SagasError> {
        let handle = self.handle(id);
        let mut closed = std::pin::pin!(closed(id, &handle));
        let mut asked = 0;
        loop {
            tokio::select! {
                report = &mut closed => return outcome(id, report?),
                () = clock::pause(asked) => {}
            }
            asked += 1;
            // Without an answer there may be no worker just now: the next question is as good.
            if let Ok(report) = query(id, &handle).await
                && report.status == Status::Stuck
            {
                return outcome(id, read(id, &report)?);
            }
        }
    }

    /// How a saga stands.
    ///
    /// # Errors
    /// [`SagasError::NotFound`]; [`SagasError::NoAnswer`] for a saga that is open, where no worker answers;
    /// [`SagasError::Cut`], [`SagasError::Unreadable`], [`SagasError::Server`].
    pub async fn report(&self, id: &SagaId) -> Result<Report, SagasError> {
        let handle = self.handle(id);
        if is_open(id, &handle).await? {
            read(id, &query(id, &handle).await?)
        } else {
            closed(id, &handle).await
        }
    }

    fn handle(&self, id: &SagaId) -> Handle {
        self.client.get_workflow_handle::<Run>(names::workflow_id(id))
    }

    /// The saga of that id was there before: it must be the same.
    async fn check_same(&self, id: &SagaId, name: &str, input: &str) -> Result<(), SagasError> {
        let handle = self.handle(id);
        let mut history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        let first = history.next().await.ok_or_else(|| SagasError::NotFound(id.clone()))?;
        let first = first.map_err(|error| interaction(id, error))?;
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = first.attributes
        else {
            return Err(unreadable(id, "its history does not begin with its start".to_owned()));
        };
        let kind = started.workflow_type.map(|kind| kind.name).unwrap_or_default();
        if kind != SagaWorkflow::run.name() {
            return Err(SagasError::OtherSaga { id: id.clone(), name: kind });
        }
        let data = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let payloads = started.input.map(|input| input.payloads).unwrap_or_default();
        let converter = &self.client.options().data_converter;
        let found: SagaInput = converter
            .from_payloads(&data, payloads)
            .await
            .map_err(|error| unreadable(id, error.to_string()))?;
        let start = found.0.map_err(|why| unreadable(id, why))?;
        if start.plan.saga != name {
            return Err(SagasError::OtherSaga { id: id.clone(), name: start.plan.saga });
        }
        if start.input.get() != input {
            return Err(SagasError::OtherInput(id.clone()));
        }
        Ok(())
    }
}

/// What lies at the bottom of an error. The SDK's own texts say less.
fn root(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

async fn is_open(id: &SagaId, handle: &Handle) -> Result<bool, SagasError> {
    let described = handle.describe(WorkflowDescribeOptions::default()).await;
    let described = described.map_err(|error| interaction(id, error))?;
    Ok(described.status() == WorkflowExecutionStatus::Running)
}

/// The report of a saga whose workflow has closed, or will.
async fn closed(id: &SagaId, handle: &Handle) -> Result<Report, SagasError> {
    let error = match handle.get_result(WorkflowGetResultOptions::default()).await {
        Ok(SagaJson(report)) => return read(id, &report),
        Err(error) => error,
    };
    match error {
        WorkflowGetResultError::Failed(failed) => match &*failed {
            IncomingError::Application(said)
                if matches!(said.type_name(), Some(COMPENSATED | ABANDONED)) =>
            {
                match said.details::<SagaJson<SagaReport>>() {
                    Ok(Some(SagaJson(report))) => read(id, &report),
                    Ok(None) => Err(unreadable(id, "its failure has no report".to_owned())),
                    Err(error) => Err(unreadable(id, error.to_string())),
                }
            }
            other => Err(unreadable(id, format!("its workflow failed: {other}"))),
        },
        WorkflowGetResultError::Cancelled { details } => match details.deserialize() {
            Ok(SagaJson(report)) => read(id, &report),
            Err(error) => Err(unreadable(id, error.to_string())),
        },
        WorkflowGetResultError::Terminated { .. } => {
            Err(SagasError::Cut { id: id.clone(), how: "terminated" })
        }
        WorkflowGetResultError::TimedOut => {
            Err(SagasError::Cut { id: id.clone(), how: "timed out" })
        }
        WorkflowGetResultError::NotFound(_) => Err(SagasError::NotFound(id.clone())),
        WorkflowGetResultError::PayloadConversion(error) => Err(unreadable(id, error.to_string())),
        other => Err(SagasError::Server(other.to_string())),
    }
}

async fn query(id: &SagaId, handle: &Handle) -> Result<SagaReport, SagasError> {
    let answer = handle.query(SagaWorkflow::report, (), WorkflowQueryOptions::default());
    match clock::within(clock::PATIENCE, answer).await {
        Some(Ok(SagaJson(Some(report)))) => Ok(report),
        Some(Ok(SagaJson(None))) => Err(unreadable(id, "its input is no saga".to_owned())),
        Some(Err(WorkflowQueryError::NotFound(_))) => Err(SagasError::NotFound(id.clone())),
        Some(Err(WorkflowQueryError::PayloadConversion(error))) => {
            Err(unreadable(id, error.to_string()))
        }
        // Whatever else a query can fail with is the want of a worker, or of time.
        Some(Err(_)) | None => Err(SagasError::NoAnswer(id.clone())),
    }
}

fn read(id: &SagaId, report: &SagaReport) -> Result<Report, SagasError> {
    report.report().map_err(|error| unreadable(id, error.to_string()))
}

fn outcome(id: &SagaId, report: Report) -> Result<Outcome, SagasError> {
    Outcome::of(report).ok_or_else(|| unreadable(id, "it is closed, and yet not over".to_owned()))
}

fn unreadable(id: &SagaId, why: String) -> SagasError {
    SagasError::Unreadable { id: id.clone(), why }
}

fn interaction(id: &SagaId, error: WorkflowInteractionError) -> SagasError {
    match error {
        WorkflowInteractionError::NotFound(_) => SagasError::NotFound(id.clone()),
        other => SagasError::Server(other.to_string()),
    }
}

impl fmt::Debug for TemporalSagas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemporalSagas").field("queue", &self.queue).finish_non_exhaustive()
    }
}
