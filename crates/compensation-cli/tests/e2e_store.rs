//! What is wrong with a store, or goes wrong with it while a saga runs: one clear sentence, the right exit code,
//! and nothing half done.

mod program;

use std::{
    fs,
    process::{Command, Stdio},
};

use program::{Ended, PROGRAM, Place};

const TWO: &str = "\
saga: two
steps:
  - name: a
    run: echo a >> effects
    undo: echo undo a >> effects
  - name: b
    run: echo b >> effects
    undo: echo undo b >> effects
";

#[test]
fn a_file_that_is_no_store_is_refused_and_left_as_it_is() {
    let place = Place::with(TWO);
    place.write("notes.txt", &"not a store\n".repeat(100));
    let ended = place.run(&["--db", "notes.txt"]).code(2);
    let why = "it is not a SQLite database: choose another file: file is not a database\n";
    assert!(ended.err.ends_with(why), "{ended:?}");
    assert_eq!(place.read("notes.txt"), "not a store\n".repeat(100));
    assert!(!place.has("effects"));
}

#[test]
fn the_address_of_another_kind_of_database_is_refused_without_its_password() {
    let place = Place::with(TWO);
    let db = ["--db", "mysql://ada:hush@db/shop"];
    for verb in [&["run", "saga.yaml"][..], &["list"]] {
        let ended =
            place.call(&[verb, &db].concat()).code(2).says("name a SQLite file by its path");
        assert!(!ended.err.contains("hush"), "{ended:?}");
    }
    assert!(!place.has("effects"));
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let place = Place::with(TWO);
    place.run(&[]).code(0);
    let newer = "import sqlite3; sqlite3.connect('sagas.db').execute('PRAGMA user_version = 99')";
    let python = Command::new("python3").args(["-c", newer]).current_dir(place.path()).status();
    assert!(python.is_ok_and(|ended| ended.success()), "python3 writes a newer version");
    let ended = place.run(&[]).code(2);
    assert!(ended.err.contains("a newer version of this program wrote it"), "{ended:?}");
    assert_eq!(place.read("effects"), "a\nb\n");
}

#[test]
fn a_directory_that_is_missing_or_may_not_be_written_is_refused() {
    let place = Place::with(TWO);
    let ended = place.run(&["--db", "none/sagas.db"]).code(2);
    assert!(ended.err.contains("the directory `none` can't be used"), "{ended:?}");
    let ended = place.run(&["--db", "/proc/sagas.db"]).code(2);
    assert!(ended.err.contains("check the path and its permissions"), "{ended:?}");
    assert!(!place.has("effects"));
}

#[test]
fn a_store_that_another_program_has_locked_is_waited_for_and_then_said() {
    let place = Place::with(TWO);
    place.run(&[]).code(0);
    let lock = "import sqlite3, sys\n\
                db = sqlite3.connect('sagas.db', isolation_level=None)\n\
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
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).expect("a line");
    let ended = place.run(&["--id", "second"]).code(1);
    assert!(ended.err.contains("another program has it locked"), "{ended:?}");
    drop(foreign.stdin.take());
    foreign.wait().expect("it ends");
    assert_eq!(place.read("effects"), "a\nb\n", "nothing ran");
    place.run(&["--id", "second"]).code(0);
}

/// The size of files is limited, so that writing fails as on a disk that gives up.
#[test]
fn a_disk_that_fails_while_a_saga_runs_loses_nothing() {
    let place = Place::with(
        "\
saga: large
steps:
  - name: a
    run: head -c 900000 /dev/zero | tr '\\0' x; echo a >> effects
    undo: echo undo a >> effects
  - name: b
    run: echo b >> effects
    undo: echo undo b >> effects
",
    );
    place.run(&["--id", "first", "--db", "other.db"]).code(0);
    fs::remove_file(place.file("effects")).expect("there");
    // 800 blocks of 512 or 1,024 bytes: room for the start of the saga, and none for the output of `a`.
    let limited = "trap '' XFSZ; ulimit -f 800; exec \"$0\" run saga.yaml --id x";
    let mut child = Command::new("/bin/sh")
        .args(["-c", limited, PROGRAM])
        .current_dir(place.path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let err = child.stderr.take().expect("piped");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(err));
    let told = lines.any(|line| line.is_ok_and(|line| line.contains("tried again")));
    assert!(told, "it says that the store fails");
    let stop = format!("kill -TERM {}", child.id());
    Command::new("/bin/sh").args(["-c", &stop]).status().expect("a signal");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(Ended::of(&ended).code, Some(1));
    assert_eq!(place.read("effects"), "a\n", "`b` waits until the end of `a` is written down");
    // With room, it ends right: `a` may have had its effect, and is undone.
    place.call(&["resume", "x"]).code(3);
    assert_eq!(place.read("effects"), "a\nundo a\n");
}
