//! The dashboard and the alert rules name only metrics and labels that there are.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use compensation_metrics::METRICS;
use serde_json::Value;

fn read(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/observability");
    fs::read_to_string(folder.join(name)).expect("it is in the repository")
}

/// Every word of an expression that looks like one of our series.
fn series(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("compensation_")).map(ToOwned::to_owned).collect()
}

fn known() -> BTreeSet<String> {
    METRICS.iter().flat_map(|metric| metric.series().collect::<Vec<_>>()).collect()
}

/// The values of every `expr` in a JSON tree.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| match field {
            Value::String(text) if name == "expr" || name == "query" => found.push(text.clone()),
            other => expressions(other, found),
        }),
        Value::Array(all) => all.iter().for_each(|one| expressions(one, found)),
        _ => {}
    }
}

#[test]
fn every_metric_of_the_dashboard_exists_and_every_panel_asks_for_one() {
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(panels.len() >= 8);
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let mut asked = Vec::new();
        expressions(panel, &mut asked);
        assert!(!asked.is_empty(), "panel {} asks for nothing", panel["title"]);
        for expression in asked {
            let named = series(&expression);
            assert!(!named.is_empty(), "{expression} names no metric of ours");
            named.iter().for_each(|name| assert!(known().contains(name), "{name}: {expression}"));
        }
    }
}

#[test]
fn every_metric_of_the_alert_rules_exists() {
    let rules = read("alerts.yml");
    let named = series(&rules);
    assert!(!named.is_empty());
    named.iter().for_each(|name| assert!(known().contains(name), "{name}"));
}

#[test]
fn the_list_in_the_docs_is_the_list_of_metrics() {
    let docs = read("../console.md");
    for metric in &METRICS {
        assert!(docs.contains(&format!("`{}`", metric.name)), "{} is not described", metric.name);
    }
    for name in
        docs.split('`').filter(|word| word.starts_with("compensation_") && !word.contains("::"))
    {
        let name = name.split('{').next().unwrap_or_default();
        let base = METRICS.iter().any(|metric| metric.name == name);
        assert!(base || known().contains(name), "{name} is described and does not exist");
    }
}
