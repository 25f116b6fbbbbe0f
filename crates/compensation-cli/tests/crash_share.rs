//! Several processes on one store: each runs its own sagas, and takes over only what a dead one left.

#![cfg(unix)]

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
    let refused = place.call(&["undo", "x", "--reason", "no"]).code(1);
    assert!(refused.err.contains("is being run by process"), "{refused:?}");
    program::open_gate(&place.file("gate"));
    first.end().0.code(0);
    assert_eq!(effects(&place), ["x"]);
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
