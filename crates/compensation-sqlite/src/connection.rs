//! Opening the file, and noticing when it is no longer there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use compensation::repository::{ErrorKind, RepositoryError};
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::{error::classify, options::SqliteOptions};

/// The oldest SQLite without the WAL-reset bug, which damages files that two processes write.
/// (<https://sqlite.org/wal.html>, "The WAL-Reset Bug".)
const OLDEST: i32 = 3_051_003;

/// Pages in the write-ahead log before they are copied into the database: 16 MiB. Fewer copy hot pages
/// more often than they need be.
const CHECKPOINT_PAGES: i32 = 4_000;

/// Bytes a page: SQLite's default, said aloud because the limit of size counts in it.
const PAGE: u64 = 4_096;

/// Where a store is, by a path that stays right when the process changes its directory.
pub(crate) fn locate(path: &Path, create: bool) -> Result<PathBuf, RepositoryError> {
    let place = path.display();
    let refused = |why: String| Err(RepositoryError::new(ErrorKind::Permanent, why));
    let Some(name) = path.file_name() else {
        return refused(format!("`{place}` is no file name for a store: name a file"));
    };
    if path.is_dir() {
        return refused(format!("can't open `{place}`: it is a directory: name a file in it"));
    }
    if !create {
        match path.metadata() {
            // Nobody made a store of it yet, and looking should not.
            Ok(file) if file.len() == 0 => {
                return refused(format!("there is no store at `{place}`: it is empty"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                let mend = "check the path and its permissions";
                return refused(format!("can't look at `{place}`: {mend}: {error}"));
            }
            Err(_) => return refused(format!("there is no store at `{place}`: check the path")),
        }
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A link to a file elsewhere: the lock files belong beside the file itself.
    let whole = path.canonicalize().or_else(|_| Ok(folder.canonicalize()?.join(name)));
    whole.or_else(|error: std::io::Error| {
        let folder = folder.display();
        refused(format!("can't open `{place}`: the directory `{folder}` can't be used: {error}"))
    })
}

fn flags(create: bool) -> OpenFlags {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create { flags | OpenFlags::SQLITE_OPEN_CREATE } else { flags }
}

fn connect(
    path: &Path,
    options: &SqliteOptions,
    create: bool,
) -> Result<Connection, RepositoryError> {
    let failed = |error| classify("open", path, error);
    let opened = match &options.vfs {
        None => Connection::open_with_flags(path, flags(create)),
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags(create), vfs.as_str()),
    };
    let connection = opened.map_err(failed)?;
    connection.busy_timeout(options.busy_timeout).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    plan_once(&connection).map_err(failed)?;
    Ok(connection)
}

/// Keeps SQLite from looking at the values in a statement when it plans it. Else, as long as there are partial indexes,
/// a prepared statement is parsed and planned again for each other value. (<https://sqlite.org/c3ref/c_dbconfig_defensive.html>,
/// "SQLITE_DBCONFIG_ENABLE_QPSG".)
pub(crate) fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// The connection that writes. `create`: only when the store is first opened; later a file that has
/// gone must not come back empty.
pub(crate) fn writer(
    path: &Path,
    options: &SqliteOptions,
    create: bool,
) -> Result<Connection, RepositoryError> {
    if rusqlite::version_number() < OLDEST {
        return Err(RepositoryError::new(
            ErrorKind::Permanent,
            format!(
                "this program is linked with SQLite {}, which can damage a file that two processes \
                 use: link it with 3.51.3 or later",
                rusqlite::version()
            ),
        ));
    }
    let mut connection = connect(path, options, create)?;
    crate::schema::prepare(&mut connection, path)?;
    let failed = |error| classify("open", path, error);
    let set = |name, value| connection.pragma_update(None, name, value).map_err(failed);
    set("synchronous", 2)?;
    set("fullfsync", 1)?;
    set("checkpoint_fullfsync", 1)?;
    set("wal_autocheckpoint", CHECKPOINT_PAGES)?;
    set("cache_size", -65_536)?;
    set("temp_store", 2)?;
    if let Some(bytes) = options.max_bytes {
        let pages = i64::try_from(bytes.div_ceil(PAGE)).unwrap_or(i64::MAX);
        connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .map_err(failed)?;
    }
    Ok(connection)
}

/// Whether the file may be written: SQLite opens one that may not be without a word, and fails when it writes.
pub(crate) fn check_writable(connection: &Connection, path: &Path) -> Result<(), RepositoryError> {
    let failed = |error| classify("open", path, error);
    if connection.is_readonly(rusqlite::MAIN_DB).map_err(failed)? {
        let read_only = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
        return Err(failed(rusqlite::Error::SqliteFailure(read_only, None)));
    }
    Ok(())
}

/// A connection that reads, beside the one that writes.
pub(crate) fn reader(path: &Path, options: &SqliteOptions) -> Result<Connection, RepositoryError> {
    let connection = connect(path, options, false)?;
    let failed = |error| classify("open", path, error);
    connection.pragma_update(None, "query_only", 1).map_err(failed)?;
    Ok(connection)
}

/// Which file a path names; `None` where the system does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(#[cfg(unix)] (u64, u64));

impl Identity {
    #[cfg(unix)]
    fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let file = fs::metadata(path)?;
        Ok(Self((file.dev(), file.ino())))
    }

    /// Windows keeps an open file from being moved or deleted.
    #[cfg(not(unix))]
    fn of(path: &Path) -> std::io::Result<Self> {
        fs::metadata(path).map(|_| Self())
    }

    pub(crate) fn read(path: &Path) -> Result<Self, RepositoryError> {
        Self::of(path).map_err(|error| gone(path).caused_by(error))
    }

    /// Whether the path still names that file. SQLite would go on writing into one that has been
    /// deleted, and acknowledge what nobody will ever read.
    pub(crate) fn check(self, path: &Path) -> Result<(), RepositoryError> {
        match Self::of(path) {
            Ok(now) if now == self => Ok(()),
            Ok(_) => Err(gone(path)),
            Err(error) => Err(gone(path).caused_by(error)),
        }
    }
}

fn gone(path: &Path) -> RepositoryError {
    RepositoryError::new(
        ErrorKind::Permanent,
        format!(
            "the store at `{}` has been moved, deleted or replaced while it was in use: put it back",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::rows::SUMMARY;

    #[test]
    fn a_prepared_statement_is_planned_once_whatever_its_values_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sagas.db");
        let options = SqliteOptions::default();
        let writer = writer(&path, &options, true).expect("a store");
        let reader = reader(&path, &options).expect("a reader");
        let find = format!("SELECT {SUMMARY} WHERE saga.key = ?1");
        let own = "UPDATE saga SET owner = NULL WHERE key = ?1 AND status < 2";
        for (connection, statement) in [(&reader, find.as_str()), (&writer, own)] {
            let mut prepared = connection.prepare(statement).expect("a statement");
            for key in 1..=5 {
                prepared.raw_bind_parameter(1, key).expect("a value");
                while prepared.raw_query().next().expect("rows").is_some() {}
            }
            assert_eq!(prepared.get_status(StatementStatus::RePrepare), 0, "{statement}");
        }
    }
}
