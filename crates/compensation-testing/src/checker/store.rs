//! The store of one life of the process: the store in memory, with what the schedule says of its writes.

use std::{
    future::{Future, pending},
    sync::Arc,
};

use compensation::{
    SagaId, Timestamp,
    repository::{
        Acquired, Append, Counts, Created, ErrorKind, Letter, MemoryRepository, NewSaga, Page,
        Pending, Posted, Query, Reply, Repository, RepositoryError, SagaKey, StoredSaga,
    },
};

use super::{
    log::What,
    schedule::{Moment, WriteHow},
    stage::Stage,
};

pub(super) struct Store {
    pub(super) stage: Stage,
    pub(super) life: u32,
}

/// A call of the store inside; one of a dead process never returns.
macro_rules! inside {
    ($self:ident, $store:ident => $call:expr) => {
        Box::pin(async move {
            let Some($store) = $self.stage.owner($self.life) else { return pending().await };
            $call.await
        })
    };
}

impl Store {
    /// One durable write: entry number `seq`.
    async fn write<T, F>(
        &self,
        seq: u32,
        body: String,
        write: impl FnOnce(Arc<MemoryRepository>) -> F + Send,
    ) -> Result<T, RepositoryError>
    where
        F: Future<Output = Result<T, RepositoryError>> + Send,
    {
        let Some(store) = self.stage.owner(self.life) else { return pending().await };
        let (nth, how) = self.stage.writes();
        let kept = self.stage.state().told.then(|| body.clone());
        self.stage.note(What::Wrote { nth, how, body: kept });
        let fails = |kind| {
            Err(RepositoryError::new(kind, format!("write {nth} fails as the schedule says")))
        };
        match how {
            Some(WriteHow::DieBefore) => {
                drop(store);
                self.stage.die();
                return pending().await;
            }
            Some(WriteHow::FailBefore) => return fails(ErrorKind::Temporary),
            Some(WriteHow::RefuseBefore) => return fails(ErrorKind::Permanent),
            _ => {}
        }
        // Nothing of the store may be held where the process dies: its owner dies with it.
        let done = write(store).await;
        if done.is_ok() {
            self.stage.state().watch.wrote(seq, &body);
        }
        match how {
            Some(WriteHow::DieAfter) => {
                self.stage.die();
                return pending().await;
            }
            Some(WriteHow::FailAfter) => return fails(ErrorKind::Temporary),
            Some(WriteHow::RefuseAfter) => return fails(ErrorKind::Permanent),
            _ => self.stage.moment(Moment::Write(nth)),
        }
        done
    }
}

impl Repository for Store {
    fn create(&self, saga: NewSaga) -> Pending<'_, Created> {
        Box::pin(async move {
            let body = saga.entry.body.clone();
            self.write(0, body, |store| async move { store.create(saga).await }).await
        })
    }

    fn append(&self, append: Append) -> Pending<'_, ()> {
        Box::pin(async move {
            let (seq, body) = (append.seq, append.entry.body.clone());
            self.write(seq, body, |store| async move { store.append(append).await }).await
        })
    }

    fn park(&self, key: SagaKey, reason: String) -> Pending<'_, ()> {
        inside!(self, store => store.park(key, reason))
    }

    fn release(&self, keys: Vec<SagaKey>) -> Pending<'_, ()> {
        inside!(self, store => store.release(keys))
    }

    fn recover(&self) -> Pending<'_, u64> {
        inside!(self, store => store.recover())
    }

    fn claim(&self, limit: usize) -> Pending<'_, Vec<StoredSaga>> {
        inside!(self, store => store.claim(limit))
    }

    fn acquire(&self, id: &SagaId) -> Pending<'_, Acquired> {
        let id = id.clone();
        inside!(self, store => store.acquire(&id))
    }

    fn load(&self, id: &SagaId) -> Pending<'_, Option<StoredSaga>> {
        let id = id.clone();
        inside!(self, store => store.load(&id))
    }

    fn list(&self, query: Query) -> Pending<'_, Page> {
        inside!(self, store => store.list(query))
    }

    fn counts(&self) -> Pending<'_, Counts> {
        inside!(self, store => store.counts())
    }

    fn purge(&self, before: Timestamp, limit: usize) -> Pending<'_, u64> {
        inside!(self, store => store.purge(before, limit))
    }

    fn post(&self, letter: Letter) -> Pending<'_, Posted> {
        inside!(self, store => store.post(letter))
    }

    fn inbox(&self, limit: usize) -> Pending<'_, Vec<Letter>> {
        inside!(self, store => store.inbox(limit))
    }

    fn take(&self, key: &str) -> Pending<'_, bool> {
        let key = key.to_owned();
        inside!(self, store => store.take(&key))
    }

    fn answer(&self, key: &str, answer: String) -> Pending<'_, ()> {
        let key = key.to_owned();
        inside!(self, store => store.answer(&key, answer))
    }

    fn reply(&self, key: &str) -> Pending<'_, Reply> {
        let key = key.to_owned();
        inside!(self, store => store.reply(&key))
    }

    fn withdraw(&self, key: &str) -> Pending<'_, bool> {
        let key = key.to_owned();
        inside!(self, store => store.withdraw(&key))
    }

    /// Nobody else is on this store who could change anything.
    fn changed(&self) -> Pending<'static, ()> {
        Box::pin(pending())
    }
}
