//! `Metrics`: what is counted of which notice, and what is looked up in the store.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use compensation::{
    Certainty, Engine, EngineError, News, Notice, Part, Status, Timestamp, repository::Query,
};
use opentelemetry::metrics::Meter;

use crate::{list::Id, meter::Instruments, prometheus::Prometheus};

/// Definitions that have labels of their own; all further ones share `(others)`, so that a program that makes
/// up names can't fill the memory.
pub const MAX_SAGAS: usize = 256;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The numbers of one process. Cheap to clone; all clones are one.
///
/// See [the crate](crate) for an example, and [`METRICS`](crate::METRICS) for what there is.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    prometheus: Prometheus,
    instruments: Option<Instruments>,
    sagas: Mutex<HashSet<Arc<str>>>,
    words: Words,
}

/// Values of labels, made once.
struct Words {
    others: Arc<str>,
    statuses: [Arc<str>; Status::ALL.len()],
    parts: [Arc<str>; 3],
    started: Arc<str>,
    done: Arc<str>,
    failed: Arc<str>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Numbers for Prometheus.
    #[must_use]
    pub fn new() -> Self {
        Self::of(None)
    }

    /// The same numbers as instruments of OpenTelemetry too. Gauges of the store are recorded whenever it is
    /// [looked at](Self::look): [`watch`](Self::watch) does so every ten seconds.
    ///
    /// ```
    /// let metrics = compensation_metrics::Metrics::with_meter(&opentelemetry::global::meter("sagas"));
    /// # let _ = metrics;
    /// ```
    #[must_use]
    pub fn with_meter(meter: &Meter) -> Self {
        Self::of(Some(Instruments::new(meter)))
    }

    fn of(instruments: Option<Instruments>) -> Self {
        let words = Words {
            others: "(others)".into(),
            statuses: Status::ALL.map(|status| status.as_str().into()),
            parts: ["action".into(), "probe".into(), "undo".into()],
            started: "started".into(),
            done: "done".into(),
            failed: "failed".into(),
        };
        let metrics = Self(Arc::new(Inner {
            prometheus: Prometheus::new(),
            instruments,
            sagas: Mutex::default(),
            words,
        }));
        // What has no labels is there from the start: an alert can tell zero from absent.
        metrics.count(Id::StoreRetries, &[], 0);
        metrics.count(Id::Missed, &[], 0);
        metrics
    }

    /// Counts one notice.
    pub fn observe(&self, notice: &Notice) {
        let saga = &self.label(&notice.saga);
        let words = &self.0.words;
        match &notice.news {
            News::Created => self.count(Id::Started, &[saga], 1),
            News::Started { part: Part::Undo, .. } => {
                self.count(Id::Undos, &[saga, &words.started], 1);
            }
            News::Done { part: Part::Undo, .. } => self.count(Id::Undos, &[saga, &words.done], 1),
            News::Failed { part, certainty, .. } => {
                self.count(Id::Failed, &[saga, &words.parts[*part as usize]], 1);
                match (part, certainty) {
                    (Part::Undo, _) => self.count(Id::Undos, &[saga, &words.failed], 1),
                    (Part::Action, Certainty::Unknown) => self.count(Id::Unknown, &[saga], 1),
                    _ => {}
                }
            }
            News::Interrupted { .. } => self.count(Id::Interrupted, &[saga], 1),
            News::Status { status: Status::Stuck, .. } => self.count(Id::Stuck, &[saga], 1),
            News::Status { status, .. } if status.is_final() => {
                let status = &words.statuses[*status as usize];
                self.count(Id::Ended, &[saga, status], 1);
                let lasted = notice.at.as_millis().saturating_sub(notice.created.as_millis());
                self.seconds(Id::HalfDone, &[saga, status], seconds(lasted));
            }
            News::StoreFailing { .. } => self.count(Id::StoreRetries, &[], 1),
            _ => {}
        }
    }

    /// Notices that were missed.
    pub(crate) fn missed(&self, notices: u64) {
        self.count(Id::Missed, &[], notices);
    }

    /// Looks at the store for what only that knows: how many sagas stand how, and since when the oldest is
    /// half-done.
    ///
    /// # Errors
    /// [`EngineError::Store`]; the numbers stay as they were.
    pub async fn look(&self, engine: &Engine) -> Result<(), EngineError> {
        let counts = engine.counts().await?;
        let oldest = oldest_half_done(engine).await?;
        for status in Status::ALL {
            let sagas = counts.get(status) as f64;
            self.set(Id::Sagas, &[&self.0.words.statuses[status as usize]], sagas);
        }
        let age = oldest.map_or(0, |since| Timestamp::now().as_millis() - since.as_millis());
        self.set(Id::Oldest, &[], seconds(age));
        let driven = engine.running() as u64;
        let open = counts.get(Status::Running) + counts.get(Status::Compensating);
        self.set(Id::Driven, &[], driven as f64);
        self.set(Id::Queue, &[], open.saturating_sub(driven) as f64);
        Ok(())
    }

    /// The text that Prometheus reads ([`CONTENT_TYPE`]), as the numbers stand.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.prometheus.text()
    }

    /// Looks at the store, and gives the text.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub async fn scrape(&self, engine: &Engine) -> Result<String, EngineError> {
        self.look(engine).await?;
        Ok(self.text())
    }

    /// The label of a definition.
    fn label(&self, saga: &Arc<str>) -> Arc<str> {
        let mut known = self.0.sagas.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(saga) {
            return saga.clone();
        }
        if known.len() >= MAX_SAGAS {
            return self.0.words.others.clone();
        }
        known.insert(saga.clone());
        saga.clone()
    }

    pub(crate) fn count(&self, id: Id, labels: &[&Arc<str>], by: u64) {
        self.0.prometheus.count(id, labels, by);
        if let Some(instruments) = &self.0.instruments {
            instruments.count(id, labels, by);
        }
    }

    pub(crate) fn seconds(&self, id: Id, labels: &[&Arc<str>], seconds: f64) {
        self.0.prometheus.observe(id, labels, seconds);
        if let Some(instruments) = &self.0.instruments {
            instruments.observe(id, labels, seconds);
        }
    }

    pub(crate) fn shift(&self, id: Id, labels: &[&Arc<str>], by: f64) {
        self.0.prometheus.shift(id, labels, by);
        if let Some(instruments) = &self.0.instruments {
            instruments.shift(id, labels, by);
        }
    }

    fn set(&self, id: Id, labels: &[&Arc<str>], value: f64) {
        self.0.prometheus.set(id, labels, value);
        if let Some(instruments) = &self.0.instruments {
            instruments.set(id, labels, value);
        }
    }
}

/// When the oldest saga that is running, compensating or stuck was created.
async fn oldest_half_done(engine: &Engine) -> Result<Option<Timestamp>, EngineError> {
    let mut oldest = None;
    for status in [Status::Running, Status::Compensating, Status::Stuck] {
        let query =
            Query { status: vec![status], limit: 1, oldest_first: true, ..Query::default() };
        let first = engine.list(query).await?.sagas.into_iter().next();
        oldest = oldest.into_iter().chain(first.map(|saga| saga.created)).min();
    }
    Ok(oldest)
}

fn seconds(millis: i64) -> f64 {
    millis.max(0) as f64 / 1_000.0
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
