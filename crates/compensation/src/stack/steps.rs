//! A saga as a list: each step's action, and what undoes it.

use std::{fmt, future::Future, pin::Pin};

use super::{
    compensation::Compensation, error::CompensationError, record::CompensationRecord,
    transaction::TransactionalSaga,
};
use crate::error::{BoxError, Certainty, Failure, StepError};

type Acting = Pin<Box<dyn Future<Output = Result<(), StepError>> + Send>>;

/// One step for [`execute_saga`]: a name, an action, and what undoes it.
pub struct SagaStep {
    name: String,
    action: Box<dyn FnOnce() -> Acting + Send>,
    compensation: Option<Compensation>,
}

impl SagaStep {
    /// A step without compensation. The action may return any value, and any error that converts into
    /// `Box<dyn Error + Send + Sync>`.
    pub fn new<R, E, F, Fut>(name: impl Into<String>, action: F) -> Self
    where
        E: Into<BoxError>,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        let action = Box::new(move || -> Acting {
            Box::pin(async move { action().await.map(drop).map_err(StepError::from_any) })
        });
        Self { name: name.into(), action, compensation: None }
    }

    /// The same with what undoes it: one attempt, without a time limit.
    #[must_use]
    pub fn with_compensation<R, E, F, Fut>(mut self, undo: F) -> Self
    where
        E: Into<BoxError>,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.compensation = Some(Compensation::new(self.name.clone(), undo));
        self
    }

    /// The same with a compensation that was built with a budget, and a name, of its own.
    #[must_use]
    pub fn with_built_compensation(mut self, compensation: Compensation) -> Self {
        self.compensation = Some(compensation);
        self
    }

    /// The step's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for SagaStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaStep")
            .field("name", &self.name)
            .field("compensation", &self.compensation)
            .finish_non_exhaustive()
    }
}

/// A step failed; what was done before it is undone, or see [`rollback`](Self::rollback).
#[derive(Clone, Debug)]
pub struct SagaError {
    step: String,
    failure: Failure,
    rollback: Option<CompensationError>,
    records: Vec<CompensationRecord>,
}

impl SagaError {
    /// The step that failed.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.step
    }

    /// How it failed. Its [`source`](std::error::Error::source) is the original error.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// What could not be undone; `None` where everything is.
    #[must_use]
    pub fn rollback(&self) -> Option<&CompensationError> {
        self.rollback.as_ref()
    }

    /// Every compensation that ran, in the order of execution.
    #[must_use]
    pub fn records(&self) -> &[CompensationRecord] {
        &self.records
    }
}

impl fmt::Display for SagaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step `{}` failed: {}", self.step, self.failure)?;
        match &self.rollback {
            None => Ok(()),
            Some(rollback) => write!(f, "; and of what was done: {rollback}"),
        }
    }
}

impl std::error::Error for SagaError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failure.source()
    }
}

/// Runs steps one after the other. When one fails, what was done before it is undone, last first.
///
/// A step that fails is undone too, unless it says that it had no effect
/// ([`StepError::not_done`]): after any other error, or a panic, nobody knows.
///
/// ```
/// use compensation::{SagaStep, StepError, execute_saga};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let error = execute_saga([
///     SagaStep::new("reserve-seat", || async { Ok::<_, StepError>(()) })
///         .with_compensation(|| async { Ok::<_, StepError>(()) }),
///     SagaStep::new("charge-card", || async { Err::<(), _>(StepError::not_done("refused")) }),
/// ])
/// .await
/// .unwrap_err();
/// assert_eq!(error.to_string(), "step `charge-card` failed: refused");
/// assert_eq!(error.records()[0].name, "reserve-seat");
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SagaError`], with the step that failed and everything that could not be undone.
///
/// # Cancel safety
/// As [`TransactionalSaga::scope`]: dropped before its end, it is undone in the background.
pub async fn execute_saga(steps: impl IntoIterator<Item = SagaStep>) -> Result<(), SagaError> {
    let saga = TransactionalSaga::new();
    let steps: Vec<_> = steps.into_iter().collect();
    let ended = saga.scope(|saga| run(saga, steps)).await;
    ended.map_err(|error| {
        let ((step, failure), rollback) = error.into_parts();
        SagaError { step, failure, rollback, records: saga.records() }
    })
}

async fn run(saga: TransactionalSaga, steps: Vec<SagaStep>) -> Result<(), (String, Failure)> {
    for SagaStep { name, action, compensation } in steps {
        // Registered first: whatever becomes of the action, its undo is known.
        let registered = compensation.map(|compensation| saga.push(compensation));
        if let Err(error) = crate::drive::caught(action).await {
            if let (Certainty::NotDone, Some(number)) = (error.certainty(), registered) {
                saga.withdraw(number);
            }
            return Err((name, error.into_failure()));
        }
    }
    Ok(())
}
