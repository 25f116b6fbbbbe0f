//! The engine: what callers ask of it.

use std::{fmt, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::sync::broadcast;

use super::{
    error::EngineError,
    notice::Notice,
    record,
    recovery::{self, Taken},
    runner,
    table::{Entered, Inner, Joined, check_same, told},
};
use crate::{
    clock::{self, Timestamp},
    event::{Change, Event},
    id::SagaId,
    machine::Machine,
    outcome::{Outcome, Report},
    repository::{Counts, Page, Query, StoredSaga},
    status::Status,
    told::Told,
};

/// Largest input of a saga, in bytes of JSON.
pub const MAX_INPUT_BYTES: usize = 1024 * 1024;

/// How often a saga that another process drives is looked at by one who waits for it.
const LOOK: Duration = Duration::from_millis(250);

/// Runs sagas durably on a [`Repository`](crate::repository::Repository). Cheap to clone; all clones are one engine.
///
/// Dropping every clone stops nothing: sagas that were started go on while the runtime lives.
/// [`drain`](Self::drain) ends cleanly, and what a process leaves behind without it is taken over by
/// the next engine on the same store.
#[derive(Clone)]
pub struct Engine(pub(super) Arc<Inner>);

impl Engine {
    /// Starts a saga and waits for its end. An id that the store has already names the same saga: its end
    /// is waited for, and nothing is started twice.
    ///
    /// # Errors
    /// [`EngineError`]: the definition is not registered, the input is not what it takes or not what the
    /// saga of that id was started with, the store refuses, or the engine shuts down meanwhile.
    ///
    /// # Cancel safety
    /// The saga goes on when the future is dropped; [`wait`](Self::wait) finds it again. Dropped before
    /// its first poll, or while it waits for a place, nothing is started.
    pub async fn run(
        &self,
        name: &str,
        id: SagaId,
        input: &(impl Serialize + ?Sized + Sync),
    ) -> Result<Outcome, EngineError> {
        let mut joined = self.begin(name, &id, input).await?;
        match told(&mut joined.ended).await {
            Some(ended) => ended,
            None => self.same(name, &id, input).await,
        }
    }

    /// Starts a saga; when this returns, its start is durable. An id that the store has already is
    /// accepted if its definition and input are the same.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn start(
        &self,
        name: &str,
        id: SagaId,
        input: &(impl Serialize + ?Sized + Sync),
    ) -> Result<(), EngineError> {
        let Joined { mut ended, mut stored } = self.begin(name, &id, input).await?;
        if stored.wait_for(|stored| *stored).await.is_ok() {
            return Ok(());
        }
        // Its driver ended before it was stored: it was there before, or the store refused.
        match told(&mut ended).await {
            Some(ended) => ended.map(drop),
            None => {
                let saga = self.load(&id).await?;
                self.check_same(name, &saga, &text(name, input)?)?;
                if saga.summary.head.status.is_open() { self.resume(&id).await } else { Ok(()) }
            }
        }
    }

    /// Waits for the end of a saga, whoever drives it. A stuck saga has ended until somebody mends it.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Store`], or [`EngineError::Closing`] where this engine
    /// shuts down before the saga's end.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    pub async fn wait(&self, id: &SagaId) -> Result<Outcome, EngineError> {
        let mut read = None;
        loop {
            if let Some(outcome) = self.ended(id, &mut read).await? {
                return Ok(outcome);
            }
            clock::sleep(LOOK).await;
        }
    }

    /// Drives a saga to its end, or waits for it while another process does, and takes it over should that
    /// one die. A stuck saga has ended until somebody mends it.
    ///
    /// # Errors
    /// As [`resume`](Self::resume) and [`wait`](Self::wait).
    ///
    /// # Cancel safety
    /// The saga goes on when the future is dropped.
    pub async fn finish(&self, id: &SagaId) -> Result<Outcome, EngineError> {
        let mut read = None;
        loop {
            let saga = self.load(id).await?;
            // A stuck one too: an engine may have parked it for want of its definition.
            if !saga.summary.head.status.is_final() && !self.0.is_running(id) {
                self.resume(id).await?;
            }
            if let Some(outcome) = self.ended(id, &mut read).await? {
                return Ok(outcome);
            }
            clock::sleep(LOOK).await;
        }
    }

    /// The end of a saga: waited for where it is driven here, else looked for once. `read` says how much of its
    /// record was read at the last look: one that has not grown is not read again.
    async fn ended(
        &self,
        id: &SagaId,
        read: &mut Option<(Status, usize)>,
    ) -> Result<Option<Outcome>, EngineError> {
        let ended = self.0.table().get(id).map(|running| running.ended.clone());
        if let Some(mut ended) = ended
            && let Some(ended) = told(&mut ended).await
        {
            return ended.map(Some);
        }
        let saga = self.load(id).await?;
        let grown = Some((saga.summary.head.status, saga.journal.len()));
        if std::mem::replace(read, grown) != grown
            && let Some(outcome) = Outcome::of(report(&saga)?)
        {
            return Ok(Some(outcome));
        }
        if self.0.is_closing() { Err(EngineError::Closing) } else { Ok(None) }
    }

    /// A saga's record as it stands in the store.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Store`], or [`EngineError::Held`] where its record can't
    /// be read.
    pub async fn report(&self, id: &SagaId) -> Result<Report, EngineError> {
        report(&self.load(id).await?)
    }

    /// Lists sagas, newest first.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub async fn list(&self, query: Query) -> Result<Page, EngineError> {
        Ok(self.0.desk.repository.list(query).await?)
    }

    /// Counts sagas by status.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub async fn counts(&self) -> Result<Counts, EngineError> {
        Ok(self.0.desk.repository.counts().await?)
    }

    /// Everything that happens from now on, once it is durable. An observer that falls more than 1,024
    /// notices behind misses the oldest, and is told how many.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.desk.observers.subscribe()
    }

    /// How many sagas this engine is driving.
    #[must_use]
    pub fn running(&self) -> usize {
        self.0.table().len()
    }

    /// Waits until nothing is driven here and nothing that dead processes left waits to be taken over.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub async fn idle(&self) -> Result<(), EngineError> {
        loop {
            self.0.empty().await;
            if self.0.is_closing() {
                return Err(EngineError::Closing);
            }
            if !self.0.recovers {
                return Ok(());
            }
            // In a task of its own: what is claimed must be driven, whoever gives up waiting.
            let inner = self.0.clone();
            let looked =
                inner.runtime.clone().spawn(async move { recovery::take_over(&inner, None).await });
            let taken = looked.await.unwrap_or(Err(EngineError::Closing))?;
            // What somebody else is taking is not in the table yet.
            self.0.taken().await;
            if taken == Taken::All && self.0.table().is_empty() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// Ends cleanly: starts nothing more, lets every attempt in flight finish, writes down what came
    /// of it, and lets the sagas go, so that the next engine on the store goes on with them.
    ///
    /// # Cancel safety
    /// The engine goes on closing when the future is dropped.
    pub async fn drain(&self) {
        self.0.close();
        loop {
            self.0.empty().await;
            // What is being taken is owned, and must be let go too; and what the store refused to write.
            self.0.taken().await;
            self.0.let_strays_go().await;
            if self.0.table().is_empty() {
                return;
            }
        }
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Puts a saga to be started into the table, or finds it there.
    async fn begin(
        &self,
        name: &str,
        id: &SagaId,
        input: &(impl Serialize + ?Sized),
    ) -> Result<Joined, EngineError> {
        let inner = &self.0;
        let registered =
            inner.registry.latest(name).ok_or_else(|| EngineError::UnknownSaga(name.to_owned()))?;
        let text = text(name, input)?;
        let value = value(name, registered.definition.input.decode(&text))?;
        if let Some(joined) = inner.find(name, id, &text)? {
            // What runs already needs no further place.
            return Ok(joined);
        }
        let permit =
            inner.places.clone().acquire_owned().await.map_err(|_| EngineError::Closing)?;
        let Entered { orders, joined, stored } = match inner.enter(name, id, &text)? {
            Ok(entered) => entered,
            Err(joined) => return Ok(joined),
        };
        let ready = runner::fresh(inner, registered, id.clone(), (text, value), orders, stored);
        ready.spawn(inner.clone(), id.clone(), permit);
        Ok(joined)
    }

    /// The saga of that id was there before: it must be the same, and is then waited for.
    async fn same(
        &self,
        name: &str,
        id: &SagaId,
        input: &(impl Serialize + ?Sized),
    ) -> Result<Outcome, EngineError> {
        let saga = self.load(id).await?;
        self.check_same(name, &saga, &text(name, input)?)?;
        self.finish(id).await
    }

    fn check_same(&self, name: &str, saga: &StoredSaga, input: &str) -> Result<(), EngineError> {
        check_same(name, &saga.summary.id, &saga.summary.name, &saga.input, input)
    }

    pub(super) async fn load(&self, id: &SagaId) -> Result<StoredSaga, EngineError> {
        let saga = self.0.desk.repository.load(id).await?;
        saga.ok_or_else(|| EngineError::NotFound(id.clone()))
    }
}

/// What a record says.
pub(super) fn read(saga: &StoredSaga) -> Result<Told, EngineError> {
    read_with(saga, |_, _, _, _| {})
}

/// The same, with somebody who watches, as in [`record::read_with`].
pub(super) fn read_with(
    saga: &StoredSaga,
    watch: impl FnMut(Timestamp, Change, &Event, &Machine),
) -> Result<Told, EngineError> {
    record::read_with(saga, watch).map_err(|unreadable| EngineError::Held {
        id: saga.summary.id.clone(),
        reason: unreadable.to_string(),
    })
}

/// A record for people, also where no engine could drive it.
pub(super) fn report(saga: &StoredSaga) -> Result<Report, EngineError> {
    report_of(saga, read(saga)?)
}

/// The same of a record that has been read.
pub(super) fn report_of(saga: &StoredSaga, told: Told) -> Result<Report, EngineError> {
    record::agrees(saga, &told)
        .map_err(|reason| EngineError::Held { id: saga.summary.id.clone(), reason })?;
    // Parked by an engine: the head says so, the journal does not.
    let held = saga.summary.head.status == Status::Stuck && told.machine.status().is_open();
    let held = held.then(|| saga.summary.head.reason.clone().unwrap_or_default());
    Ok(told.report(saga.summary.id.clone(), held))
}

fn text(name: &str, input: &(impl Serialize + ?Sized)) -> Result<String, EngineError> {
    let text = value(name, serde_json::to_string(input))?;
    match text.len() {
        bytes if bytes > MAX_INPUT_BYTES => {
            Err(EngineError::InputTooLarge { bytes, limit: MAX_INPUT_BYTES })
        }
        _ => Ok(text),
    }
}

fn value<T>(saga: &str, result: serde_json::Result<T>) -> Result<T, EngineError> {
    result.map_err(|error| EngineError::BadInput { saga: saga.to_owned(), error: Arc::new(error) })
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("running", &self.running()).finish_non_exhaustive()
    }
}
