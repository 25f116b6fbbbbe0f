//! A stack that is unwound unless it is committed.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use super::{error::CompensationError, manager::SagaManager};

/// A [`SagaManager`] that is rolled back unless it is committed. Cheap to clone; all clones are one saga.
///
/// The [scoped form](Self::scope) is the one to use: it commits on `Ok`, and rolls back on `Err`, on a panic,
/// and when its future is dropped. Without it, the saga is rolled back in the background when its last
/// handle is dropped before a [`commit`](Self::commit).
///
/// A rollback in the background needs a tokio runtime at the place of the drop. Where there is none, nothing
/// can run: a `tracing` error names what is left.
///
/// ```
/// use compensation::TransactionalSaga;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let saga = TransactionalSaga::new();
/// let booked = saga
///     .scope(|saga| async move {
///         let seat = 17; // reserved
///         saga.add_compensation("free-seat", || async { Ok::<_, std::io::Error>(()) });
///         Err::<u32, _>(format!("the card for seat {seat} was refused"))
///     })
///     .await;
/// assert_eq!(booked.unwrap_err().to_string(), "the card for seat 17 was refused");
/// assert!(saga.records()[0].executed);
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct TransactionalSaga {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    manager: SagaManager,
    state: AtomicU8,
}

const OPEN: u8 = 0;
const COMMITTED: u8 = 1;
const ROLLED_BACK: u8 = 2;

/// A saga that has been rolled back can't be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the saga has been rolled back: it can't be committed any more")]
pub struct RolledBack;

/// A scope ended with an error, and what was done in it is undone, or see [`rollback`](Self::rollback).
#[derive(Debug)]
pub struct ScopeError<E> {
    error: E,
    rollback: Option<CompensationError>,
}

impl<E> ScopeError<E> {
    /// What the scope ended with.
    pub fn error(&self) -> &E {
        &self.error
    }

    /// What could not be undone; `None` where everything is.
    #[must_use]
    pub fn rollback(&self) -> Option<&CompensationError> {
        self.rollback.as_ref()
    }

    /// Both, by value.
    pub fn into_parts(self) -> (E, Option<CompensationError>) {
        (self.error, self.rollback)
    }
}

impl<E: fmt::Display> fmt::Display for ScopeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rollback {
            None => self.error.fmt(f),
            Some(rollback) => write!(f, "{}; and of what was done: {rollback}", self.error),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for ScopeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.rollback.as_ref().map(|rollback| rollback as _)
    }
}

impl TransactionalSaga {
    /// A saga with nothing on its stack.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything stays as it is: nothing is rolled back any more, and the stack is forgotten. A second
    /// commit changes nothing.
    ///
    /// # Errors
    /// [`RolledBack`] where it has been rolled back, or is being.
    pub fn commit(&self) -> Result<(), RolledBack> {
        match self.inner.settle(COMMITTED) {
            ROLLED_BACK => Err(RolledBack),
            OPEN => {
                self.inner.manager.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether it has been committed.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.inner.state.load(Ordering::Acquire) == COMMITTED
    }

    /// Undoes what was done, last first. Of a committed saga nothing is undone; a second rollback runs only
    /// what failed.
    ///
    /// # Errors
    /// [`CompensationError`], with every failure.
    ///
    /// # Cancel safety
    /// As [`SagaManager::compensate_with`].
    pub async fn rollback(&self) -> Result<(), CompensationError> {
        if self.inner.settle(ROLLED_BACK) == COMMITTED {
            return Ok(());
        }
        self.inner.manager.compensate().await
    }

    /// Runs `work` with a handle of this saga: commits on `Ok`; rolls back on `Err`; on a panic rolls back
    /// and then panics on.
    ///
    /// # Errors
    /// [`ScopeError`]: what `work` returned, and what could not be undone. A saga that was rolled back inside
    /// the scope ends with `Ok` if `work` does, for it has been dealt with.
    ///
    /// # Panics
    /// Where `work` does, once everything is undone.
    ///
    /// # Cancel safety
    /// Dropped before its end (by a timeout, `select!`, a client that goes away), it rolls back in the
    /// background; [`settled`](SagaManager::settled) on another handle waits for that.
    pub async fn scope<T, E, F, Fut>(&self, work: F) -> Result<T, ScopeError<E>>
    where
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        // Does nothing once the saga is settled.
        let _guard = Guard(self);
        let handle = self.clone();
        // Called inside the border, so that a panic of the call itself is caught too.
        let mut work = pin!(async move { work(handle).await });
        let ended = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        })
        .await;
        let rollback = match ended {
            Ok(Ok(done)) => {
                // Rolled back inside: `work` knows, and says that this is well.
                let _ = self.commit();
                return Ok(done);
            }
            Ok(Err(error)) => Ok((error, self.rollback().await.err())),
            Err(panic) => {
                let failed = self.rollback().await.err();
                if let Some(failed) = failed {
                    tracing::error!(%failed, "the rollback after a panic failed");
                }
                Err(panic)
            }
        };
        match rollback {
            Ok((error, rollback)) => Err(ScopeError { error, rollback }),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl Deref for TransactionalSaga {
    type Target = SagaManager;

    fn deref(&self) -> &SagaManager {
        &self.inner.manager
    }
}

impl Inner {
    /// Decides how an open saga ends, and returns how it stood.
    fn settle(&self, end: u8) -> u8 {
        let settled = self.state.compare_exchange(OPEN, end, Ordering::AcqRel, Ordering::Acquire);
        settled.unwrap_or_else(|stood| stood)
    }

    /// Rolls back in the background, if it is open.
    fn abandon(&self) {
        if self.settle(ROLLED_BACK) != OPEN || self.manager.pending().is_empty() {
            return;
        }
        let manager = self.manager.clone();
        let names = manager.pending();
        let begun = self.manager.go_on(async move {
            if let Err(failed) = manager.compensate().await {
                tracing::error!(%failed, "a rollback in the background failed");
            }
        });
        if !begun {
            tracing::error!(?names, "dropped without a runtime: these are not compensated");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Rolls back when the future of a scope is dropped before its end.
struct Guard<'a>(&'a TransactionalSaga);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.inner.abandon();
    }
}

impl fmt::Debug for TransactionalSaga {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionalSaga")
            .field("committed", &self.is_committed())
            .field("manager", &self.inner.manager)
            .finish()
    }
}
