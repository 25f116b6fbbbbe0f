//! Saga files on a real Temporal server: its address is in `COMPENSATION_TEMPORAL_ADDRESS`, and where its own command
//! is in `COMPENSATION_TEMPORAL_COMMAND` (by default `temporal`). `crates/compensation-temporal/server-tests` sets both.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod program;

use std::process::{Command, Output};

use program::{Place, Started};

const FILE: &str = "
saga: NAME
input: [room]
steps:
  - name: room
    run: echo made > \"room-$ROOM\"; echo $ROOM
    undo: rm -f \"room-$ROOM\"
    idempotent: true
  - name: bill
    run: BILL
    undo: rm -f bill
    idempotent: true
";

fn server() -> String {
    std::env::var("COMPENSATION_TEMPORAL_ADDRESS").expect(
        "a Temporal server: run these tests by `crates/compensation-temporal/server-tests`, which starts one",
    )
}

/// A file of that name, so that each test has workflows and a task queue of its own.
fn place(name: &str, bill: &str) -> Place {
    Place::with(&FILE.replace("NAME", name).replace("BILL", bill))
}

fn work(place: &Place, queue: &str) -> Started {
    let address = server();
    let mut worker =
        place.start(&["worker", "--temporal", &address, "--task-queue", queue, "saga.yaml"]);
    worker.wait_for_err("works on");
    worker
}

fn run(place: &Place, queue: &str, more: &[&str]) -> program::Ended {
    let address = server();
    let mut all = vec!["run", "saga.yaml", "--temporal", &address, "--task-queue", queue];
    all.extend(["--input", "room=7", "--json"]);
    all.extend(more);
    place.call(&all)
}

/// A saga whose room can't be freed until there is a file `mended`, with a worker; its id is its queue.
fn stuck(name: &str) -> (Place, String, Started) {
    let undo = r#"undo: { run: 'test -e mended && rm -f "room-$ROOM"', retry: { attempts: 1 } }"#;
    let file = FILE.replace("NAME", name).replace("BILL", "exit 1");
    let place = Place::with(&file.replace(r#"undo: rm -f "room-$ROOM""#, undo));
    // The server may have seen earlier runs of this test.
    let id = format!("{name}-{}", std::process::id());
    let worker = work(&place, &id);
    let told = run(&place, &id, &["--id", &id]).code(4).json();
    assert_eq!((&told["status"], &told["exit"]), (&"stuck".into(), &4.into()), "{told}");
    assert!(place.has("room-7"));
    (place, id, worker)
}

/// Gives an order to the step `room` of a saga, by Temporal's own command as docs/saga-files.md has it.
fn order(id: &str, verb: &str) -> Output {
    let command = std::env::var("COMPENSATION_TEMPORAL_COMMAND");
    let mut call = Command::new(command.unwrap_or_else(|_| "temporal".to_owned()));
    call.args(["workflow", "update", "execute", "--name", "order", "--workflow-id"]);
    call.args([&format!("saga:{id}"), "--address", &server(), "--input"]);
    call.arg(format!(r#"{{"verb":"{verb}","step":"room","by":"Ada","why":"looked at it"}}"#));
    call.output().expect("Temporal's command")
}

fn stop(worker: Started) {
    worker.signal("-TERM");
    worker.end().0.code(0);
}

#[test]
fn a_file_is_done_by_a_worker_and_its_result_is_that_of_a_local_run() {
    let place = place("done", "echo paid > bill");
    let worker = work(&place, "done");
    // The server may have seen earlier runs of this test.
    let id = format!("done-{}", std::process::id());
    let told = run(&place, "done", &["--id", &id]).code(0).json();
    assert_eq!((&told["status"], &told["exit"]), (&"completed".into(), &0.into()), "{told}");
    assert_eq!(told["steps"][0]["output"], "7");
    assert!(place.has("room-7") && place.has("bill"));
    // The same id is the same saga: it has ended, and nothing is done again.
    std::fs::remove_file(place.file("bill")).expect("a file");
    assert_eq!(run(&place, "done", &["--id", &id]).code(0).json()["status"], "completed");
    assert!(!place.has("bill"));
    stop(worker);
}

#[test]
fn what_was_done_is_undone_where_a_command_fails() {
    let place = place("undone", "echo no money >&2; exit 1");
    let worker = work(&place, "undone");
    let told = run(&place, "undone", &[]).code(3).json();
    assert_eq!(told["status"], "compensated");
    assert_eq!(told["steps"][0]["phase"], "undone");
    assert_eq!(told["failures"][0]["step"], "bill");
    let message = told["failures"][0]["message"].as_str().expect("a text");
    assert!(message.contains("no money"), "{message}");
    assert!(!place.has("room-7"), "the room is free again");
    stop(worker);
}

#[test]
fn another_worker_goes_on_after_the_first_was_killed_in_a_command() {
    let place =
        place("killed", "test -e open || { echo waits >> tries; sleep 60; }; echo paid > bill");
    // Workers of an earlier run of this test must not take its work.
    let queue = format!("killed-{}", std::process::id());
    let first = work(&place, &queue);
    let address = server();
    let arguments =
        ["run", "saga.yaml", "--temporal", &address, "--task-queue", &queue, "--input", "room=7"];
    let waiting = place.start(&arguments);
    while !place.has("tries") {
        std::thread::yield_now();
    }
    first.signal("-KILL");
    place.write("open", "");
    let second = work(&place, &queue);
    waiting.end().0.code(0);
    assert!(place.has("bill"));
    stop(second);
}

#[test]
fn a_stuck_undo_that_is_mended_is_retried_by_temporals_own_command() {
    let (place, id, worker) = stuck("retried");
    place.write("mended", "");
    let told = order(&id, "retry");
    assert!(told.status.success(), "{told:?}");
    assert_eq!(run(&place, &id, &["--id", &id]).code(3).json()["status"], "compensated");
    assert!(!place.has("room-7"), "the room is free again");
    stop(worker);
}

#[test]
fn an_undo_done_by_hand_is_declared_by_the_word_for_undos_alone() {
    let (place, id, worker) = stuck("by-hand");
    std::fs::remove_file(place.file("room-7")).expect("a file");
    let refused = order(&id, "done");
    assert!(!refused.status.success(), "it is no action that is parked: {refused:?}");
    run(&place, &id, &["--id", &id]).code(4);
    let told = order(&id, "undone");
    assert!(told.status.success(), "{told:?}");
    assert_eq!(run(&place, &id, &["--id", &id]).code(3).json()["status"], "compensated");
    stop(worker);
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let place = place("nowhere", "true");
    let told = place.call(&["run", "saga.yaml", "--temporal", "127.0.0.1:1", "--input", "room=7"]);
    told.code(1).says("127.0.0.1:1");
}

#[test]
fn a_worker_refuses_a_file_that_is_wrong_before_it_connects() {
    let place = Place::with("saga: x\nsteps: [{ name: a }]\n");
    place.call(&["worker", "--temporal", "127.0.0.1:1", "saga.yaml"]).code(2);
}
