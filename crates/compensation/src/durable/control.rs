//! What a person may order of a stored saga: resume, cancel, and retry, skip, declare done or abandon
//! what is stuck. An order goes to the saga's driver, which judges it by the machine; where nobody
//! drives the saga, it is acquired first.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::{
    engine::Engine,
    error::{EngineError, Refusal},
    record,
    runner::Ended,
    table::{Entered, Entering, Inner, told},
};
use crate::{
    drive::{Ordered, Refused},
    event::{Change, StepIndex},
    id::SagaId,
    outcome::Order,
    plan::Plan,
    repository::StoredSaga,
};

/// A saga with a driver in this process.
pub(super) struct Driven {
    ended: watch::Receiver<Option<Ended>>,
    /// There was nothing to drive when it was acquired, but for an order.
    idle: bool,
}

impl Order {
    /// An order by that person, for that reason.
    pub fn new(by: impl Into<String>, why: impl Into<String>) -> Self {
        Self { by: by.into(), why: why.into() }
    }
}

impl Engine {
    /// Drives a saga that nobody drives, from where its record ends: one that a dead process left, or one
    /// that an engine parked for want of its definition. Of one that is driven or over, nothing
    /// changes.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::OwnedElsewhere`], [`EngineError::Held`] where nobody here
    /// can run it, [`EngineError::Store`].
    pub async fn resume(&self, id: &SagaId) -> Result<(), EngineError> {
        if self.inner().is_running(id) {
            return Ok(());
        }
        self.drive(id, None).await.map(drop)
    }

    /// Orders that a saga be undone: a running one, a stuck one, or a completed one that has no pivot.
    ///
    /// # Errors
    /// [`EngineError::Refused`] once its pivot is done or in flight, or where it is being undone or over
    /// already; else as [`resume`](Self::resume).
    pub async fn cancel(&self, id: &SagaId, order: Order) -> Result<(), EngineError> {
        self.order(id, Change::CancelRequested, order, None).await
    }

    /// Orders another attempt, with a fresh budget, of what is parked.
    ///
    /// # Errors
    /// [`EngineError::UnknownStep`], [`EngineError::Refused`] where the step is not parked; else as
    /// [`resume`](Self::resume).
    pub async fn retry(&self, id: &SagaId, step: &str, order: Order) -> Result<(), EngineError> {
        let step = self.step(id, step).await?;
        self.order(id, Change::RetryOrdered(step), order, None).await
    }

    /// Orders to go on without a parked undo, or without a parked step after the pivot and all that waits
    /// for it.
    ///
    /// # Errors
    /// As [`retry`](Self::retry).
    pub async fn skip(&self, id: &SagaId, step: &str, order: Order) -> Result<(), EngineError> {
        let step = self.step(id, step).await?;
        self.order(id, Change::SkipOrdered(step), order, None).await
    }

    /// Declares that a parked step, or a parked undo, has been done by hand. A step's output may be given
    /// as JSON, for later steps that read it.
    ///
    /// # Errors
    /// As [`retry`](Self::retry), and [`EngineError::BadOutput`] where the output is not of the step's type.
    pub async fn mark_done(
        &self,
        id: &SagaId,
        step: &str,
        output: Option<Box<RawValue>>,
        order: Order,
    ) -> Result<(), EngineError> {
        let step = self.step(id, step).await?;
        self.order(id, Change::DoneDeclared(step), order, output).await
    }

    /// Gives a saga up, on the word of a person: nothing of it will run any more.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where it is over, or something of it is in flight; else as
    /// [`resume`](Self::resume).
    pub async fn abandon(&self, id: &SagaId, order: Order) -> Result<(), EngineError> {
        self.order(id, Change::Abandoned, order, None).await
    }

