//! The saga that is measured: three steps that do nothing, with undos that do nothing.

use compensation::{RetryPolicy, Saga, StepContext, StepError, UndoContext};

/// What the third step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Succeeds: four durable writes.
    Forward,
    /// Fails, so that two steps are undone: six durable writes.
    Undo,
    /// Fails for one saga in ten.
    Mixed,
}

impl Mode {
    pub(crate) const ALL: [Self; 3] = [Self::Forward, Self::Undo, Self::Mixed];

    /// Whether the saga of that number fails.
    pub(crate) fn fails(self, number: u64) -> bool {
        match self {
            Self::Forward => false,
            Self::Undo => true,
            Self::Mixed => number.is_multiple_of(10),
        }
    }

    /// Durable writes that the saga of that number waits for.
    pub(crate) fn writes(self, number: u64) -> u32 {
        if self.fails(number) { 6 } else { 4 }
    }
}

pub(crate) async fn step(_: StepContext<bool>) -> Result<u64, StepError> {
    Ok(1)
}

pub(crate) async fn undo(_: UndoContext<bool>, _: Option<u64>) -> Result<(), StepError> {
    Ok(())
}

async fn last(cx: StepContext<bool>) -> Result<u64, StepError> {
    if *cx.input() { Err(StepError::not_done("no room").terminal()) } else { Ok(1) }
}

/// The saga; its input says whether the third step fails.
pub(crate) fn saga() -> Saga<bool> {
    let mut saga = Saga::builder("trip");
    saga.step("car", step).undo(undo).undo_retry(RetryPolicy::none()).add();
    saga.step("hotel", step).undo(undo).undo_retry(RetryPolicy::none()).add();
    saga.step("flight", last).undo(undo).undo_retry(RetryPolicy::none()).add();
    saga.build().expect("a sound saga")
}
