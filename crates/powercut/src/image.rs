//! What could be left on a disk when the power fails: files made anew from what was done to them.
//!
//! A file's bytes and its name are two things, as on any disk: bytes are kept from the file's next sync on, and
//! names made and deleted from the next sync of the directory on.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
};

use fastrand::Rng;

use crate::disk::Op;

/// What a disk writes as a whole or not at all, in bytes.
const SECTOR: u64 = 512;

/// A directory as the disk may have it.
#[derive(Default)]
struct Folder<'a> {
    files: Vec<File<'a>>,
    /// As the program sees it: which name is which of the files.
    now: HashMap<&'a str, usize>,
    /// As it is on the disk.
    kept: BTreeMap<&'a str, usize>,
    /// Names made (of which file) and deleted since the directory's last sync.
    loose: Vec<(&'a str, Option<usize>)>,
}

#[derive(Default)]
struct File<'a> {
    /// Its bytes on the disk.
    kept: Vec<u8>,
    /// What has been done to it since its last sync.
    loose: Vec<&'a Op>,
}

/// How much is lost of what was not synced.
#[derive(Clone, Copy)]
enum Loss {
    All,
    Nothing,
    /// Each piece by itself, and some of them in part.
    Some,
}

pub(crate) fn write(log: &[Op], seed: u64, into: &Path) -> io::Result<()> {
    let mut rng = Rng::with_seed(seed);
    let mut folder = Folder::default();
    for op in log {
        folder.take(op);
    }
    let loss = match rng.u8(0..4) {
        0 => Loss::All,
        1 => Loss::Nothing,
        _ => Loss::Some,
    };
    for (name, bytes) in folder.left(loss, &mut rng) {
        fs::write(into.join(name), bytes)?;
    }
    Ok(())
}

impl<'a> Folder<'a> {
    fn take(&mut self, op: &'a Op) {
        match op {
            Op::Create { file } => {
                self.files.push(File::default());
                let made = self.files.len() - 1;
                self.now.insert(file, made);
                self.loose.push((file, Some(made)));
            }
            Op::Delete { file } => {
                self.now.remove(&**file);
                self.loose.push((file, None));
            }
            Op::SyncFolder => {
                for (name, file) in std::mem::take(&mut self.loose) {
                    self.name(name, file);
                }
            }
            Op::Write { file, .. } | Op::Truncate { file, .. } | Op::Sync { file } => {
                if let Some(&file) = self.now.get(&**file) {
                    self.files[file].take(op);
                }
            }
            Op::Acknowledged(_) => {}
        }
    }

    fn name(&mut self, name: &'a str, file: Option<usize>) {
        match file {
            Some(file) => drop(self.kept.insert(name, file)),
            None => drop(self.kept.remove(name)),
        }
    }

    fn left(mut self, loss: Loss, rng: &mut Rng) -> Vec<(&'a str, Vec<u8>)> {
        for (name, file) in std::mem::take(&mut self.loose) {
            let kept = match loss {
                Loss::All => false,
                Loss::Nothing => true,
                Loss::Some => rng.bool(),
            };
            if kept {
                self.name(name, file);
            }
        }
        let Self { mut files, kept, .. } = self;
        kept.into_iter()
            .map(|(name, file)| (name, std::mem::take(&mut files[file]).left(loss, rng)))
            .collect()
    }
}

impl<'a> File<'a> {
    fn take(&mut self, op: &'a Op) {
        match op {
            Op::Sync { .. } => {
                for op in std::mem::take(&mut self.loose) {
                    self.apply(op);
                }
            }
            _ => self.loose.push(op),
        }
    }

    fn left(mut self, loss: Loss, rng: &mut Rng) -> Vec<u8> {
        for op in std::mem::take(&mut self.loose) {
            match loss {
                Loss::All => {}
                Loss::Nothing => self.apply(op),
                Loss::Some if rng.bool() => self.apply(op),
                Loss::Some if rng.bool() => self.tear(op, rng),
                Loss::Some => {}
            }
        }
        self.kept
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Write { at, bytes, .. } => self.put(*at, bytes),
            Op::Truncate { size, .. } => self.kept.resize(usize::try_from(*size).unwrap_or(0), 0),
            _ => {}
        }
    }

    /// Some sectors of a write reach the disk, and others do not.
    fn tear(&mut self, op: &Op, rng: &mut Rng) {
        let Op::Write { at, bytes, .. } = op else { return };
        let mut from = 0;
        while from < bytes.len() {
            let place = at + from as u64;
            let room = (SECTOR - place % SECTOR) as usize;
            let to = bytes.len().min(from + room);
            if rng.bool() {
                self.put(place, &bytes[from..to]);
            }
            from = to;
        }
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        let Ok(at) = usize::try_from(at) else { return };
        let end = at + bytes.len();
        if self.kept.len() < end {
            self.kept.resize(end, 0);
        }
        self.kept[at..end].copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn write_op(at: u64, bytes: &[u8]) -> Op {
        Op::Write { file: "a".to_owned(), at, bytes: bytes.to_vec() }
    }

    fn images(log: &[Op]) -> Vec<Option<Vec<u8>>> {
        (0..200)
            .map(|seed| {
                let folder = tempfile::tempdir().expect("a directory");
                write(log, seed, folder.path()).expect("an image");
                fs::read(folder.path().join("a")).ok()
            })
            .collect()
    }

    #[test]
    fn what_was_synced_is_always_there() {
        let file = || "a".to_owned();
        let log = [
            Op::Create { file: file() },
            Op::SyncFolder,
            write_op(0, b"first"),
            Op::Sync { file: file() },
            write_op(5, b" second"),
        ];
        let images = images(&log);
        assert!(images.iter().flatten().all(|image| image.starts_with(b"first")));
        assert_eq!(images.iter().flatten().count(), images.len());
        assert!(images.iter().any(|image| image.as_deref() == Some(b"first")));
        assert!(images.iter().any(|image| image.as_deref() == Some(b"first second")));
    }

    #[test]
    fn what_was_not_synced_is_torn_at_sectors_only() {
        let file = || "a".to_owned();
        let log = [Op::Create { file: file() }, Op::Sync { file: file() }, write_op(0, &[1; 1536])];
        let torn = images(&log)
            .into_iter()
            .flatten()
            .filter(|image| image.contains(&0) && image.contains(&1));
        let mut count = 0;
        for image in torn {
            count += 1;
            assert!(image.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        }
        assert!(count > 3, "{count} torn");
    }

    #[test]
    fn a_file_that_was_deleted_may_come_back_until_its_directory_is_synced() {
        let file = || "a".to_owned();
        let mut log = vec![
            Op::Create { file: file() },
            Op::SyncFolder,
            write_op(0, b"old"),
            Op::Sync { file: file() },
            Op::Delete { file: file() },
            Op::Create { file: file() },
            write_op(0, b"new"),
            Op::Sync { file: file() },
        ];
        let before = images(&log);
        for left in [None, Some("old"), Some("new")] {
            assert!(
                before.iter().any(|image| image.as_deref() == left.map(str::as_bytes)),
                "{left:?}"
            );
        }
        log.push(Op::SyncFolder);
        assert!(images(&log).iter().all(|image| image.as_deref() == Some(b"new")));
    }
}
