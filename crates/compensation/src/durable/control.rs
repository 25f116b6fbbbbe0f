//! What a person may order of a stored saga: resume, cancel, and retry, skip, declare done or abandon
//! what is stuck. An order goes to the saga's driver, which judges it by the machine; where nobody
//! drives the saga, it is acquired first. Where another process has it, the order goes by letter.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::{
    engine::{Engine, MAX_INPUT_BYTES},
    error::{EngineError, Refusal},
    mail, record,
    registry::Fit,
    runner::Ended,
    table::{Entered, Entering, Inner, told},
};
use crate::{
    drive::{Ordered, Refused, Wish, guarded},
    event::{Change, StepIndex},
    handler::MAX_OUTPUT_BYTES,
    id::SagaId,
    machine::{Cause, Illegal},
    outcome::{Applied, Edit, Order},
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
    /// Who and why, as the journal has them.
    pub(super) fn signature(&self) -> (&str, &str) {
        (&self.by, &self.why)
    }
}

/// Why an order was not given to a driver.
pub(super) enum Ungiven {
    /// Another process has the saga, or its definition is not registered here: another one may carry it out.
    Elsewhere(EngineError),
    /// For another reason, which is for the caller to hear.
    Failed(EngineError),
}

impl From<EngineError> for Ungiven {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::OwnedElsewhere { .. } => Self::Elsewhere(error),
            error => Self::Failed(error),
        }
    }
}

