//! The table of the sagas that an engine is driving, and what its drivers share.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, mpsc, watch},
};

use super::{
    error::EngineError,
    journal::Desk,
    notice::{News, Observers, Subject},
    registry::Registry,
    runner::{self, Ended, Ready},
    takes::{Busy, Takes, Taking},
};
use crate::{
    clock::Timestamp,
    drive::{Ordered, guarded},
    id::SagaId,
    repository::{Acquired, Repository, SagaKey, StoredSaga},
    status::Status,
};

pub(super) struct Inner {
    pub(super) desk: Desk,
    pub(super) registry: Registry,
    pub(super) runtime: Handle,
    pub(super) places: Arc<Semaphore>,
    pub(super) keep_finished: Option<Duration>,
    pub(super) recovers: bool,
    running: Mutex<HashMap<SagaId, Running>>,
    /// Sagas that this engine left because the store refused, or their driver died: it looks after them
    /// again.
    strays: Mutex<Vec<SagaId>>,
    /// Letters that are being carried out.
    letters: Mutex<HashSet<String>>,
    close: watch::Sender<bool>,
    /// Takings under way: they own sagas that are not in the table yet.
    takes: Takes,
    /// Told whenever a saga leaves the table.
    left: Notify,
}

/// A saga that is being driven here.
pub(super) struct Running {
    name: Arc<str>,
    input: Arc<str>,
    pub(super) orders: mpsc::UnboundedSender<Ordered>,
    pub(super) ended: watch::Receiver<Option<Ended>>,
    end: watch::Sender<Option<Ended>>,
    /// Turns true once the store has it.
    stored: watch::Receiver<bool>,
}

/// A saga that is new in the table: what its driver needs.
pub(super) struct Entered {
    pub(super) orders: mpsc::UnboundedReceiver<Ordered>,
    pub(super) joined: Joined,
    pub(super) stored: watch::Sender<bool>,
}

/// What somebody who asked for a saga may wait for.
#[derive(Clone)]
pub(super) struct Joined {
    pub(super) ended: watch::Receiver<Option<Ended>>,
    pub(super) stored: watch::Receiver<bool>,
}

/// What becomes of a saga of the store that is to be driven.
pub(super) enum Entering {
    /// It is new in the table.
    New(Entered),
    /// It is driven already.
    Driven,
    /// Somebody tries to start one of that id, who will find that it is there: wait for their end.
    Starting(watch::Receiver<Option<Ended>>),
    /// It was driven here since the store was asked, and let go: the store must be asked again.
    Outdated,
}

impl Inner {
    pub(super) fn new(
        repository: Arc<dyn Repository>,
        registry: Registry,
        concurrent: usize,
        keep_finished: Option<Duration>,
        recovers: bool,
    ) -> Self {
        let (close, closing) = watch::channel(false);
        Self {
            desk: Desk { repository, observers: Observers::default(), closing },
            registry,
            runtime: Handle::current(),
            places: Arc::new(Semaphore::new(concurrent)),
            keep_finished,
            recovers,
            running: Mutex::default(),
            strays: Mutex::default(),
            letters: Mutex::default(),
            close,
            takes: Takes::new(),
            left: Notify::new(),
        }
    }

    /// Whoever drains or idles waits as long as the value lives.
    pub(super) fn busy(&self) -> Busy {
        self.takes.busy()
    }

    /// Begins to take sagas from the store; lasts as long as the value lives.
    pub(super) fn taking(&self) -> Taking {
        self.takes.begin()
    }

    /// Waits until nothing is being taken: whatever was is in the table, or let go.
    pub(super) async fn taken(&self) {
        self.takes.none().await;
    }

    /// Nothing more is to be started, and every driver is to end when nothing of it is in flight.
    pub(super) fn close(&self) {
        let _ = self.close.send(true);
        self.places.close();
        for running in self.table().values() {
            // Its driver may just have ended.
            let _ = running.orders.send(Ordered::Drain);
        }
    }

