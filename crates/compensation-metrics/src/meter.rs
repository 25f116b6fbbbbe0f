//! The metrics as instruments of OpenTelemetry. Where they go is for the program's own setup to say.

use std::sync::Arc;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter},
};

use crate::list::{Id, Kind, METRICS};

enum Instrument {
    Counter(Counter<u64>),
    Gauge(Gauge<f64>),
    Histogram(Histogram<f64>),
}

pub(crate) struct Instruments {
    all: Vec<Instrument>,
    in_flight: UpDownCounter<f64>,
}

impl Instruments {
    pub(crate) fn new(meter: &Meter) -> Self {
        let all = METRICS.iter().map(|metric| match metric.kind {
            Kind::Counter => Instrument::Counter(
                meter.u64_counter(metric.name).with_description(metric.help).build(),
            ),
            Kind::Gauge => Instrument::Gauge(
                meter.f64_gauge(metric.name).with_description(metric.help).build(),
            ),
            Kind::Histogram => Instrument::Histogram(
                meter
                    .f64_histogram(metric.name)
                    .with_description(metric.help)
                    .with_unit("s")
                    .build(),
            ),
        });
        let in_flight = &METRICS[Id::StoreInFlight as usize];
        let in_flight =
            meter.f64_up_down_counter(in_flight.name).with_description(in_flight.help).build();
        Self { all: all.collect(), in_flight }
    }

    pub(crate) fn count(&self, id: Id, values: &[&Arc<str>], by: u64) {
        if let Some(Instrument::Counter(counter)) = self.all.get(id as usize) {
            counter.add(by, &attributes(id, values));
        }
    }

    pub(crate) fn set(&self, id: Id, values: &[&Arc<str>], value: f64) {
        if let Some(Instrument::Gauge(gauge)) = self.all.get(id as usize) {
            gauge.record(value, &attributes(id, values));
        }
    }

    pub(crate) fn shift(&self, id: Id, values: &[&Arc<str>], by: f64) {
        self.in_flight.add(by, &attributes(id, values));
    }

    pub(crate) fn observe(&self, id: Id, values: &[&Arc<str>], seconds: f64) {
        if let Some(Instrument::Histogram(histogram)) = self.all.get(id as usize) {
            histogram.record(seconds, &attributes(id, values));
        }
    }
}

fn attributes(id: Id, values: &[&Arc<str>]) -> Vec<KeyValue> {
    let names = METRICS[id as usize].labels;
    names.iter().zip(values).map(|(name, value)| KeyValue::new(*name, (*value).clone())).collect()
}
