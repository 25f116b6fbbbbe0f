//! Dry runs: they answer as the order would, ask for no name, and leave no trace.

#![allow(clippy::expect_used, reason = "a test fails where its surroundings do")]

mod program;

use program::{Ended, Place};

const FILE: &str = "\
saga: s
input: [code]
steps:
  - name: a
    run: 'true'
    undo: { run: test -e mended, retry: { attempts: 1 } }
  - name: b
    run: exit $CODE
    undo: 'true'
    not_done: [3]
";

/// `good` is completed, `bad` waits for a person at the undo of `a`.
fn place() -> Place {
    let place = Place::with(FILE);
    place.run(&["--id", "good", "--input", "code=0"]).code(0);
    place.run(&["--id", "bad", "--input", "code=3"]).code(4);
    place
}

fn without_a_name(place: &Place, words: &[&str]) -> Ended {
    let mut command = place.command(words);
    command.env_remove("USER").env_remove("LOGNAME");
    Ended::of(&command.output().expect("it starts"))
}

#[test]
fn what_is_only_shown_needs_no_name_under_it() {
    let place = place();
    for words in [
        &["retry", "--all", "--dry-run"][..],
        &["retry", "--all", "--reason", "mended"],
        &["skip", "bad", "--dry-run"],
        &["abandon", "bad", "--dry-run"],
        &["undo", "good", "--dry-run"],
    ] {
        without_a_name(&place, words).code(0);
    }
    let given = ["retry", "--all", "--reason", "mended", "--yes"];
    without_a_name(&place, &given).code(2).says("nobody knows who orders this");
}

#[test]
fn a_dry_run_of_one_saga_is_refused_in_the_words_of_the_order() {
    let place = place();
    let reason = ["--reason", "looked at it"];
    for words in [
        &["abandon", "good"][..],
        &["retry", "good"],
        &["retry", "good", "a"],
        &["skip", "bad", "b"],
        &["retry", "bad", "no-such-step"],
        &["done", "bad"],
        &["abandon", "no-such-saga"],
    ] {
        let shown = place.call(&[words, &["--dry-run"]].concat());
        let refused = place.call(&[words, &reason].concat()).code(2);
        assert_eq!((shown.code, &shown.err), (refused.code, &refused.err), "{words:?}");
        let json = place.call(&[words, &["--dry-run", "--json"]].concat()).error();
        assert_eq!(json, place.call(&[words, &reason, &["--json"]].concat()).error(), "{words:?}");
    }
}

#[test]
fn a_dry_run_of_what_is_so_already_says_that_it_would_change_nothing() {
    let place = place();
    place.call(&["abandon", "bad", "--reason", "it is in the ledger"]).code(0);
    let shown = place.call(&["abandon", "bad", "--dry-run"]).code(0);
    shown.says("nothing was done, and the order would change nothing");
    let json = place.call(&["abandon", "bad", "--dry-run", "--json"]).code(0).json();
    assert_eq!(json["targets"][0]["expected"], "already");
}

#[test]
fn of_many_it_is_counted_what_the_order_would_not_change() {
    let place = place();
    let shown = place.call(&["abandon", "--all", "--name", "s", "--dry-run"]).code(0);
    shown.says("of these, 0 so already, and 1 would be refused\nnothing was done: say --yes");
    let words = ["abandon", "--all", "--name", "s", "--dry-run", "--json"];
    let targets = place.call(&words).code(0).json()["targets"].clone();
    assert_eq!((&targets[0]["id"], &targets[0]["expected"]), (&"good".into(), &"refused".into()));
    assert!(targets[0]["refusal"].is_string(), "{targets}");
    assert_eq!((&targets[1]["expected"], &targets[1]["refusal"]), (&"changed".into(), &().into()));
}

/// Nobody waits for another process that writes, and no trace of a look is left.
#[test]
fn looking_writes_nothing_to_the_store() {
    let place = place();
    let db = rusqlite::Connection::open(place.file("sagas.db")).expect("a store");
    let version = || -> i64 {
        db.pragma_query_value(None, "data_version", |row| row.get(0)).expect("a number")
    };
    let before = version();
    db.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    for words in [
        &["list"][..],
        &["show", "bad"],
        &["preview", "good"],
        &["graph", "bad"],
        &["watch", "good"],
        &["retry", "bad", "--dry-run"],
        &["skip", "--all", "--dry-run"],
    ] {
        place.call(words).code(0);
    }
    db.execute_batch("ROLLBACK").expect("an end");
    assert_eq!(version(), before);
    assert_eq!(place.left(), [""; 0]);
}
