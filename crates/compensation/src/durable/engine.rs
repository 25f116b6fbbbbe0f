//! The engine: what callers ask of it, and the table of sagas that it is driving.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, broadcast, mpsc, oneshot, watch},
};

use super::{
    error::EngineError,
    journal::Desk,
    notice::{Notice, Observers},
    record,
    registry::{AnySaga, Registry},
    runner::{self, Ended, Ready},
};
use crate::{
    clock,
    drive::Ordered,
    id::SagaId,
    outcome::{Outcome, Report},
    plan::Plan,
    repository::{Acquired, Counts, Page, Query, Repository, SagaKey, StoredSaga},
    status::Status,
};

/// Largest input of a saga, in bytes of JSON.
pub const MAX_INPUT_BYTES: usize = 1024 * 1024;

/// Sagas driven at once, where the builder says nothing.
const CONCURRENT: usize = 1_024;

/// How often a saga that another process drives is looked at by one who waits for it.
const LOOK: Duration = Duration::from_millis(250);

/// Runs sagas durably on a [`Repository`]. Cheap to clone; all clones are one engine.
///
/// Dropping every clone stops nothing: sagas that were started go on while the runtime lives.
/// [`drain`](Self::drain) ends cleanly, and what a process leaves behind without it is taken over by
/// the next engine on the same store.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// What is said of an engine before it starts. Made by [`Engine::open`].
#[must_use = "an engine runs once it is started"]
pub struct EngineBuilder {
    repository: Arc<dyn Repository>,
    registry: Registry,
    concurrent: usize,
    keep_finished: Option<Duration>,
    recovers: bool,
    unwritable: Option<serde_json::Error>,
}

pub(super) struct Inner {
    pub(super) desk: Desk,
    pub(super) registry: Registry,
    pub(super) runtime: Handle,
    pub(super) places: Arc<Semaphore>,
    pub(super) keep_finished: Option<Duration>,
    pub(super) recovers: bool,
    running: Mutex<HashMap<SagaId, Running>>,
    close: watch::Sender<bool>,
    /// Told whenever a saga leaves the table.
    left: tokio::sync::Notify,
}

/// A saga that is being driven here.
struct Running {
    name: Arc<str>,
    input: Arc<str>,
    orders: mpsc::UnboundedSender<Ordered>,
    ended: watch::Receiver<Option<Ended>>,
    end: watch::Sender<Option<Ended>>,
}

/// A saga that is new in the table: what its driver needs.
pub(super) struct Entered {
    pub(super) orders: mpsc::UnboundedReceiver<Ordered>,
    pub(super) ended: watch::Receiver<Option<Ended>>,
}

impl EngineBuilder {
    /// Lets the engine run this definition. Several versions of one name may be registered: the last
    /// is the one that is started, and each stored saga is run by the one that it was started with.
    pub fn register(mut self, saga: impl Into<AnySaga>) -> Self {
        if let Err(error) = self.registry.register(saga.into()) {
            self.unwritable = Some(error);
        }
        self
    }

    /// How to make the definition of a stored saga that is not registered, from its plan: for front ends
    /// whose definitions are data. The plan carries its [`source`](Plan::source).
    pub fn resolve_with(
        mut self,
        resolver: impl Fn(&Plan) -> Option<AnySaga> + Send + Sync + 'static,
    ) -> Self {
        self.registry.resolve_with(Box::new(resolver));
        self
    }

    /// Most sagas driven at once; further ones wait for a place before they are stored. 0 counts as 1.
    /// Default: 1,024.
    pub fn max_concurrent(mut self, sagas: usize) -> Self {
        self.concurrent = sagas.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Deletes finished sagas this long after their end. Default: they are kept.
    pub fn keep_finished(mut self, span: Duration) -> Self {
        self.keep_finished = Some(span);
        self
    }

    /// Leaves alone what dead processes left. By default the engine takes it over, at its start and every
    /// five seconds.
    pub fn without_recovery(mut self) -> Self {
        self.recovers = false;
        self
    }

    /// Starts the engine on the current tokio runtime, which needs its time driver.
    ///
    /// # Errors
    /// [`EngineError::Store`] where the store can't be asked what dead processes left.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(self) -> Result<Engine, EngineError> {
        if let Some(error) = self.unwritable {
            let error = Arc::new(error);
            return Err(EngineError::BadInput { saga: "(plan)".to_owned(), error });
        }
        let (close, closing) = watch::channel(false);
        let inner = Arc::new(Inner {
            desk: Desk { repository: self.repository, observers: Observers::new(), closing },
            registry: self.registry,
            runtime: Handle::current(),
            places: Arc::new(Semaphore::new(self.concurrent)),
            keep_finished: self.keep_finished,
            recovers: self.recovers,
            running: Mutex::default(),
            close,
            left: tokio::sync::Notify::new(),
        });
        super::recovery::begin(&inner).await?;
        Ok(Engine(inner))
    }
}

