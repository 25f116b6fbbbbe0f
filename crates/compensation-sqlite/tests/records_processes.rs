//! Records under several processes at once: none loses what another acknowledged, and one that is killed
//! takes nothing with it.
//!
//! The tests start this program again as one of the processes: with the variable `RECORDS` set it counts
//! retries of the record `ID` in that file, and prints a line for each once it is acknowledged.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "that is how the other processes acknowledge")]

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
};

use compensation::{
    CompensationStatus,
    records::{RecordId, RecordRepository as _, UndoRecord},
};
use compensation_sqlite::SqliteRecords;
use libtest_mimic::{Arguments, Trial};
use tempfile::tempdir;

/// Retries that a process counts, unless it is killed.
const COUNTS: usize = 100;

fn main() -> ExitCode {
    if let (Some(path), Ok(id)) = (env::var_os("RECORDS"), env::var("ID")) {
        count(Path::new(&path), id.parse().expect("an id"));
        return ExitCode::SUCCESS;
    }
    let trials = vec![
        Trial::test("no_count_of_several_processes_is_lost", || {
            no_count_of_several_processes_is_lost();
            Ok(())
        }),
        Trial::test("what_a_killed_process_acknowledged_is_there", || {
            what_a_killed_process_acknowledged_is_there();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

fn count(path: &Path, id: RecordId) {
    let records = SqliteRecords::open_existing(path).expect("records");
    runtime().block_on(async {
        for _ in 0..COUNTS {
            records.increment_retries(id).await.expect("a count");
            let mut out = std::io::stdout().lock();
            if writeln!(out, "counted").and_then(|()| out.flush()).is_err() {
                // The parent has gone.
                return;
            }
        }
    });
}

fn start(path: &Path, id: RecordId) -> Child {
    let program = env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.env("RECORDS", path).env("ID", id.to_string()).stdout(Stdio::piped());
    command.spawn().expect("a process")
}

fn running(records: &SqliteRecords) -> RecordId {
    let mut record = UndoRecord::new("order", "charge");
    record.status = CompensationStatus::Running;
    runtime().block_on(records.save(record)).expect("a save").id
}

fn retries(records: &SqliteRecords, id: RecordId) -> usize {
    let found = runtime().block_on(records.get(id)).expect("an answer").expect("a record");
    found.retries as usize
}

fn no_count_of_several_processes_is_lost() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("records.db");
    let records = SqliteRecords::open(&path).expect("records");
    let id = running(&records);
    let children: Vec<_> = (0..4).map(|_| start(&path, id)).collect();
    for mut child in children {
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        assert_eq!(lines.map_while(Result::ok).count(), COUNTS);
        assert!(child.wait().expect("an end").success());
    }
    assert_eq!(retries(&records, id), 4 * COUNTS);
}

fn what_a_killed_process_acknowledged_is_there() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("records.db");
    let records = SqliteRecords::open(&path).expect("records");
    let id = running(&records);
    let mut acknowledged = 0;
    for after in [1, 7, 30] {
        let mut child = start(&path, id);
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        for _ in 0..after {
            lines.next().expect("a line").expect("text");
            acknowledged += 1;
        }
        child.kill().expect("a kill");
        // What it had said before it died counts as well.
        acknowledged += lines.map_while(Result::ok).count();
        child.wait().expect("an end");
        let found = retries(&records, id);
        assert!(found >= acknowledged, "{found} of {acknowledged} are there");
        acknowledged = found;
    }
}
