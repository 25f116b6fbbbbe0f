//! Where the file of a schedule is, and what becomes of it when a process dies: it is closed, or the power fails.
//!
//! The file layer is `powercut`'s, whose syncs cost nothing.

use std::{
    cell::RefCell,
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use compensation::{
    SagaId, Timestamp,
    repository::{
        Acquired, Append, Counts, Created, Letter, NewSaga, Page, Pending, Posted, Query, Reply,
        Repository, SagaKey, StoredSaga,
    },
};
use compensation_sqlite::{SqliteOptions, SqliteRepository};
use powercut::{Disk, VFS};
use rusqlite::Connection;
use tempfile::{TempDir, tempdir};

fn open(folder: &Path) -> SqliteRepository {
    SqliteOptions::new().vfs(VFS).open(folder.join("sagas.db")).expect("a store")
}

/// Each process opens the file, and closes it when it dies.
pub(crate) fn closed() -> impl Fn() -> SqliteRepository {
    let folder = tempdir().expect("a directory");
    let disk = Disk::watch(folder.path());
    move || {
        assert!(disk.moment() > 0, "the layer is there for as long as the disk is watched");
        assert_eq!(locks(folder.path()), [""; 0], "the store of the process before is still open");
        open(folder.path())
    }
}

/// The last entry of what has not ended is gone when the next process opens the file: a store that acknowledges
/// too early.
pub(crate) fn forgetting() -> impl Fn() -> SqliteRepository {
    let folder = tempdir().expect("a directory");
    let disk = Disk::watch(folder.path());
    move || {
        assert!(disk.moment() > 0, "the layer is there for as long as the disk is watched");
        let path = folder.path().join("sagas.db");
        if path.exists() {
            let db = Connection::open(path).expect("a connection");
            let last = "DELETE FROM journal WHERE seq > 0
                 AND (saga, seq) IN (SELECT saga, max(seq) FROM journal GROUP BY saga)
                 AND saga IN (SELECT key FROM saga WHERE status < 2)";
            db.execute(last, ()).expect("damage");
        }
        open(folder.path())
    }
}

/// The lock files of owners that have not left.
fn locks(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("a directory");
    let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("-owner-")).collect()
}

/// The power fails when a process dies, before its store is closed: the next one finds what the disk has kept.
pub(crate) fn losing_power() -> impl Fn() -> Powered {
    machine(false)
}

/// The same with a disk that does not keep what was synced, but for the empty store that was there at first.
pub(crate) fn losing_power_on_a_disk_that_lies() -> impl Fn() -> Powered {
    machine(true)
}

fn machine(lies: bool) -> impl Fn() -> Powered {
    let folder = tempdir().expect("a directory");
    let disk = Disk::watch(folder.path());
    let now = RefCell::new((folder, disk));
    let death = Arc::new(Mutex::new(None));
    move || {
        let mut now = now.borrow_mut();
        if let Some(moment) = take(&death) {
            *now = without_power(&now.1, moment);
        }
        let (folder, disk) = &*now;
        let store = open(folder.path());
        if lies {
            disk.lie();
        }
        Powered { store, disk: disk.clone(), death: death.clone() }
    }
}

fn take(death: &Mutex<Option<usize>>) -> Option<usize> {
    death.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// What is left of the disk in another directory. What is lost follows from the moment, so that a schedule loses
/// the same each time.
fn without_power(disk: &Disk, moment: usize) -> (TempDir, Arc<Disk>) {
    let image = tempdir().expect("a directory");
    disk.cut(moment, moment as u64, image.path()).expect("an image");
    let disk = Disk::watch(image.path());
    (image, disk)
}

/// A store that keeps the moment when it is dropped, before it is closed.
pub(crate) struct Powered {
    store: SqliteRepository,
    disk: Arc<Disk>,
    death: Arc<Mutex<Option<usize>>>,
}

impl Drop for Powered {
    fn drop(&mut self) {
        let moment = self.disk.moment();
        *self.death.lock().unwrap_or_else(PoisonError::into_inner) = Some(moment);
    }
}

macro_rules! passed_on {
    ($($call:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        fn $call(&self, $($name: $type),*) -> Pending<'_, $answer> {
            self.store.$call($($name),*)
        }
    )*};
}

impl Repository for Powered {
    passed_on! {
        create(saga: NewSaga) -> Created;
        append(append: Append) -> ();
        park(key: SagaKey, reason: String) -> ();
        release(keys: Vec<SagaKey>) -> ();
        recover() -> u64;
        claim(limit: usize) -> Vec<StoredSaga>;
        acquire(id: &SagaId) -> Acquired;
        load(id: &SagaId) -> Option<StoredSaga>;
        load_all(ids: Vec<SagaId>) -> Vec<StoredSaga>;
        list(query: Query) -> Page;
        counts() -> Counts;
        purge(before: Timestamp, limit: usize) -> u64;
        post(letter: Letter) -> Posted;
        inbox(limit: usize) -> Vec<Letter>;
        take(key: &str) -> bool;
        answer(key: &str, answer: String) -> ();
        reply(key: &str) -> Reply;
        withdraw(key: &str) -> bool;
    }

    fn changed(&self) -> Pending<'static, ()> {
        self.store.changed()
    }
}
