//! What observers of an engine are told, once it is durable.

use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;

use crate::{
    clock::Timestamp,
    error::{Certainty, Failure},
    event::Change,
    id::SagaId,
    outcome::Part,
    plan::Plan,
    repository::Summary,
    status::Status,
};

/// Notices that an observer may be behind before it misses some.
const CAPACITY: usize = 1_024;

/// One thing that happened to a saga of an engine.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Which saga.
    pub id: SagaId,
    /// Its definition's name.
    pub saga: Arc<str>,
    /// When it was created.
    pub created: Timestamp,
    /// When this was written down.
    pub at: Timestamp,
    /// What.
    pub news: News,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// The saga is new in the store.
    Created,
    /// An attempt starts.
    Started {
        /// The step's name.
        step: Arc<str>,
        /// Which of its functions.
        part: Part,
        /// The attempt's number, from 1.
        attempt: u32,
    },
    /// A step's function succeeded. (A probe that found nothing done is [`News::NotDone`].)
    Done {
        /// The step's name.
        step: Arc<str>,
        /// Which of its functions.
        part: Part,
    },
    /// A probe found that the action had no effect.
    NotDone {
        /// The step's name.
        step: Arc<str>,
    },
    /// An attempt failed.
    Failed {
        /// The step's name.
        step: Arc<str>,
        /// Which of its functions.
        part: Part,
        /// The attempt's number, from 1.
        attempt: u32,
        /// What it said.
        message: String,
        /// Whether it may have had its effect.
        certainty: Certainty,
    },
    /// An attempt had died with its process.
    Interrupted {
        /// The step's name.
        step: Arc<str>,
    },
    /// Somebody gave an order; the record has it.
    Ordered,
    /// The saga stands otherwise than before.
    Status {
        /// How.
        status: Status,
        /// Why, where the status alone does not say.
        reason: Option<String>,
    },
    /// A write failed and is tried again; what it would have said waits.
    StoreFailing {
        /// What the store said.
        message: String,
    },
}

impl News {
    pub(super) fn of(change: Change, attempt: u32, failure: Option<&Failure>, plan: &Plan) -> Self {
        let Some(step) = change.step().and_then(|step| plan.steps.get(usize::from(step))) else {
            return Self::Ordered;
        };
        let step: Arc<str> = step.name.as_str().into();
        let failed = |step, part| {
            let message = failure.map(Failure::message).unwrap_or_default().to_owned();
            // A change of these words always has its failure.
            let certainty = failure.map_or(Certainty::Unknown, Failure::certainty);
            Self::Failed { step, part, attempt, message, certainty }
        };
        match change {
            Change::ActionStarted(_) => Self::Started { step, part: Part::Action, attempt },
            Change::ProbeStarted(_) => Self::Started { step, part: Part::Probe, attempt },
            Change::UndoStarted(_) => Self::Started { step, part: Part::Undo, attempt },
            Change::ActionDone(_) => Self::Done { step, part: Part::Action },
            Change::ProbeDone(_) => Self::Done { step, part: Part::Probe },
            Change::UndoDone(_) => Self::Done { step, part: Part::Undo },
            Change::ProbeNotDone(_) => Self::NotDone { step },
            Change::ActionFailed { .. } => failed(step, Part::Action),
            Change::ProbeFailed { .. } => failed(step, Part::Probe),
            Change::UndoFailed { .. } => failed(step, Part::Undo),
            Change::Interrupted(_) => Self::Interrupted { step },
            Change::CancelRequested
            | Change::RetryOrdered(_)
            | Change::SkipOrdered(_)
            | Change::DoneDeclared(_)
            | Change::UndoneDeclared(_)
            | Change::Abandoned
            | Change::ResumeOrdered => Self::Ordered,
        }
    }
}

/// The saga that notices are about.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) id: SagaId,
    pub(super) saga: Arc<str>,
    pub(super) created: Timestamp,
}

impl Subject {
    pub(super) fn of(saga: &Summary) -> Self {
        Self { id: saga.id.clone(), saga: saga.name.clone(), created: saga.created }
    }
}

/// Everybody who watches an engine. The channel, which holds all its notices at once, is made for the first one.
#[derive(Clone, Default)]
pub(super) struct Observers(Arc<OnceLock<broadcast::Sender<Notice>>>);

impl Observers {
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.get_or_init(|| broadcast::channel(CAPACITY).0).subscribe()
    }

    /// Whether anybody watches: without, no notice need be made.
    pub(super) fn any(&self) -> bool {
        self.0.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    pub(super) fn tell(&self, of: &Subject, at: Timestamp, news: News) {
        let Subject { id, saga, created } = of.clone();
        if let Some(sender) = self.0.get() {
            // The last observer may have gone meanwhile.
            let _ = sender.send(Notice { id, saga, created, at, news });
        }
    }
}
