//! All that a store knows of one saga, in order and in words: for whoever shows it to people.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{engine, engine::Engine, error::EngineError, record, records::undos};
use crate::{
    clock::Timestamp,
    error::Failure,
    event::Change,
    id::SagaId,
    outcome::{Order, Report},
    records::UndoRecord,
    repository::Summary,
};

/// A saga as it stands in the store, and how it came to stand so. Read in one go, so that its parts agree.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct History {
    /// Its line in a listing.
    pub summary: Summary,
    /// The input that it was started with, as JSON.
    pub input: String,
    /// Its report; `Err` says why its record can't be read.
    pub report: Result<Report, String>,
    /// Everything that happened to it, in order; as far as it can be read.
    pub events: Vec<Happened>,
    /// Its undos as records, as [`SagaRecords`](crate::SagaRecords) has them; none where it can't be read.
    pub undos: Vec<UndoRecord>,
}

/// One thing that happened to a saga.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Happened {
    /// When it was written down.
    pub at: Timestamp,
    /// What.
    pub change: Change,
    /// The name of the step that it happened to, if it is about one.
    pub step: Option<Arc<str>>,
    /// The number of the attempt that starts, ended or was cut off, from 1; 0 where it is about none.
    pub attempt: u32,
    /// The output of what is done, as JSON.
    pub output: Option<Box<RawValue>>,
    /// How an attempt failed.
    pub failure: Option<Failure>,
    /// Who ordered it, and why.
    pub order: Option<Order>,
}

impl Engine {
    /// A saga's record with all that happened to it. A record that can't be read is no error: its listing and
    /// what could be read of it are there.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Store`].
    ///
    /// ```
    /// # use compensation::{Engine, Saga, SagaId, StepContext, StepError, repository::MemoryRepository};
    /// # async fn greet(_: StepContext<()>) -> Result<(), StepError> { Ok(()) }
    /// # let mut greeting = Saga::<()>::builder("greeting");
    /// # greeting.step("greet", greet).no_undo("words can't be taken back").add();
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// # let store = MemoryRepository::new();
    /// # let engine = Engine::open(store).register(greeting.build()?).start().await?;
    /// # let id = SagaId::new("first")?;
    /// # let _ = engine.run("greeting", id.clone(), &()).await?;
    /// let history = engine.history(&id).await?;
    /// for happened in &history.events {
    ///     println!("{} {:?} {:?}", happened.at, happened.step, happened.change);
    /// }
    /// assert_eq!(history.events.len(), 2); // the action started, and is done
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn history(&self, id: &SagaId) -> Result<History, EngineError> {
        let saga = self.load(id).await?;
        let mut events = Vec::new();
        let mut tried: Vec<Tried> = Vec::new();
        // What it can't read the report says too.
        let told = record::read_with(&saga, |at, change, event, _| {
            let attempt = count(&mut tried, change);
            let order = event.by.clone().zip(event.why.clone()).map(|(by, why)| Order { by, why });
            events.push(Happened {
                at,
                change,
                step: None,
                attempt,
                output: event.output.clone(),
                failure: event.failure.clone(),
                order,
            });
        });
        let plan = told.ok().map(|told| told.plan).or_else(|| record::plan(&saga).map(Arc::new));
        if let Some(plan) = plan {
            let names: Vec<Arc<str>> =
                plan.steps.iter().map(|step| step.name.as_str().into()).collect();
            for event in &mut events {
                event.step =
                    event.change.step().and_then(|step| names.get(usize::from(step)).cloned());
            }
        }
        let report = match engine::report(&saga) {
            Ok(report) => Ok(report),
            Err(EngineError::Held { reason, .. }) => Err(reason),
            Err(error) => return Err(error),
        };
        let undos = undos(&saga).unwrap_or_default();
        Ok(History { summary: saga.summary, input: saga.input, report, events, undos })
    }
}

/// How often the parts of a step were started.
#[derive(Clone, Copy, Default)]
struct Tried {
    action: u32,
    probe: u32,
    undo: u32,
    /// The number of the attempt that is in flight.
    live: u32,
}

fn count(tried: &mut Vec<Tried>, change: Change) -> u32 {
    let Some(step) = change.step().map(usize::from) else { return 0 };
    if tried.len() <= step {
        tried.resize(step + 1, Tried::default());
    }
    let Some(tried) = tried.get_mut(step) else { return 0 };
    let started = match change {
        Change::ActionStarted(_) => &mut tried.action,
        Change::ProbeStarted(_) => &mut tried.probe,
        Change::UndoStarted(_) => &mut tried.undo,
        Change::RetryOrdered(_) | Change::SkipOrdered(_) | Change::DoneDeclared(_) => return 0,
        _ => return tried.live,
    };
    *started += 1;
    tried.live = *started;
    tried.live
}
