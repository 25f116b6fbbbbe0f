//! A store with faults on order, around any other store.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use compensation::{
    SagaId, Timestamp,
    repository::{
        Acquired, Append, Counts, Created, ErrorKind, Letter, NewSaga, Page, Pending, Posted,
        Query, Reply, Repository, RepositoryError, SagaKey, StoredSaga,
    },
};
use tokio::sync::watch;

/// A store that fails when it is told to, and counts its durable writes.
///
/// ```
/// use compensation::repository::{ErrorKind, MemoryRepository, Repository};
/// use compensation_testing::FaultyRepository;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let (store, faults) = FaultyRepository::around(MemoryRepository::new());
/// faults.fail(1, ErrorKind::Exhausted);
/// assert!(store.recover().await.is_err());
/// assert!(store.recover().await.is_ok());
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FaultyRepository<R> {
    inner: R,
    faults: Faults,
}

/// The switchboard of a [`FaultyRepository`]. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Board>);

#[derive(Debug)]
struct Board {
    script: Mutex<Script>,
    writes: AtomicU64,
    refused: AtomicU64,
    held: watch::Sender<bool>,
}

/// What happens to the next calls that change the store.
#[derive(Clone, Copy, Debug)]
enum Script {
    Work,
    /// So many fail.
    Fail(u64, ErrorKind),
    /// So many happen, but are reported as failed.
    Lose(u64, ErrorKind),
    /// So many happen as if nothing were, then all fail.
    FailAfter(u64, ErrorKind),
}

/// What is to become of one call.
enum Fate {
    Works,
    Fails(RepositoryError),
    Lost(RepositoryError),
}

impl<R: Repository> FaultyRepository<R> {
    /// Puts faults around a store; without an order there are none.
    pub fn around(inner: R) -> (Self, Faults) {
        let faults = Faults(Arc::new(Board {
            script: Mutex::new(Script::Work),
            writes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            held: watch::channel(false).0,
        }));
        (Self { inner, faults: faults.clone() }, faults)
    }

    /// The store inside.
    pub fn inner(&self) -> &R {
        &self.inner
    }
}

impl Faults {
    /// The next `calls` that would change the store fail, and change nothing.
    pub fn fail(&self, calls: u64, kind: ErrorKind) {
        *self.script() = Script::Fail(calls, kind);
    }

    /// The next `calls` that change the store do so, and then report an error.
    pub fn lose(&self, calls: u64, kind: ErrorKind) {
        *self.script() = Script::Lose(calls, kind);
    }

    /// After `calls` more that work, all fail until [`heal`](Self::heal).
    pub fn fail_after(&self, calls: u64, kind: ErrorKind) {
        *self.script() = Script::FailAfter(calls, kind);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        *self.script() = Script::Work;
        self.0.held.send_replace(false);
    }

    /// Lets calls that change the store wait until [`heal`](Self::heal).
    pub fn hold(&self) {
        self.0.held.send_replace(true);
    }

    /// How many sagas were created and entries appended.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.0.writes.load(Ordering::SeqCst)
    }

    /// How many calls were made to fail.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::SeqCst)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fate(&self) -> Fate {
        let mut held = self.0.held.subscribe();
        // The sender lives as long as `self`.
        let _ = held.wait_for(|held| !held).await;
        let mut script = self.script();
        let (next, fate) = match *script {
            Script::Work => (Script::Work, Fate::Works),
            Script::Fail(0, _) | Script::Lose(0, _) => (Script::Work, Fate::Works),
            Script::Fail(calls, kind) => {
                (Script::Fail(calls.saturating_sub(1), kind), Fate::Fails(ordered(kind)))
            }
            Script::Lose(calls, kind) => {
                (Script::Lose(calls.saturating_sub(1), kind), Fate::Lost(ordered(kind)))
            }
            Script::FailAfter(0, kind) => (*script, Fate::Fails(ordered(kind))),
            Script::FailAfter(calls, kind) => (Script::FailAfter(calls - 1, kind), Fate::Works),
        };
        *script = next;
        if matches!(fate, Fate::Fails(_) | Fate::Lost(_)) {
            self.0.refused.fetch_add(1, Ordering::SeqCst);
        }
        fate
    }

    async fn call<T>(&self, call: Pending<'_, T>, writes: bool) -> Result<T, RepositoryError> {
        let lost = match self.fate().await {
            Fate::Works => None,
            Fate::Fails(error) => return Err(error),
            Fate::Lost(error) => Some(error),
        };
        let done = call.await;
        if writes && done.is_ok() {
            self.0.writes.fetch_add(1, Ordering::SeqCst);
        }
        match lost {
            Some(error) => Err(error),
            None => done,
        }
    }
}

fn ordered(kind: ErrorKind) -> RepositoryError {
    RepositoryError::new(kind, format!("a fault was ordered ({kind:?})"))
}

impl<R: Repository> Repository for FaultyRepository<R> {
    fn create(&self, saga: NewSaga) -> Pending<'_, Created> {
        // Some stores work when they are called and not when they are awaited: the call itself waits.
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.create(saga).await });
            self.faults.call(call, true).await
        })
    }

    fn append(&self, append: Append) -> Pending<'_, ()> {
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.append(append).await });
            self.faults.call(call, true).await
        })
    }

    fn park(&self, key: SagaKey, reason: String) -> Pending<'_, ()> {
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.park(key, reason).await });
            self.faults.call(call, false).await
        })
    }

    fn release(&self, keys: Vec<SagaKey>) -> Pending<'_, ()> {
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.release(keys).await });
            self.faults.call(call, false).await
        })
    }

    fn recover(&self) -> Pending<'_, u64> {
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.recover().await });
            self.faults.call(call, false).await
        })
    }

    fn claim(&self, limit: usize) -> Pending<'_, Vec<StoredSaga>> {
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.claim(limit).await });
            self.faults.call(call, false).await
        })
    }

    fn acquire(&self, id: &SagaId) -> Pending<'_, Acquired> {
        let id = id.clone();
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.acquire(&id).await });
            self.faults.call(call, false).await
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
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.purge(before, limit).await });
            self.faults.call(call, false).await
        })
    }

    fn post(&self, letter: Letter) -> Pending<'_, Posted> {
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.post(letter).await });
            self.faults.call(call, false).await
        })
    }

    /// Not one of the calls that fail on order: an engine looks by itself, several times a second.
    fn inbox(&self, limit: usize) -> Pending<'_, Vec<Letter>> {
        self.inner.inbox(limit)
    }

    fn take(&self, key: &str) -> Pending<'_, bool> {
        let key = key.to_owned();
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.take(&key).await });
            self.faults.call(call, false).await
        })
    }

    fn answer(&self, key: &str, answer: String) -> Pending<'_, ()> {
        let key = key.to_owned();
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.answer(&key, answer).await });
            self.faults.call(call, false).await
        })
    }

    fn reply(&self, key: &str) -> Pending<'_, Reply> {
        self.inner.reply(key)
    }

    fn withdraw(&self, key: &str) -> Pending<'_, bool> {
        let key = key.to_owned();
        Box::pin(async move {
            let call = Box::pin(async move { self.inner.withdraw(&key).await });
            self.faults.call(call, false).await
        })
    }

    fn changed(&self) -> Pending<'static, ()> {
        self.inner.changed()
    }
}
