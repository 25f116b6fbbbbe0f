//! A store whose calls can be held at the points where races are decided.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use compensation::{
    SagaId, Timestamp,
    repository::{
        Acquired, Append, Counts, Created, ErrorKind, Letter, MemoryRepository, NewSaga, Page,
        Pending, Posted, Query, Reply, Repository, RepositoryError, SagaKey, StoredSaga,
    },
};
use tokio::sync::watch;

pub(crate) struct Hooked {
    inner: MemoryRepository,
    hooks: Arc<Hooks>,
}

/// Where a call can be held, and how many came there.
pub(crate) struct Point {
    /// How many are let through.
    open: watch::Sender<u32>,
    reached: AtomicU32,
}

pub(crate) struct Hooks {
    pub(crate) create: Point,
    pub(crate) park: Point,
    /// After a claim, before its answer.
    pub(crate) claimed: Point,
    /// After a saga was acquired, before the answer.
    pub(crate) acquired: Point,
    pub(crate) park_fails: AtomicBool,
}

impl Point {
    fn new() -> Self {
        Self { open: watch::channel(u32::MAX).0, reached: AtomicU32::new(0) }
    }

    pub(crate) fn hold(&self) {
        self.open.send_replace(self.reached());
    }

    pub(crate) fn free(&self) {
        self.open.send_replace(u32::MAX);
    }

    /// Lets the first of those go on who are held.
    pub(crate) fn free_one(&self) {
        self.open.send_modify(|open| *open = open.saturating_add(1));
    }

    pub(crate) fn reached(&self) -> u32 {
        self.reached.load(Ordering::SeqCst)
    }

    async fn pass(&self) {
        let place = self.reached.fetch_add(1, Ordering::SeqCst);
        self.open.subscribe().wait_for(|open| place < *open).await.expect("the hooks live");
    }
}

pub(crate) fn hooked(inner: MemoryRepository) -> (Hooked, Arc<Hooks>) {
    let hooks = Arc::new(Hooks {
        create: Point::new(),
        park: Point::new(),
        claimed: Point::new(),
        acquired: Point::new(),
        park_fails: AtomicBool::new(false),
    });
    (Hooked { inner, hooks: hooks.clone() }, hooks)
}

/// Lets others run until that is so.
pub(crate) async fn until(mut reached: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if reached() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("that is never so");
}

/// Lets others run as far as they get without time.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

impl Repository for Hooked {
    fn create(&self, saga: NewSaga) -> Pending<'_, Created> {
        Box::pin(async move {
            self.hooks.create.pass().await;
            self.inner.create(saga).await
        })
    }

    fn append(&self, append: Append) -> Pending<'_, ()> {
        self.inner.append(append)
    }

    fn park(&self, key: SagaKey, reason: String) -> Pending<'_, ()> {
        Box::pin(async move {
            self.hooks.park.pass().await;
            if self.hooks.park_fails.load(Ordering::SeqCst) {
                return Err(RepositoryError::new(ErrorKind::Exhausted, "full"));
            }
            self.inner.park(key, reason).await
        })
    }

    fn release(&self, keys: Vec<SagaKey>) -> Pending<'_, ()> {
        self.inner.release(keys)
    }

    fn recover(&self) -> Pending<'_, u64> {
        self.inner.recover()
    }

    fn claim(&self, limit: usize) -> Pending<'_, Vec<StoredSaga>> {
        Box::pin(async move {
            let claimed = self.inner.claim(limit).await;
            self.hooks.claimed.pass().await;
            claimed
        })
    }

    fn acquire(&self, id: &SagaId) -> Pending<'_, Acquired> {
        let id = id.clone();
        Box::pin(async move {
            let acquired = self.inner.acquire(&id).await;
            self.hooks.acquired.pass().await;
            acquired
        })
    }

    fn load(&self, id: &SagaId) -> Pending<'_, Option<StoredSaga>> {
        self.inner.load(id)
    }

    fn load_all(&self, ids: Vec<SagaId>) -> Pending<'_, Vec<StoredSaga>> {
        self.inner.load_all(ids)
    }

    fn list(&self, query: Query) -> Pending<'_, Page> {
        self.inner.list(query)
    }

    fn counts(&self) -> Pending<'_, Counts> {
        self.inner.counts()
    }

    fn purge(&self, before: Timestamp, limit: usize) -> Pending<'_, u64> {
        self.inner.purge(before, limit)
    }

    fn post(&self, letter: Letter) -> Pending<'_, Posted> {
        self.inner.post(letter)
    }

    fn inbox(&self, limit: usize) -> Pending<'_, Vec<Letter>> {
        self.inner.inbox(limit)
    }

    fn take(&self, key: &str) -> Pending<'_, bool> {
        self.inner.take(key)
    }

    fn answer(&self, key: &str, answer: String) -> Pending<'_, ()> {
        self.inner.answer(key, answer)
    }

    fn reply(&self, key: &str) -> Pending<'_, Reply> {
        self.inner.reply(key)
    }

    fn withdraw(&self, key: &str) -> Pending<'_, bool> {
        self.inner.withdraw(key)
    }

    fn changed(&self) -> Pending<'static, ()> {
        self.inner.changed()
    }
}
