//! What went wrong in a store, and what the caller may do about it.

use std::{error::Error, fmt};

/// What a caller may do about a [`RepositoryError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Try again later: locked, interrupted, connection lost.
    Temporary,
    /// Out of room: disk full, quota. Try again once somebody made some.
    Exhausted,
    /// Trying again will not help: not a database, newer schema, read-only, corrupt.
    Permanent,
    /// The saga belongs to another owner, or to none.
    NotOwner,
}

impl ErrorKind {
    /// Whether the same call may succeed later without anybody changing the program.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Temporary | Self::Exhausted)
    }
}

/// A store's refusal: kind, one sentence for people, and the cause.
#[derive(Debug)]
pub struct RepositoryError {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl RepositoryError {
    /// An error of that kind; the sentence names what failed, where, and how to mend it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same with its cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same of another kind, where the store knows more of it than whoever made it.
    #[must_use]
    pub fn as_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// What the caller may do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for RepositoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for RepositoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
