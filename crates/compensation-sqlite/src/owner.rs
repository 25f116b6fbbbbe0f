//! Who owns sagas: each opened store that has written is an owner, with a lock file that the operating system unlocks
//! when its process dies, however it dies.
//!
//! The file is `<database>-owner-<number>`. Numbers are never used twice, so a file that is left over
//! harms nobody; whoever takes over what a dead owner left deletes it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use compensation::{
    Timestamp,
    repository::{ErrorKind, RepositoryError},
};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use crate::{connection::Identity, error::classify};

/// An owner that is alive as long as this value.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) id: i64,
    path: PathBuf,
    /// Held locked until the process ends or the value is dropped.
    _lock: File,
    identity: Identity,
}

/// How a living owner is told to people.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) pid: i64,
}

fn lock_path(database: &Path, id: i64) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(format!("-owner-{id}"));
    name.into()
}

impl Owner {
    /// A new owner. Its row becomes visible once its lock is held, so that nobody takes it for dead.
    pub(crate) fn enter(
        connection: &mut Connection,
        database: &Path,
    ) -> Result<Self, RepositoryError> {
        let failed = |error| classify("write to", database, error);
        let entry =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        entry
            .execute(
                "INSERT INTO owner (pid, since) VALUES (?1, ?2)",
                (std::process::id(), Timestamp::now().as_millis()),
            )
            .map_err(failed)?;
        let id = entry.last_insert_rowid();
        let path = lock_path(database, id);
        let lock = lock(&path).map_err(|error| unlockable(&path, error))?;
        let identity = Identity::read(&path)?;
        entry.commit().map_err(failed)?;
        Ok(Self { id, path, _lock: lock, identity })
    }

    /// Makes the lock file anew where somebody has removed it, before anybody takes this owner for dead.
    pub(crate) fn hold(&mut self) -> Result<(), RepositoryError> {
        if self.identity.check(&self.path).is_ok() {
            return Ok(());
        }
        tracing::warn!(path = %self.path.display(), "the lock file of an owner has gone; it is made anew");
        self._lock = lock(&self.path).map_err(|error| unlockable(&self.path, error))?;
        self.identity = Identity::read(&self.path)?;
        Ok(())
    }

    /// Whether others have taken this owner for dead, and may own what it owned. If so it begins anew, with
    /// nothing.
    pub(crate) fn was_buried(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let there =
            connection.prepare_cached("SELECT 1 FROM owner WHERE id = ?1")?.exists([self.id])?;
        if there {
            return Ok(false);
        }
        connection
            .prepare_cached("INSERT INTO owner (id, pid, since) VALUES (?1, ?2, ?3)")?
            .execute((self.id, std::process::id(), Timestamp::now().as_millis()))?;
        Ok(true)
    }

    /// Leaves: its row goes, and then its file. What it still owned is anybody's.
    pub(crate) fn leave(self, connection: &Connection) -> rusqlite::Result<()> {
        bury(connection, self.id)?;
        // Left over, it harms nobody.
        let _ = fs::remove_file(&self.path);
        Ok(())
    }
}

fn lock(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another process holds it")),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn unlockable(path: &Path, error: io::Error) -> RepositoryError {
    let place = path.display();
    RepositoryError::new(
        ErrorKind::Permanent,
        format!(
            "can't lock `{place}`, which proves who owns sagas: {error}: choose a local disk whose \
             directory may be written"
        ),
    )
    .caused_by(error)
}

/// Whether that owner's process lives.
pub(crate) fn is_alive(database: &Path, id: i64) -> bool {
    match File::open(lock_path(database, id)) {
        // A shared try never keeps another one from succeeding.
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => false,
            // Where nobody can tell, nothing is taken away.
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
        },
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Who that owner is, if its process lives.
pub(crate) fn holder(
    connection: &Connection,
    database: &Path,
    id: i64,
) -> rusqlite::Result<Option<Holder>> {
    if !is_alive(database, id) {
        return Ok(None);
    }
    connection
        .prepare_cached("SELECT pid FROM owner WHERE id = ?1")?
        .query_row([id], |row| Ok(Holder { pid: row.get(0)? }))
        .optional()
}

/// Lets go what dead owners left, inside the caller's transaction. Returns the numbers of the dead.
pub(crate) fn bury_dead(
    connection: &Connection,
    database: &Path,
    own: i64,
) -> rusqlite::Result<Vec<i64>> {
    let mut owners = connection.prepare_cached("SELECT id FROM owner WHERE id <> ?1")?;
    let owners: Vec<i64> = owners.query_map([own], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let dead: Vec<_> = owners.into_iter().filter(|&id| !is_alive(database, id)).collect();
    for &id in &dead {
        bury(connection, id)?;
    }
    Ok(dead)
}

/// Deletes the files of the dead, once their burial is durable.
pub(crate) fn clear_away(database: &Path, dead: &[i64]) {
    for &id in dead {
        // Left over, it harms nobody.
        let _ = fs::remove_file(lock_path(database, id));
    }
}

fn bury(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE saga SET owner = NULL WHERE owner IS NOT NULL AND owner = ?1")?
        .execute([id])?;
    connection.prepare_cached("DELETE FROM owner WHERE id = ?1")?.execute([id])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_alive_until_its_lock_is_dropped() {
        let folder = tempfile::tempdir().expect("a directory");
        let database = folder.path().join("sagas.db");
        assert!(!is_alive(&database, 7), "nobody has such a lock");
        let held = lock(&lock_path(&database, 7)).expect("a free lock");
        assert!(is_alive(&database, 7));
        drop(held);
        assert!(!is_alive(&database, 7));
    }
}
