//! The SQLite store keeps the contract of stores.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{ffi::OsString, fs, path::PathBuf, process::ExitCode, sync::Arc};

use compensation::{SagaId, repository::Repository};
use compensation_sqlite::SqliteRepository;
use compensation_testing::conformance::{self, Ability, Damage, Fixture};
use rusqlite::Connection;
use tempfile::TempDir;

struct OnDisk(TempDir);

impl OnDisk {
    fn path(&self) -> PathBuf {
        self.0.path().join("sagas.db")
    }
}

impl Fixture for OnDisk {
    fn owner(&self) -> Arc<dyn Repository> {
        Arc::new(SqliteRepository::open(self.path()).expect("a store"))
    }

    fn abilities() -> &'static [Ability] {
        &[Ability::Processes, Ability::Damage, Ability::CutOff]
    }

    fn place(&self) -> OsString {
        self.path().into()
    }

    fn open(place: OsString) -> Arc<dyn Repository> {
        Arc::new(SqliteRepository::open(place).expect("a store"))
    }

    fn damage(&self, saga: &SagaId, what: Damage) {
        let (text, seq) = match what {
            Damage::Entry(seq) => (
                "UPDATE journal SET body = CAST(x'c3287b' AS TEXT)
                 WHERE seq = ?2 AND saga = (SELECT key FROM saga WHERE id = ?1)",
                seq,
            ),
            Damage::Missing(seq) => (
                "DELETE FROM journal WHERE seq = ?2 AND saga = (SELECT key FROM saga WHERE id = ?1)",
                seq,
            ),
            // 0 is no plan's number.
            Damage::Plan => ("UPDATE saga SET plan = ?2 WHERE id = ?1", 0),
            other => not_yet(other),
        };
        let db = Connection::open(self.path()).expect("a connection");
        db.pragma_update(None, "foreign_keys", false).expect("a freer hand");
        let changed = db.execute(text, (saga.as_str(), seq)).expect("damage");
        assert_eq!(changed, 1);
    }

    /// Somebody tidies up: an owner whose lock file has gone looks dead.
    fn cut_off(&self) {
        for entry in fs::read_dir(self.0.path()).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.to_string_lossy().contains("-owner-") {
                fs::remove_file(path).expect("a lock file");
            }
        }
    }
}

/// A kind of damage that the suite has learnt since: it is to be learnt here.
fn not_yet<T>(what: Damage) -> T {
    panic!("this store can't be spoilt so yet: {what:?}")
}

fn main() -> ExitCode {
    conformance::run("sqlite", || OnDisk(tempfile::tempdir().expect("a directory")))
}
