//! Several processes on one store: each runs its own sagas, and takes over only what a dead one left.

#![cfg(unix)]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod program;

use program::Place;

/// Says `ready` and waits at a gate when it is attempted for the first time.
const WAITING: &str = "\
saga: s
input: [name]
steps:
  - name: a
    run: echo \"$NAME\" >> effects; test $SAGA_ATTEMPT = 2 || { echo ready >&3; read line < gate; }
    undo: echo \"undo $NAME\" >> effects
    idempotent: true
";

const QUICK: &str = "\
saga: q
steps:
  - name: a
    run: echo quick
    undo: none
    because: it only speaks
";

fn waiting() -> Place {
    let place = Place::with(WAITING);
    place.write("quick.yaml", QUICK);
    program::gate(&place.file("gate"));
    place
}

fn effects(place: &Place) -> Vec<String> {
    let mut effects: Vec<_> = place.read("effects").lines().map(str::to_owned).collect();
    effects.sort();
    effects
}

#[test]
fn a_second_process_runs_its_own_sagas_and_leaves_those_of_the_first() {
    let place = waiting();
    let mut first = place.start(&["run", "saga.yaml", "--id", "x", "--input", "name=x"]);
    first.wait_for("ready");
    place.call(&["run", "quick.yaml", "--id", "q"]).code(0);
    assert_eq!(place.call(&["resume"]).code(0).out, "nothing to resume\n");
    program::open_gate(&place.file("gate"));
    first.end().0.code(0);
    assert_eq!(effects(&place), ["x"]);
}

#[test]
fn an_order_reaches_the_process_that_runs_the_saga() {
    let place = waiting();
    let mut first = place.start(&["run", "saga.yaml", "--id", "x", "--input", "name=x"]);
    first.wait_for("ready");
    let mut second = place.start(&["undo", "x", "--reason", "the customer called"]);
    second.wait_for_err("the process that drives it has the order; waiting for its end");
    // Asked again it says that it is so already, and refuses what makes no sense as it would at home.
    let refused = place.call(&["skip", "x", "a", "--reason", "no", "--json"]).code(2);
    assert_eq!(refused.error()["kind"], "refused");
    program::open_gate(&place.file("gate"));
    assert_eq!((first.end().0.code, second.end().0.code), (Some(3), Some(3)));
    assert_eq!(effects(&place), ["undo x", "x"]);
    let ordered = place.show("x")["journal"].to_string().matches("cancel_requested").count();
    assert_eq!(ordered, 1);
}

#[test]
fn an_order_to_a_process_that_is_killed_is_carried_out_by_whoever_gave_it() {
    let place = waiting();
    let mut first = place.start(&["run", "saga.yaml", "--id", "x", "--input", "name=x"]);
    first.wait_for("ready");
    // It can't answer, and dies without having read the letter.
    first.signal("-STOP");
    let second = place.start(&["undo", "x", "--reason", "the customer called"]);
    until_posted(&place);
    first.signal("-KILL");
    first.end();
    second.end().0.code(3);
    assert_eq!(effects(&place), ["undo x", "x"]);
    let ordered = place.show("x")["journal"].to_string().matches("cancel_requested").count();
    assert_eq!(ordered, 1);
}

#[test]
fn an_order_whose_giver_is_killed_is_carried_out_where_the_saga_runs() {
    let place = waiting();
    let mut first = place.start(&["run", "saga.yaml", "--id", "x", "--input", "name=x"]);
    first.wait_for("ready");
    first.signal("-STOP");
    let second = place.start(&["undo", "x", "--reason", "the customer called"]);
    until_posted(&place);
    second.signal("-KILL");
    second.end();
    first.signal("-CONT");
    // The order is in the record before the action in flight ends.
    while place.call(&["list", "--status", "compensating", "--json"]).json()["sagas"][0].is_null() {
    }
    program::open_gate(&place.file("gate"));
    first.end().0.code(3);
    assert_eq!(effects(&place), ["undo x", "x"]);
}

/// Waits until a letter is in the store.
fn until_posted(place: &Place) {
    let db = rusqlite::Connection::open(place.file("sagas.db")).expect("a store");
    let letters = || db.query_row("SELECT count(*) FROM letter", (), |row| row.get::<_, i64>(0));
    while letters().expect("a count") == 0 {}
}

#[test]
fn what_a_killed_process_left_is_taken_over_by_the_next() {
    let place = waiting();
    let mut first = place.start(&["run", "saga.yaml", "--id", "x", "--input", "name=x"]);
    first.wait_for("ready");
    first.signal("-KILL");
    first.end();
    place.call(&["resume"]).code(0);
    assert_eq!(effects(&place), ["x", "x"], "its command was cut off, and attempted again");
}

#[test]
fn of_two_processes_that_take_over_at_once_one_runs_each_saga() {
    let place = waiting();
    let names: Vec<_> = (10..22).map(|number| format!("saga-{number}")).collect();
    let left: Vec<_> = names
        .iter()
        .map(|name| {
            let input = format!("name={name}");
            let mut one = place.start(&["run", "saga.yaml", "--id", name, "--input", &input]);
            one.wait_for("ready");
            one
        })
        .collect();
    for one in left {
        one.signal("-KILL");
        one.end();
    }
    let both = [place.start(&["resume"]), place.start(&["resume"])];
    for one in both {
        one.end().0.code(0);
    }
    let twice: Vec<_> = names.iter().flat_map(|name| [name.clone(), name.clone()]).collect();
    assert_eq!(effects(&place), twice, "each was attempted once before the kill and once after");
}
