//! A piece of work for the writer thread, and the answer that is given once it is durable.

use std::path::Path;

use compensation::{
    SagaId, Timestamp,
    repository::{
        Acquired, Append, Created, Letter, NewSaga, Posted, RepositoryError, SagaKey, StoredSaga,
    },
};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::ledger::Ledger;
use crate::mail;

/// What a piece of work may use while its transaction is open.
pub(super) struct Session<'a> {
    pub(super) db: &'a Connection,
    pub(super) ledger: &'a mut Ledger,
    pub(super) path: &'a Path,
    pub(super) owner: i64,
}

/// One call of the repository, with whoever waits for it.
pub(crate) enum Work {
    Create(NewSaga, Answer<Created>),
    Append(Append, Answer<()>),
    Park(SagaKey, String, Answer<()>),
    Release(Vec<SagaKey>, Answer<()>),
    Recover(Answer<u64>),
    Claim(usize, Answer<Vec<StoredSaga>>),
    Acquire(SagaId, Answer<Acquired>),
    Purge(Timestamp, usize, Answer<u64>),
    Post(Letter, Answer<Posted>),
    Take(String, Answer<bool>),
    Answer(String, String, Answer<()>),
    Withdraw(String, Answer<bool>),
}

/// An answer that waits for the commit.
pub(crate) struct Answer<T> {
    waiting: Option<oneshot::Sender<Result<T, RepositoryError>>>,
    answer: Option<Result<T, RepositoryError>>,
}

impl<T> Answer<T> {
    pub(super) fn to(waiting: oneshot::Sender<Result<T, RepositoryError>>) -> Self {
        Self { waiting: Some(waiting), answer: None }
    }

    pub(super) fn to_nobody() -> Self {
        Self { waiting: None, answer: None }
    }

    /// Returns what nobody waits for any more.
    fn send(self, error: Option<RepositoryError>) -> Option<T> {
        let answer = error.map(Err).or(self.answer)?;
        match self.waiting {
            Some(waiting) => waiting.send(answer).err()?.ok(),
            None => None,
        }
    }
}

impl Work {
    /// Does it, inside the transaction. An error fails the whole transaction; what concerns this piece
    /// alone becomes its answer.
    pub(super) fn perform(&mut self, session: &mut Session<'_>) -> rusqlite::Result<()> {
        match self {
            Self::Create(saga, to) => to.answer = Some(Ok(session.create(saga)?)),
            Self::Append(append, to) => to.answer = Some(session.append(append)?),
            Self::Park(key, reason, to) => to.answer = Some(session.park(*key, reason)?),
            Self::Release(keys, to) => to.answer = Some(Ok(session.release(keys)?)),
            Self::Recover(to) => to.answer = Some(Ok(session.recover()?)),
            Self::Claim(limit, to) => to.answer = Some(Ok(session.claim(*limit)?)),
            Self::Acquire(id, to) => to.answer = Some(Ok(session.acquire(id)?)),
            Self::Purge(before, limit, to) => to.answer = Some(Ok(session.purge(*before, *limit)?)),
            Self::Post(letter, to) => to.answer = Some(Ok(mail::post(session.db, letter)?)),
            Self::Take(key, to) => to.answer = Some(Ok(mail::take(session.db, key)?)),
            Self::Answer(key, text, to) => {
                to.answer = Some(Ok(mail::answer(session.db, key, text)?));
            }
            Self::Withdraw(key, to) => to.answer = Some(Ok(mail::withdraw(session.db, key)?)),
        }
        Ok(())
    }

    /// Answers, after the commit. Returns the sagas that were taken for somebody who has gone.
    pub(super) fn answer(self) -> Vec<SagaKey> {
        self.end(None)
    }

    /// Tells that it did not come to pass.
    pub(super) fn refuse(self, error: RepositoryError) {
        self.end(Some(error));
    }

    fn end(self, error: Option<RepositoryError>) -> Vec<SagaKey> {
        match self {
            Self::Create(_, to) => drop(to.send(error)),
            Self::Append(_, to)
            | Self::Park(_, _, to)
            | Self::Release(_, to)
            | Self::Answer(_, _, to) => {
                let _ = to.send(error);
            }
            Self::Post(_, to) => drop(to.send(error)),
            Self::Take(_, to) | Self::Withdraw(_, to) => drop(to.send(error)),
            Self::Recover(to) | Self::Purge(_, _, to) => drop(to.send(error)),
            Self::Claim(_, to) => {
                let strays = to.send(error).unwrap_or_default();
                return strays.into_iter().map(|saga| saga.key).collect();
            }
            Self::Acquire(_, to) => {
                if let Some(Acquired::Owned(saga)) = to.send(error) {
                    return vec![saga.key];
                }
            }
        }
        Vec::new()
    }
}
