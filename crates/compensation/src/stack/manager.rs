//! The stack: what is on it, in which state, and the calls that unwind it. Its lock is never held while user
//! code runs.

use std::{
    collections::HashSet,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use tokio::sync::Notify;

use super::{
    compensation::Compensation,
    error::CompensationError,
    record::CompensationRecord,
    unwind::{self, Batch},
};
use crate::error::BoxError;

/// A stack of compensations: register one for each thing done, and run them all, last first, when something
/// fails. Cheap to clone; all clones are one stack, usable from several tasks.
///
/// * Every compensation runs even if others fail; the [`CompensationError`] has all failures.
/// * One that succeeded never runs again: a second [`compensate`](Self::compensate) runs only what failed
///   and what was registered since.
/// * What is registered while the stack is unwound is undone by the same call.
/// * A panic in a compensation is its failure.
///
/// ```
/// use compensation::SagaManager;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let saga = SagaManager::new();
/// let seat = 17; // reserved
/// saga.add_compensation("free-seat", move || async move {
///     println!("seat {seat} is free again");
///     Ok::<_, std::io::Error>(())
/// });
/// saga.compensate().await?;
/// assert!(saga.records()[0].executed);
/// # Ok::<(), compensation::CompensationError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct SagaManager {
    shared: Arc<Shared>,
}

#[derive(Default)]
pub(super) struct Shared {
    stack: Mutex<Stack>,
    /// Told when a batch is over, and when work in the background is.
    changed: Notify,
    /// What goes on after its future was dropped.
    background: AtomicUsize,
}

/// Counts one piece of work in the background while it lives.
struct Background(Arc<Shared>);

impl Background {
    fn new(shared: Arc<Shared>) -> Self {
        shared.background.fetch_add(1, Ordering::AcqRel);
        Self(shared)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.background.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}

#[derive(Default)]
struct Stack {
    items: Vec<Item>,
    records: Vec<CompensationRecord>,
    registered: u64,
}

struct Item {
    number: u64,
    name: Arc<str>,
    /// `None` once it has succeeded: nothing that it captured is kept.
    compensation: Option<Compensation>,
    running: bool,
}

/// A place on the stack of a [`SagaManager`]. Made by [`SagaManager::savepoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Savepoint(u64);

/// What is to be compensated, and how.
///
/// ```
/// use compensation::{Compensate, SagaManager};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let saga = SagaManager::new();
/// for seat in 1..=20 {
///     saga.add_compensation(format!("free-{seat}"), || async { Ok::<_, std::io::Error>(()) });
/// }
/// saga.compensate_with(Compensate::all().parallel(8)).await?;
/// # Ok::<(), compensation::CompensationError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is compensated until it is given to `compensate_with`"]
pub struct Compensate {
    pub(super) parallel: u16,
    pub(super) halt: bool,
    only: Option<HashSet<String>>,
    from: u64,
}

impl Compensate {
    /// Everything that is left on the stack, one after the other, whatever fails.
    pub fn all() -> Self {
        Self { parallel: 1, halt: false, only: None, from: 0 }
    }

    /// Only compensations of these names.
    pub fn only<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { only: Some(names.into_iter().map(Into::into).collect()), ..Self::all() }
    }

    /// Only what was registered since that savepoint.
    pub fn since(savepoint: Savepoint) -> Self {
        Self { from: savepoint.0, ..Self::all() }
    }

    /// So many at once, the last still first; 0 counts as 1. Default: 1.
    pub fn parallel(mut self, at_once: u16) -> Self {
        self.parallel = at_once.max(1);
        self
    }

    /// Starts no further compensation once one has failed; a further call goes on.
    pub fn halt_on_failure(mut self) -> Self {
        self.halt = true;
        self
    }

    fn covers(&self, item: &Item) -> bool {
        item.number >= self.from
            && self.only.as_ref().is_none_or(|names| names.contains(&*item.name))
    }
}

impl SagaManager {
    /// An empty stack.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a compensation: one attempt, without a time limit. Names need not be unique.
    pub fn add_compensation<R, E, F, Fut>(&self, name: impl Into<String>, undo: F)
    where
        E: Into<BoxError>,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.add(Compensation::new(name, undo));
    }

    /// Registers a compensation that was built with a budget of its own.
    pub fn add(&self, compensation: Compensation) {
        self.push(compensation);
    }

    pub(super) fn push(&self, compensation: Compensation) -> u64 {
        let mut stack = self.shared.stack();
        let number = stack.registered;
        stack.registered += 1;
        let name = compensation.name.clone();
        let compensation = Some(compensation);
        stack.items.push(Item { number, name, compensation, running: false });
        number
    }

    /// Takes one from the stack that turned out to have nothing to undo.
    pub(super) fn withdraw(&self, number: u64) {
        let mut stack = self.shared.stack();
        let place = stack.items.iter().position(|item| item.number == number);
        let dropped = place.map(|place| stack.items.remove(place));
        drop(stack);
        drop(dropped);
    }

    /// A place to compensate back to.
    #[must_use]
    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.shared.stack().registered)
    }

    /// Runs everything that is left on the stack, last first. As [`compensate_with`](Self::compensate_with).
    ///
    /// # Errors
    /// [`CompensationError`], with every failure.
    pub fn compensate(&self) -> Compensating {
        self.compensate_with(Compensate::all())
    }

    /// Runs what is asked for. While another call is at work it waits for that one's compensations to end,
    /// and then runs what is left; called from inside a compensation of the same stack it does not wait,
    /// for that would be for ever.
    ///
    /// # Errors
    /// [`CompensationError`], with every failure.
    ///
    /// # Cancel safety
    /// Dropped on a tokio runtime, the compensations go on in the background. Dropped elsewhere, the
    /// attempts in flight are dropped with it, what has not succeeded stays on the stack, and a
    /// `tracing` error names it.
    pub fn compensate_with(&self, what: Compensate) -> Compensating {
        let unwinding = Box::pin(unwind::unwind(self.shared.clone(), what));
        Compensating { unwinding: Some(unwinding), shared: self.shared.clone(), begun: false }
    }

    /// How many compensations are registered, whether they have run or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.stack().items.len()
    }

    /// The names of those that have not succeeded, in the order in which they would run.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        let stack = self.shared.stack();
        let left = stack.items.iter().rev().filter(|item| item.compensation.is_some());
        left.map(|item| item.name.to_string()).collect()
    }

    /// Forgets all registered compensations. One that is running goes on, and is not repeated. Records
    /// stay.
    pub fn clear(&self) {
        let dropped = std::mem::take(&mut self.shared.stack().items);
        // What they captured may run code as it is dropped, which must not find the stack locked.
        drop(dropped);
    }

    /// Every execution so far, in the order of their start.
    #[must_use]
    pub fn records(&self) -> Vec<CompensationRecord> {
        self.shared.stack().records.clone()
    }

    /// Waits until no compensation is running, and no call whose future was dropped goes on in the background.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    pub async fn settled(&self) {
        let shared = &self.shared;
        shared
            .wait_until(|| shared.is_settled() && shared.background.load(Ordering::Acquire) == 0)
            .await;
    }

    /// Goes on with something in the background; `false` where there is no runtime to do so.
    pub(super) fn go_on(&self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        self.shared.go_on(work)
    }
}

