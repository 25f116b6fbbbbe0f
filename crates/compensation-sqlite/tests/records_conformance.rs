//! Records in a SQLite file keep the contract of repositories of records.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{process::ExitCode, sync::Arc};

use compensation::records::RecordRepository;
use compensation_sqlite::SqliteRecords;
use compensation_testing::records::{self, Fixture};
use tempfile::TempDir;

struct OnDisk(TempDir);

impl Fixture for OnDisk {
    fn open(&self) -> Arc<dyn RecordRepository> {
        Arc::new(SqliteRecords::open(self.0.path().join("records.db")).expect("records"))
    }
}

fn main() -> ExitCode {
    records::run("sqlite", || OnDisk(tempfile::tempdir().expect("a directory")))
}
