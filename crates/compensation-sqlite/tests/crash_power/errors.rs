//! Disks that fail: every write, sync and read in turn. What was acknowledged is kept, errors are classified, and the
//! store works again once its disk does.

use compensation::repository::ErrorKind;
use compensation_sqlite::SqliteOptions;
use powercut::{Disk, Fault, Kind, VFS};
use tempfile::tempdir;

use crate::{
    runtime,
    sagas::{self, ENTRIES},
};

/// Sagas that are written while the disk fails.
const SAGAS: u64 = 12;

/// Longest entry, in bytes.
const LONGEST: u64 = 3_000;

/// How often a write is tried again once the disk is mended: the first try may find a connection that is in doubt.
const TRIES: usize = 3;

/// Lets the `after`-th call of that kind fail, and `times - 1` after it. Returns whether there was such a call.
fn with_fault(kind: Kind, after: usize, times: usize, expected: &[ErrorKind]) -> bool {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let disk = Disk::watch(folder.path());
    let store = SqliteOptions::new().vfs(VFS).open(&path).expect("a store");
    disk.fail(Fault { kind, after, times });
    let place = format!("{kind:?} number {after}, {times} times");
    let failed = runtime().block_on(async {
        let mut refused = Vec::new();
        for saga in 0..SAGAS {
            match sagas::create(&store, saga, LONGEST).await {
                Ok(_) => disk.acknowledge(saga * ENTRIES),
                Err(error) => {
                    assert!(expected.contains(&error.kind()), "{place}: {error}");
                    refused.push(saga);
                }
            }
        }
        let failed = disk.mend();
        for saga in refused {
            let mut tries = 0;
            while let Err(error) = sagas::create(&store, saga, LONGEST).await {
                tries += 1;
                assert!(tries < TRIES, "{place}: the store does not recover: {error}");
            }
            disk.acknowledge(saga * ENTRIES);
        }
        failed
    });
    drop(store);
    let told = disk.acknowledged(disk.moment());
    assert_eq!(told.len() as u64, SAGAS);
    assert_eq!(sagas::lost(folder.path(), &told, LONGEST), 0, "{place}: in the files");
    for seed in 0..6 {
        let image = tempdir().expect("a directory");
        disk.cut(disk.moment(), seed, image.path()).expect("an image");
        assert_eq!(sagas::lost(image.path(), &told, LONGEST), 0, "{place}: after a power cut");
    }
    failed > 0
}

fn everywhere(kind: Kind, expected: &[ErrorKind]) {
    for times in [1, 4] {
        let mut after = 0;
        while with_fault(kind, after, times, expected) {
            // The first calls one by one, later ones with gaps: they repeat themselves.
            after += if after < 24 { 1 } else { 7 };
        }
        assert!(after > 3, "only {after} calls of {kind:?}");
    }
}

#[test]
fn a_write_that_fails_is_told_and_nothing_acknowledged_is_lost() {
    everywhere(Kind::Write, &[ErrorKind::Temporary]);
}

#[test]
fn a_full_disk_is_told_at_whatever_write_and_nothing_acknowledged_is_lost() {
    everywhere(Kind::Full, &[ErrorKind::Exhausted]);
}

#[test]
fn a_sync_that_fails_is_told_and_nothing_acknowledged_is_lost() {
    everywhere(Kind::Sync, &[ErrorKind::Temporary]);
}

#[test]
fn a_store_that_can_not_be_opened_on_a_failing_disk_opens_once_it_is_mended() {
    for kind in [Kind::Write, Kind::Full, Kind::Sync] {
        for after in 0.. {
            let folder = tempdir().expect("a directory");
            let path = folder.path().join("sagas.db");
            let disk = Disk::watch(folder.path());
            disk.fail(Fault { kind, after, times: 1 });
            let opened = SqliteOptions::new().vfs(VFS).open(&path);
            let failed = disk.mend();
            if let Err(error) = opened {
                assert_ne!(error.kind(), ErrorKind::NotOwner, "{error}");
                sagas::life(&disk, &path, 0..2, LONGEST);
                let told = disk.acknowledged(disk.moment());
                assert_eq!(sagas::lost(folder.path(), &told, LONGEST), 0);
            }
            if failed == 0 {
                break;
            }
        }
    }
}
