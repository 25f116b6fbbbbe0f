//! PostgreSQL's errors, classified and put into words. No text of here holds more of an address than its
//! user, hosts and database.

use compensation::repository::{ErrorKind, RepositoryError};
use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::{
    Error,
    error::{DbError, Severity, SqlState},
};

/// What a caller may do about an error of the server.
fn kind(error: &Error) -> ErrorKind {
    let Some(code) = error.code() else {
        // The connection, or the attempt to make one. (What can't be read is no word of a server.)
        return ErrorKind::Temporary;
    };
    let code = code.code();
    match code {
        "53100" => ErrorKind::Exhausted,
        // Locks, a server that is read-only for now (a standby, or a host's answer to a full disk), a disk that may
        // not fail twice, and failures of the system that have no code of their own, such as a quota that is used up.
        "55P03" | "55006" | "57014" | "25006" | "58030" | "XX000" => ErrorKind::Temporary,
        // Deadlocks and the like, limits, a server that ends or starts, a connection that failed.
        _ if ["40", "53", "57P", "08"].iter().any(|class| code.starts_with(class)) => {
            ErrorKind::Temporary
        }
        _ => ErrorKind::Permanent,
    }
}

/// An error of the server at that place while doing `what`.
pub(crate) fn classify(what: &str, place: &str, error: Error) -> RepositoryError {
    let said = said(&error);
    let message = match error.code().map(SqlState::code) {
        None if error.is_closed() => {
            format!("can't {what} {place}: the connection was lost ({said})")
        }
        None => {
            format!("can't {what} {place}: {said}: check that the server runs and can be reached")
        }
        Some("28P01" | "28000") => format!(
            "can't {what} {place}: the server refuses the role or its password ({said}): check both, \
             and the server's pg_hba.conf"
        ),
        Some("3D000") => {
            format!("can't {what} {place}: {said}: create the database, or name another")
        }
        Some("42501") => format!(
            "can't {what} {place}: {said}: grant the role what docs/postgres.md lists, or use another role"
        ),
        Some("42P01" | "3F000" | "42703") => format!(
            "can't {what} {place}: {said}: the tables have been dropped or changed; restore them"
        ),
        Some("25006") => {
            format!(
                "can't {what} {place}: the server is read-only ({said}): name the primary server"
            )
        }
        Some("53100") => {
            format!("can't {what} {place}: its disk is full ({said}): make room for it")
        }
        Some("53300") => format!(
            "can't {what} {place}: {said}: raise max_connections, or let fewer programs connect"
        ),
        Some(_) => format!("can't {what} {place}: {said}"),
    };
    RepositoryError::new(kind(&error), message).caused_by(error)
}

/// A server that takes a connection and says nothing.
pub(crate) fn silent(what: &str, place: &str) -> RepositoryError {
    let message = format!(
        "can't {what} {place}: the server does not answer: check that it runs, and what stands before it"
    );
    RepositoryError::new(ErrorKind::Temporary, message)
}

/// No connection of the pool could be had.
pub(crate) fn unpooled(place: &str, error: PoolError) -> RepositoryError {
    match error {
        PoolError::Backend(error) => classify("connect to", place, error),
        PoolError::Timeout(TimeoutType::Create) => silent("read", place),
        PoolError::Timeout(_) => RepositoryError::new(
            ErrorKind::Temporary,
            format!(
                "can't read {place}: every connection for readers is busy: try again, or allow more"
            ),
        ),
        other => RepositoryError::new(
            ErrorKind::Temporary,
            format!("can't read {place}: no connection for readers: {other}"),
        ),
    }
}

/// What the server, or the connection, says of itself.
fn said(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => match said.detail().filter(|_| is_short(said)) {
            Some(detail) => format!("{} ({detail})", said.message()),
            None => said.message().to_owned(),
        },
        None => {
            let mut text = error.to_string();
            let mut next = std::error::Error::source(error);
            while let Some(cause) = next {
                text = format!("{text}: {cause}");
                next = cause.source();
            }
            text
        }
    }
}

/// Details of constraints quote rows, which may be large and somebody's own.
fn is_short(error: &DbError) -> bool {
    !error.code().code().starts_with("23") && !error.code().code().starts_with("22")
}

/// Whether nobody knows any more what became of what was asked on the connection, so that it must not be used
/// any further.
pub(crate) fn poisons(error: &Error) -> bool {
    match error.as_db_error() {
        None => true,
        Some(said) => {
            matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic) | None)
                // A server that has become a standby: another connection may find the primary.
                || *said.code() == SqlState::READ_ONLY_SQL_TRANSACTION
        }
    }
}

/// Whether the server undid it because of others, so that the same may succeed at once.
pub(crate) fn collided(error: &Error) -> bool {
    [Some(&SqlState::T_R_SERIALIZATION_FAILURE), Some(&SqlState::T_R_DEADLOCK_DETECTED)]
        .contains(&error.code())
}

/// Whether the error is about one write's data and not about the store.
pub(crate) fn is_about_data(error: &Error) -> bool {
    error
        .code()
        .is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.code().starts_with(class)))
}

/// The same error for another one who waits for the same write.
pub(crate) fn again(error: &RepositoryError) -> RepositoryError {
    RepositoryError::new(error.kind(), error.to_string())
}
