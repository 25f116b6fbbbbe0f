//! The metrics as Prometheus reads them: OpenMetrics text.

use std::sync::Arc;

use prometheus_client::{
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::Registry,
};

use crate::list::{Id, Kind, METRICS, Metric};

/// From a millisecond to a day: a store answers in the first, a saga waits for a person in the last.
const BUCKETS: [f64; 16] = [
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0,
    21_600.0, 86_400.0,
];

type Labels = Vec<(&'static str, Arc<str>)>;

#[derive(Clone)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

enum Series {
    Counter(Family<Labels, Counter>),
    Gauge(Family<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>),
    Histogram(Family<Labels, Histogram, Buckets>),
}

pub(crate) struct Prometheus {
    registry: Registry,
    series: Vec<Series>,
}

impl Prometheus {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let series = METRICS.iter().map(|metric| register(&mut registry, metric)).collect();
        Self { registry, series }
    }

    pub(crate) fn count(&self, id: Id, values: &[&Arc<str>], by: u64) {
        if let Some(Series::Counter(family)) = self.series.get(id as usize) {
            family.get_or_create(&labels(id, values)).inc_by(by);
        }
    }

    pub(crate) fn set(&self, id: Id, values: &[&Arc<str>], value: f64) {
        if let Some(Series::Gauge(family)) = self.series.get(id as usize) {
            family.get_or_create(&labels(id, values)).set(value);
        }
    }

    pub(crate) fn shift(&self, id: Id, values: &[&Arc<str>], by: f64) {
        if let Some(Series::Gauge(family)) = self.series.get(id as usize) {
            family.get_or_create(&labels(id, values)).inc_by(by);
        }
    }

    pub(crate) fn observe(&self, id: Id, values: &[&Arc<str>], seconds: f64) {
        if let Some(Series::Histogram(family)) = self.series.get(id as usize) {
            family.get_or_create(&labels(id, values)).observe(seconds);
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string can't fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

fn register(registry: &mut Registry, metric: &Metric) -> Series {
    let Metric { name, help, kind, .. } = *metric;
    match kind {
        Kind::Counter => {
            let family = Family::default();
            registry.register(name, help, family.clone());
            Series::Counter(family)
        }
        Kind::Gauge => {
            let family = Family::default();
            registry.register(name, help, family.clone());
            Series::Gauge(family)
        }
        Kind::Histogram => {
            let family = Family::new_with_constructor(Buckets);
            registry.register(name, help, family.clone());
            Series::Histogram(family)
        }
    }
}

fn labels(id: Id, values: &[&Arc<str>]) -> Labels {
    let names = METRICS[id as usize].labels;
    names.iter().zip(values).map(|(name, value)| (*name, (*value).clone())).collect()
}
