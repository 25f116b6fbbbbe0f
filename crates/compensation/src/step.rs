//! What a step's functions are given: the saga's input, outputs of earlier steps, and the facts of the
//! attempt. Knows nothing of drivers or stores.

use std::{any::type_name, fmt, marker::PhantomData};

use crate::{event::StepIndex, handler::Attempt, id::SagaId, machine::Effect};

/// Names a step of a definition and the type of its output. Given by
/// [`StepBuilder::add`](crate::StepBuilder::add).
pub struct StepRef<T> {
    pub(crate) tag: u64,
    pub(crate) index: StepIndex,
    output: PhantomData<fn() -> T>,
}

impl<T> StepRef<T> {
    pub(crate) fn new(tag: u64, index: StepIndex) -> Self {
        Self { tag, index, output: PhantomData }
    }

    /// The step's place in its saga, from 0, in the order of writing.
    #[must_use]
    pub fn index(&self) -> StepIndex {
        self.index
    }
}

impl<T> Clone for StepRef<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for StepRef<T> {}

impl<T> fmt::Debug for StepRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepRef<{}>({})", type_name::<T>(), self.index)
    }
}

/// What a probe found out about an attempt whose outcome was unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed<T> {
    /// The action had its effect; this is its output.
    Done(T),
    /// No attempt so far had its effect, **and none can have it any more**: the step is attempted again, or has
    /// failed and is not undone. Where an attempt that was cut off may still arrive (a request on its way, a
    /// job in a queue), see to it that it comes to nothing before you say so: claim or void the idempotency key
    /// at the receiver, or use its barrier. Where that can't be done, say that it is not known yet, by an error:
    /// the probe is attempted again, and then the step waits for a person.
    NotDone,
}

/// The output of an earlier step is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "step `{reader}` reads the output of step `{step}`, which is not there: a step may only read \
     steps that it comes after, and one that a person declared done has the output they gave"
)]
pub struct OutputMissing {
    reader: String,
    step: String,
}

/// What an action or a probe is given.
///
/// `I` is the type of the saga's input.
pub struct StepContext<I> {
    attempt: Attempt,
    input: PhantomData<fn() -> I>,
}

/// What an undo is given.
///
/// `I` is the type of the saga's input.
pub struct UndoContext<I> {
    attempt: Attempt,
    input: PhantomData<fn() -> I>,
}

impl<I: 'static> StepContext<I> {
    pub(crate) fn new(attempt: Attempt) -> Self {
        Self { attempt, input: PhantomData }
    }

    /// The saga's input, or what a person gave this step in its place when they ordered a retry.
    #[must_use]
    pub fn input(&self) -> &I {
        self.attempt.input()
    }

    /// The output of a step that this one comes after.
    ///
    /// # Errors
    /// [`OutputMissing`] where this step does not come after the other, the handle is another
    /// saga's, or a person declared the other step done without giving its output.
    pub fn output<T: 'static>(&self, step: &StepRef<T>) -> Result<&T, OutputMissing> {
        self.attempt.output(step)
    }

    /// The saga's id. In process, where the caller gave none, a random one.
    #[must_use]
    pub fn saga_id(&self) -> &SagaId {
        self.attempt.scope.id()
    }

    /// The step's name.
    #[must_use]
    pub fn step_name(&self) -> &str {
        self.attempt.name()
    }

    /// The same text at each attempt of this step of this saga, and at no other: `saga:id:step`. Give it
    /// to whatever the step calls, so that a repeated call has one effect.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.attempt.key()
    }

    /// The attempt's number, from 1, over the whole life of the saga.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// Whether the saga is being undone. An attempt in flight is never stopped by that: it may look, end
    /// early, and report whether it had its effect.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.attempt.scope.is_cancelled()
    }

    /// Waits until the saga is being undone; see [`is_cancelled`](Self::is_cancelled).
    ///
    /// # Cancel safety
    /// May be dropped and called again at any time.
    pub async fn cancelled(&self) {
        self.attempt.scope.cancelled().await;
    }
}

impl<I: 'static> UndoContext<I> {
    pub(crate) fn new(attempt: Attempt) -> Self {
        Self { attempt, input: PhantomData }
    }

    /// The saga's input, or what a person gave this step in its place when they ordered a retry.
    #[must_use]
    pub fn input(&self) -> &I {
        self.attempt.input()
    }

    /// The output of any step that is done: this one or one that it comes after.
    ///
    /// # Errors
    /// [`OutputMissing`] where there is none, or the handle is another saga's.
    pub fn output<T: 'static>(&self, step: &StepRef<T>) -> Result<&T, OutputMissing> {
        self.attempt.output(step)
    }

    /// Whether the action is known to have had its effect. With [`Effect::Maybe`] there may be nothing to
    /// undo, and finding nothing is a success.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.attempt.effect
    }

    /// The saga's id.
    #[must_use]
    pub fn saga_id(&self) -> &SagaId {
        self.attempt.scope.id()
    }

    /// The step's name.
    #[must_use]
    pub fn step_name(&self) -> &str {
        self.attempt.name()
    }

    /// The key that the step's *action* was given, which names what is to be undone.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.attempt.key()
    }

    /// The attempt's number, from 1, over the whole life of the saga.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }
}

impl Attempt {
    #[allow(clippy::expect_used, reason = "a definition makes its scopes with its own input type")]
    fn input<I: 'static>(&self) -> &I {
        self.given_input().downcast_ref().expect("the input has the definition's type")
    }

    fn output<T: 'static>(&self, step: &StepRef<T>) -> Result<&T, OutputMissing> {
        let found = (step.tag == self.scope.tag)
            .then(|| self.known_output(step.index))
            .flatten()
            .and_then(|output| output.downcast_ref());
        found.ok_or_else(|| OutputMissing {
            reader: self.name().to_owned(),
            step: match self.scope.plan.steps.get(usize::from(step.index)) {
                Some(known) if step.tag == self.scope.tag => known.name.clone(),
                _ => "(of another saga)".to_owned(),
            },
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.scope.plan.steps.get(usize::from(self.step)).map_or("", |step| &step.name)
    }

    fn key(&self) -> String {
        format!("{}:{}:{}", self.scope.plan.saga, self.scope.id(), self.name())
    }
}

impl<I> fmt::Debug for StepContext<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StepContext").field(&self.attempt.name()).finish()
    }
}

impl<I> fmt::Debug for UndoContext<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UndoContext").field(&self.attempt.name()).finish()
    }
}
