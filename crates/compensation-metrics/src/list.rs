//! The list of all metrics: names, kinds and labels are a promise to dashboards and alerts.

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name. Prometheus's text adds `_total` to that of a counter, and `_bucket`, `_sum` and `_count` to
    /// that of a histogram.
    pub name: &'static str,
    /// What it counts or measures.
    pub help: &'static str,
    /// How.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
}

/// What sort of number a [`Metric`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only rises, while the process lives.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Seconds, counted in buckets.
    Histogram,
}

impl Metric {
    /// The names that it has in Prometheus's text.
    pub fn series(&self) -> impl Iterator<Item = String> + '_ {
        let endings: &[&str] = match self.kind {
            Kind::Counter => &["_total"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_sum", "_count"],
        };
        endings.iter().map(|ending| format!("{}{ending}", self.name))
    }
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, help, kind: Kind::Counter, labels }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, help, kind: Kind::Gauge, labels }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, help, kind: Kind::Histogram, labels }
}

/// Where a metric stands in [`METRICS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Started,
    Ended,
    Stuck,
    Undos,
    Failed,
    Unknown,
    Interrupted,
    HalfDone,
    StoreRetries,
    Missed,
    Sagas,
    Oldest,
    Queue,
    Driven,
    StoreSeconds,
    StoreErrors,
    StoreInFlight,
}

/// Every metric that there is. Those of *this process* count what the watched engine did; those of *the store*
/// are the same whichever process is asked.
pub const METRICS: [Metric; 17] = [
    counter("compensation_sagas_started", &["saga"], "Sagas started by this process"),
    counter(
        "compensation_sagas_ended",
        &["saga", "status"],
        "Sagas that this process brought to an end: completed, compensated or abandoned",
    ),
    counter("compensation_sagas_stuck", &["saga"], "How often this process parked a saga"),
    counter(
        "compensation_undo_attempts",
        &["saga", "outcome"],
        "Attempts of undos in this process: started, done or failed",
    ),
    counter(
        "compensation_failed_attempts",
        &["saga", "part"],
        "Attempts that failed in this process, of actions, probes and undos",
    ),
    counter(
        "compensation_unknown_outcomes",
        &["saga"],
        "Actions that failed in this process and may have had their effect",
    ),
    counter(
        "compensation_interrupted_attempts",
        &["saga"],
        "Attempts cut off by the end of a process, found by this one",
    ),
    histogram(
        "compensation_half_done_seconds",
        &["saga", "status"],
        "How long sagas that ended in this process had been half-done, from start to end",
    ),
    counter("compensation_store_retries", &[], "Journal writes that this process had to repeat"),
    counter(
        "compensation_notices_missed",
        &[],
        "Notices that these counters missed because they were too far behind",
    ),
    gauge("compensation_sagas", &["status"], "Sagas in the store by how they stand"),
    gauge(
        "compensation_oldest_half_done_seconds",
        &[],
        "Age of the oldest saga in the store that is running, compensating or stuck; 0 if none is",
    ),
    gauge(
        "compensation_queue_depth",
        &[],
        "Open sagas in the store that this process is not driving: they wait, or another process has them",
    ),
    gauge("compensation_sagas_driven", &[], "Sagas that this process is driving"),
    histogram(
        "compensation_store_seconds",
        &["operation"],
        "How long the store took to answer this process",
    ),
    counter(
        "compensation_store_errors",
        &["operation", "kind"],
        "Requests of this process that the store refused",
    ),
    gauge(
        "compensation_store_in_flight",
        &["operation"],
        "Requests of this process that the store has not answered yet",
    ),
];
