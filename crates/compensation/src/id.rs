//! The name of one run of a saga: chosen by the caller, so that a repeated start finds the first one.
//! Knows nothing of definitions or stores.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Longest accepted [`SagaId`], in bytes.
pub const MAX_ID_BYTES: usize = 200;

/// Names one run of a saga, unique within a store.
///
/// Choose it from the business key that makes the work unique (`order-4711`): starting the same id
/// again is then the same saga, not a second one. [`SagaId::random`] makes one where there is no
/// such key.
///
/// ```
/// use compensation::SagaId;
///
/// let id: SagaId = "order-4711".parse()?;
/// assert_eq!(id.as_str(), "order-4711");
/// assert!("".parse::<SagaId>().is_err());
/// # Ok::<(), compensation::InvalidId>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SagaId(Arc<str>);

/// Why a text is not a [`SagaId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is empty.
    #[error("a saga id must not be empty")]
    Empty,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("a saga id has at most {MAX_ID_BYTES} bytes; this one has {0}")]
    TooLong(usize),
    /// The text holds a control character or starts or ends with white space.
    #[error("a saga id must not hold control characters or start or end with white space")]
    BadCharacter,
}

impl SagaId {
    /// Checks and wraps a text.
    ///
    /// # Errors
    /// [`InvalidId`] where it is empty, longer than [`MAX_ID_BYTES`], has control characters, or
    /// starts or ends with white space.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, InvalidId> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidId::Empty);
        }
        if text.len() > MAX_ID_BYTES {
            return Err(InvalidId::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) || text.trim().len() != text.len() {
            return Err(InvalidId::BadCharacter);
        }
        Ok(Self(text))
    }

    /// A fresh id, unique across processes and ordered by time (UUID version 7).
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::now_v7().hyphenated().to_string().into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SagaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SagaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for SagaId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl TryFrom<String> for SagaId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl From<SagaId> for String {
    fn from(id: SagaId) -> Self {
        id.as_str().to_owned()
    }
}

impl Borrow<str> for SagaId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_a_line_break_is_refused() {
        assert_eq!(SagaId::new("a\nb"), Err(InvalidId::BadCharacter));
    }

    #[test]
    fn an_overlong_id_says_how_long_it_is() {
        assert_eq!(SagaId::new("x".repeat(201)), Err(InvalidId::TooLong(201)));
    }

    #[test]
    fn random_ids_differ_and_grow() {
        let (a, b) = (SagaId::random(), SagaId::random());
        assert!(a < b);
    }
}
