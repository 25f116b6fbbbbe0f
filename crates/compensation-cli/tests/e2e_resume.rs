//! `resume` beside other processes: what it refuses, whom it waits for, and what it does when one saga of
//! several fails it.

#![allow(clippy::expect_used, reason = "a test fails where its surroundings do")]

mod program;

use std::{
    future::pending,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use compensation::{Engine, Saga, SagaId, StepContext, StepError};
use compensation_sqlite::SqliteRepository;
use program::Place;

/// Its second step says `ready` and waits at the gate of its saga.
const WAITING: &str = "\
saga: s
steps:
  - name: a
    run: touch a-$SAGA_ID
    undo: rm a-$SAGA_ID
  - name: b
    run: echo ready >&3; read line < gate-$SAGA_ID; touch b-$SAGA_ID
    undo: rm -f b-$SAGA_ID
";

/// With a gate for each of those sagas.
fn waiting(file: &str, ids: &[&str]) -> Place {
    let place = Place::with(file);
    for id in ids {
        program::gate(&place.file(&format!("gate-{id}")));
    }
    place
}

/// Leaves a saga as a process does that dies at its gate.
fn leave(place: &Place, id: &str) {
    let mut started = place.start(&["run", "saga.yaml", "--id", id]);
    started.wait_for("ready");
    started.signal("-KILL");
    started.end();
}

/// Kills the first process once the second waits for it, and looks for the undos.
#[track_caller]
fn is_taken_over_by(arguments: &[&str]) {
    let place = waiting(WAITING, &["x"]);
    let mut first = place.start(&["run", "saga.yaml", "--id", "x"]);
    first.wait_for("ready");
    let mut second = place.start(arguments);
    second.wait_for_err("x: another process drives it; waiting for its end");
    first.signal("-KILL");
    first.end();
    let (ended, said) = second.end();
    ended.code(3).says("b: had been cut off by the end of its process");
    assert_eq!((said.as_str(), place.left()), ("", vec!["gate-x".to_owned()]));
}

#[test]
fn resume_takes_a_saga_over_when_the_process_that_drives_it_dies() {
    is_taken_over_by(&["resume", "x"]);
}

#[test]
fn run_takes_a_saga_over_when_the_process_that_drives_it_dies() {
    is_taken_over_by(&["run", "saga.yaml", "--id", "x"]);
}

/// Without the variable the saga would fail, and be undone for it.
#[test]
fn what_drives_a_saga_on_asks_for_its_secrets_before_anything_changes() {
    let named = WAITING.replace("steps:", "secrets: [API_TOKEN]\nsteps:");
    let place = waiting(&named, &["x"]);
    let token = [("API_TOKEN", "s3cret")];
    let mut started = place.start_with(&token, &["run", "saga.yaml", "--id", "x"]);
    started.wait_for("ready");
    started.signal("-KILL");
    started.end();
    let before = place.show("x");
    for verb in [&["resume", "x"][..], &["resume"], &["undo", "x", "--reason", "test"]] {
        let refused = place.call(verb).code(2);
        refused.says("saga `s` needs the environment variable API_TOKEN: set it");
        assert_eq!(place.show("x"), before, "{verb:?}");
    }
    let resumed = place.command(&["resume", "x"]).envs(token).output();
    assert_eq!(resumed.expect("it starts").status.code(), Some(3));
    // What is over needs nothing.
    place.call(&["resume", "x"]).code(3);
}

/// Another program that has the store locked, until its input ends.
fn lock(place: &Place) -> Child {
    let lock = "import sqlite3, sys\n\
                db = sqlite3.connect('sagas.db', isolation_level=None, timeout=60)\n\
                db.execute('BEGIN IMMEDIATE')\n\
                print('locked', flush=True)\n\
                sys.stdin.read()";
    let mut foreign = Command::new("python3")
        .args(["-c", lock])
        .current_dir(place.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut said = String::new();
    let out = foreign.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut said).expect("a line");
    assert_eq!(said, "locked\n");
    foreign
}

#[test]
fn one_saga_that_fails_resume_lets_what_is_in_flight_of_the_others_finish() {
    let idempotent = format!("{WAITING}    idempotent: true\n");
    let place = waiting(&idempotent, &["mine", "other"]);
    leave(&place, "mine");
    let mut other = place.start(&["run", "saga.yaml", "--id", "other"]);
    other.wait_for("ready");
    let mut both = place.start(&["resume", "mine", "other"]);
    both.wait_for("ready");
    // Whether `other` has lost its driver can't be found out now.
    let mut foreign = lock(&place);
    both.wait_for_err("finishing what is in flight");
    drop(foreign.stdin.take());
    foreign.wait().expect("it ends");
    program::open_gate(&place.file("gate-mine"));
    let (ended, _) = both.end();
    ended.code(1).says("another program has it locked");
    assert!(place.has("b-mine"));
    assert_eq!(place.show("mine")["steps"][1]["phase"], "done");
    program::open_gate(&place.file("gate-other"));
    other.end().0.code(0);
}

#[test]
fn a_resume_leaves_in_the_record_who_ordered_it_and_why() {
    let place = waiting(WAITING, &["x", "y", "z"]);
    for id in ["x", "y"] {
        leave(&place, id);
    }
    place.call(&["resume", "x", "--reason", " "]).code(2).says("--reason is empty");
    place.call(&["resume", "x", "--by", "Ada", "--reason", "the machine is back"]).code(3);
    let shown = place.call(&["show", "x"]).out;
    assert!(shown.contains("resume, ordered by Ada: the machine is back"), "{shown}");
    leave(&place, "z");
    let nobody = place.command(&["resume", "z"]).env_remove("USER").env_remove("LOGNAME").output();
    assert_eq!(nobody.expect("it starts").status.code(), Some(3));
    let shown = place.call(&["show", "z"]).out;
    assert!(shown.contains("resume, ordered by uid "), "{shown}");
    place.call(&["resume"]).code(3);
    let shown = place.call(&["show", "y"]).out;
    assert!(shown.contains("resume, ordered by tester: resumed on the command line"), "{shown}");
    let before = place.show("x");
    place.call(&["resume", "x"]).code(3);
    assert_eq!(place.show("x"), before, "what is over is shown, and nothing is written");
}

/// Leaves a saga as a program does that was written in Rust, and is gone.
fn leave_as_a_program(place: &Place) {
    let mut trip = Saga::<u32>::builder("trip");
    trip.step("book", |_: StepContext<u32>| pending::<Result<u32, StepError>>())
        .no_undo("it never ends")
        .add();
    let trip = trip.build().expect("a sound saga");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = SqliteRepository::open(place.file("sagas.db")).expect("a store");
        let engine = Engine::open(store).register(trip).start().await.expect("a start");
        let id = SagaId::new("x").expect("an id");
        engine.start("trip", id, &7_u32).await.expect("a start");
    });
}

#[test]
fn of_a_saga_that_a_program_made_it_is_said_that_this_program_must_run() {
    let place = Place::new();
    leave_as_a_program(&place);
    let why = "this program does not have the saga `trip`: the program that made it, or another one that \
               registers it, must be running";
    let said = place.call(&["undo", "x", "--reason", "no trip"]).code(4);
    assert!(said.err.contains(why), "{said:?}");
    place.call(&["resume", "x"]).code(2).says("use the program that started it");
}
