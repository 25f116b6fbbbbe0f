//! What dead processes left is marked runnable, and claimed like any other work; and finished sagas are
//! forgotten in time. Runs no step: a claimed saga is handed to the ordinary runner.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::{AcquireError, OwnedSemaphorePermit};

use super::{
    control,
    error::EngineError,
    table::{Entering, Inner},
    takes::Taking,
};
use crate::{
    clock::{self, Timestamp},
    repository::{Pending, StoredSaga},
};

/// How often an engine looks for what dead processes left.
const SWEEP: Duration = Duration::from_secs(5);

/// Sagas claimed in one go.
const BATCH: usize = 256;

/// Finished sagas deleted in one go.
const PURGE: usize = 500;

/// How far a look for open sagas got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nothing is left.
    All,
    /// What is left waits for a place.
    Some,
}

/// Asks the store once, so that one that can't answer shows, and begins to look again and again while the
/// engine lives.
pub(super) async fn begin(inner: &Arc<Inner>) -> Result<(), EngineError> {
    if inner.recovers {
        inner.desk.repository.recover().await?;
    }
    inner.runtime.spawn(sweep(Arc::downgrade(inner)));
    Ok(())
}

/// Closes its engine when the sweep ends, which it does before its time where the runtime shuts down: nobody
/// must wait for an engine that can't drive anything any more.
struct EndsWithIt(Weak<Inner>);

impl Drop for EndsWithIt {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.close();
        }
    }
}

async fn sweep(engine: Weak<Inner>) {
    let _ends = EndsWithIt(engine.clone());
    // A turn in the queue for a place is kept from one look to the next: new sagas must not starve old ones.
    let mut turn: Option<Turn> = None;
    let mut place = None;
    while let Some(inner) = engine.upgrade() {
        if inner.is_closing() {
            return;
        }
        let changed = inner.desk.repository.changed();
        match look(&inner, place.take()).await {
            Ok(Taken::Some) if turn.is_none() => {
                turn = Some(Box::pin(inner.places.clone().acquire_owned()));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the store could not be swept; it is tried again"),
        }
        drop(inner);
        place = pause(&mut turn, changed).await;
    }
}

type Turn = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// Waits until it is time to look again, the store tells of something, or there is a place for what could not be
/// taken over.
async fn pause(
    turn: &mut Option<Turn>,
    changed: Pending<'static, ()>,
) -> Option<OwnedSemaphorePermit> {
    let Some(waiting) = turn else {
        tokio::select! {
            biased;
            () = clock::sleep(SWEEP) => {}
            Ok(()) = changed => {}
        }
        return None;
    };
    let place = tokio::select! {
        // In a fixed order, so that what happens can be repeated.
        biased;
        () = clock::sleep(SWEEP) => return None,
        place = waiting => place,
    };
    *turn = None;
    place.ok()
}

async fn look(
    inner: &Arc<Inner>,
    place: Option<OwnedSemaphorePermit>,
) -> Result<Taken, EngineError> {
    for id in inner.take_strays() {
        if inner.is_running(&id) {
            // Its driver may be on its way out, and has called it a stray because it does not look after it.
            inner.stray(&id);
            continue;
        }
        let (inner, busy) = (inner.clone(), inner.busy());
        // Each by itself, for each may wait for a place. What fails is a stray again.
        inner.runtime.clone().spawn(async move {
            let _busy = busy;
            if let Err(error) = control::look_after(&inner, &id).await {
                tracing::debug!(saga = %id, %error, "the saga was looked after in vain");
            }
        });
    }
    let taken = if inner.recovers { take_over(inner, place).await? } else { Taken::All };
    if let Some(keep) = inner.keep_finished {
        let before = Timestamp::now().earlier_by(keep);
        while inner.desk.repository.purge(before, PURGE).await? >= PURGE as u64 {}
    }
    Ok(taken)
}

/// Claims open sagas that nobody owns, as many as there are places for.
pub(super) async fn take_over(
    inner: &Arc<Inner>,
    mut place: Option<OwnedSemaphorePermit>,
) -> Result<Taken, EngineError> {
    let _busy = inner.busy();
    if inner.desk.repository.recover().await? == 0 {
        return Ok(Taken::All);
    }
    loop {
        // As many places as there are claimed sagas, at least one: what is claimed is driven at once.
        let first = match place.take() {
            Some(place) => place,
            None => match inner.places.clone().try_acquire_owned() {
                Ok(place) => place,
                Err(_) => return Ok(Taken::Some),
            },
        };
        let mut places = vec![first];
        while places.len() < BATCH {
            let Ok(further) = inner.places.clone().try_acquire_owned() else { break };
            places.push(further);
        }
        let taking = inner.taking();
        let sagas = inner.desk.repository.claim(places.len()).await?;
        if sagas.is_empty() {
            return Ok(Taken::All);
        }
        for (saga, place) in sagas.into_iter().zip(places) {
            hand_over(inner, saga, &taking, place).await;
        }
    }
}

/// Lets the ordinary runner drive a claimed saga. What can't be driven has been parked, and said so.
async fn hand_over(
    inner: &Arc<Inner>,
    saga: StoredSaga,
    taking: &Taking,
    place: OwnedSemaphorePermit,
) {
    match inner.enter_stored(&saga, taking) {
        Entering::New(entered) => {
            let _ = control::begin(inner, &saga, entered, place, None).await;
        }
        // Somebody who asked for it has acquired it meanwhile.
        Entering::Driven => {}
        // In a task of its own, for that waits.
        Entering::Starting(_) | Entering::Outdated => {
            let (inner, busy) = (inner.clone(), inner.busy());
            inner.runtime.clone().spawn(async move {
                let _busy = busy;
                let _ = control::drive_in(&inner, &saga.summary.id, place, None).await;
            });
        }
    }
}
