//! The error that injected failures carry, and how to recognise it inside others. Knows nothing of when
//! failures are injected.

use std::{error::Error, io, sync::Arc};

use compensation::{CompensationError, NotCompleted, SagaError, StepError};

/// A failure that a test asked for: which name it was injected into, and at which of its attempts.
///
/// As any error it converts into a [`StepError`] of unknown outcome; a test that wants another kind says so.
///
/// ```
/// use compensation::{Certainty, StepError};
/// use compensation_testing::InjectedError;
///
/// let error = InjectedError::new("charge-card", 2);
/// assert_eq!(error.to_string(), "injected failure of `charge-card` at attempt 2");
/// assert_eq!(StepError::from(error.clone()).certainty(), Certainty::Unknown);
/// assert_eq!(error.clone().not_done().certainty(), Certainty::NotDone);
/// assert!(!error.terminal().is_retryable());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("injected failure of `{name}` at attempt {attempt}")]
pub struct InjectedError {
    name: Arc<str>,
    attempt: u32,
}

impl InjectedError {
    /// A failure of that name, at that attempt, counted from 1.
    ///
    /// ```
    /// # use compensation_testing::InjectedError;
    /// let error = InjectedError::new("charge-card", 1);
    /// assert_eq!((error.name(), error.attempt()), ("charge-card", 1));
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, attempt: u32) -> Self {
        Self { name: name.into().into(), attempt }
    }

    /// Where it was injected.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// At which attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// As the failure of an attempt that had no effect.
    ///
    /// ```
    /// # use compensation_testing::InjectedError;
    /// use compensation::Certainty;
    /// assert_eq!(InjectedError::new("a", 1).not_done().certainty(), Certainty::NotDone);
    /// ```
    #[must_use]
    pub fn not_done(self) -> StepError {
        StepError::not_done(self)
    }

    /// As the failure of an attempt that may have had its effect.
    ///
    /// ```
    /// # use compensation_testing::InjectedError;
    /// use compensation::Certainty;
    /// assert_eq!(InjectedError::new("a", 1).unknown().certainty(), Certainty::Unknown);
    /// ```
    #[must_use]
    pub fn unknown(self) -> StepError {
        StepError::unknown(self)
    }

    /// As the failure of an attempt that may have had its effect, and that is not to be repeated.
    ///
    /// ```
    /// # use compensation_testing::InjectedError;
    /// assert!(!InjectedError::new("a", 1).terminal().is_retryable());
    /// ```
    #[must_use]
    pub fn terminal(self) -> StepError {
        StepError::unknown(self).terminal()
    }

    /// The first injected failure in an error: it, or what it came of. See [`all`](Self::all).
    ///
    /// ```
    /// # use compensation_testing::InjectedError;
    /// let error = std::io::Error::other(InjectedError::new("write", 3));
    /// assert_eq!(InjectedError::find(&error).map(InjectedError::attempt), Some(3));
    /// ```
    #[must_use]
    pub fn find<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        Self::all(error).into_iter().next()
    }

    /// Every injected failure in an error, in order: along its chain of sources, and in every branch of the
    /// errors that hold several ([`CompensationError`], [`SagaError`], [`NotCompleted`]). Of a
    /// [`StepError`], give its [`source`](StepError::source).
    ///
    /// ```
    /// use compensation::SagaManager;
    /// use compensation_testing::{FailureInjector, InjectedError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (saga, injector) = (SagaManager::new(), FailureInjector::new());
    /// for name in ["free-seat", "free-room"] {
    ///     injector.fail(name);
    ///     saga.add_compensation(name, injector.call(name));
    /// }
    /// let error = saga.compensate().await.unwrap_err();
    /// let names: Vec<_> = InjectedError::all(&error).iter().map(|one| one.name()).collect();
    /// assert_eq!(names, ["free-room", "free-seat"]);
    /// # }
    /// ```
    #[must_use]
    pub fn all<'e>(error: &'e (dyn Error + 'static)) -> Vec<&'e Self> {
        let mut found = Vec::new();
        collect(error, &mut found);
        found
    }
}

/// Whether an error is a failure that was injected, or came of one. See [`InjectedError::all`].
///
/// ```
/// use compensation::StepError;
/// use compensation_testing::{InjectedError, is_injected};
///
/// let failed = StepError::not_done(InjectedError::new("charge-card", 1));
/// assert!(is_injected(failed.source()));
/// assert!(!is_injected(&std::io::Error::other("a defect of the test")));
/// ```
#[must_use]
pub fn is_injected(error: &(dyn Error + 'static)) -> bool {
    InjectedError::find(error).is_some()
}

fn collect<'e>(error: &'e (dyn Error + 'static), found: &mut Vec<&'e InjectedError>) {
    let mut next = Some(error);
    while let Some(error) = next {
        found.extend(error.downcast_ref::<InjectedError>());
        if let Some(several) = error.downcast_ref::<CompensationError>() {
            return several.errors().iter().for_each(|one| collect(one, found));
        }
        if let Some(saga) = error.downcast_ref::<SagaError>() {
            collect(saga.failure(), found);
            return saga.rollback().into_iter().for_each(|rollback| collect(rollback, found));
        }
        if let Some(NotCompleted(report)) = error.downcast_ref::<NotCompleted>() {
            return report.failures().iter().for_each(|one| collect(one, found));
        }
        // An `io::Error` leaves the error that it holds out of its chain of sources.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|held| held as _).or_else(|| error.source());
    }
}
