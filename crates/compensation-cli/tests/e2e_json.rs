//! docs/json.md names every key that the program says, with its type, and no other.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod program;

use std::collections::{BTreeMap, BTreeSet};

use program::Place;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/json.md");

/// Stuck on the undo of `a`; its last step has nothing to undo.
const FILE: &str = "\
saga: s
input: [n]
steps:
  - { name: a, run: echo 1, undo: { run: test -e mended, retry: { attempts: 1 } } }
  - { name: b, run: echo 2, undo: none, because: it only speaks }
  - { name: c, run: exit $N, undo: none, because: it only ends, not_done: [1] }
";

/// The table of a form: each key's path and type.
fn table(form: &str) -> BTreeMap<&'static str, &'static str> {
    let mark = format!("<!-- form: {form} -->");
    let rest = PAGE.split_once(&mark).expect("the form is there").1;
    let rows = rest.lines().skip_while(|line| line.is_empty()).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        (cells.next().expect("a key").trim_matches('`'), cells.next().expect("a type"))
    });
    cells.collect()
}

/// Notes each key of a value by its path, and holds it against its type.
fn walk(value: &Value, path: &str, known: &BTreeMap<&str, &str>, seen: &mut BTreeSet<String>) {
    if let Some(kind) = known.get(path) {
        seen.insert(path.to_owned());
        assert!(is(value, kind), "`{path}` is `{kind}` on the page and says {value}");
        return;
    }
    match value {
        Value::Object(all) => {
            for (key, value) in all {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(value, &path, known, seen);
            }
        }
        Value::Array(all) => {
            for value in all {
                walk(value, &format!("{path}[]"), known, seen);
            }
        }
        // Null in place of an object whose keys are on the page.
        Value::Null if known.keys().any(|key| key.starts_with(&format!("{path}."))) => {}
        value => panic!("`{path}`, which says {value}, is not on the page"),
    }
}

fn is(value: &Value, kind: &str) -> bool {
    kind.split(" or ").any(|kind| match kind {
        "text" => value.is_string(),
        "moment" => value.as_str().is_some_and(|it| it.starts_with("20") && it.ends_with('Z')),
        "number" => value.is_u64(),
        "bool" => value.is_boolean(),
        "null" => value.is_null(),
        "any" => true,
        other => panic!("`{other}` is no type"),
    })
}

/// Holds values of a form against its table: each key is there, and each that is there is said.
#[track_caller]
fn agree(form: &str, values: &[Value]) {
    let known = table(form);
    let mut seen = BTreeSet::new();
    values.iter().for_each(|value| walk(value, "", &known, &mut seen));
    let unsaid: Vec<_> = known.keys().filter(|key| !seen.contains(**key)).collect();
    assert!(unsaid.is_empty(), "{form}: {unsaid:?} is on the page and nobody says it");
}

/// One stuck saga `x`, and one completed saga `y`.
fn place() -> Place {
    let place = Place::with(FILE);
    place.run(&["--id", "y", "--input", "n=0"]).code(0);
    place.run(&["--id", "x", "--input", "n=1"]).code(4);
    place
}

fn say(place: &Place, words: &[&str]) -> Value {
    place.call(&[words, &["--json"]].concat()).json()
}

const REASON: [&str; 2] = ["--reason", "r"];

#[test]
fn lists_are_as_the_page_says() {
    let place = place();
    agree("list", &[say(&place, &["list"]), say(&place, &["list", "--limit", "1"])]);
}

#[test]
fn ends_of_one_saga_are_as_the_page_says() {
    let place = place();
    let run = place.run(&["--id", "z", "--input", "n=1", "--json"]);
    let started: Value =
        serde_json::from_str(run.err.lines().next().expect("a line")).expect("JSON");
    agree("started", &[started]);
    let retry = say(&place, &[&["retry", "x", "a", "--input", "n=2"], &REASON[..]].concat());
    agree("one", &[run.json(), retry]);
    agree("resume", &[say(&place, &["resume", "x"])]);
}

#[test]
fn whole_records_are_as_the_page_says() {
    let place = place();
    say(&place, &[&["retry", "x", "a", "--input", "n=2"], &REASON[..]].concat());
    agree("show", &[say(&place, &["show", "x"]), say(&place, &["show", "y"])]);
    let lines = place.call(&["watch", "x", "--json"]).code(4).out;
    let mut lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut last = lines.pop().expect("the saga itself");
    last["exit"] = 4.into();
    last["applied"] = "changed".into();
    agree("one", &[last]);
    agree("watch", &lines);
}

#[test]
fn previews_are_as_the_page_says() {
    let place = place();
    agree(
        "preview",
        &[say(&place, &["preview", "x"]), say(&place, &["preview", "y"]), {
            place.write("two.yaml", "saga: t\nsteps:\n  - { name: a, run: 'true', undo: 'true' }\n  - { name: b, run: 'true', undo: 'true' }\n");
            place.call(&["run", "two.yaml", "--id", "t"]).code(0);
            say(&place, &["preview", "t"])
        }],
    );
}

#[test]
fn orders_to_many_are_as_the_page_says() {
    let place = place();
    let many = |words: &[&str]| say(&place, &[words, &REASON].concat());
    let targets = [many(&["skip", "--all"]), many(&["undo", "--all", "--status", "completed"])];
    place.write(
        "p.yaml",
        "saga: p\nsteps: [{ name: a, run: 'true', undo: none, because: so, pivot: true }]\n",
    );
    place.call(&["run", "p.yaml", "--id", "p"]).code(0);
    let refused = many(&["undo", "--all", "--name", "p"]);
    agree("targets", &[targets.as_slice(), &[refused]].concat());
    let refused = many(&["undo", "--all", "--name", "p", "--yes"]);
    agree("given", &[many(&["skip", "--all", "--yes"]), refused]);
}

#[test]
fn the_rest_is_as_the_page_says() {
    let place = place();
    agree("check", &[say(&place, &["check", "saga.yaml"])]);
    agree("graph", &[say(&place, &["graph", "saga.yaml"])]);
    agree("purge", &[say(&place, &["purge", "--older-than", "30d"])]);
}

#[test]
fn errors_are_as_the_page_says() {
    let place = place();
    place.write("bad.yaml", "saga: s\nsteps: [{ name: a, run: x }]\n");
    let error = |words: &[&str]| {
        let ended = place.call(&[words, &["--json"]].concat());
        serde_json::json!({ "error": ended.error() })
    };
    agree("error", &[error(&["show", "nobody"]), error(&["check", "bad.yaml"])]);
}