    pub(super) fn table(&self) -> MutexGuard<'_, HashMap<SagaId, Running>> {
        // Nothing in this module panics while it holds the lock.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What may be waited for of a saga that is being driven here, if its input is the same.
    pub(super) fn find(
        &self,
        name: &str,
        id: &SagaId,
        input: &str,
    ) -> Result<Option<Joined>, EngineError> {
        self.table().get(id).map(|running| running.join(name, id, input)).transpose()
    }

    /// Enters a saga that is to be started into the table, unless it is there with the same input.
    pub(super) fn enter(
        &self,
        name: &str,
        id: &SagaId,
        input: &str,
    ) -> Result<Result<Entered, Joined>, EngineError> {
        let mut table = self.table();
        if let Some(running) = table.get(id) {
            return running.join(name, id, input).map(Err);
        }
        Ok(Ok(self.add(&mut table, id, name.into(), input.into(), false)))
    }

    /// Enters a saga that this engine has taken over, as the store gave it to that taking.
    pub(super) fn enter_stored(&self, saga: &StoredSaga, taking: &Taking) -> Entering {
        let id = &saga.summary.id;
        let mut table = self.table();
        match table.get(id) {
            Some(running) if *running.stored.borrow() => Entering::Driven,
            Some(running) => Entering::Starting(running.ended.clone()),
            None if taking.is_outdated(id) => Entering::Outdated,
            None => {
                let (name, input) = (saga.summary.name.clone(), saga.input.as_str().into());
                Entering::New(self.add(&mut table, id, name, input, true))
            }
        }
    }

    fn add(
        &self,
        table: &mut HashMap<SagaId, Running>,
        id: &SagaId,
        name: Arc<str>,
        input: Arc<str>,
        is_stored: bool,
    ) -> Entered {
        let (orders, receiver) = mpsc::unbounded_channel();
        let (end, ended) = watch::channel(None);
        let (stored, is_stored) = watch::channel(is_stored);
        if self.is_closing() {
            // It came too late to be told by `close`. Its receiver is right here.
            let _ = orders.send(Ordered::Drain);
        }
        let joined = Joined { ended: ended.clone(), stored: is_stored.clone() };
        let running = Running { name, input, orders, ended, end, stored: is_stored };
        table.insert(id.clone(), running);
        Entered { orders: receiver, joined, stored }
    }

    /// Passes an order on to the driver of a saga, if it is driven here.
    pub(super) fn pass(
        &self,
        id: &SagaId,
        ordered: Ordered,
    ) -> Result<watch::Receiver<Option<Ended>>, Ordered> {
        match self.table().get(id) {
            Some(running) => {
                let sent = running.orders.send(ordered).map_err(|unsent| unsent.0);
                sent.map(|()| running.ended.clone())
            }
            None => Err(ordered),
        }
    }

    pub(super) fn is_running(&self, id: &SagaId) -> bool {
        self.table().contains_key(id)
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.close.borrow()
    }

    /// A driver has ended: with a word for those who wait, or without where it drove nothing.
    pub(super) fn finished(&self, id: &SagaId, ended: Option<Ended>) {
        let running = {
            let mut table = self.table();
            // Under one lock: whoever does not find it in the table must find that it left.
            self.takes.left(id);
            table.remove(id)
        };
        if let (Some(running), Some(ended)) = (running, ended) {
            let _ = running.end.send(Some(ended));
        }
        self.left.notify_waiters();
    }

