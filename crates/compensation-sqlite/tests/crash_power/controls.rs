//! That these tests see losses where there are some: a disk that lies, a store that does not wait for its syncs, and
//! one that acknowledges too early.

use std::path::Path;

use powercut::{Disk, VFS};
use rusqlite::{Connection, OpenFlags};
use tempfile::tempdir;

use crate::{IMAGES, losses, sagas, seeds};

/// Inserts numbers, each in a transaction of its own; `early`: acknowledges before the commit.
fn insert(disk: &Disk, path: &Path, synchronous: &str, early: bool) {
    let db = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), VFS).expect("open");
    db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n)").expect("a table");
    db.execute_batch(&format!("PRAGMA synchronous = {synchronous}")).expect("a setting");
    for number in 0..40_u32 {
        if early {
            disk.acknowledge(number.into());
        }
        db.execute("INSERT INTO t VALUES (?1)", [number]).expect("a row");
        if !early {
            disk.acknowledge(number.into());
        }
    }
}

fn lost(folder: &Path, told: &[u64]) -> usize {
    let path = folder.join("sagas.db");
    let kept = |db: &Connection, number: &u64| {
        let number = i64::try_from(*number).expect("a small number");
        db.query_row("SELECT count(*) FROM t WHERE n = ?1", [number], |row| row.get::<_, u32>(0))
            .is_ok_and(|count| count == 1)
    };
    match Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        Ok(db) => told.iter().filter(|number| !kept(&db, number)).count(),
        Err(_) => told.len(),
    }
}

fn lossy(synchronous: &str, early: bool) -> u64 {
    let mut found = 0;
    for seed in seeds() {
        let folder = tempdir().expect("a directory");
        let disk = Disk::watch(folder.path());
        insert(&disk, &folder.path().join("sagas.db"), synchronous, early);
        found += losses(&disk, seed, IMAGES, lost);
    }
    found
}

#[test]
fn a_store_that_waits_for_its_syncs_loses_nothing_here() {
    assert_eq!(lossy("FULL", false), 0);
}

#[test]
fn a_store_that_does_not_wait_for_its_syncs_is_found_out() {
    assert!(lossy("NORMAL", false) > 10);
    assert!(lossy("OFF", false) > 10);
}

#[test]
fn a_store_that_acknowledges_before_its_commit_is_found_out() {
    assert!(lossy("FULL", true) > 10);
}

#[test]
fn a_disk_that_does_not_sync_is_found_out() {
    let folder = tempdir().expect("a directory");
    let disk = Disk::watch(folder.path());
    sagas::life(&disk, &folder.path().join("sagas.db"), 0..8, 1_000);
    disk.lie();
    sagas::life(&disk, &folder.path().join("sagas.db"), 8..16, 1_000);
    // Such an image may also be damaged beyond opening, which is a loss as well.
    let mut found = 0;
    for seed in 0..IMAGES {
        let image = tempdir().expect("a directory");
        let moment = disk.moment();
        disk.cut(moment, seed, image.path()).expect("an image");
        let told = disk.acknowledged(moment);
        let judged = std::panic::catch_unwind(|| sagas::lost(image.path(), &told, 1_000));
        found += u64::from(judged.map_or(true, |lost| lost > 0));
    }
    assert!(found > 10, "{found}");
}
