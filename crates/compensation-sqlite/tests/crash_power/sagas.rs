//! The store of sagas under the loss of power.

use std::{path::Path, sync::Arc};

use compensation::{
    SagaId, Status, Timestamp,
    repository::{Append, Created, Entry, Head, NewSaga, Repository, RepositoryError},
};
use compensation_sqlite::{SqliteOptions, SqliteRepository};
use powercut::{Disk, VFS};
use tempfile::tempdir;

use crate::{IMAGES, assert_sound, losses, runtime, seeds};

/// Entries of a saga.
pub(crate) const ENTRIES: u64 = 4;

/// What is written of a saga's entry; long enough to take pages of its own now and then.
pub(crate) fn body(saga: u64, entry: u64, longest: u64) -> String {
    let length = (saga * 7_919 + entry * 104_729) % longest;
    format!("{saga}.{entry}.{}", "x".repeat(length as usize))
}

fn id(saga: u64) -> SagaId {
    SagaId::new(format!("saga-{saga}")).expect("an id")
}

fn head() -> Head {
    Head { status: Status::Running, reason: None }
}

/// Creates a saga with its first entry.
pub(crate) async fn create(
    store: &SqliteRepository,
    saga: u64,
    longest: u64,
) -> Result<Created, RepositoryError> {
    let entry = Entry { at: Timestamp::now(), body: body(saga, 0, longest) };
    let (name, plan) = ("trip".into(), "{}".into());
    store
        .create(NewSaga { id: id(saga), name, plan, input: "1".to_owned(), head: head(), entry })
        .await
}

/// Writes a saga, and tells the disk of each entry that was acknowledged.
async fn write(store: &SqliteRepository, disk: &Disk, saga: u64, longest: u64) {
    let Created::New(key) = create(store, saga, longest).await.expect("a start") else {
        panic!("saga {saga} is new")
    };
    disk.acknowledge(saga * ENTRIES);
    for number in 1..ENTRIES {
        let entry = Entry { at: Timestamp::now(), body: body(saga, number, longest) };
        let append = Append { key, seq: number as u32, entry, head: head() };
        store.append(append).await.expect("an entry");
        disk.acknowledge(saga * ENTRIES + number);
    }
}

/// Writes those sagas, eight at a time, in one life of a store.
pub(crate) fn life(disk: &Arc<Disk>, path: &Path, sagas: std::ops::Range<u64>, longest: u64) {
    runtime().block_on(async {
        let store = Arc::new(SqliteOptions::new().vfs(VFS).open(path).expect("a store"));
        let each = sagas.end.saturating_sub(sagas.start).div_ceil(8).max(1);
        let mut tasks = Vec::new();
        for first in sagas.clone().step_by(each as usize) {
            let (store, disk, end) = (store.clone(), disk.clone(), sagas.end.min(first + each));
            tasks.push(tokio::spawn(async move {
                for saga in first..end {
                    write(&store, &disk, saga, longest).await;
                }
            }));
        }
        for task in tasks {
            task.await.expect("no panic");
        }
    });
}

/// How many of the acknowledged entries are lost in that directory. What is there must be as it was written.
pub(crate) fn lost(folder: &Path, acknowledged: &[u64], longest: u64) -> usize {
    let path = folder.join("sagas.db");
    if !path.exists() {
        return acknowledged.len();
    }
    let store = SqliteRepository::open(&path).expect("a store");
    let last = acknowledged.iter().max().map_or(0, |number| number / ENTRIES) + 8;
    let mut there = std::collections::HashSet::new();
    runtime().block_on(async {
        for saga in 0..=last {
            let Some(found) = store.load(&id(saga)).await.expect("a load") else { continue };
            for (entry, number) in found.journal.iter().zip(0..) {
                assert_eq!(
                    entry.body,
                    body(saga, number, longest),
                    "entry {number} of saga {saga}"
                );
                there.insert(saga * ENTRIES + number);
            }
        }
    });
    drop(store);
    assert_sound(&path);
    acknowledged.iter().filter(|number| !there.contains(number)).count()
}

#[test]
fn what_was_acknowledged_survives_the_loss_of_power() {
    for seed in seeds() {
        let folder = tempdir().expect("a directory");
        let path = folder.path().join("sagas.db");
        let disk = Disk::watch(folder.path());
        // Two lives: at the end of the first everything is copied into the database, and the log is deleted.
        life(&disk, &path, 0..16, 3_000);
        life(&disk, &path, 16..32, 3_000);
        let lossy = losses(&disk, seed, IMAGES, |image, told| lost(image, told, 3_000));
        assert_eq!(lossy, 0, "images with losses, in run {seed}");
    }
}

#[test]
fn what_was_acknowledged_survives_the_loss_of_power_while_the_log_is_copied_into_the_database() {
    for seed in seeds() {
        let folder = tempdir().expect("a directory");
        let path = folder.path().join("sagas.db");
        let disk = Disk::watch(folder.path());
        // More than the log may hold before it is copied, in long entries.
        life(&disk, &path, 0..64, 200_000);
        let lossy = losses(&disk, seed, IMAGES / 8, |image, told| lost(image, told, 200_000));
        assert_eq!(lossy, 0, "images with losses, in run {seed}");
    }
}
