//! What dead processes left is marked runnable, and claimed like any other work; and finished sagas are
//! forgotten in time. Runs no step: a claimed saga is handed to the ordinary runner.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::{error::EngineError, table::Inner};
use crate::{
    clock::{self, Timestamp},
    repository::StoredSaga,
};

/// How often an engine looks for what dead processes left.
const SWEEP: Duration = Duration::from_secs(5);

/// Sagas claimed in one go.
const BATCH: usize = 256;

/// Finished sagas deleted in one go.
const PURGE: usize = 500;

/// Takes over what can be found now, then looks again and again while the engine lives.
pub(super) async fn begin(inner: &Arc<Inner>) -> Result<(), EngineError> {
    if inner.recovers {
        // Asked before the engine is said to be started, so that a store that can't answer shows.
        inner.desk.repository.recover().await?;
    }
    inner.runtime.spawn(sweep(Arc::downgrade(inner)));
    Ok(())
}

async fn sweep(engine: Weak<Inner>) {
    while let Some(inner) = engine.upgrade() {
        if inner.is_closing() {
            return;
        }
        if let Err(error) = look(&inner).await {
            tracing::warn!(%error, "the store could not be swept; it is tried again");
        }
        let places = inner.places.clone();
        let waits = inner.recovers && places.available_permits() == 0;
        drop(inner);
        tokio::select! {
            () = clock::sleep(SWEEP) => {}
            // What could not be taken over for want of a place is looked for as soon as there is one.
            _ = places.acquire(), if waits => {}
        }
    }
}

async fn look(inner: &Arc<Inner>) -> Result<(), EngineError> {
    inner.release_strays().await?;
    if inner.recovers {
        take_over(inner).await?;
    }
    if let Some(keep) = inner.keep_finished {
        let before = Timestamp::now().earlier_by(keep);
        while inner.desk.repository.purge(before, PURGE).await? >= PURGE as u64 {}
    }
    Ok(())
}

/// Claims open sagas that nobody owns, as many as there are places for. The rest waits for the next look.
pub(super) async fn take_over(inner: &Arc<Inner>) -> Result<(), EngineError> {
    if inner.desk.repository.recover().await? == 0 {
        return Ok(());
    }
    loop {
        // As many places as there are claimed sagas, at least one: what is claimed is driven at once.
        let Ok(first) = inner.places.clone().try_acquire_owned() else { return Ok(()) };
        let free = inner.places.available_permits().min(BATCH - 1);
        let sagas = inner.desk.repository.claim(1 + free).await?;
        if sagas.is_empty() {
            return Ok(());
        }
        let mut first = Some(first);
        for saga in sagas {
            let permit = match first.take() {
                Some(permit) => permit,
                None => match inner.places.clone().acquire_owned().await {
                    Ok(permit) => permit,
                    Err(_) => {
                        inner.release(saga.key).await;
                        continue;
                    }
                },
            };
            hand_over(inner, &saga, permit).await;
        }
    }
}

/// Lets the ordinary runner drive a claimed saga. One that is in the table already has just been acquired by
/// somebody who asked for it.
async fn hand_over(
    inner: &Arc<Inner>,
    saga: &StoredSaga,
    permit: tokio::sync::OwnedSemaphorePermit,
) {
    let Some(entered) = inner.enter_stored(saga) else { return };
    // Where it can't be driven it is parked, alone, and its waiters are told.
    if let Ok(ready) = inner.ready(saga, entered).await {
        ready.spawn(inner.clone(), saga.summary.id.clone(), permit);
    }
}
