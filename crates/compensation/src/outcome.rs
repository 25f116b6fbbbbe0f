//! How a saga ended, or how it stands: what callers, operators and records are told.

use std::{error::Error, fmt, sync::Arc};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{
    error::Failure,
    event::StepIndex,
    handler::{Edits, Scope, Value},
    id::SagaId,
    machine::{Machine, Park, Phase, Task},
    plan::Plan,
    status::Status,
    step::StepRef,
};

/// How a saga ended. Each variant carries the whole [`Report`].
#[derive(Clone, Debug)]
#[must_use = "a saga that did not complete needs somebody's attention"]
pub enum Outcome {
    /// Every step is done.
    Completed(Report),
    /// Every step that may have had an effect is undone.
    Compensated(Report),
    /// Something needs a person; [`Report::reason`] says what.
    Stuck(Report),
    /// A named person gave it up.
    Abandoned(Report),
}

impl Outcome {
    /// What a report says of the end; `None` while the saga is open.
    #[must_use]
    pub fn of(report: Report) -> Option<Self> {
        match report.status() {
            Status::Completed => Some(Self::Completed(report)),
            Status::Compensated => Some(Self::Compensated(report)),
            Status::Stuck => Some(Self::Stuck(report)),
            Status::Abandoned => Some(Self::Abandoned(report)),
            Status::Running | Status::Compensating => None,
        }
    }

    /// The whole report.
    #[must_use]
    pub fn report(&self) -> &Report {
        match self {
            Self::Completed(report)
            | Self::Compensated(report)
            | Self::Stuck(report)
            | Self::Abandoned(report) => report,
        }
    }

    /// Whether every step is done.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        matches!(self, Self::Completed(_))
    }

    /// The output of a step that is done.
    #[must_use]
    pub fn output<T: Value>(&self, step: &StepRef<T>) -> Option<T> {
        self.report().output(step)
    }

    /// The report of a completed saga.
    ///
    /// # Errors
    /// [`NotCompleted`], with the report, where it ended otherwise.
    pub fn into_completed(self) -> Result<Report, NotCompleted> {
        match self {
            Self::Completed(report) => Ok(report),
            Self::Compensated(report) | Self::Stuck(report) | Self::Abandoned(report) => {
                Err(NotCompleted(report))
            }
        }
    }
}

/// A saga that ended otherwise than completed, as an error. Its source is what failed first.
#[derive(Clone, Debug)]
pub struct NotCompleted(pub Report);

impl fmt::Display for NotCompleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "saga `{}` is {}", self.0.saga(), self.0.status())?;
        match self.0.reason() {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl Error for NotCompleted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.failures().first().map(|failure| failure as _)
    }
}

/// One failed attempt of a step.
#[derive(Clone, Debug)]
pub struct StepFailure {
    pub(crate) step: Arc<str>,
    pub(crate) part: Part,
    pub(crate) failure: Failure,
}

/// Which of a step's functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What does it.
    Action,
    /// What finds out whether it is done.
    Probe,
    /// What undoes it.
    Undo,
}

impl From<Task> for Part {
    fn from(task: Task) -> Self {
        match task {
            Task::Act => Self::Action,
            Task::Probe => Self::Probe,
            Task::Undo(_) => Self::Undo,
        }
    }
}

impl StepFailure {
    /// The step's name.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.step
    }

    /// Which of its functions failed.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// How.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Action => "",
            Part::Probe => "the probe of ",
            Part::Undo => "the undo of ",
        };
        write!(f, "{part}step `{}` failed: {}", self.step, self.failure)
    }
}

impl Error for StepFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.source()
    }
}

/// The longest name under an order, in bytes.
pub const MAX_BY_BYTES: usize = 200;

/// The longest reason of an order, in bytes.
pub const MAX_WHY_BYTES: usize = 2_000;

/// Who ordered something, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// A person's name: at most [`MAX_BY_BYTES`].
    pub by: String,
    /// The reason given: at most [`MAX_WHY_BYTES`].
    pub why: String,
}

/// Why an order is not taken from whoever gives it, whatever it is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// The record says who; nobody is named.
    #[error("an order needs the name of whoever gives it")]
    NoName,
    /// The record says why; nothing is said.
    #[error("an order needs a reason, which the record keeps")]
    NoReason,
    /// More is said than is kept.
    #[error("the {part} of the order has {bytes} bytes: at most {limit} are kept")]
    TooLong {
        /// `name` or `reason`.
        part: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

impl Order {
    /// An order by that person, for that reason.
    pub fn new(by: impl Into<String>, why: impl Into<String>) -> Self {
        Self { by: by.into(), why: why.into() }
    }

    /// Whether a record can keep it: each order is held against this before anything else is done.
    ///
    /// # Errors
    /// Where the name or the reason is blank or too long.
    pub fn check(&self) -> Result<(), OrderError> {
        let parts = [
            ("reason", &self.why, MAX_WHY_BYTES, OrderError::NoReason),
            ("name", &self.by, MAX_BY_BYTES, OrderError::NoName),
        ];
        for (part, text, limit, missing) in parts {
            if text.trim().is_empty() {
                return Err(missing);
            }
            let bytes = text.len();
            if bytes > limit {
                return Err(OrderError::TooLong { part, bytes, limit });
            }
        }
        Ok(())
    }
}

/// What an order did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was carried out, and is in the record.
    Changed,
    /// What it asks for was so already; nothing changed.
    Already,
}

