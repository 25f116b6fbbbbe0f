//! Several who open one file at once.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{sync::Barrier, thread};

use compensation_sqlite::SqliteRepository;
use tempfile::tempdir;

#[test]
fn many_who_open_a_new_file_at_once_all_get_it() {
    for _ in 0..20 {
        let folder = tempdir().expect("a directory");
        let path = folder.path().join("sagas.db");
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    SqliteRepository::open(&path).map(drop).expect("a store");
                });
            }
        });
    }
}
