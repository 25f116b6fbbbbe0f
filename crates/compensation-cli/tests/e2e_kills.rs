//! Processes that leave the group or the parent they were started in: at the end of an attempt, whichever way
//! it ends, they end too, and before its undo begins.

#![cfg(target_os = "linux")]

mod program;

use program::Place;

/// What each of the commands starts: it takes a lock, says so, and would say so if it lived on.
const LONG: &str = "flock 9; echo ready >&3; sleep 20; echo survived >&3";

/// A process group of its own.
fn own_group() -> String {
    format!("timeout 60 sh -c '{LONG}' 9>lock")
}

/// A session of its own, and no parent that is known; once it has the lock, what the command itself does.
fn own_session(outputs: &str, then: &str) -> String {
    let begun = LONG.replace("echo ready", "echo > begun; echo ready");
    format!("(setsid sh -c '({begun}) {outputs} &' 9>lock &); read line < begun; {then}")
}

const SILENT: &str = ">/dev/null 2>&1";

/// One step that runs that command. Its undo says when something still has the lock.
fn one(command: &str, more: &str) -> Place {
    let place = Place::with(&format!(
        "saga: s\nsteps:\n  - name: a\n    undo: flock -n lock true || touch beside\n{more}    run: |\n      {command}\n"
    ));
    program::gate(&place.file("begun"));
    place
}

/// Runs it up to a failure that is told so, and its undo.
#[track_caller]
fn fails(place: &Place, told: &str) {
    let (ended, said) = place.start(&["run", "saga.yaml"]).end();
    ended.code(3).says(told);
    assert_eq!(said, "ready\n");
    assert_eq!(place.left(), ["begun", "lock"]);
}

/// Kills the program while the command runs.
#[track_caller]
fn is_killed(place: &Place) {
    let mut started = place.start(&["run", "saga.yaml", "--id", "x"]);
    started.wait_for("ready");
    started.signal("-KILL");
    let (ended, said) = started.end();
    assert_eq!((ended.code, said.as_str()), (Some(-9), ""));
    place.call(&["resume", "x"]).code(3);
    assert_eq!(place.left(), ["begun", "lock"]);
}

const LIMIT: &str = "    timeout: 2s\n";
const TIMED_OUT: &str = "no answer within 2s";

#[test]
fn a_group_of_its_own_does_not_outlive_a_timeout() {
    fails(&one(&own_group(), LIMIT), TIMED_OUT);
}

#[test]
fn a_session_of_its_own_does_not_outlive_a_timeout() {
    fails(&one(&own_session(SILENT, "sleep 20"), LIMIT), TIMED_OUT);
}

#[test]
fn what_holds_the_output_of_a_command_that_succeeded_does_not_outlive_a_timeout() {
    fails(&one(&own_session("", "exit 0"), LIMIT), TIMED_OUT);
}

#[test]
fn a_session_of_its_own_does_not_outlive_a_failure() {
    fails(&one(&own_session(SILENT, "exit 7"), ""), "exit status 7");
}

#[test]
fn a_session_of_its_own_does_not_outlive_a_command_that_kills_its_own_group() {
    fails(&one(&own_session(SILENT, "kill -KILL 0"), ""), "killed by signal 9");
}

#[test]
fn a_group_of_its_own_does_not_outlive_the_program() {
    is_killed(&one(&own_group(), ""));
}

#[test]
fn a_session_of_its_own_does_not_outlive_the_program() {
    is_killed(&one(&own_session(SILENT, "sleep 20"), ""));
}

#[test]
fn what_holds_the_output_of_a_command_that_succeeded_does_not_outlive_the_program() {
    is_killed(&one(&own_session("", "exit 0"), ""));
}

#[test]
fn a_session_of_its_own_may_outlive_a_success() {
    let place = one(
        "(setsid sh -c '(read line < begun; echo served >&3) >/dev/null 2>&1 &' &)",
        "    output: none\n",
    );
    let mut started = place.start(&["run", "saga.yaml"]);
    started.wait_for_err("a: done");
    program::open_gate(&place.file("begun"));
    let (ended, said) = started.end();
    ended.code(0);
    assert_eq!(said, "served\n");
}
