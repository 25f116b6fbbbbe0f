//! Every verb on a PostgreSQL database, whose password is hostile and is never said.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod console;
mod program;

use console::{Console, TRIP};
use loopback_postgres::{PASSWORD, Shared};
use program::{Ended, Place};

/// Its tail fails until there is a file `mended`.
const TAIL: &str = "\
saga: s
steps:
  - { name: a, run: touch a, undo: rm a }
  - { name: sent, run: 'true', undo: none, because: it is sent, pivot: true }
  - { name: tail, run: test -e mended && echo tail, undo: none, because: it is the tail }
";

/// It succeeds and can be undone.
const GOOD: &str = "\
saga: g
steps:
  - { name: a, run: touch a, undo: rm a }
";

fn encoded(password: &str) -> String {
    password.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A database whose owner has the hostile password, and a directory.
struct Guarded {
    server: Shared,
    database: String,
    place: Place,
}

impl Guarded {
    fn new() -> Self {
        let server = Shared::find().unwrap_or_else(|why| panic!("{why}"));
        let id = compensation::SagaId::random().to_string().replace('-', "");
        let database = format!("cli_{id}");
        let make = format!("CREATE DATABASE {database} OWNER guarded TEMPLATE template0");
        server.execute(&make).expect("a database");
        let place = Place::with(GOOD);
        place.write("tail.yaml", TAIL);
        Self { server, database, place }
    }

    fn url(&self, password: &str) -> String {
        let (port, database) = (self.server.port(), &self.database);
        format!("postgres://guarded:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Calls a verb, and checks that nothing of the password is said.
    fn call(&self, words: &[&str]) -> Ended {
        let url = self.url(&encoded(PASSWORD));
        silent(self.place.call(&[words, &["--db", &url]].concat()))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.server.execute(&format!("DROP DATABASE {} WITH (FORCE)", self.database));
    }
}

fn silent(ended: Ended) -> Ended {
    quiet(&ended.out);
    quiet(&ended.err);
    ended
}

/// Checks that a text says nothing of the password.
fn quiet(text: &str) {
    for part in ["p@ss", "w/o", "rd#", "%41", "%2541", &encoded(PASSWORD), "%70%40"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
}

#[test]
fn every_verb_works_as_on_a_file() {
    let base = Guarded::new();
    let why = ["--reason", "looked at it"];
    base.call(&["list"]).code(2).says("there is no store in schema `compensation`");
    base.call(&["run", "saga.yaml", "--id", "good"]).code(0);
    base.call(&["run", "saga.yaml", "--id", "good", "--json"]).code(0);
    base.call(&["run", "tail.yaml", "--id", "bad"]).code(4);
    assert!(base.call(&["list"]).code(0).out.contains("good"));
    assert_eq!(base.call(&["show", "bad", "--json"]).json()["status"], "stuck");
    assert!(base.call(&["graph", "good"]).code(0).out.contains("digraph"));
    base.call(&["check", "saga.yaml"]).code(0);
    base.call(&[&["retry", "bad", "tail"][..], &why].concat()).code(4);
    base.place.write("mended", "");
    assert_eq!(base.call(&["resume"]).code(0).out, "nothing to resume\n");
    base.call(&[&["retry", "bad", "tail"][..], &why].concat()).code(0);
    base.call(&[&["undo", "good"][..], &why].concat()).code(3);
    std::fs::remove_file(base.place.file("mended")).expect("removed");
    for (id, verb, code) in [("b", "skip", 0), ("c", "done", 0)] {
        base.call(&["run", "tail.yaml", "--id", id]).code(4);
        base.call(&[&[verb, id, "tail"][..], &why].concat()).code(code);
    }
    base.call(&["run", "tail.yaml", "--id", "d"]).code(4);
    base.call(&[&["abandon", "d"][..], &why].concat()).code(0);
    assert!(base.call(&["purge", "--older-than", "0s"]).code(0).out.starts_with("deleted"));
}

#[test]
fn nothing_tells_the_password_where_something_is_wrong() {
    let base = Guarded::new();
    let raw = base.url(PASSWORD);
    for words in [&["list"][..], &["list", "--json"], &["run", "saga.yaml"], &["graph", "x"]] {
        silent(base.place.call(&[words, &["--db", &raw]].concat()).code(2));
    }
    let wrong = base.url("wrong-secret");
    let refused = base.place.call(&["list", "--db", &wrong]).code(2);
    assert!(refused.err.contains("refuses the role or its password"), "{refused:?}");
    assert!(!refused.err.contains("wrong-secret"), "{refused:?}");
    for words in [&["--help"][..], &["run", "--help"], &["nonsense"], &["list", "--limit", "x"]] {
        let mut command = base.place.command(words);
        let asked = command.env("COMPENSATION_DB", base.url(&encoded(PASSWORD)));
        silent(Ended::of(&asked.output().expect("the program starts")));
    }
}

#[test]
fn the_password_may_be_in_the_environment() {
    let base = Guarded::new();
    let url = format!("postgres://guarded@127.0.0.1:{}/{}", base.server.port(), base.database);
    let mut command = base.place.command(&["run", "saga.yaml", "--id", "x", "--db", &url]);
    let ended = Ended::of(&command.env("PGPASSWORD", PASSWORD).output().expect("it starts"));
    silent(ended.code(0));
}

#[test]
fn a_stuck_saga_is_found_and_mended_in_the_console() {
    let base = Guarded::new();
    base.place.write("trip.yaml", TRIP);
    let trip = ["run", "trip.yaml", "--input", "who=mallory", "--id", "trip-mallory"];
    base.call(&trip).code(4);
    let url = base.url(&encoded(PASSWORD));
    let console = Console::start(&base.place, &["--db", &url]);
    let says = |path: &str, text: &str| {
        let (status, page) = console.get(path);
        quiet(&page);
        assert!(status == 200 && page.contains(text), "{path}: {page}");
    };
    says("/", "1 saga waits for a person");
    says("/list?status=stuck", "trip-mallory");
    says("/saga?id=trip-mallory", "no route to cars.internal");
    base.place.write("line-is-up", "");
    let (status, answer) = console.order("id=trip-mallory&verb=retry&step=reserve-car");
    quiet(&answer);
    assert_eq!(status, 303, "{answer}");
    let page = console.get_until("/saga?id=trip-mallory", "status compensated");
    assert!(page.contains("the line is mended") && page.contains("Ada"), "{page}");
    let (code, said) = console.end();
    quiet(&said);
    assert_eq!(code, Some(0));
    assert_eq!(base.call(&["show", "trip-mallory", "--json"]).json()["status"], "compensated");
}
