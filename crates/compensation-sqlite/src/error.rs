//! SQLite's errors, classified and put into words.

use std::path::Path;

use compensation::repository::{ErrorKind, RepositoryError};
use rusqlite::ErrorCode;

/// What a caller may do about an error of SQLite.
fn kind(error: &rusqlite::Error) -> ErrorKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => ErrorKind::Exhausted,
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::SchemaChanged
            | ErrorCode::OutOfMemory
            // A disk that fails once may not fail twice; the connection is made anew first.
            | ErrorCode::SystemIoFailure,
        ) => ErrorKind::Temporary,
        _ => ErrorKind::Permanent,
    }
}

/// An error of SQLite while doing `what` to the store at `path`.
pub(crate) fn classify(what: &str, path: &Path, error: rusqlite::Error) -> RepositoryError {
    let place = path.display();
    let message = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            format!("can't {what} `{place}`: it is not a SQLite database: choose another file")
        }
        Some(ErrorCode::DiskFull) => {
            format!("can't {what} `{place}`: the disk is full: make room for it")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
            "can't {what} `{place}`: another program has it locked: wait until it is done, or end it"
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => format!(
            "can't {what} `{place}`: it, or the directory that it is in, is read-only: allow writing \
             there or choose another file"
        ),
        Some(ErrorCode::CannotOpen) => format!(
            "can't {what} `{place}`: the file or its directory is missing, or may not be read or \
             written: check the path and its permissions"
        ),
        Some(ErrorCode::DatabaseCorrupt) => format!(
            "can't {what} `{place}`: the file is damaged ({error}): restore it from a backup"
        ),
        Some(ErrorCode::SystemIoFailure) => {
            format!("can't {what} `{place}`: reading or writing the disk failed ({error})")
        }
        _ => format!("can't {what} `{place}`: {error}"),
    };
    RepositoryError::new(kind(&error), message).caused_by(error)
}

/// Whether the connection must not be used any more: after such an error nobody knows what the file
/// holds until it is opened anew.
pub(crate) fn poisons(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
            | Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig)
    )
}

/// Whether the error is about one write's data and not about the store.
pub(crate) fn is_about_data(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
    ) || matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
    )
}

/// The same error for another one who waits for the same write.
pub(crate) fn again(error: &RepositoryError) -> RepositoryError {
    RepositoryError::new(error.kind(), error.to_string())
}
