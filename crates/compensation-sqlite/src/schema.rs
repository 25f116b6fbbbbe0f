//! The tables, and how a file shows that it has them.

use std::path::Path;

use compensation::repository::{ErrorKind, RepositoryError};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::error::classify;

/// Marks the file as ours ("saga" in ASCII); `file` and other tools show it.
const APPLICATION: i32 = 0x7361_6761;

/// The schema that this program knows. Raised with each change of the tables.
///
/// 1: sagas, and records of undos. 2: letters to sagas. 3: listings in order, however many sagas there are.
const VERSION: i32 = 3;

/// `saga` holds a saga's head and journal entry 0, `journal` all further entries: a saga's start is one
/// row. Keys rise with time, so that new rows share pages; the caller's ids have an index of their own.
///
/// `saga_driven` finds what is owned and what is to be claimed; finished sagas are not in it.
/// `saga_failed` found the few that a person may look for among millions; [`INDEXES`] took its place.
const TABLES: &str = "
CREATE TABLE plan (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    hash INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX plan_hash ON plan (hash);

CREATE TABLE saga (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    plan INTEGER NOT NULL REFERENCES plan (id),
    status INTEGER NOT NULL,
    owner INTEGER,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    reason TEXT,
    input TEXT NOT NULL,
    start TEXT NOT NULL
) STRICT;
CREATE INDEX saga_driven ON saga (owner) WHERE owner IS NOT NULL OR status < 2;
CREATE INDEX saga_failed ON saga (status, key) WHERE status > 2;

CREATE TABLE journal (
    saga INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (saga, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE owner (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pid INTEGER NOT NULL,
    since INTEGER NOT NULL
) STRICT;

CREATE TABLE counts (
    status INTEGER PRIMARY KEY,
    sagas INTEGER NOT NULL
) STRICT;
INSERT INTO counts VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0);

CREATE VIEW sagas AS
SELECT saga.id, plan.name AS saga,
    CASE saga.status WHEN 0 THEN 'running' WHEN 1 THEN 'compensating' WHEN 2 THEN 'completed'
        WHEN 3 THEN 'compensated' WHEN 4 THEN 'stuck' ELSE 'abandoned' END AS status,
    saga.reason,
    strftime('%Y-%m-%dT%H:%M:%fZ', saga.created / 1000.0, 'unixepoch') AS created,
    strftime('%Y-%m-%dT%H:%M:%fZ', saga.updated / 1000.0, 'unixepoch') AS updated,
    saga.input, saga.owner
FROM saga JOIN plan ON plan.id = saga.plan;
";

/// `saga_ended` has the sagas that stand in one way in order, `saga_plan` those of one definition. Each saga is
/// written into the first one when it ends, into the second when it starts, and in both nearly at the end.
const INDEXES: &str = "
DROP INDEX saga_failed;
CREATE INDEX saga_ended ON saga (status) WHERE status > 1;
CREATE INDEX saga_plan ON saga (plan);
";

/// How often the log of a new file is asked for, while others who open it are in the way.
const TURNS: u32 = 50;

/// What a file is.
enum Kind {
    Empty,
    Ours,
    /// Ours, of this older schema.
    Older(i32),
}

/// Makes the tables in an empty file, and what is missing in one of an older schema; refuses files that are not
/// ours. Nothing of a refused file changes.
pub(crate) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), RepositoryError> {
    match look_once(connection, path)? {
        Kind::Ours => journal_ahead(connection, path),
        Kind::Empty | Kind::Older(_) => {
            journal_ahead(connection, path)?;
            make(connection, path)
        }
    }
}

/// On one snapshot: else tables that another process is just making would be taken for somebody else's.
fn look_once(connection: &Connection, path: &Path) -> Result<Kind, RepositoryError> {
    let failed = |error| classify("open", path, error);
    let snapshot = connection.unchecked_transaction().map_err(failed)?;
    let kind = look(&snapshot, path)?;
    snapshot.finish().map_err(failed)?;
    Ok(kind)
}

fn look(connection: &Connection, path: &Path) -> Result<Kind, RepositoryError> {
    let number = |pragma| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i32>(0))
            .map_err(|error| classify("open", path, error))
    };
    let place = path.display();
    let refused = |why: String| Err(RepositoryError::new(ErrorKind::Permanent, why));
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION, VERSION) => Ok(Kind::Ours),
        (APPLICATION, older @ 1..VERSION) => Ok(Kind::Older(older)),
        (APPLICATION, newer) => refused(format!(
            "can't open `{place}`: a newer version of this program wrote it (schema {newer}, and this \
             one knows {VERSION}): use that version"
        )),
        (0, 0) => {
            let tables = connection
                .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get::<_, i64>(0))
                .map_err(|error| classify("open", path, error))?;
            if tables == 0 {
                return Ok(Kind::Empty);
            }
            refused(format!(
                "can't open `{place}`: it is another program's SQLite database: choose another file"
            ))
        }
        _ => refused(format!(
            "can't open `{place}`: it is another program's SQLite database: choose another file"
        )),
    }
}

fn journal_ahead(connection: &Connection, path: &Path) -> Result<(), RepositoryError> {
    let failed = |error| classify("open", path, error);
    let mut left = TURNS;
    let mode: String = loop {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)) {
            // SQLite does not wait here for others who are opening the file; it does for a lock of its own.
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && left > 0 =>
            {
                connection.execute_batch("BEGIN EXCLUSIVE; ROLLBACK").map_err(failed)?;
                left -= 1;
            }
            mode => break mode.map_err(failed)?,
        }
    };
    if mode == "wal" {
        return Ok(());
    }
    Err(RepositoryError::new(
        ErrorKind::Permanent,
        format!(
            "can't open `{}`: its file system has no write-ahead log (SQLite stays in `{mode}` mode): \
             choose a local disk",
            path.display()
        ),
    ))
}

fn make(connection: &mut Connection, path: &Path) -> Result<(), RepositoryError> {
    let failed = |error| classify("create", path, error);
    let make =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have been faster.
    let from = match look(&make, path)? {
        Kind::Ours => VERSION,
        Kind::Older(version) => version,
        Kind::Empty => 0,
    };
    if from < 1 {
        make.execute_batch(TABLES).map_err(failed)?;
        make.execute_batch(crate::records::TABLES).map_err(failed)?;
        make.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
    }
    if from < 2 {
        make.execute_batch(crate::mail::TABLES).map_err(failed)?;
    }
    if from < 3 {
        make.execute_batch(INDEXES).map_err(failed)?;
    }
    if from < VERSION {
        make.pragma_update(None, "user_version", VERSION).map_err(failed)?;
    }
    make.commit().map_err(failed)
}

/// The tables in a database of a test.
#[cfg(test)]
#[allow(clippy::expect_used, reason = "that is how a test fails")]
pub(crate) fn tables(connection: &mut Connection) {
    crate::connection::plan_once(connection).expect("a setting");
    make(connection, Path::new("test")).expect("tables");
}
