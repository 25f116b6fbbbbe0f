//! The store of one life of the process: one of the user's or the one in memory, with what the schedule says of
//! its writes.

use std::{future::pending, sync::Arc, time::Duration};

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
use crate::clock;

/// How long a store may take for one call, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the data of one schedule are: opens the store there, once for each process.
pub(super) type Place = Box<dyn Fn() -> Arc<dyn Repository>>;

/// Data in memory.
pub(super) fn in_memory() -> Place {
    let data = MemoryRepository::new();
    Box::new(move || Arc::new(data.another_owner()))
}

pub(super) struct Store {
    pub(super) stage: Stage,
    pub(super) life: u32,
}

/// A call of the store inside; one of a dead process never returns.
macro_rules! inside {
    ($self:ident, $store:ident => $call:expr) => {
        Box::pin(async move {
            let answer = $self.stage.owner($self.life).and_then(|$store| $self.ask($call));
            match answer {
                Some(answer) => answer,
                None => pending().await,
            }
        })
    };
}

impl Store {
    /// Asks the store inside, and does not return before it has answered. `None`: it never did.
    ///
    /// A store on a disk answers from a thread of its own. Were its answer awaited, the runtime would have nothing
    /// to do meanwhile, and a paused clock that has nothing to do jumps ahead: every time limit would pass while
    /// the disk works. And whoever else could go on would do so for as long as the disk happens to take. So the
    /// thread waits here, inside the poll of whoever asks: the store takes no time at all, nothing happens beside
    /// it, and a schedule runs on every store as it does in memory, each time. It also means that no call holds
    /// the store when its process dies, so that it is closed there and then.
    fn ask<T>(&self, call: Pending<'_, T>) -> Option<Result<T, RepositoryError>> {
        let answer = clock::wait(PATIENCE, call);
        if answer.is_none() {
            self.stage.stall();
        }
        answer
    }

    /// One durable write: entry number `seq`. `None`: the process is dead.
    fn write<T>(
        &self,
        seq: u32,
        body: String,
        write: impl FnOnce(&dyn Repository) -> Pending<'_, T>,
    ) -> Option<Result<T, RepositoryError>> {
        let store = self.stage.owner(self.life)?;
        let (nth, how) = self.stage.writes();
        let kept = self.stage.state().told.then(|| body.clone());
        self.stage.note(What::Wrote { nth, how, body: kept });
        let fails = |kind| {
            Some(Err(RepositoryError::new(kind, format!("write {nth} fails as the schedule says"))))
        };
        match how {
            Some(WriteHow::DieBefore) => {
                drop(store);
                self.stage.die();
                return None;
            }
            Some(WriteHow::FailBefore) => return fails(ErrorKind::Temporary),
            Some(WriteHow::RefuseBefore) => return fails(ErrorKind::Permanent),
            _ => {}
        }
        let done = self.ask(write(&*store))?;
        // Nothing of the store may be held where the process dies: its owner dies with it.
        drop(store);
        if done.is_ok() {
            self.stage.state().watch.wrote(seq, &body);
        }
        match how {
            Some(WriteHow::DieAfter) => {
                self.stage.die();
                return None;
            }
            Some(WriteHow::FailAfter) => return fails(ErrorKind::Temporary),
            Some(WriteHow::RefuseAfter) => return fails(ErrorKind::Permanent),
            _ => self.stage.moment(Moment::Write(nth)),
        }
        Some(done)
    }
}

impl Repository for Store {
    fn create(&self, saga: NewSaga) -> Pending<'_, Created> {
        Box::pin(async move {
            let body = saga.entry.body.clone();
            match self.write(0, body, |store| store.create(saga)) {
                Some(done) => done,
                None => pending().await,
            }
        })
    }

    fn append(&self, append: Append) -> Pending<'_, ()> {
        Box::pin(async move {
            let (seq, body) = (append.seq, append.entry.body.clone());
            match self.write(seq, body, |store| store.append(append)) {
                Some(done) => done,
                None => pending().await,
            }
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

    fn load_all(&self, ids: Vec<SagaId>) -> Pending<'_, Vec<StoredSaga>> {
        inside!(self, store => store.load_all(ids))
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
