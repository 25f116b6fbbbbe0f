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

/// The labels that an expression asks for: before the signs of a matcher, and behind `by`.
fn labels(expression: &str) -> Vec<String> {
    let inside = |open: &str, close: char| -> Vec<String> {
        let parts = expression.split(open).skip(1);
        parts.filter_map(|part| Some(part.split_once(close)?.0.to_owned())).collect()
    };
    let matched = inside("{", '}').into_iter().flat_map(|matchers| {
        let names = matchers
            .split(',')
            .filter_map(|one| Some(one.split_once(['=', '!'])?.0.trim().to_owned()));
        names.collect::<Vec<_>>()
    });
    let grouped = inside("by (", ')')
        .into_iter()
        .flat_map(|names| names.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>());
    matched.chain(grouped).collect()
}

/// Fails where a label is none of the metric that the expression names.
fn assert_labels(expression: &str) {
    for series in series(expression) {
        let of = METRICS.iter().find(|metric| metric.series().any(|it| it == series));
        let of = of.map(|metric| metric.labels).unwrap_or_default();
        for label in labels(expression) {
            let is_bucket = label == "le" && series.ends_with("_bucket");
            assert!(
                is_bucket || of.contains(&label.as_str()),
                "{series} has no {label}: {expression}"
            );
        }
    }
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
            assert_labels(&expression);
        }
    }
}

#[test]
fn every_metric_of_the_alert_rules_exists() {
    let rules = read("alerts.yml");
    let named = series(&rules);
    assert!(!named.is_empty());
    named.iter().for_each(|name| assert!(known().contains(name), "{name}"));
    let expressions: Vec<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("expr:")).collect();
    assert_eq!(
        expressions.len(),
        rules.matches("- alert:").count(),
        "one in a line for each alert"
    );
    expressions.into_iter().for_each(assert_labels);
}

#[test]
fn labels_are_found_in_matchers_and_groups() {
    let expression = r#"sum by (le, saga) (rate(x_bucket{kind=~"a|b", part!="c"}[5m]))"#;
    assert_eq!(labels(expression), ["kind", "part", "le", "saga"]);
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
