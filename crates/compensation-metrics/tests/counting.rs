//! What is counted of sagas, as Prometheus and OpenTelemetry are told.

mod stage;

use std::sync::Arc;

use compensation::{
    Order, Outcome,
    repository::{ErrorKind, MemoryRepository},
};
use compensation_metrics::{MAX_SAGAS, METRICS, Metrics};
use compensation_testing::FaultyRepository;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use stage::{Stage, id, life};

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|it| it == *line), "no {line} in\n{text}");
    }
}

#[test]
fn a_completed_saga_is_started_and_ended_once_with_its_time_half_done() {
    life(async {
        let (metrics, stage) = (Metrics::new(), Stage::default());
        let engine = stage.engine(metrics.time(Arc::new(MemoryRepository::new()))).await;
        let watching = metrics.watch(&engine);
        let _ = engine.run("trip", id("1"), &()).await.expect("an end");
        watching.caught_up().await;
        has(
            &metrics.scrape(&engine).await.expect("a store"),
            &[
                "compensation_sagas_started_total{saga=\"trip\"} 1",
                "compensation_sagas_ended_total{saga=\"trip\",status=\"completed\"} 1",
                "compensation_half_done_seconds_count{saga=\"trip\",status=\"completed\"} 1",
                "compensation_sagas{status=\"completed\"} 1.0",
                "compensation_oldest_half_done_seconds 0.0",
                "compensation_store_seconds_count{operation=\"create\"} 1",
                "compensation_store_in_flight{operation=\"create\"} 0.0",
            ],
        );
    });
}

#[test]
fn a_stuck_saga_counts_its_undos_and_its_unknown_outcome_until_it_is_mended() {
    life(async {
        let (metrics, stage) = (Metrics::new(), Stage::default());
        stage.charge_fails(true);
        stage.cancel_fails(true);
        let engine = stage.engine(Arc::new(MemoryRepository::new())).await;
        let watching = metrics.watch(&engine);
        let ended = engine.run("trip", id("1"), &()).await.expect("an end");
        assert!(matches!(ended, Outcome::Stuck(_)));
        watching.caught_up().await;
        has(
            &metrics.scrape(&engine).await.expect("a store"),
            &[
                "compensation_sagas_stuck_total{saga=\"trip\"} 1",
                "compensation_undo_attempts_total{saga=\"trip\",outcome=\"started\"} 1",
                "compensation_undo_attempts_total{saga=\"trip\",outcome=\"failed\"} 1",
                "compensation_unknown_outcomes_total{saga=\"trip\"} 1",
                "compensation_failed_attempts_total{saga=\"trip\",part=\"action\"} 1",
                "compensation_sagas{status=\"stuck\"} 1.0",
            ],
        );
        stage.cancel_fails(false);
        engine.retry(&id("1"), "car", Order::new("Ada", "mended")).await.expect("an order");
        let _ = engine.wait(&id("1")).await.expect("an end");
        watching.caught_up().await;
        has(
            &metrics.scrape(&engine).await.expect("a store"),
            &[
                "compensation_sagas_ended_total{saga=\"trip\",status=\"compensated\"} 1",
                "compensation_undo_attempts_total{saga=\"trip\",outcome=\"done\"} 1",
            ],
        );
    });
}

#[test]
fn what_a_store_refuses_is_counted_by_operation_and_kind() {
    life(async {
        let metrics = Metrics::new();
        let (store, faults) = FaultyRepository::around(MemoryRepository::new());
        faults.fail(1, ErrorKind::Temporary);
        metrics.time(Arc::new(store)).release(Vec::new()).await.expect_err("it is told to");
        let line = "compensation_store_errors_total{operation=\"release\",kind=\"temporary\"} 1";
        has(&metrics.text(), &[line]);
    });
}

#[test]
fn every_metric_of_the_list_is_served_once_something_was_counted() {
    life(async {
        let (metrics, stage) = (Metrics::new(), Stage::default());
        stage.charge_fails(true);
        stage.cancel_fails(true);
        let (store, faults) = FaultyRepository::around(MemoryRepository::new());
        let store = metrics.time(Arc::new(store));
        faults.fail(1, ErrorKind::Temporary);
        store.release(Vec::new()).await.expect_err("it is told to");
        let engine = stage.engine(store).await;
        let watching = metrics.watch(&engine);
        let _ = engine.run("trip", id("1"), &()).await.expect("an end");
        engine.abandon(&id("1"), Order::new("Ada", "enough")).await.expect("an order");
        watching.caught_up().await;
        metrics.observe(&stage::interrupted("trip"));
        let text = metrics.scrape(&engine).await.expect("a store");
        for series in METRICS.iter().flat_map(|metric| metric.series()) {
            let is_it = |line: &str| line.split(['{', ' ']).next() == Some(series.as_str());
            assert!(text.lines().any(is_it), "{series} is not in\n{text}");
        }
    });
}

#[test]
fn names_beyond_the_limit_share_a_label() {
    let metrics = Metrics::new();
    for number in 0..MAX_SAGAS + 3 {
        metrics.observe(&stage::created(&format!("saga-{number}")));
    }
    has(&metrics.text(), &["compensation_sagas_started_total{saga=\"(others)\"} 3"]);
}

#[test]
fn open_telemetry_is_told_the_same_under_the_same_names() {
    life(async {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        let (metrics, stage) = (Metrics::with_meter(&provider.meter("sagas")), Stage::default());
        stage.charge_fails(true);
        stage.cancel_fails(true);
        let engine = stage.engine(metrics.time(Arc::new(MemoryRepository::new()))).await;
        let watching = metrics.watch(&engine);
        let _ = engine.run("trip", id("1"), &()).await.expect("an end");
        watching.caught_up().await;
        metrics.look(&engine).await.expect("a store");
        provider.force_flush().expect("an exporter");
        let told = exporter.get_finished_metrics().expect("an exporter");
        let scopes = told.iter().flat_map(|all| all.scope_metrics());
        let names: Vec<String> =
            scopes.flat_map(|scope| scope.metrics()).map(|it| it.name().to_owned()).collect();
        for wanted in [
            "compensation_sagas_started",
            "compensation_sagas_stuck",
            "compensation_undo_attempts",
            "compensation_oldest_half_done_seconds",
            "compensation_store_seconds",
            "compensation_store_in_flight",
        ] {
            assert!(names.iter().any(|name| name == wanted), "no {wanted} in {names:?}");
        }
        assert!(names.iter().all(|name| METRICS.iter().any(|metric| metric.name == name)));
    });
}
