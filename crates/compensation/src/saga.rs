//! A definition: a checked plan with the functions that carry it out. Made by the builder, run by the
//! drivers.

use std::{fmt, marker::PhantomData, sync::Arc};

use crate::{
    builder::Builder,
    handler::{AnyValue, Codec, Handlers, Scope, Value},
    id::SagaId,
    machine::Graph,
    plan::Plan,
};

/// A saga's definition: steps, how each is undone, and the functions that do it. Cheap to clone.
///
/// `I` is the type of its input.
///
/// ```
/// use compensation::{Outcome, Saga, StepContext, StepError, UndoContext};
///
/// async fn reserve(cx: StepContext<u32>) -> Result<u32, StepError> { Ok(*cx.input() + 1) }
/// async fn free(_: UndoContext<u32>, seat: Option<u32>) -> Result<(), StepError> {
///     assert_eq!(seat, Some(42));
///     Ok(())
/// }
/// async fn charge(_: StepContext<u32>) -> Result<(), StepError> {
///     Err(StepError::not_done("card refused").terminal())
/// }
///
/// let mut trip = Saga::builder("book-trip");
/// trip.step("reserve", reserve).undo(free).add();
/// trip.step("charge", charge).no_undo("the bank refunds").add();
/// let trip = trip.build()?;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// let outcome = runtime.block_on(trip.run(41));
/// assert!(matches!(outcome, Outcome::Compensated(_)));
/// assert_eq!(outcome.report().failures()[0].to_string(), "step `charge` failed: card refused");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Saga<I> {
    definition: Arc<Definition>,
    input: PhantomData<fn(I)>,
}

/// What a [`Saga`] is, whatever the type of its input.
pub(crate) struct Definition {
    pub(crate) plan: Arc<Plan>,
    pub(crate) graph: Arc<Graph>,
    pub(crate) handlers: Vec<Arc<Handlers>>,
    pub(crate) input: Codec,
    /// Distinguishes its handles from those of another definition.
    pub(crate) tag: u64,
}

impl<I> Saga<I> {
    /// Begins a definition of that name.
    #[must_use]
    pub fn builder(name: impl Into<String>) -> Builder<I> {
        Builder::new(name.into())
    }

    pub(crate) fn new(definition: Definition) -> Self {
        Self { definition: Arc::new(definition), input: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.definition.plan.saga
    }

    /// It as data.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.definition.plan
    }

    pub(crate) fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }
}

impl Definition {
    /// What the attempts of one run share.
    pub(crate) fn scope(&self, input: AnyValue, id: Option<SagaId>) -> Arc<Scope> {
        Arc::new(Scope::new(self.plan.clone(), self.tag, input, id))
    }
}

impl<I> Clone for Saga<I> {
    fn clone(&self) -> Self {
        Self { definition: self.definition.clone(), input: PhantomData }
    }
}

impl<I> fmt::Debug for Saga<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saga").field("plan", &self.definition.plan).finish_non_exhaustive()
    }
}

/// A definition, whatever the type of its input. Cheap to clone.
#[derive(Clone)]
pub struct AnySaga(pub(crate) Arc<Definition>);

impl AnySaga {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.plan.saga
    }

    /// It as data.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// Whether that JSON is an input for it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_input(&self, input: &str) -> serde_json::Result<()> {
        self.0.input.decode(input).map(drop)
    }
}

impl<I: Value> From<Saga<I>> for AnySaga {
    fn from(saga: Saga<I>) -> Self {
        Self(saga.definition().clone())
    }
}

impl fmt::Debug for AnySaga {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnySaga").field(&self.0.plan.saga).finish()
    }
}
