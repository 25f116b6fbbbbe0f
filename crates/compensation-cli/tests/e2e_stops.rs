//! The end of the process in the middle of a saga: `kill -9`, signals, and two processes at once.

mod program;

use program::Place;

/// Its second step says `ready` and waits at a gate.
const WAITING: &str = "\
saga: s
steps:
  - name: a
    run: touch a
    undo: rm a
  - name: b
    run: touch b; echo ready >&3; read line < gate
    undo: rm -f b
  - name: c
    run: touch c
    undo: rm c
";

fn waiting() -> Place {
    let place = Place::with(WAITING);
    program::gate(&place.file("gate"));
    place
}

#[test]
fn a_kill_takes_the_command_with_it_and_resume_undoes_what_was_cut_off() {
    let place = Place::with(
        &WAITING
            .replace("read line < gate", "(sleep 20; echo survived >&3) & sleep 20; touch late"),
    );
    let mut started = place.start(&["run", "saga.yaml", "--id", "x"]);
    started.wait_for("ready");
    started.signal("-KILL");
    let (ended, said) = started.end();
    assert_eq!((ended.code, said.as_str()), (Some(-9), ""));
    let list = place.call(&["list"]).code(0);
    assert!(list.out.contains("nobody runs it: resume it"), "{list:?}");
    let ended = place.call(&["resume"]).code(3);
    assert!(ended.err.contains("b: had been cut off by the end of its process"), "{ended:?}");
    assert_eq!(place.left(), [""; 0]);
    let again = place.call(&["resume"]).code(0);
    assert_eq!(again.out, "nothing to resume\n");
}

#[test]
fn an_idempotent_command_that_was_cut_off_is_attempted_again() {
    let file = WAITING
        .replace("    undo: rm -f b\n", "    undo: rm -f b\n    idempotent: true\n")
        .replace("read line < gate", "test $SAGA_ATTEMPT = 2 || read line < gate");
    let place = Place::with(&file);
    program::gate(&place.file("gate"));
    let mut started = place.start(&["run", "saga.yaml", "--id", "x"]);
    started.wait_for("ready");
    started.signal("-KILL");
    started.end();
    let (ended, _) = place.start(&["resume", "x"]).end();
    ended.code(0);
    assert_eq!(place.left(), ["a", "b", "c", "gate"]);
}

#[test]
fn a_saga_goes_on_without_its_file() {
    let place = waiting();
    let mut started = place.start(&["run", "saga.yaml", "--id", "x"]);
    started.wait_for("ready");
    started.signal("-KILL");
    started.end();
    std::fs::remove_file(place.file("saga.yaml")).expect("there");
    place.call(&["resume", "x"]).code(3);
    assert_eq!(place.left(), ["gate"]);
}

#[test]
fn a_signal_lets_what_is_in_flight_finish_and_says_how_to_go_on() {
    let place = waiting();
    let mut started = place.start(&["run", "saga.yaml", "--id", "it's x"]);
    started.wait_for("ready");
    started.signal("-INT");
    started.wait_for_err("finishing what is in flight; again to stop at once");
    program::open_gate(&place.file("gate"));
    let (ended, _) = started.end();
    ended.code(1).says(
        "b: done\nerror: stopped before the end; to go on: compensation resume 'it'\\''s x' --db sagas.db\n",
    );
    assert_eq!(place.left(), ["a", "b", "gate"]);
    place.call(&["resume", "it's x"]).code(0);
    assert_eq!(place.left(), ["a", "b", "c", "gate"]);
}

#[test]
fn a_second_signal_stops_at_once() {
    let place = waiting();
    let mut started = place.start(&["run", "saga.yaml", "--id", "x"]);
    started.wait_for("ready");
    started.signal("-TERM");
    started.wait_for_err("again to stop at once");
    started.signal("-TERM");
    let (ended, _) = started.end();
    ended.code(1).says("stopped before the end");
    place.call(&["resume", "x"]).code(3);
}

#[test]
fn others_may_look_at_a_saga_and_wait_for_it_while_it_runs() {
    let place = waiting();
    let mut started = place.start(&["run", "saga.yaml", "--id", "x"]);
    started.wait_for("ready");
    let steps = place.show("x")["steps"].clone();
    assert_eq!((&steps[0]["phase"], &steps[1]["phase"]), (&"done".into(), &"acting".into()));
    let listed = place.call(&["list", "--status", "running", "--json"]).json();
    assert_eq!(listed["sagas"][0]["owned"], true);
    assert_eq!(place.call(&["resume"]).code(0).out, "nothing to resume\n");
    let mut second = place.start(&["run", "saga.yaml", "--id", "x"]);
    second.wait_for_err("saga s, id x");
    program::open_gate(&place.file("gate"));
    let (first, said) = started.end();
    let (second, _) = second.end();
    assert_eq!((first.code, second.code, said.as_str()), (Some(0), Some(0), ""));
}
