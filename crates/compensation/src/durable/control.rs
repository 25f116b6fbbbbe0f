//! What a person may order of a stored saga: resume, cancel, and retry, skip, declare done or abandon
//! what is stuck. An order goes to the saga's driver, which judges it by the machine; where nobody
//! drives the saga, it is acquired first.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::{oneshot, watch};

use super::{
    engine::Engine,
    error::{EngineError, Refusal},
    record,
    runner::Ended,
};
use crate::{
    drive::{Ordered, Refused},
    event::{Change, StepIndex},
    id::SagaId,
    outcome::Order,
    plan::Plan,
};

/// How to learn of the end of a saga that was over when it was acquired.
type Idle = Option<watch::Receiver<Option<Ended>>>;

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
        let (reply, answer) = oneshot::channel();
        let ordered = Ordered::Change { change, order: Some(order), output, reply: Some(reply) };
        let idle = match self.inner().pass(id, ordered) {
            Ok(()) => None,
            Err(unsent) => self.drive(id, Some(unsent)).await?,
        };
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => {
                if let Some(mut ended) = idle {
                    // It was acquired for this order alone: whoever asks next finds it free.
                    let _ = ended.wait_for(Option::is_some).await;
                }
                Err(self.refused(id, change, refused).await)
            }
            // Its driver ended before it heard the order, or could not write it down.
            Err(_) => Err(self.wait(id).await.err().unwrap_or(EngineError::Closing)),
        }
    }

    async fn refused(&self, id: &SagaId, change: Change, refused: Refused) -> EngineError {
        let id = id.clone();
        let error = match refused {
            Refused::Illegal(illegal) => return EngineError::Refused { id, why: Refusal(illegal) },
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

    /// Acquires a saga and drives it, beginning with an order. Returns how to learn of its end where there
    /// was nothing to drive but the order.
    async fn drive(&self, id: &SagaId, ordered: Option<Ordered>) -> Result<Idle, EngineError> {
        let inner = self.inner();
        let place = inner.places.clone().acquire_owned().await;
        let permit = place.map_err(|_| EngineError::Closing)?;
        let saga = inner.acquire(id).await?;
        let Some(entered) = inner.enter_stored(&saga) else {
            // Somebody else in this process was faster.
            return match ordered.map(|ordered| inner.pass(id, ordered)) {
                Some(Err(_)) => Err(EngineError::Closing),
                _ => Ok(None),
            };
        };
        let ended = entered.ended.clone();
        let mut ready = inner.ready(&saga, entered).await?;
        let idle = ready.idle().then_some(ended);
        if let Some(ordered) = ordered {
            ready.order(ordered);
        }
        ready.spawn(inner.clone(), id.clone(), permit);
        Ok(idle)
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

fn names(plan: &Plan) -> String {
    let names: Vec<_> = plan.steps.iter().map(|step| format!("`{}`", step.name)).collect();
    names.join(", ")
}
