//! A process that is killed loses nothing that was acknowledged, and keeps nothing from others.
//!
//! The tests start this program again as the process to be killed: with the variable `STORE` set it writes
//! sagas to that store, and prints each once it is acknowledged.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "that is how the process to be killed acknowledges")]

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    sync::Arc,
};

use compensation::{
    SagaId, Status, Timestamp,
    repository::{Acquired, Append, Created, Entry, Head, NewSaga, Repository},
};
use compensation_sqlite::SqliteRepository;
use libtest_mimic::{Arguments, Trial};
use tempfile::tempdir;

fn main() -> ExitCode {
    if let Some(path) = env::var_os("STORE") {
        write_for_ever(Path::new(&path));
    }
    let trials = vec![
        Trial::test("what_a_killed_process_acknowledged_is_there", || {
            what_a_killed_process_acknowledged_is_there();
            Ok(())
        }),
        Trial::test("the_sagas_of_a_killed_process_are_taken_over_and_no_others", || {
            the_sagas_of_a_killed_process_are_taken_over_and_no_others();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// The process to be killed: eight tasks, each with one saga after the other, of three entries.
fn write_for_ever(path: &Path) {
    let store = Arc::new(SqliteRepository::open(path).expect("a store"));
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        // A parent that has gone ends this process as well.
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    };
    say("open".to_owned());
    runtime().block_on(async {
        let tasks = (0..8).map(|task| {
            let store = store.clone();
            async move {
                for number in 0.. {
                    let id = format!("{task}-{number}");
                    let head = Head { status: Status::Running, reason: None };
                    let entry = |body: u32| Entry { at: Timestamp::now(), body: body.to_string() };
                    let saga = NewSaga {
                        id: SagaId::new(id.clone()).expect("an id"),
                        name: "trip".into(),
                        plan: "{}".into(),
                        input: "1".to_owned(),
                        head: head.clone(),
                        entry: entry(0),
                    };
                    let Created::New(key) = store.create(saga).await.expect("a start") else {
                        panic!("new");
                    };
                    say(format!("{id} 1"));
                    for seq in 1..3 {
                        let append = Append { key, seq, entry: entry(seq), head: head.clone() };
                        store.append(append).await.expect("an entry");
                        say(format!("{id} {}", seq + 1));
                    }
                }
            }
        });
        let tasks: Vec<_> = tasks.map(tokio::spawn).collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
}

fn start(path: &Path) -> Child {
    let program = env::current_exe().expect("this program");
    let child = Command::new(program).env("STORE", path).stdout(Stdio::piped()).spawn();
    child.expect("a process")
}

fn what_a_killed_process_acknowledged_is_there() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let mut acknowledged = std::collections::HashMap::new();
    for round in 1..=5 {
        let path = path.with_extension(format!("{round}.db"));
        let mut child = start(&path);
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut read = |line: Option<std::io::Result<String>>| {
            let Some(Ok(line)) = line else { return false };
            if let Some((id, entries)) = line.split_once(' ') {
                let entries: usize = entries.parse().expect("a number");
                acknowledged.insert(id.to_owned(), entries);
            }
            true
        };
        for _ in 0..200 * round {
            assert!(read(lines.next()), "it writes until it is killed");
        }
        child.kill().expect("a kill");
        // What it had said before it died counts as well.
        while read(lines.next()) {}
        child.wait().expect("an end");
        let store = SqliteRepository::open(&path).expect("a store");
        runtime().block_on(async {
            for (id, entries) in acknowledged.drain() {
                let found = store.load(&SagaId::new(id.clone()).expect("an id")).await;
                let found = found.expect("a load").unwrap_or_else(|| panic!("`{id}` is lost"));
                assert!(found.journal.len() >= entries, "entries of `{id}` are lost");
            }
        });
    }
}

fn the_sagas_of_a_killed_process_are_taken_over_and_no_others() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let mut child = start(&path);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for _ in 0..30 {
        lines.next().expect("a line").expect("text");
    }
    let store = SqliteRepository::open(&path).expect("a store");
    let first = SagaId::new("0-0").expect("an id");
    runtime().block_on(async {
        assert_eq!(store.recover().await.expect("a recovery"), 0, "its owner lives");
        let acquired = store.acquire(&first).await.expect("an answer");
        let Acquired::Held(who) = acquired else { panic!("{acquired:?}") };
        assert_eq!(who, format!("process {}", child.id()));
    });
    child.kill().expect("a kill");
    child.wait().expect("an end");
    runtime().block_on(async {
        assert!(store.recover().await.expect("a recovery") > 0, "its owner is dead");
        let acquired = store.acquire(&first).await.expect("an answer");
        assert!(matches!(acquired, Acquired::Owned(_)), "{acquired:?}");
        assert!(!store.claim(10).await.expect("a claim").is_empty());
    });
    let left = std::fs::read_dir(folder.path()).expect("a directory");
    let locks = left.filter(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        name.to_string_lossy().contains("-owner-")
    });
    assert_eq!(locks.count(), 1, "the lock of the dead is cleared away");
}