/// What a step is given in place of what the record says, when it is retried. Both are JSON. The default
/// replaces nothing.
///
/// The saga's input stays what it is for all other steps. What is given is kept in the journal.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// Given to this step's action, probe and undo in place of the saga's input, from now on.
    pub input: Option<Box<RawValue>>,
    /// Given to this step's undo, and to whatever reads it from now on, in place of the step's output.
    pub output: Option<Box<RawValue>>,
}

impl Edit {
    /// Whether it replaces nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.input.is_none() && self.output.is_none()
    }
}

/// A saga's record: how it stands, step by step, with every failure in order. Cheap to clone.
#[derive(Clone)]
pub struct Report(Arc<Record>);

pub(crate) struct Record {
    pub(crate) plan: Arc<Plan>,
    pub(crate) id: Option<SagaId>,
    pub(crate) machine: Machine,
    pub(crate) outputs: Outputs,
    pub(crate) failures: Vec<StepFailure>,
    /// Who gave it up, if somebody did.
    pub(crate) abandoned: Option<Order>,
    /// Why it is stuck, where that is not the machine's doing.
    pub(crate) held: Option<String>,
}

/// Outputs as they are at hand.
pub(crate) enum Outputs {
    /// As values, from the run itself.
    Live(Arc<Scope>, Option<Arc<Edits>>),
    /// As text, from a store.
    Stored(Vec<Option<Box<RawValue>>>),
}

impl Report {
    pub(crate) fn new(record: Record) -> Self {
        Self(Arc::new(record))
    }

    /// The saga's id. In process, where the caller gave none, `None`.
    #[must_use]
    pub fn id(&self) -> Option<&SagaId> {
        self.0.id.as_ref()
    }

    /// The definition's name.
    #[must_use]
    pub fn saga(&self) -> &str {
        &self.0.plan.saga
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.0.held.is_some() { Status::Stuck } else { self.0.machine.status() }
    }

    /// The plan that it was started with.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// Every step, in the order of writing, and how it stands.
    pub fn steps(&self) -> impl Iterator<Item = (&str, Phase)> + '_ {
        let steps = self.0.plan.steps.iter().zip(0..);
        steps.map(|(step, index)| (step.name.as_str(), self.0.machine.phase(index)))
    }

    /// How the step of that name stands.
    #[must_use]
    pub fn phase(&self, step: &str) -> Option<Phase> {
        self.0.plan.find(step).map(|step| self.0.machine.phase(step))
    }

    /// Every failed attempt, in order. The first is why the saga did not complete, unless somebody
    /// cancelled it.
    #[must_use]
    pub fn failures(&self) -> &[StepFailure] {
        &self.0.failures
    }

    /// Every step that waits for a person, and why.
    pub fn parked(&self) -> impl Iterator<Item = (&str, Park)> + '_ {
        let plan = &self.0.plan;
        let parked = self.0.machine.parked();
        parked.map(|(step, park)| (plan.steps[usize::from(step)].name.as_str(), park))
    }

    /// Who gave it up, if somebody did.
    #[must_use]
    pub fn abandoned(&self) -> Option<&Order> {
        self.0.abandoned.as_ref()
    }

    /// Why it stands so, in one line, where the status alone does not say.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let Record { plan, machine, failures, abandoned, held, .. } = &*self.0;
        held.clone().or_else(|| reason(plan, machine, failures, abandoned.as_ref()))
    }

    /// The output of a step that is done; `None` where there is none, or the handle is another saga's.
    #[must_use]
    pub fn output<T: Value>(&self, step: &StepRef<T>) -> Option<T> {
        match &self.0.outputs {
            Outputs::Live(scope, edits) => {
                let edited = edits.as_ref().and_then(|edits| edits.output(step.index));
                let output = edited.or_else(|| scope.output(step.index));
                output.filter(|_| scope.tag == step.tag)?.downcast_ref::<T>().cloned()
            }
            Outputs::Stored(outputs) => read(outputs, step.index),
        }
    }

    /// The output of the step of that name as JSON, where the record came from a store.
    #[must_use]
    pub fn stored_output(&self, step: &str) -> Option<&RawValue> {
        match &self.0.outputs {
            Outputs::Live(..) => None,
            Outputs::Stored(outputs) => {
                outputs.get(usize::from(self.0.plan.find(step)?))?.as_deref()
            }
        }
    }
}

/// Why a saga stands so, in one line, where the status alone does not say.
pub(crate) fn reason(
    plan: &Plan,
    machine: &Machine,
    failures: &[StepFailure],
    abandoned: Option<&Order>,
) -> Option<String> {
    match machine.status() {
        Status::Stuck => Some(parked_reason(plan, machine, failures)),
        Status::Abandoned => abandoned.map(|order| format!("by {}: {}", order.by, order.why)),
        Status::Compensating | Status::Compensated => failures.first().map(ToString::to_string),
        Status::Running | Status::Completed => None,
    }
}

fn parked_reason(plan: &Plan, machine: &Machine, failures: &[StepFailure]) -> String {
    let parked: Vec<_> = machine
        .parked()
        .map(|(step, park)| {
            let name = &plan.steps[usize::from(step)].name;
            let last = failures.iter().rev().find(|failure| failure.step() == name);
            let said = last.map(|last| format!(" ({})", last.failure)).unwrap_or_default();
            format!("step `{name}` needs a person: {park}{said}")
        })
        .collect();
    parked.join("; ")
}

fn read<T: DeserializeOwned>(outputs: &[Option<Box<RawValue>>], step: StepIndex) -> Option<T> {
    let text = outputs.get(usize::from(step))?.as_ref()?;
    serde_json::from_str(text.get()).ok()
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("saga", &self.saga())
            .field("id", &self.id())
            .field("status", &self.status())
            .field("steps", &self.steps().collect::<Vec<_>>())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}