    async fn order(
        &self,
        id: &SagaId,
        change: Change,
        order: Order,
        output: Option<Box<RawValue>>,
    ) -> Result<(), EngineError> {
        loop {
            let (reply, answer) = oneshot::channel();
            let ordered = Ordered::Change {
                change,
                order: Some(order.clone()),
                output: output.clone(),
                reply: Some(reply),
            };
            let mut driven = match self.inner().pass(id, ordered) {
                Ok(ended) => Driven { ended, idle: false },
                Err(unsent) => match self.drive(id, Some(unsent)).await? {
                    Some(driven) => driven,
                    None => continue,
                },
            };
            match answer.await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(refused)) => {
                    if driven.idle {
                        // It was acquired for this order alone: whoever asks next finds it free.
                        let _ = told(&mut driven.ended).await;
                    }
                    return Err(self.refused(id, change, refused).await);
                }
                // Its driver ended before it heard the order, or could not write it down.
                Err(_) => {
                    if let Some(Err(error)) = told(&mut driven.ended).await {
                        return Err(error);
                    }
                }
            }
        }
    }

    async fn refused(&self, id: &SagaId, change: Change, refused: Refused) -> EngineError {
        let id = id.clone();
        let error = match refused {
            Refused::Illegal(illegal) => return EngineError::Refused { id, why: Refusal(illegal) },
            Refused::Changed(reason) => {
                return EngineError::Held { id, reason: reason.to_owned() };
            }
            Refused::BadOutput(error) => Arc::new(error),
        };
        let step = match (self.report(&id).await, change.step()) {
            (Ok(report), Some(step)) => {
                report.plan().steps.get(usize::from(step)).map(|step| step.name.clone())
            }
            _ => None,
        };
        EngineError::BadOutput { id, step: step.unwrap_or_default(), error }
    }

    /// Acquires a saga and drives it, beginning with an order. `None`: somebody else in this process was
    /// faster, and the order is not given.
    async fn drive(
        &self,
        id: &SagaId,
        ordered: Option<Ordered>,
    ) -> Result<Option<Driven>, EngineError> {
        // In a task of its own: what is acquired must be driven or let go, whoever gives up waiting.
        let (inner, id) = (self.inner().clone(), id.clone());
        let driven = inner.runtime.clone().spawn(async move { drive(&inner, &id, ordered).await });
        driven.await.unwrap_or(Err(EngineError::Closing))
    }

    /// The index of a step by the plan that the saga was started with.
    async fn step(&self, id: &SagaId, step: &str) -> Result<StepIndex, EngineError> {
        let found = self.inner().desk.repository.load(id).await?;
        let saga = found.ok_or_else(|| EngineError::NotFound(id.clone()))?;
        let told = record::read(&saga).map_err(|unreadable| EngineError::Held {
            id: id.clone(),
            reason: unreadable.to_string(),
        })?;
        told.plan.find(step).ok_or_else(|| EngineError::UnknownStep {
            id: id.clone(),
            step: step.to_owned(),
            known: names(&told.plan),
        })
    }
}

async fn drive(
    inner: &Arc<Inner>,
    id: &SagaId,
    ordered: Option<Ordered>,
) -> Result<Option<Driven>, EngineError> {
    let place = inner.places.clone().acquire_owned().await;
    let permit = place.map_err(|_| EngineError::Closing)?;
    let saga = inner.acquire(id).await?;
    drive_owned(inner, &saga, permit, ordered).await
}

/// Drives a saga that this engine owns. Waits for the end of somebody who tries to start it meanwhile.
pub(super) async fn drive_owned(
    inner: &Arc<Inner>,
    saga: &StoredSaga,
    permit: OwnedSemaphorePermit,
    ordered: Option<Ordered>,
) -> Result<Option<Driven>, EngineError> {
    loop {
        match inner.enter_stored(saga) {
            Entering::New(entered) => {
                return begin(inner, saga, entered, permit, ordered).await.map(Some);
            }
            Entering::Driven => return Ok(None),
            Entering::Starting(mut ended) => drop(told(&mut ended).await),
        }
    }
}

/// Drives a saga that is new in the table. Where it can't be driven it is parked, alone, and its waiters are
/// told.
pub(super) async fn begin(
    inner: &Arc<Inner>,
    saga: &StoredSaga,
    entered: Entered,
    permit: OwnedSemaphorePermit,
    ordered: Option<Ordered>,
) -> Result<Driven, EngineError> {
    let ended = entered.joined.ended.clone();
    let mut ready = inner.ready(saga, entered, ordered.as_ref()).await?;
    let idle = ready.idle();
    if let Some(ordered) = ordered {
        ready.order(ordered);
    }
    ready.spawn(inner.clone(), saga.summary.id.clone(), permit);
    Ok(Driven { ended, idle })
}

/// Looks after a saga again that was left because the store refused, or its driver died.
pub(super) async fn look_after(inner: &Arc<Inner>, id: &SagaId) -> Result<(), EngineError> {
    drive(inner, id, None).await.map(drop)
}

fn names(plan: &Plan) -> String {
    let names: Vec<_> = plan.steps.iter().map(|step| format!("`{}`", step.name)).collect();
    names.join(", ")
}