impl Engine {
    /// Begins an engine on that store.
    pub fn open(repository: impl Repository) -> EngineBuilder {
        Self::open_shared(Arc::new(repository))
    }

    /// The same on a store that others use too.
    pub fn open_shared(repository: Arc<dyn Repository>) -> EngineBuilder {
        EngineBuilder {
            repository,
            registry: Registry::default(),
            concurrent: CONCURRENT,
            keep_finished: None,
            recovers: true,
            unwritable: None,
        }
    }

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
        let mut ended = self.begin(name, &id, input).await?.1;
        match told(&mut ended).await {
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
        let (created, mut ended) = self.begin(name, &id, input).await?;
        let Some(created) = created else { return Ok(()) };
        if created.await.is_ok() {
            return Ok(());
        }
        // Its driver ended before it was stored: it was there before, or the store refused.
        match told(&mut ended).await {
            Some(ended) => ended.map(drop),
            None => {
                let saga = self.load(&id).await?;
                self.check_same(name, &saga, &text(name, input)?)
            }
        }
    }

    /// Waits for the end of a saga, whoever drives it. A stuck saga has ended until somebody mends it.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Store`], or [`EngineError::Closing`] where this engine
    /// drives it and shuts down.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    pub async fn wait(&self, id: &SagaId) -> Result<Outcome, EngineError> {
        loop {
            let ended = self.0.table().get(id).map(|running| running.ended.clone());
            if let Some(mut ended) = ended
                && let Some(ended) = told(&mut ended).await
            {
                return ended;
            }
            if let Some(outcome) = Outcome::of(self.report(id).await?) {
                return Ok(outcome);
            }
            clock::sleep(LOOK).await;
        }
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
            if !self.0.recovers || super::recovery::take_over(&self.0).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Ends cleanly: starts nothing more, lets every attempt in flight finish, writes down what came
    /// of it, and lets the sagas go, so that the next engine on the store goes on with them.
    ///
    /// # Cancel safety
    /// The engine goes on closing when the future is dropped.
    pub async fn drain(&self) {
        let _ = self.0.close.send(true);
        self.0.places.close();
        for running in self.0.table().values() {
            // Its driver may just have ended.
            let _ = running.orders.send(Ordered::Drain);
        }
        self.0.empty().await;
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
    ) -> Result<(Option<oneshot::Receiver<()>>, watch::Receiver<Option<Ended>>), EngineError> {
        let inner = &self.0;
        let registered =
            inner.registry.latest(name).ok_or_else(|| EngineError::UnknownSaga(name.to_owned()))?;
        let text = text(name, input)?;
        let value = value(name, registered.definition.input.decode(&text))?;
        let permit =
            inner.places.clone().acquire_owned().await.map_err(|_| EngineError::Closing)?;
        let (entered, ended) = inner.enter(name, id, &text)?;
        let Some(entered) = entered else { return Ok((None, ended)) };
        let (created, is_created) = oneshot::channel();
        let input = (text, value);
        let ready = runner::fresh(inner, registered, id.clone(), input, entered.orders, created);
        ready.spawn(inner.clone(), id.clone(), permit);
        Ok((Some(is_created), ended))
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
        if saga.summary.head.status.is_open() && !saga.summary.owned {
            // Left by a dead process, and this caller needs it now.
            self.resume(id).await?;
        }
        self.wait(id).await
    }

    fn check_same(&self, name: &str, saga: &StoredSaga, input: &str) -> Result<(), EngineError> {
        check_same(name, &saga.summary.id, &saga.summary.name, &saga.input, input)
    }

    async fn load(&self, id: &SagaId) -> Result<StoredSaga, EngineError> {
        let saga = self.0.desk.repository.load(id).await?;
        saga.ok_or_else(|| EngineError::NotFound(id.clone()))
    }
}

/// A record for people, also where no engine could drive it.
pub(super) fn report(saga: &StoredSaga) -> Result<Report, EngineError> {
    let told = record::read(saga).map_err(|unreadable| EngineError::Held {
        id: saga.summary.id.clone(),
        reason: unreadable.to_string(),
    })?;
    // Parked by an engine: the head says so, the journal does not.
    let held = saga.summary.head.status == Status::Stuck && told.machine.status().is_open();
    let held = held.then(|| saga.summary.head.reason.clone().unwrap_or_default());
    Ok(told.report(saga, held))
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

fn check_same(
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
async fn told(ended: &mut watch::Receiver<Option<Ended>>) -> Option<Ended> {
    let told = ended.wait_for(Option::is_some).await.ok()?;
    told.clone()
}

impl Inner {
    fn table(&self) -> MutexGuard<'_, HashMap<SagaId, Running>> {
        // Nothing in this module panics while it holds the lock.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a saga into the table, unless it is there with the same input.
    #[allow(clippy::type_complexity, reason = "two halves of one thing")]
    fn enter(
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
    async fn empty(&self) {
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

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("running", &self.running()).finish_non_exhaustive()
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("concurrent", &self.concurrent)
            .finish_non_exhaustive()
    }
}