impl Shared {
    fn stack(&self) -> MutexGuard<'_, Stack> {
        // Every change below is made in one go, so a panic elsewhere leaves nothing half done.
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is to run next, oldest first; nothing that this call has attempted before.
    pub(super) fn take(self: &Arc<Self>, what: &Compensate, attempted: &HashSet<u64>) -> Batch {
        let mut taken = Vec::new();
        let mut stack = self.stack();
        let wanted = stack.items.iter_mut().rev().filter(|item| {
            // What has succeeded takes no place in the batch.
            let left = item.compensation.is_some() && !item.running;
            left && what.covers(item) && !attempted.contains(&item.number)
        });
        for item in wanted.take(unwind::MOST) {
            if let Some(compensation) = &item.compensation {
                item.running = true;
                taken.push((item.number, compensation.clone()));
            }
        }
        drop(stack);
        taken.reverse();
        Batch::new(self.clone(), taken)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.stack().items.iter().all(|item| !item.running)
    }

    /// Waits until no compensation is running.
    pub(super) async fn settled(&self) {
        self.wait_until(|| self.is_settled()).await;
    }

    async fn wait_until(&self, reached: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change falls in between.
            changed.as_mut().enable();
            if reached() {
                return;
            }
            changed.await;
        }
    }

    fn go_on(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) -> bool {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return false };
        let counted = Background::new(self.clone());
        runtime.spawn(async move {
            let _counted = counted;
            work.await;
        });
        true
    }

    /// A compensation has succeeded, or was passed over: it never runs again.
    pub(super) fn done(&self, number: u64) {
        let mut stack = self.stack();
        let done = stack.items.iter_mut().find(|item| item.number == number);
        let dropped = done.and_then(|item| item.compensation.take());
        drop(stack);
        // What it captured may run code as it is dropped.
        drop(dropped);
    }

    /// These are no longer running.
    pub(super) fn put_back(&self, numbers: impl Iterator<Item = u64>) {
        let numbers: HashSet<_> = numbers.collect();
        for item in &mut self.stack().items {
            item.running &= !numbers.contains(&item.number);
        }
        self.changed.notify_waiters();
    }

    /// Adds a record, and returns its place.
    pub(super) fn record(&self, record: CompensationRecord) -> usize {
        let mut stack = self.stack();
        stack.records.push(record);
        stack.records.len() - 1
    }

    pub(super) fn amend(&self, place: usize, amend: impl FnOnce(&mut CompensationRecord)) {
        if let Some(record) = self.stack().records.get_mut(place) {
            amend(record);
        }
    }
}

/// Compensations at work. Made by [`SagaManager::compensate`]; see there for what dropping it means.
#[must_use = "nothing is compensated until it is awaited"]
pub struct Compensating {
    /// Taken out once it has ended.
    unwinding: Option<Unwinding>,
    shared: Arc<Shared>,
    begun: bool,
}

type Unwinding = Pin<Box<dyn Future<Output = Result<(), CompensationError>> + Send>>;

impl Future for Compensating {
    type Output = Result<(), CompensationError>;

    /// # Panics
    /// When polled after it has ended, like every future.
    #[allow(clippy::panic, reason = "the custom of futures")]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.begun = true;
        let Some(unwinding) = &mut self.unwinding else {
            panic!("`Compensating` polled after it has ended");
        };
        let polled = unwinding.as_mut().poll(cx);
        if polled.is_ready() {
            self.unwinding = None;
        }
        polled
    }
}

impl Drop for Compensating {
    fn drop(&mut self) {
        if let (Some(unwinding), true) = (self.unwinding.take(), self.begun) {
            self.shared.go_on(async move {
                if let Err(failed) = unwinding.await {
                    tracing::error!(%failed, "compensations that went on in the background failed");
                }
            });
        }
    }
}

impl fmt::Debug for Compensating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compensating").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl fmt::Debug for SagaManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaManager")
            .field("count", &self.count())
            .field("pending", &self.pending())
            .finish()
    }
}
