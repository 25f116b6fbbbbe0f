//! What a step says when it fails, and what the record keeps of it.
//!
//! A step's failure carries two facts beside its cause: whether it may have had an effect, and
//! whether trying again could help. Knows nothing of sagas.

use std::{error::Error, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Any error, boxed.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// How sure a failed attempt is of its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The attempt knows that it had no effect.
    NotDone,
    /// The attempt may have had its effect: a timeout, a panic, a lost reply.
    Unknown,
}

/// The failure of an action, an undo or a probe.
///
/// Every error converts into one with `?`, and then counts as [`Certainty::Unknown`] and worth
/// another attempt: the safe reading of an error that says nothing. A step that knows more says so:
///
/// ```
/// use compensation::StepError;
///
/// fn reserve(free: u32) -> Result<(), StepError> {
///     if free == 0 {
///         // Nothing was reserved, and asking again will not help.
///         return Err(StepError::not_done("the car park is full").terminal());
///     }
///     "7".parse::<u32>()?; // any error: unknown, retryable
///     Ok(())
/// }
/// assert!(reserve(0).is_err());
/// # assert!(reserve(1).is_ok());
/// ```
///
/// Steps need not return this type: an `Err` of any type that converts into
/// `Box<dyn Error + Send + Sync>` will do, and a `StepError` inside is found again.
///
/// It is not itself a [`std::error::Error`] (like `anyhow::Error`, and for the same reason: the
/// conversion from every error needs it so); [`StepError::source`] is.
pub struct StepError(Box<Inner>);

struct Inner {
    source: BoxError,
    certainty: Certainty,
    retryable: bool,
}

impl StepError {
    /// An attempt that may have had its effect, worth another attempt.
    pub fn unknown(error: impl Into<BoxError>) -> Self {
        Self(Box::new(Inner {
            source: error.into(),
            certainty: Certainty::Unknown,
            retryable: true,
        }))
    }

    /// An attempt that had no effect, worth another attempt.
    pub fn not_done(error: impl Into<BoxError>) -> Self {
        let mut this = Self::unknown(error);
        this.0.certainty = Certainty::NotDone;
        this
    }

    /// The same, not worth another attempt.
    #[must_use]
    pub fn terminal(mut self) -> Self {
        self.0.retryable = false;
        self
    }

    /// Whether the attempt may have had its effect.
    #[must_use]
    pub fn certainty(&self) -> Certainty {
        self.0.certainty
    }

    /// Whether another attempt may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The error beneath.
    #[must_use]
    pub fn source(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0.source
    }

    /// Reads a step's error, whatever its type.
    pub(crate) fn from_any(error: impl Into<BoxError>) -> Self {
        match error.into().downcast::<Carried>() {
            Ok(carried) => carried.0,
            Err(other) => Self::unknown(other),
        }
    }

    pub(crate) fn into_failure(self) -> Failure {
        let Inner { source, certainty, retryable } = *self.0;
        Failure::new(source, certainty, retryable)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for StepError {
    fn from(error: E) -> Self {
        Self::from_any(Box::new(error) as BoxError)
    }
}

/// Carries a [`StepError`] through a `Box<dyn Error>` and back.
struct Carried(StepError);

impl From<StepError> for BoxError {
    fn from(error: StepError) -> Self {
        Box::new(Carried(error))
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Carried {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.0.source.source()
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.source, f)
    }
}

impl fmt::Debug for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepError")
            .field("source", &self.0.source)
            .field("certainty", &self.0.certainty)
            .field("retryable", &self.0.retryable)
            .finish()
    }
}

/// Longest text kept of an error in a record, in bytes; the rest is cut.
pub(crate) const MAX_ERROR_BYTES: usize = 8 * 1024;

/// A failed attempt as the record keeps it: message, chain of sources, and the two facts.
///
/// In the process where the attempt failed, [`source`](Error::source) still leads to the original
/// error value; read back from a store, the texts are left.
#[derive(Clone, Serialize, Deserialize)]
pub struct Failure {
    message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    certainty: Certainty,
    retryable: bool,
    #[serde(skip)]
    live: Option<Arc<dyn Error + Send + Sync>>,
}

impl Failure {
    fn new(error: BoxError, certainty: Certainty, retryable: bool) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let (Some(cause), true) = (next, causes.len() < 16) {
            causes.push(cut(cause.to_string()));
            next = cause.source();
        }
        let message = cut(error.to_string());
        Self { message, causes, certainty, retryable, live: Some(error.into()) }
    }

    /// What the error said.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What its sources said, outermost first.
    #[must_use]
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// Whether the attempt may have had its effect.
    #[must_use]
    pub fn certainty(&self) -> Certainty {
        self.certainty
    }

    /// The same, of an attempt before which another may have had its effect.
    #[must_use]
    pub fn tainted(mut self) -> Self {
        self.certainty = Certainty::Unknown;
        self
    }

    /// The same, with another word on whether a further attempt is worth it.
    #[must_use]
    pub fn worth_another(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Whether another attempt was worth it.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

/// What the record keeps of an error, for those who run steps by other means; see
/// [`remote`](crate::remote).
impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        error.into_failure()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("message", &self.message)
            .field("causes", &self.causes)
            .field("certainty", &self.certainty)
            .field("retryable", &self.retryable)
            .finish_non_exhaustive()
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.live.as_deref().map(|live| live as _)
    }
}

pub(crate) fn cut(mut text: String) -> String {
    if text.len() > MAX_ERROR_BYTES {
        let end = (0..=MAX_ERROR_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_error_may_have_had_its_effect_and_is_worth_another_attempt() {
        let error = StepError::from(std::io::Error::other("lost"));
        assert_eq!(error.certainty(), Certainty::Unknown);
        assert!(error.is_retryable());
    }

    #[test]
    fn a_step_error_survives_the_way_through_a_boxed_error() {
        let boxed: BoxError = StepError::not_done("full").terminal().into();
        let back = StepError::from_any(boxed);
        assert_eq!(back.certainty(), Certainty::NotDone);
        assert!(!back.is_retryable());
        assert_eq!(back.to_string(), "full");
    }

    #[test]
    fn a_failure_keeps_the_chain_of_sources() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let failure = StepError::from(Outer(std::io::Error::other("inner"))).into_failure();
        assert_eq!(failure.message(), "outer");
        assert_eq!(failure.causes(), ["inner"]);
        assert!(failure.source().is_some_and(<dyn Error>::is::<Outer>));
    }

    #[test]
    fn an_overlong_message_is_cut_at_a_character() {
        let failure = StepError::unknown("ä".repeat(MAX_ERROR_BYTES)).into_failure();
        assert!(failure.message().len() <= MAX_ERROR_BYTES + '…'.len_utf8());
    }
}