    /// Waits until the table is empty.
    pub(super) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.table().is_empty() {
                return;
            }
            left.await;
        }
    }

    /// Lets a saga go. Where that fails it is looked after again.
    pub(super) async fn release(&self, key: SagaKey, id: &SagaId) {
        if let Err(error) = self.desk.repository.release(vec![key]).await {
            tracing::warn!(saga = %id, %error, "the saga could not be released; it is tried again");
            self.stray(id);
        }
    }

    /// Remembers a saga that must be looked after once the store works again.
    pub(super) fn stray(&self, id: &SagaId) {
        self.strays.lock().unwrap_or_else(PoisonError::into_inner).push(id.clone());
    }

    pub(super) fn take_strays(&self) -> Vec<SagaId> {
        std::mem::take(&mut *self.strays.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Nobody looks after them here any more. Where one can't be let go, it is free once this owner dies.
    pub(super) async fn let_strays_go(&self) {
        for id in self.take_strays() {
            let let_go = match self.desk.repository.acquire(&id).await {
                Ok(Acquired::Owned(saga)) => self.desk.repository.release(vec![saga.key]).await,
                Ok(Acquired::Held(_) | Acquired::Absent) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = let_go {
                tracing::error!(saga = %id, %error, "the saga could not be released before the engine ends");
            }
        }
    }

    /// Whether a letter may be carried out now: not while it is already.
    pub(super) fn take_in_hand(&self, letter: &str) -> bool {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).insert(letter.to_owned())
    }

    pub(super) fn put_down(&self, letter: &str) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).remove(letter);
    }

    /// Parks a saga that nobody here can drive, with the evidence. Where that fails it is looked after again.
    pub(super) async fn park(&self, key: SagaKey, of: &Subject, reason: String) {
        let id = &of.id;
        tracing::error!(saga = %id, reason, "the saga is parked");
        match self.desk.repository.park(key, reason.clone()).await {
            Ok(()) => {
                let news = News::Status { status: Status::Stuck, reason: Some(reason) };
                self.desk.observers.tell(of, Timestamp::now(), news);
            }
            Err(error) => {
                tracing::error!(saga = %id, %error, "and that could not be written down; it is tried again");
                self.stray(id);
            }
        }
    }

    /// Acquires a saga that is not driven here.
    pub(super) async fn acquire(&self, id: &SagaId) -> Result<StoredSaga, EngineError> {
        match self.desk.repository.acquire(id).await {
            Ok(Acquired::Owned(saga)) => Ok(saga),
            Ok(Acquired::Held(owner)) => Err(EngineError::OwnedElsewhere { id: id.clone(), owner }),
            Ok(Acquired::Absent) => Err(EngineError::NotFound(id.clone())),
            Err(error) => {
                // The answer may be lost, and the saga acquired.
                self.stray(id);
                Err(error.into())
            }
        }
    }

    /// Makes an acquired saga ready, or parks it if it is open.
    pub(super) async fn ready(
        &self,
        saga: &StoredSaga,
        entered: Entered,
        order: Option<&Ordered>,
    ) -> Result<Ready, EngineError> {
        let made = guarded(|| runner::stored(self, saga, entered.orders, order));
        let reason = match made {
            Ok(Ok(ready)) => return Ok(ready),
            Ok(Err(reason)) => reason,
            Err(panicked) => format!("its definition {panicked} when its record was read"),
        };
        let id = saga.summary.id.clone();
        if saga.summary.head.status.is_open() {
            self.park(saga.key, &Subject::of(&saga.summary), reason.clone()).await;
        } else {
            // It is over, or stuck for a reason of its own, which stays.
            self.release(saga.key, &id).await;
        }
        let held = EngineError::Held { id: id.clone(), reason };
        self.finished(&id, Some(Err(held.clone())));
        Err(held)
    }
}

impl Running {
    fn join(&self, name: &str, id: &SagaId, input: &str) -> Result<Joined, EngineError> {
        check_same(name, id, &self.name, &self.input, input)?;
        Ok(Joined { ended: self.ended.clone(), stored: self.stored.clone() })
    }
}

pub(super) fn check_same(
    name: &str,
    id: &SagaId,
    its_name: &Arc<str>,
    its_input: &str,
    input: &str,
) -> Result<(), EngineError> {
    if **its_name != *name {
        return Err(EngineError::OtherSaga { id: id.clone(), name: its_name.clone() });
    }
    // Texts may differ in the order of a map's keys and still say the same.
    let json = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    if its_input != input && json(its_input) != json(input) {
        return Err(EngineError::OtherInput(id.clone()));
    }
    Ok(())
}

/// Waits for the word of a saga's driver; `None` if it drives no saga of its own after all.
pub(super) async fn told(ended: &mut watch::Receiver<Option<Ended>>) -> Option<Ended> {
    let told = ended.wait_for(Option::is_some).await.ok()?;
    told.clone()
}
