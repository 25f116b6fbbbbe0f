//! A store around another one, which measures how long that takes.

use std::sync::Arc;

use compensation::{
    SagaId, Timestamp,
    repository::{
        Acquired, Append, Counts, Created, ErrorKind, Letter, NewSaga, Page, Pending, Posted,
        Query, Reply, Repository, SagaKey, StoredSaga,
    },
};

use crate::{clock::Stopwatch, list::Id, metrics::Metrics};

struct Timed {
    inner: Arc<dyn Repository>,
    metrics: Metrics,
}

impl Metrics {
    /// The store, measured: how long each request takes, how many wait, how many are refused.
    #[must_use]
    pub fn time(&self, store: Arc<dyn Repository>) -> Arc<dyn Repository> {
        Arc::new(Timed { inner: store, metrics: self.clone() })
    }
}

/// A request that the store has not answered.
struct Asked<'a> {
    metrics: &'a Metrics,
    operation: Arc<str>,
}

impl<'a> Asked<'a> {
    fn begin(metrics: &'a Metrics, operation: &str) -> Self {
        let operation: Arc<str> = operation.into();
        metrics.shift(Id::StoreInFlight, &[&operation], 1.0);
        Self { metrics, operation }
    }
}

impl Drop for Asked<'_> {
    // Also where nobody waits for the answer.
    fn drop(&mut self) {
        self.metrics.shift(Id::StoreInFlight, &[&self.operation], -1.0);
    }
}

impl Timed {
    fn time<'a, T: Send + 'a>(
        &'a self,
        operation: &'static str,
        pending: Pending<'a, T>,
    ) -> Pending<'a, T> {
        Box::pin(async move {
            let asked = Asked::begin(&self.metrics, operation);
            let watch = Stopwatch::start();
            let answer = pending.await;
            self.metrics.seconds(Id::StoreSeconds, &[&asked.operation], watch.seconds());
            if let Err(error) = &answer {
                let kind: Arc<str> = word(error.kind()).into();
                self.metrics.count(Id::StoreErrors, &[&asked.operation, &kind], 1);
            }
            answer
        })
    }
}

fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Temporary => "temporary",
        ErrorKind::Exhausted => "exhausted",
        ErrorKind::Permanent => "permanent",
        ErrorKind::NotOwner => "not_owner",
        _ => "other",
    }
}

impl Repository for Timed {
    fn create(&self, saga: NewSaga) -> Pending<'_, Created> {
        self.time("create", self.inner.create(saga))
    }

    fn append(&self, append: Append) -> Pending<'_, ()> {
        self.time("append", self.inner.append(append))
    }

    fn park(&self, key: SagaKey, reason: String) -> Pending<'_, ()> {
        self.time("park", self.inner.park(key, reason))
    }

    fn release(&self, keys: Vec<SagaKey>) -> Pending<'_, ()> {
        self.time("release", self.inner.release(keys))
    }

    fn recover(&self) -> Pending<'_, u64> {
        self.time("recover", self.inner.recover())
    }

    fn claim(&self, limit: usize) -> Pending<'_, Vec<StoredSaga>> {
        self.time("claim", self.inner.claim(limit))
    }

    fn acquire(&self, id: &SagaId) -> Pending<'_, Acquired> {
        self.time("acquire", self.inner.acquire(id))
    }

    fn load(&self, id: &SagaId) -> Pending<'_, Option<StoredSaga>> {
        self.time("load", self.inner.load(id))
    }

    fn load_all(&self, ids: Vec<SagaId>) -> Pending<'_, Vec<StoredSaga>> {
        self.time("load_all", self.inner.load_all(ids))
    }

    fn list(&self, query: Query) -> Pending<'_, Page> {
        self.time("list", self.inner.list(query))
    }

    fn counts(&self) -> Pending<'_, Counts> {
        self.time("counts", self.inner.counts())
    }

    fn purge(&self, before: Timestamp, limit: usize) -> Pending<'_, u64> {
        self.time("purge", self.inner.purge(before, limit))
    }

    fn post(&self, letter: Letter) -> Pending<'_, Posted> {
        self.time("post", self.inner.post(letter))
    }

    fn inbox(&self, limit: usize) -> Pending<'_, Vec<Letter>> {
        self.time("inbox", self.inner.inbox(limit))
    }

    fn take(&self, key: &str) -> Pending<'_, bool> {
        self.time("take", self.inner.take(key))
    }

    fn answer(&self, key: &str, answer: String) -> Pending<'_, ()> {
        self.time("answer", self.inner.answer(key, answer))
    }

    fn reply(&self, key: &str) -> Pending<'_, Reply> {
        self.time("reply", self.inner.reply(key))
    }

    fn withdraw(&self, key: &str) -> Pending<'_, bool> {
        self.time("withdraw", self.inner.withdraw(key))
    }

    // It waits for news, and says nothing of the store's speed.
    fn changed(&self) -> Pending<'static, ()> {
        self.inner.changed()
    }
}
