//! What is said of an engine before it starts.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{engine::Engine, error::EngineError, registry::Registry, table::Inner};
use crate::{plan::Plan, repository::Repository, saga::AnySaga};

/// Sagas driven at once, where the builder says nothing.
const CONCURRENT: usize = 1_024;

/// What is said of an engine before it starts. Made by [`Engine::open`].
#[must_use = "an engine runs once it is started"]
pub struct EngineBuilder {
    repository: Arc<dyn Repository>,
    registry: Registry,
    concurrent: usize,
    keep_finished: Option<Duration>,
    recovers: bool,
    unwritable: Option<serde_json::Error>,
}

impl EngineBuilder {
    /// Lets the engine run this definition. Several versions of one name may be registered: the last
    /// is the one that is started, and each stored saga is run by the one that it was started with.
    pub fn register(mut self, saga: impl Into<AnySaga>) -> Self {
        if let Err(error) = self.registry.register(saga.into()) {
            self.unwritable = Some(error);
        }
        self
    }

    /// How to make the definition of a stored saga that is not registered, from its plan: for front ends
    /// whose definitions are data. The plan carries its [`source`](Plan::source).
    pub fn resolve_with(
        mut self,
        resolver: impl Fn(&Plan) -> Option<AnySaga> + Send + Sync + 'static,
    ) -> Self {
        self.registry.resolve_with(Box::new(resolver));
        self
    }

    /// Most sagas driven at once; further ones wait for a place before they are stored. 0 counts as 1.
    /// Default: 1,024.
    pub fn max_concurrent(mut self, sagas: usize) -> Self {
        self.concurrent = sagas.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Deletes finished sagas this long after their end. Default: they are kept.
    pub fn keep_finished(mut self, span: Duration) -> Self {
        self.keep_finished = Some(span);
        self
    }

    /// Leaves alone what dead processes left. By default the engine takes it over, at its start and every
    /// five seconds.
    pub fn without_recovery(mut self) -> Self {
        self.recovers = false;
        self
    }

    /// Starts the engine on the current tokio runtime, which needs its time driver.
    ///
    /// # Errors
    /// [`EngineError::Store`] where the store can't be asked what dead processes left.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(self) -> Result<Engine, EngineError> {
        if let Some(error) = self.unwritable {
            let error = Arc::new(error);
            return Err(EngineError::BadInput { saga: "(plan)".to_owned(), error });
        }
        let inner = Arc::new(Inner::new(
            self.repository,
            self.registry,
            self.concurrent,
            self.keep_finished,
            self.recovers,
        ));
        super::recovery::begin(&inner).await?;
        inner.runtime.spawn(super::mail::serve(Arc::downgrade(&inner)));
        Ok(Engine(inner))
    }
}

impl Engine {
    /// Begins an engine on that store.
    pub fn open(repository: impl Repository) -> EngineBuilder {
        Self::open_shared(Arc::new(repository))
    }

    /// The same on a store that others read too. One value of a store is one owner of sagas, so it must have
    /// one engine at most: two engines on it would run one saga twice.
    pub fn open_shared(repository: Arc<dyn Repository>) -> EngineBuilder {
        EngineBuilder {
            repository,
            registry: Registry::default(),
            concurrent: CONCURRENT,
            keep_finished: None,
            recovers: true,
            unwritable: None,
        }
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("concurrent", &self.concurrent)
            .finish_non_exhaustive()
    }
}
