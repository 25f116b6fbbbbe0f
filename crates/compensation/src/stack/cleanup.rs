//! Compensations for the common cases: delete what was created, put back what was changed, cancel what was
//! begun.

use std::{fmt, future::Future, sync::Arc};

use serde::Serialize;
use serde_json::{Value, json};

use super::compensation::Compensation;
use crate::error::{BoxError, StepError};

/// Makes compensations for resources. Their names say what they are for, and so do records and errors:
/// `delete bucket b-17`, `revert account 42`, `cancel transfer t-3`.
///
/// ```
/// use compensation::{ResourceCleanup, SagaManager};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let cleanup = ResourceCleanup::new();
/// let saga = SagaManager::new();
/// saga.add(cleanup.delete_resource("bucket", "b-17", |id| async move {
///     println!("deleting {id}");
///     Ok::<_, std::io::Error>(())
/// }));
/// saga.compensate().await?;
/// assert_eq!(saga.records()[0].name, "delete bucket b-17");
/// # Ok::<(), compensation::CompensationError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct ResourceCleanup {
    absent: Option<Absent>,
}

type Absent = Arc<dyn Fn(&StepError) -> bool + Send + Sync>;

impl ResourceCleanup {
    /// Errors count as they are.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An error for which `is_absent` says so means that the resource is not there any more, which is what
    /// was wanted: a success.
    ///
    /// ```
    /// use std::io;
    /// use compensation::ResourceCleanup;
    ///
    /// let cleanup = ResourceCleanup::new().absent_is_success(|error| {
    ///     let error = error.source().downcast_ref::<io::Error>();
    ///     error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
    /// });
    /// # let _ = cleanup;
    /// ```
    #[must_use]
    pub fn absent_is_success(
        mut self,
        is_absent: impl Fn(&StepError) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.absent = Some(Arc::new(is_absent));
        self
    }

    /// Deletes what was created.
    pub fn delete_resource<R, E, F, Fut>(&self, kind: &str, id: &str, delete: F) -> Compensation
    where
        E: Into<BoxError>,
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.handler("delete", kind, id, ((), None), move |id, ()| delete(id))
    }

    /// Puts a resource back into a state that it had: any value that serde writes, JSON included. The record
    /// and the error show it.
    pub fn revert_state<S, R, E, F, Fut>(
        &self,
        kind: &str,
        id: &str,
        previous: S,
        revert: F,
    ) -> Compensation
    where
        S: Serialize + Clone + Send + Sync + 'static,
        E: Into<BoxError>,
        F: Fn(String, S) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        // A state that serde can't write is put back all the same; the record just can't show it.
        let shown = serde_json::to_value(&previous).ok();
        self.handler("revert", kind, id, (previous, shown), revert)
    }

    /// Cancels what was begun.
    pub fn cancel_operation<R, E, F, Fut>(&self, kind: &str, id: &str, cancel: F) -> Compensation
    where
        E: Into<BoxError>,
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.handler("cancel", kind, id, ((), None), move |id, ()| cancel(id))
    }

    fn handler<S, R, E, F, Fut>(
        &self,
        verb: &str,
        kind: &str,
        id: &str,
        (state, shown): (S, Option<Value>),
        undo: F,
    ) -> Compensation
    where
        S: Clone + Send + Sync + 'static,
        E: Into<BoxError>,
        F: Fn(String, S) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        let mut about = json!({ "resourceType": kind, "resourceId": id });
        if let (Some(about), Some(shown)) = (about.as_object_mut(), shown) {
            about.insert("previousState".to_owned(), shown);
        }
        let name = format!("{verb} {kind} {id}");
        let (absent, id) = (self.absent.clone(), id.to_owned());
        let compensation = Compensation::new(name, move || {
            let (absent, undoing) = (absent.clone(), undo(id.clone(), state.clone()));
            async move {
                let error = match undoing.await {
                    Ok(_) => return Ok(()),
                    Err(error) => StepError::from_any(error),
                };
                match absent {
                    Some(is_absent) if is_absent(&error) => Ok(()),
                    _ => Err(error),
                }
            }
        });
        compensation.about(about)
    }
}

impl fmt::Debug for ResourceCleanup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let absent = self.absent.is_some();
        f.debug_struct("ResourceCleanup").field("absent_is_success", &absent).finish()
    }
}
