//! The SQLite store keeps the contract of stores.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{process::ExitCode, sync::Arc};

use compensation::repository::Repository;
use compensation_sqlite::SqliteRepository;
use compensation_testing::conformance::{self, Fixture};
use tempfile::TempDir;

struct OnDisk(TempDir);

impl Fixture for OnDisk {
    fn owner(&self) -> Arc<dyn Repository> {
        Arc::new(SqliteRepository::open(self.0.path().join("sagas.db")).expect("a store"))
    }
}

fn main() -> ExitCode {
    conformance::run("sqlite", || OnDisk(tempfile::tempdir().expect("a directory")))
}