/// Orders. Each says whether it changed anything; one that asks for what is so already changes nothing, so each
/// may be repeated.
///
/// An order to a saga that another living process drives is passed on to that one, which carries it out within
/// a second. Where it does not take the order within ten seconds the order is withdrawn.
///
/// # Cancel safety
/// An order may still be carried out when its future is dropped.
impl Engine {
    /// Drives a saga that nobody drives, from where its record ends: one that a dead process left, or one
    /// that an engine parked for want of its definition. Of one that is driven, here or by another process, or
    /// over, nothing changes.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Held`] where nobody here can run it, [`EngineError::Store`].
    pub async fn resume(&self, id: &SagaId) -> Result<(), EngineError> {
        if self.inner().is_running(id) {
            return Ok(());
        }
        match self.drive(id, None).await {
            Ok(_) | Err(EngineError::OwnedElsewhere { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The same on the word of a person, which the record keeps: so everybody sees who took care of it. Of a saga
    /// that is driven, here or by another living process, nothing is written, and it is [`Applied::Already`] so.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where it is over, or waits for a person; else as [`cancel`](Self::cancel).
    pub async fn resume_by(&self, id: &SagaId, order: Order) -> Result<Applied, EngineError> {
        order.check()?;
        let change = Change::ResumeOrdered;
        let wish = Wish { change, order: Some(order), edit: Edit::default(), letter: None };
        match give(self.inner(), id, &wish).await {
            Ok(applied) => Ok(applied),
            Err(Ungiven::Elsewhere(EngineError::OwnedElsewhere { .. })) => Ok(Applied::Already),
            Err(Ungiven::Elsewhere(why)) => mail::send(self.inner(), id, wish, why).await,
            Err(Ungiven::Failed(error)) => Err(error),
        }
    }

    /// Orders that a saga be undone: a running one, a stuck one, or a completed one that has no pivot.
    ///
    /// # Errors
    /// [`EngineError::BadOrder`] where its name or reason is missing or too long;
    /// [`EngineError::Refused`] once its pivot is done or in flight, or where it was given up;
    /// [`EngineError::NotFound`], [`EngineError::Held`] where nobody can run it, [`EngineError::Store`],
    /// [`EngineError::OwnedElsewhere`] where the process that has it does not listen, and
    /// [`EngineError::Unanswered`] where that one took the order and did not answer.
    pub async fn cancel(&self, id: &SagaId, order: Order) -> Result<Applied, EngineError> {
        self.order(id, Change::CancelRequested, order, Edit::default()).await
    }

    /// Orders another attempt at once, with a fresh budget, of what is parked or waits out a failure.
    ///
    /// # Errors
    /// [`EngineError::UnknownStep`], [`EngineError::Refused`] where the step is neither; else as
    /// [`cancel`](Self::cancel).
    pub async fn retry(
        &self,
        id: &SagaId,
        step: &str,
        order: Order,
    ) -> Result<Applied, EngineError> {
        self.retry_with(id, step, Edit::default(), order).await
    }

    /// The same, and the step is given something else than what the record says: see [`Edit`].
    ///
    /// # Errors
    /// As [`retry`](Self::retry); [`EngineError::BadInput`] and [`EngineError::BadOutput`] where what is given
    /// is not of the right type, or an output is given where no undo is retried. With something given, a step
    /// with an attempt in flight is refused.
    pub async fn retry_with(
        &self,
        id: &SagaId,
        step: &str,
        edit: Edit,
        order: Order,
    ) -> Result<Applied, EngineError> {
        let step = self.step(id, step).await?;
        self.order(id, Change::RetryOrdered(step), order, edit).await
    }

    /// Orders to go on without a parked undo, or without a parked step after the pivot and all that waits
    /// for it.
    ///
    /// # Errors
    /// As [`retry`](Self::retry).
    pub async fn skip(
        &self,
        id: &SagaId,
        step: &str,
        order: Order,
    ) -> Result<Applied, EngineError> {
        let step = self.step(id, step).await?;
        self.order(id, Change::SkipOrdered(step), order, Edit::default()).await
    }

    /// Declares that a parked step has been done by hand. Its output may be given as JSON, for later steps that
    /// read it.
    ///
    /// # Errors
    /// As [`retry`](Self::retry), and [`EngineError::BadOutput`] where the output is not of the step's type. Where
    /// it is the step's undo that is parked, because the saga has turned back meanwhile, it is refused: the undo
    /// is still owed.
    pub async fn mark_done(
        &self,
        id: &SagaId,
        step: &str,
        output: Option<Box<RawValue>>,
        order: Order,
    ) -> Result<Applied, EngineError> {
        let step = self.step(id, step).await?;
        let edit = Edit { output, ..Edit::default() };
        self.order(id, Change::DoneDeclared(step), order, edit).await
    }

    /// Declares that a parked undo has been done by hand.
    ///
    /// # Errors
    /// As [`retry`](Self::retry); refused also where it is the step's action that is parked.
    pub async fn mark_undone(
        &self,
        id: &SagaId,
        step: &str,
        order: Order,
    ) -> Result<Applied, EngineError> {
        let step = self.step(id, step).await?;
        self.order(id, Change::UndoneDeclared(step), order, Edit::default()).await
    }

    /// Gives a saga up, on the word of a person: nothing of it will run any more.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where it is over, or something of it is in flight; else as
    /// [`cancel`](Self::cancel).
    pub async fn abandon(&self, id: &SagaId, order: Order) -> Result<Applied, EngineError> {
        self.order(id, Change::Abandoned, order, Edit::default()).await
    }

    async fn order(
        &self,
        id: &SagaId,
        change: Change,
        order: Order,
        edit: Edit,
    ) -> Result<Applied, EngineError> {
        order.check()?;
        check_sizes(&edit)?;
        let wish = Wish { change, order: Some(order), edit, letter: None };
        match give(self.inner(), id, &wish).await {
            Ok(applied) => Ok(applied),
            Err(Ungiven::Failed(error)) => Err(error),
            Err(Ungiven::Elsewhere(why)) => mail::send(self.inner(), id, wish, why).await,
        }
    }

    /// Acquires a saga and drives it, beginning with an order. `None`: somebody else in this process was
    /// faster, and the order is not given.
    async fn drive(
        &self,
        id: &SagaId,
        ordered: Option<Ordered>,
    ) -> Result<Option<Driven>, EngineError> {
        spawn_drive(self.inner(), id, ordered).await
    }

    /// The index of a step by the plan that the saga was started with.
    async fn step(&self, id: &SagaId, step: &str) -> Result<StepIndex, EngineError> {
        let told = super::engine::read(&self.load(id).await?)?;
        told.plan.find(step).ok_or_else(|| unknown_step(id, step, &told.plan))
    }
}

/// What is kept of an edit is bounded like what it replaces.
fn check_sizes(edit: &Edit) -> Result<(), EngineError> {
    let over = |text: &Option<Box<RawValue>>, limit| {
        let bytes = text.as_ref().map_or(0, |text| text.get().len());
        (bytes > limit).then_some(EngineError::InputTooLarge { bytes, limit })
    };
    let over = over(&edit.input, MAX_INPUT_BYTES).or_else(|| over(&edit.output, MAX_OUTPUT_BYTES));
    over.map_or(Ok(()), Err)
}

/// Gives an order to the driver of a saga in this process, and acquires the saga where nobody has it. The answer
/// comes once it is durable.
pub(super) async fn give(inner: &Arc<Inner>, id: &SagaId, wish: &Wish) -> Result<Applied, Ungiven> {
    loop {
        let (reply, answer) = oneshot::channel();
        let ordered = Ordered::Change(Box::new(wish.clone()), Some(reply));
        // Whoever drives a saga need not be told to go on with it.
        let resumes = wish.change == Change::ResumeOrdered;
        if resumes && inner.is_running(id) {
            return Ok(Applied::Already);
        }
        let passed = if resumes { Err(ordered) } else { inner.pass(id, ordered) };
        let mut driven = match passed {
            Ok(ended) => Driven { ended, idle: false },
            Err(unsent) => {
                can_give(inner, id, wish).await?;
                match spawn_drive(inner, id, Some(unsent)).await? {
                    Some(driven) => driven,
                    None => continue,
                }
            }
        };
        match answer.await {
            Ok(Ok(applied)) => {
                if driven.idle && applied == Applied::Already {
                    let _ = told(&mut driven.ended).await;
                }
                return Ok(applied);
            }
            Ok(Err(refused)) => {
                if driven.idle {
                    // It was acquired for this order alone: whoever asks next finds it free.
                    let _ = told(&mut driven.ended).await;
                }
                return Err(Ungiven::Failed(put(inner, id, wish.change, refused).await));
            }
            // Its driver ended before it heard the order, or could not write it down.
            Err(_) => {
                if let Some(Err(error)) = told(&mut driven.ended).await {
                    return Err(error.into());
                }
            }
        }
    }
}

/// Whether this engine could run a saga that nobody here drives. Where not, it is not acquired for an order: that
/// would park it.
pub(super) async fn can_give(inner: &Arc<Inner>, id: &SagaId, wish: &Wish) -> Result<(), Ungiven> {
    if inner.is_running(id) {
        return Ok(());
    }
    let found = inner.desk.repository.load(id).await.map_err(EngineError::from)?;
    let saga = found.ok_or_else(|| EngineError::NotFound(id.clone()))?;
    // What can't be read is told by whoever tries to drive it; to give a saga up nothing need be run.
    let Ok(read) = record::read(&saga) else { return Ok(()) };
    let (change, status) = (wish.change, read.machine.status());
    // One that was carried out has done its work, and is told so.
    let known = wish.letter.as_ref().is_some_and(|letter| read.letters.contains(letter));
    if change == Change::ResumeOrdered && !status.is_open() && !known {
        let why = Refusal(Illegal { change, status, phase: None, cause: Cause::Standing });
        return Err(Ungiven::Failed(EngineError::Refused { id: id.clone(), why }));
    }
    let fit = guarded(|| inner.registry.fit(&saga.plan, &read)).unwrap_or_else(|panicked| {
        Fit::None(format!("its definition {panicked} when it was made"))
    });
    match fit {
        Fit::None(reason) if change != Change::Abandoned => {
            Err(Ungiven::Elsewhere(EngineError::Held { id: id.clone(), reason }))
        }
        _ => Ok(()),
    }
}

/// A driver's refusal, in the words of the engine.
async fn put(inner: &Arc<Inner>, id: &SagaId, change: Change, refused: Refused) -> EngineError {
    let id = id.clone();
    let error = match refused {
        Refused::Illegal(illegal) => return EngineError::Refused { id, why: Refusal(illegal) },
        Refused::Changed(reason) => return EngineError::Held { id, reason: reason.to_owned() },
        Refused::BadInput(error) => {
            let found = inner.desk.repository.load(&id).await.ok().flatten();
            let saga = found.map(|saga| saga.summary.name.to_string()).unwrap_or_default();
            return EngineError::BadInput { saga, error: Arc::new(error) };
        }
        Refused::BadOutput(error) => Arc::new(error),
        Refused::NotItsUndo => Arc::new(serde::de::Error::custom(
            "an output can be given only for an undo that is retried; an action makes its own",
        )),
    };
    let found = inner.desk.repository.load(&id).await.ok().flatten();
    let plan = found.and_then(|saga| record::read(&saga).ok()).map(|read| read.plan);
    let step = plan
        .zip(change.step())
        .and_then(|(plan, step)| plan.steps.get(usize::from(step)).map(|step| step.name.clone()));
    EngineError::BadOutput { id, step: step.unwrap_or_default(), error }
}

/// Acquires a saga and drives it in a task of its own: what is acquired must be driven or let go, whoever gives up
/// waiting.
async fn spawn_drive(
    inner: &Arc<Inner>,
    id: &SagaId,
    ordered: Option<Ordered>,
) -> Result<Option<Driven>, EngineError> {
    let (inner, id) = (inner.clone(), id.clone());
    let driven = inner.runtime.clone().spawn(async move { drive(&inner, &id, ordered).await });
    driven.await.unwrap_or(Err(EngineError::Closing))
}

async fn drive(
    inner: &Arc<Inner>,
    id: &SagaId,
    ordered: Option<Ordered>,
) -> Result<Option<Driven>, EngineError> {
    let place = inner.places.clone().acquire_owned().await;
    let permit = place.map_err(|_| EngineError::Closing)?;
    drive_in(inner, id, permit, ordered).await
}

/// The same in a place that it has. Waits for the end of somebody who tries to start the saga meanwhile.
pub(super) async fn drive_in(
    inner: &Arc<Inner>,
    id: &SagaId,
    permit: OwnedSemaphorePermit,
    ordered: Option<Ordered>,
) -> Result<Option<Driven>, EngineError> {
    let _busy = inner.busy();
    loop {
        let taking = inner.taking();
        let saga = inner.acquire(id).await?;
        let entering = inner.enter_stored(&saga, &taking);
        drop(taking);
        match entering {
            Entering::New(entered) => {
                return begin(inner, &saga, entered, permit, ordered).await.map(Some);
            }
            Entering::Driven => return Ok(None),
            Entering::Starting(mut ended) => drop(told(&mut ended).await),
            Entering::Outdated => {}
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
    let driven = drive(inner, id, None).await;
    if matches!(driven, Err(EngineError::Closing)) {
        // It is let go when the engine has drained.
        inner.stray(id);
    }
    driven.map(drop)
}

pub(super) fn unknown_step(id: &SagaId, step: &str, plan: &Plan) -> EngineError {
    let known: Vec<_> = plan.steps.iter().map(|step| format!("`{}`", step.name)).collect();
    EngineError::UnknownStep { id: id.clone(), step: step.to_owned(), known: known.join(", ") }
}
