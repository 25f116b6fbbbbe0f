//! What can keep an engine from doing what it was asked.

use std::{fmt, sync::Arc};

use crate::{
    id::SagaId,
    machine::{Cause, Illegal},
    outcome::OrderError,
    repository::{ErrorKind, RepositoryError},
    status::Status,
};

/// Why an [`Engine`](crate::Engine) did not do what it was asked. Cheap to clone, for several callers may
/// wait for one saga.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store refused.
    #[error("{0}")]
    Store(#[source] Arc<RepositoryError>),
    /// No definition of that name is registered.
    #[error("no saga named `{0}` is registered: register it when the engine is opened")]
    UnknownSaga(String),
    /// The store has no saga of that id.
    #[error("there is no saga `{0}` in this store")]
    NotFound(SagaId),
    /// The id is taken by a saga of another definition.
    #[error("saga `{id}` is a `{name}`: choose another id")]
    OtherSaga {
        /// The id.
        id: SagaId,
        /// The definition of the saga that has it.
        name: Arc<str>,
    },
    /// The id is taken by a saga with another input.
    #[error("saga `{0}` was started with another input: choose another id, or give the same input")]
    OtherInput(SagaId),
    /// The input does not serialize, or is not what the definition takes.
    #[error("this is no input for saga `{saga}`: {error}")]
    BadInput {
        /// The definition's name.
        saga: String,
        /// What is wrong with it.
        #[source]
        error: Arc<serde_json::Error>,
    },
    /// The input is over the limit.
    #[error("the input has {bytes} bytes: at most {limit} are kept")]
    InputTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// An order whose name or reason is missing or too long.
    #[error(transparent)]
    BadOrder(#[from] OrderError),
    /// A living process has the saga.
    #[error("saga `{id}` is being run by {owner}: ask there, or wait until it ends")]
    OwnedElsewhere {
        /// The saga.
        id: SagaId,
        /// Who has it.
        owner: String,
    },
    /// The process that has the saga took an order and did not answer.
    #[error(
        "the process that runs saga `{0}` took the order and has not answered: it may still be carried out, so \
         look at the saga before you order it again"
    )]
    Unanswered(SagaId),
    /// What was ordered makes no sense as the saga stands.
    #[error("saga `{id}`: {why}")]
    Refused {
        /// The saga.
        id: SagaId,
        /// Why not.
        why: Refusal,
    },
    /// The output given for a step is not of its type.
    #[error("saga `{id}`: this is no output for step `{step}`: {error}")]
    BadOutput {
        /// The saga.
        id: SagaId,
        /// The step.
        step: String,
        /// What is wrong with it.
        #[source]
        error: Arc<serde_json::Error>,
    },
    /// The saga has no step of that name.
    #[error("saga `{id}` has no step `{step}`: its steps are {known}")]
    UnknownStep {
        /// The saga.
        id: SagaId,
        /// The name asked for.
        step: String,
        /// The names there are.
        known: String,
    },
    /// The saga's record can't be read, or nobody here can run it.
    #[error("saga `{id}` can't be run: {reason}")]
    Held {
        /// The saga.
        id: SagaId,
        /// Why not.
        reason: String,
    },
    /// The engine is shutting down; the saga goes on when it is next resumed.
    #[error("the engine is shutting down: the saga goes on when it is resumed")]
    Closing,
}

/// Why an order was refused.
#[derive(Clone, Debug)]
pub struct Refusal(pub Illegal);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::machine::{Change, Phase};
        let Illegal { change, status, phase, cause } = &self.0;
        let what = match (cause, change) {
            (Cause::GivenUp, _) => "it was given up: nothing of it runs any more",
            (Cause::Over, _) => "only a saga that is not over can be abandoned",
            (Cause::PastPivot, _) => {
                "it can't be undone: it is past its pivot, from where it only goes forward"
            }
            (Cause::PivotOpen, _) => {
                "its pivot is in flight, and only its end tells whether there is a way back: order it once that has \
                 ended"
            }
            (Cause::InFlight, _) => {
                "something of it is in flight, and may have an effect yet: order it once that has ended, or once the \
                 process that runs it has"
            }
            (Cause::Settling, _) => {
                "something is in flight that may have to be undone first: order it once that has ended"
            }
            (Cause::NoUndo, _) => {
                "the step has no undo that could run: skip it, or declare it undone"
            }
            (Cause::Standing, Change::DoneDeclared(_))
                if matches!(phase, Some(Phase::UndoParked(_))) =>
            {
                "it is its undo that is parked, and still owed: if that was done by hand, declare it undone"
            }
            (Cause::Standing, Change::UndoneDeclared(_))
                if matches!(phase, Some(Phase::Parked(_))) =>
            {
                "it is the step itself that is parked, not its undo: if that was done by hand, declare it done"
            }
            (Cause::Standing, Change::RetryOrdered(_)) => {
                "only a step or an undo that is parked, or waits after a failure, can be retried"
            }
            (Cause::Standing, Change::SkipOrdered(_)) => {
                "only a parked undo, or a parked step after the pivot, can be skipped"
            }
            (Cause::Standing, Change::DoneDeclared(_)) => {
                "only a step that is parked can be declared done"
            }
            (Cause::Standing, Change::UndoneDeclared(_)) => {
                "only a step whose undo is parked can be declared undone"
            }
            (Cause::Standing, Change::ResumeOrdered) if *status == Status::Stuck => {
                "what waits for a person is not resumed: retry or skip it, or declare it done or undone"
            }
            (Cause::Standing, Change::ResumeOrdered) => {
                "only a saga that is not over can be resumed"
            }
            (Cause::Standing, Change::CancelRequested) => "it has been turned back already",
            (Cause::Standing, _) => "that can't happen now",
        };
        let phase = phase.map(|phase| format!(", the step {phase}")).unwrap_or_default();
        write!(f, "{what} (the saga is {status}{phase})")
    }
}

impl EngineError {
    /// Whether the same call may succeed later without anybody changing the program.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store(error) => error.kind().may_pass(),
            Self::OwnedElsewhere { .. } | Self::Closing => true,
            _ => false,
        }
    }

    /// Whether the store is out of room.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        matches!(self, Self::Store(error) if error.kind() == ErrorKind::Exhausted)
    }
}

impl From<RepositoryError> for EngineError {
    fn from(error: RepositoryError) -> Self {
        Self::Store(Arc::new(error))
    }
}
