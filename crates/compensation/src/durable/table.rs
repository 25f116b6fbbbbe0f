//! The table of the sagas that an engine is driving, and what its drivers share.

use std::{
    collections::HashMap,
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
    notice::Observers,
    registry::Registry,
    runner::{self, Ended, Ready},
};
use crate::{
    drive::Ordered,
    id::SagaId,
    repository::{Acquired, Repository, SagaKey, StoredSaga},
};

pub(super) struct Inner {
    pub(super) desk: Desk,
    pub(super) registry: Registry,
    pub(super) runtime: Handle,
    pub(super) places: Arc<Semaphore>,
    pub(super) keep_finished: Option<Duration>,
    pub(super) recovers: bool,
    running: Mutex<HashMap<SagaId, Running>>,
    /// Sagas that this engine stopped driving because the store refused, to be let go once it does not.
    strays: Mutex<Vec<SagaKey>>,
    close: watch::Sender<bool>,
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
}

/// A saga that is new in the table: what its driver needs.
pub(super) struct Entered {
    pub(super) orders: mpsc::UnboundedReceiver<Ordered>,
    pub(super) ended: watch::Receiver<Option<Ended>>,
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
            desk: Desk { repository, observers: Observers::new(), closing },
            registry,
            runtime: Handle::current(),
            places: Arc::new(Semaphore::new(concurrent)),
            keep_finished,
            recovers,
            running: Mutex::default(),
            strays: Mutex::default(),
            close,
            left: Notify::new(),
        }
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

    /// How to learn of the end of a saga that is being driven here, if its input is the same.
    pub(super) fn find(
        &self,
        name: &str,
        id: &SagaId,
        input: &str,
    ) -> Result<Option<watch::Receiver<Option<Ended>>>, EngineError> {
        let table = self.table();
        let Some(running) = table.get(id) else { return Ok(None) };
        check_same(name, id, &running.name, &running.input, input)?;
        Ok(Some(running.ended.clone()))
    }

    /// Enters a saga into the table, unless it is there with the same input.
    #[allow(clippy::type_complexity, reason = "two halves of one thing")]
    pub(super) fn enter(
        &self,
        name: &str,
        id: &SagaId,
        input: &str,
    ) -> Result<(Option<Entered>, watch::Receiver<Option<Ended>>), EngineError> {
        let mut table = self.table();
        if let Some(running) = table.get(id) {
            check_same(name, id, &running.name, &running.input, input)?;
            return Ok((None, running.ended.clone()));
        }
        let entered = add(&mut table, id, name.into(), input.into());
        let ended = entered.ended.clone();
        Ok((Some(entered), ended))
    }

    /// Enters a saga that this engine has taken over, unless it is there.
    pub(super) fn enter_stored(&self, saga: &StoredSaga) -> Option<Entered> {
        let id = &saga.summary.id;
        let mut table = self.table();
        let free = !table.contains_key(id);
        free.then(|| add(&mut table, id, saga.summary.name.clone(), saga.input.as_str().into()))
    }

    /// Passes an order on to the driver of a saga, if it is driven here.
    pub(super) fn pass(&self, id: &SagaId, ordered: Ordered) -> Result<(), Ordered> {
        match self.table().get(id) {
            Some(running) => running.orders.send(ordered).map_err(|unsent| unsent.0),
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
        let running = self.table().remove(id);
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

    pub(super) async fn release(&self, key: SagaKey) {
        if let Err(error) = self.desk.repository.release(vec![key]).await {
            // The end of this process releases it just as well.
            tracing::warn!(%error, "a saga could not be released");
        }
    }

    /// Remembers a saga that must be let go once the store works again.
    pub(super) fn stray(&self, key: SagaKey) {
        self.strays.lock().unwrap_or_else(PoisonError::into_inner).push(key);
    }

    /// Lets strays go, so that they are claimed like what a dead process left.
    pub(super) async fn release_strays(&self) -> Result<(), EngineError> {
        let strays =
            std::mem::take(&mut *self.strays.lock().unwrap_or_else(PoisonError::into_inner));
        if strays.is_empty() {
            return Ok(());
        }
        self.desk.repository.release(strays.clone()).await.map_err(|error| {
            strays.into_iter().for_each(|key| self.stray(key));
            error.into()
        })
    }

    /// Parks a saga that nobody here can drive, with the evidence.
    pub(super) async fn park(&self, key: SagaKey, id: &SagaId, reason: String) {
        tracing::error!(saga = %id, reason, "the saga is parked");
        if let Err(error) = self.desk.repository.park(key, reason).await {
            tracing::error!(saga = %id, %error, "and that could not be written down");
        }
    }

    /// Acquires a saga that is not driven here.
    pub(super) async fn acquire(&self, id: &SagaId) -> Result<StoredSaga, EngineError> {
        match self.desk.repository.acquire(id).await? {
            Acquired::Owned(saga) => Ok(saga),
            Acquired::Held(owner) => Err(EngineError::OwnedElsewhere { id: id.clone(), owner }),
            Acquired::Absent => Err(EngineError::NotFound(id.clone())),
        }
    }

    /// Makes an acquired saga ready, or parks it.
    pub(super) async fn ready(
        &self,
        saga: &StoredSaga,
        entered: Entered,
    ) -> Result<Ready, EngineError> {
        match runner::stored(self, saga, entered.orders) {
            Ok(ready) => Ok(ready),
            Err(reason) => {
                let id = saga.summary.id.clone();
                self.park(saga.key, &id, reason.clone()).await;
                let held = EngineError::Held { id: id.clone(), reason };
                self.finished(&id, Some(Err(held.clone())));
                Err(held)
            }
        }
    }
}

fn add(
    table: &mut HashMap<SagaId, Running>,
    id: &SagaId,
    name: Arc<str>,
    input: Arc<str>,
) -> Entered {
    let (orders, receiver) = mpsc::unbounded_channel();
    let (end, ended) = watch::channel(None);
    let running = Running { name, input, orders, ended: ended.clone(), end };
    table.insert(id.clone(), running);
    Entered { orders: receiver, ended }
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
