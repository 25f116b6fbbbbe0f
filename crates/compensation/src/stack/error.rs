//! Compensations that failed: all of them, with their names.

use std::{error::Error, fmt, sync::Arc};

use serde_json::Value;

use crate::error::Failure;

/// Characters of what a compensation was about that its error shows. The record has all of it.
const SHOWN: usize = 300;

/// One compensation whose budget is spent.
#[derive(Clone, Debug)]
pub struct CompensationFailure {
    pub(super) name: Arc<str>,
    pub(super) attempts: u32,
    pub(super) failure: Failure,
    pub(super) data: Option<Arc<Value>>,
}

impl CompensationFailure {
    /// The compensation's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it was attempted.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What it was about, where that was said.
    #[must_use]
    pub fn data(&self) -> Option<&Value> {
        self.data.as_deref()
    }

    /// How its last attempt failed. Its [`source`](Error::source) is the original error.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

impl fmt::Display for CompensationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, attempts, failure, data } = self;
        match attempts {
            1 => write!(f, "compensation `{name}` failed: {failure}")?,
            _ => write!(f, "compensation `{name}` failed after {attempts} attempts: {failure}")?,
        }
        let Some(data) = data else { return Ok(()) };
        let data = data.to_string();
        match data.char_indices().nth(SHOWN) {
            None => write!(f, " (about {data})"),
            Some((end, _)) => write!(f, " (about {}…)", &data[..end]),
        }
    }
}

impl Error for CompensationFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.source()
    }
}

/// Compensations failed; the others ran, unless they were told to halt. There is always at least one.
///
/// Its text is that of the failure where there is one, and else how many there are and each of them; its
/// [`source`](Error::source) is the first.
///
/// ```
/// use compensation::SagaManager;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let saga = SagaManager::new();
/// saga.add_compensation("free-seat", || async { Err::<(), _>("no such seat") });
/// saga.add_compensation("free-room", || async { Err::<(), _>("no such room") });
/// let error = saga.compensate().await.unwrap_err();
/// assert_eq!(error.errors()[0].name(), "free-room"); // last in, first out
/// assert!(error.to_string().starts_with("2 compensations failed: "));
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CompensationError {
    failures: Vec<CompensationFailure>,
}

impl CompensationError {
    /// `Ok` where nothing failed.
    pub(super) fn unless_empty(failures: Vec<CompensationFailure>) -> Result<(), Self> {
        if failures.is_empty() { Ok(()) } else { Err(Self { failures }) }
    }

    /// Every failure, in the order in which they were given up.
    #[must_use]
    pub fn errors(&self) -> &[CompensationFailure] {
        &self.failures
    }
}

impl fmt::Display for CompensationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = &self.failures[..] {
            return only.fmt(f);
        }
        write!(f, "{} compensations failed: ", self.failures.len())?;
        for (place, failure) in self.failures.iter().enumerate() {
            let comma = if place == 0 { "" } else { "; " };
            write!(f, "{comma}{failure}")?;
        }
        Ok(())
    }
}

impl Error for CompensationError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failures.first().map(|failure| failure as _)
    }
}
