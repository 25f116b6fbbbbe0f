//! Why a saga on Temporal could not be started, asked after or told something.

use compensation::SagaId;

/// Why [`TemporalSagas`](crate::TemporalSagas) did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SagasError {
    /// The address is none.
    #[error("`{0}` is no address of a Temporal server: give HOST:PORT")]
    Address(String),
    /// The server does not answer.
    #[error("the Temporal server at {address} does not answer: {why}")]
    Unreachable {
        /// Its address.
        address: String,
        /// What was tried and failed.
        why: String,
    },
    /// The server answers with an error.
    #[error("the Temporal server refused: {0}")]
    Server(String),
    /// No saga of that id is there.
    #[error("there is no saga `{0}` on this Temporal server")]
    NotFound(SagaId),
    /// The id is taken by a saga of another definition.
    #[error("saga `{id}` is a `{name}`: choose another id")]
    OtherSaga {
        /// The id.
        id: SagaId,
        /// The definition of the saga that has it.
        name: String,
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
        error: serde_json::Error,
    },
    /// Input and plan are more than a workflow may be started with.
    #[error("input and plan have {bytes} bytes: at most {limit} can be sent")]
    TooLarge {
        /// Their size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// What was ordered makes no sense as the saga stands. Nothing has changed.
    #[error("saga `{id}`: {why}")]
    Refused {
        /// The saga.
        id: SagaId,
        /// Why not.
        why: String,
    },
    /// No worker has answered in time.
    #[error("no worker answers for saga `{0}`: see that one runs on its queue")]
    NoAnswer(SagaId),
    /// The workflow ended without being able to undo anything: it was terminated, or timed out.
    #[error(
        "the workflow of saga `{id}` was ended from outside ({how}): what it did is not undone"
    )]
    Cut {
        /// The saga.
        id: SagaId,
        /// `terminated` or `timed out`.
        how: &'static str,
    },
    /// The workflow failed otherwise than a saga does, or its report can't be read.
    #[error("saga `{id}` can't be reported: {why}")]
    Unreadable {
        /// The saga.
        id: SagaId,
        /// Why not.
        why: String,
    },
}
