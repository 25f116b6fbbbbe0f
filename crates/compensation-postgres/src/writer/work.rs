//! A piece of work for the store's thread, and the answer that is given once it is durable.

use std::sync::Arc;

use compensation::{
    SagaId, Timestamp,
    repository::{
        Acquired, Append, Created, Letter, NewSaga, Posted, RepositoryError, SagaKey, StoredSaga,
    },
};
use tokio::sync::oneshot;

/// Whoever waits for an answer.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, RepositoryError>>;

/// One call of the repository, with whoever waits for it.
pub(crate) enum Work {
    /// Stores a plan, by its name and text. Its number.
    Definition(Arc<str>, Arc<str>, Answer<i32>),
    Create(NewSaga, Answer<Created>),
    Append(Append, Answer<()>),
    Park(SagaKey, String, Answer<()>),
    Release(Vec<SagaKey>, Answer<()>),
    Recover(Answer<u64>),
    Claim(usize, Answer<Vec<StoredSaga>>),
    Acquire(SagaId, Answer<Acquired>),
    Purge(Timestamp, usize, Answer<u64>),
    Post(Letter, Answer<Posted>),
    Inbox(usize, Answer<Vec<Letter>>),
    Take(String, Answer<bool>),
    Answer(String, String, Answer<()>),
    Withdraw(String, Answer<bool>),
}

impl Work {
    /// Whether it shares a statement with others.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Create(..) | Self::Append(..) | Self::Park(..) | Self::Release(..))
    }

    /// Tells that it did not come to pass.
    pub(super) fn refuse(self, error: RepositoryError) {
        // Whoever asked may have gone.
        match self {
            Self::Definition(_, _, to) => drop(to.send(Err(error))),
            Self::Create(_, to) => drop(to.send(Err(error))),
            Self::Append(_, to)
            | Self::Park(_, _, to)
            | Self::Release(_, to)
            | Self::Answer(_, _, to) => {
                let _ = to.send(Err(error));
            }
            Self::Recover(to) | Self::Purge(_, _, to) => drop(to.send(Err(error))),
            Self::Claim(_, to) => drop(to.send(Err(error))),
            Self::Acquire(_, to) => drop(to.send(Err(error))),
            Self::Post(_, to) => drop(to.send(Err(error))),
            Self::Inbox(_, to) => drop(to.send(Err(error))),
            Self::Take(_, to) | Self::Withdraw(_, to) => drop(to.send(Err(error))),
        }
    }
}
