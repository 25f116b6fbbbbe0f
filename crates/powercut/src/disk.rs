//! What was done to the files of one directory, in order, and which calls are to fail. Knows nothing of SQLite.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::{image, vfs};

/// Everything watched in this process.
static WATCHED: Mutex<Vec<Weak<Disk>>> = Mutex::new(Vec::new());

/// One directory whose files are written down.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<Op>,
    /// Syncs return at once, and keep nothing.
    lies: bool,
    fault: Option<Pending>,
    /// Calls that failed because they were told to.
    failed: usize,
}

/// A call, or a run of calls, that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which calls.
    pub kind: Kind,
    /// So many of them pass before the first that fails.
    pub after: usize,
    /// So many fail.
    pub times: usize,
}

/// Calls that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Writes, as on a broken disk.
    Write,
    /// Writes, as on a full disk.
    Full,
    /// Syncs. What was written before one that fails may be lost until a later one succeeds.
    Sync,
    /// Reads.
    Read,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    fault: Fault,
    seen: usize,
}

/// One thing that was done.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A file was made, and is empty.
    Create {
        file: String,
    },
    Write {
        file: String,
        at: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        size: u64,
    },
    Sync {
        file: String,
    },
    Delete {
        file: String,
    },
    /// The directory was synced: names that were made are there, and names that were deleted are not.
    SyncFolder,
    /// The program was told that this is durable.
    Acknowledged(u64),
}

impl Disk {
    /// Watches what the layer [`VFS`](crate::VFS) does in that directory from now on, until the value is dropped.
    /// What its files hold already is safe on the disk; nobody may have them open.
    ///
    /// # Panics
    /// Where the directory can't be read, or SQLite does not take the layer: a test can't go on.
    #[must_use]
    #[allow(clippy::expect_used, reason = "for tests only, which fail by panicking")]
    pub fn watch(folder: &Path) -> Arc<Self> {
        vfs::register();
        let folder = folder.canonicalize().expect("the directory is there");
        let log = there_already(&folder).expect("the directory can be read");
        let state = State { log, ..State::default() };
        let disk = Arc::new(Self { folder, state: Mutex::new(state) });
        lock(&WATCHED).push(Arc::downgrade(&disk));
        disk
    }

    /// The program was told that what it calls `number` is durable.
    pub fn acknowledge(&self, number: u64) {
        self.state().log.push(Op::Acknowledged(number));
    }

    /// How much has been done so far: moments are counted from 0.
    #[must_use]
    pub fn moment(&self) -> usize {
        self.state().log.len()
    }

    /// Everything acknowledged before that moment.
    #[must_use]
    pub fn acknowledged(&self, moment: usize) -> Vec<u64> {
        let state = self.state();
        let told = state.log.iter().take(moment);
        told.filter_map(|op| if let Op::Acknowledged(number) = op { Some(*number) } else { None })
            .collect()
    }

    /// From now on syncs return at once and keep nothing: what must not go unnoticed.
    pub fn lie(&self) {
        self.state().lies = true;
    }

    /// Lets calls fail; it takes the place of an earlier fault.
    pub fn fail(&self, fault: Fault) {
        self.state().fault = Some(Pending { fault, seen: 0 });
    }

    /// Nothing fails any more. Returns how many calls have failed in all.
    pub fn mend(&self) -> usize {
        let mut state = self.state();
        state.fault = None;
        state.failed
    }

    /// Writes into another directory what could be left, had the power failed at that moment. The same seed loses
    /// the same.
    ///
    /// # Errors
    /// Where the other directory can't be written.
    pub fn cut(&self, moment: usize, seed: u64, into: &Path) -> io::Result<()> {
        let state = self.state();
        let end = moment.min(state.log.len());
        image::write(&state.log[..end], seed, into)
    }

    /// The disk that a file lies on, and the file's name, where somebody watches.
    pub(crate) fn of(path: &Path) -> Option<(Arc<Self>, String)> {
        let (folder, name) = (path.parent()?, path.file_name()?.to_str()?);
        let mut watched = lock(&WATCHED);
        watched.retain(|disk| disk.strong_count() > 0);
        let disk = watched.iter().filter_map(Weak::upgrade).find(|disk| disk.folder == folder)?;
        Some((disk, name.to_owned()))
    }

    /// Writes down what has been done.
    pub(crate) fn done(&self, op: Op) {
        let mut state = self.state();
        if !(state.lies && matches!(op, Op::Sync { .. } | Op::SyncFolder)) {
            state.log.push(op);
        }
    }

    /// Whether a call is to fail, and how.
    pub(crate) fn fails(&self, call: Kind) -> Option<Kind> {
        let mut state = self.state();
        let pending = state.fault.as_mut()?;
        let Fault { kind, after, times } = pending.fault;
        let meant = kind == call || (kind == Kind::Full && call == Kind::Write);
        if !meant {
            return None;
        }
        pending.seen += 1;
        let due = pending.seen > after && pending.seen - after <= times;
        state.failed += usize::from(due);
        due.then_some(kind)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// The files of a directory as if they had been written and synced.
fn there_already(folder: &Path) -> io::Result<Vec<Op>> {
    let mut log = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // SQLite has no file in a directory of the directory's own, nor one whose name is no text.
        let Ok(file) = entry.file_name().into_string() else { continue };
        if entry.file_type()?.is_file() {
            let bytes = fs::read(entry.path())?;
            log.push(Op::Create { file: file.clone() });
            log.push(Op::Write { file: file.clone(), at: 0, bytes });
            log.push(Op::Sync { file });
        }
    }
    log.push(Op::SyncFolder);
    Ok(log)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is made in one go, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_was_there_before_a_disk_was_watched_is_never_lost() {
        let folder = tempfile::tempdir().expect("a directory");
        fs::write(folder.path().join("a"), "old").expect("a file");
        let disk = Disk::watch(folder.path());
        disk.done(Op::Write { file: "a".to_owned(), at: 0, bytes: b"new".to_vec() });
        for seed in 0..40 {
            let image = tempfile::tempdir().expect("a directory");
            disk.cut(disk.moment(), seed, image.path()).expect("an image");
            let left = fs::read_to_string(image.path().join("a")).expect("the file is there");
            assert!(left == "old" || left == "new", "{left}");
        }
    }
}
