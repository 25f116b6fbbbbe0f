//! One compensation: a name, what undoes, and the budget for it.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    error::{BoxError, StepError},
    retry::RetryPolicy,
};

/// The future of one attempt.
pub(super) type Undoing = Pin<Box<dyn Future<Output = Result<(), StepError>> + Send>>;

/// Undoes one thing: what a [`SagaManager`](crate::SagaManager) keeps on its stack.
///
/// Without a [`CompensationBuilder`] it has one attempt and no time limit.
///
/// ```
/// use compensation::{Compensation, SagaManager};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let saga = SagaManager::new();
/// saga.add(Compensation::new("delete-file", || async { Ok::<_, std::io::Error>(()) }));
/// saga.compensate().await?;
/// # Ok::<(), compensation::CompensationError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Compensation {
    pub(super) name: Arc<str>,
    pub(super) undo: Arc<dyn Fn() -> Undoing + Send + Sync>,
    pub(super) retry: RetryPolicy,
    pub(super) timeout: Option<Duration>,
    pub(super) allow_skip: bool,
    pub(super) data: Option<Arc<Value>>,
}

impl Compensation {
    /// A compensation of that name. The function may return any value, and any error that converts into
    /// `Box<dyn Error + Send + Sync>`; it is called once for each attempt.
    pub fn new<R, E, F, Fut>(name: impl Into<String>, undo: F) -> Self
    where
        E: Into<BoxError>,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        Self::erased(name.into().into(), erase(undo))
    }

    fn erased(name: Arc<str>, undo: Arc<dyn Fn() -> Undoing + Send + Sync>) -> Self {
        Self {
            name,
            undo,
            retry: RetryPolicy::none(),
            timeout: None,
            allow_skip: false,
            data: None,
        }
    }

    /// The same with a budget of attempts; as [`CompensationBuilder::with_retry`].
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The same with a time limit for each attempt; as [`CompensationBuilder::with_timeout`].
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The same with what it is about, for its record and its error.
    #[must_use]
    pub fn about(mut self, data: Value) -> Self {
        self.data = Some(Arc::new(data));
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn erase<R, E, F, Fut>(undo: F) -> Arc<dyn Fn() -> Undoing + Send + Sync>
where
    E: Into<BoxError>,
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
{
    let undo = Arc::new(undo);
    Arc::new(move || {
        let undo = undo.clone();
        // Called inside the future, so that a panic of the call itself is the attempt's too.
        Box::pin(async move { undo().await.map(drop).map_err(StepError::from_any) })
    })
}

impl fmt::Debug for Compensation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compensation")
            .field("name", &self.name)
            .field("retry", &self.retry)
            .field("timeout", &self.timeout)
            .field("allow_skip", &self.allow_skip)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Compensation`] with a budget.
///
/// However the calls are ordered, the time limit is for each attempt, and attempts are repeated around
/// it: three attempts of at most a second each may take three seconds and the waits between them.
///
/// ```
/// use std::time::Duration;
/// use compensation::{CompensationBuilder, RetryPolicy};
///
/// let delete = CompensationBuilder::new("delete-bucket")
///     .with_action(|| async { Ok::<_, std::io::Error>(()) })
///     .with_retry(RetryPolicy::new(3))
///     .with_timeout(Duration::from_secs(1))
///     .build()?;
/// assert_eq!(delete.name(), "delete-bucket");
/// # Ok::<(), compensation::NoAction>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct CompensationBuilder {
    name: Arc<str>,
    built: Option<Compensation>,
    retry: RetryPolicy,
    timeout: Option<Duration>,
    allow_skip: bool,
    data: Option<Value>,
}

/// A compensation was built without an action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compensation `{0}` has no action: give it one with `with_action`")]
pub struct NoAction(String);

impl CompensationBuilder {
    /// Begins a compensation of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into().into(),
            built: None,
            retry: RetryPolicy::none(),
            timeout: None,
            allow_skip: false,
            data: None,
        }
    }

    /// What undoes; as for [`Compensation::new`].
    pub fn with_action<R, E, F, Fut>(mut self, undo: F) -> Self
    where
        E: Into<BoxError>,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.built = Some(Compensation::erased(self.name.clone(), erase(undo)));
        self
    }

    /// The budget of attempts. Default: one attempt. An error that is
    /// [`terminal`](StepError::terminal) ends it early.
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The longest that one attempt may take; then its future is dropped. Default: no limit.
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Once its budget is spent it counts as skipped, and not as a failure.
    pub fn allow_skip(mut self) -> Self {
        self.allow_skip = true;
        self
    }

    /// What it is about, for its record and its error.
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The compensation.
    ///
    /// # Errors
    /// [`NoAction`] where no action was given.
    pub fn build(self) -> Result<Compensation, NoAction> {
        let Self { name, built, retry, timeout, allow_skip, data } = self;
        let built = built.ok_or_else(|| NoAction(name.to_string()))?;
        Ok(Compensation { retry, timeout, allow_skip, data: data.map(Arc::new), ..built })
    }
}
