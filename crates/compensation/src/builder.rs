//! The typed builder of definitions, and all that can be wrong with one.

use std::{
    collections::HashMap,
    future::Future,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    error::BoxError,
    event::StepIndex,
    handler::{self, Codec, Handlers, Value},
    machine::{GraphError, MAX_STEPS, OnUndoFailure, UnknownPolicy},
    plan::{Plan, PlanStep, UndoPlan},
    retry::RetryPolicy,
    saga::{Definition, Saga},
    step::{Probed, StepContext, StepRef, UndoContext},
};

/// Longest accepted name of a saga or step, in bytes.
pub const MAX_NAME_BYTES: usize = 100;

/// Most attempts in flight at once, where the definition says nothing.
const PARALLEL: u16 = 64;

/// Attempts of an undo, where the definition says nothing: about three seconds of trying.
const UNDO_ATTEMPTS: u32 = 5;

/// Attempts of a step whose unknown outcomes are retried, where the definition says nothing.
const UNKNOWN_ATTEMPTS: u32 = 3;

/// What is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// A name that is empty, too long, or holds control characters.
    #[error(
        "`{0}` is no name for a saga or a step: it needs 1 to {MAX_NAME_BYTES} bytes and no control \
         characters"
    )]
    BadName(String),
    /// Two steps of one name.
    #[error("two steps are named `{0}`: give each its own name")]
    DuplicateName(String),
    /// No step at all.
    #[error("saga `{0}` has no steps: add one")]
    NoSteps(String),
    /// Too many steps.
    #[error("saga `{0}` has {1} steps: at most {MAX_STEPS} are allowed")]
    TooManySteps(String, usize),
    /// A step comes after one that the saga does not have.
    #[error("step `{step}` comes after `{needs}`, which this saga does not have")]
    UnknownDependency {
        /// The step.
        step: String,
        /// What it asks for.
        needs: String,
    },
    /// Steps that wait for each other.
    #[error("steps wait for each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// Neither an undo nor a reason for its absence.
    #[error("step `{0}` has no undo: give it one with `undo`, or say why not with `no_undo`")]
    UndoMissing(String),
    /// A reason that says nothing.
    #[error("step `{0}` has no undo, for an empty reason: say why")]
    EmptyReason(String),
    /// More than one pivot.
    #[error("step `{0}` is a second pivot: a saga has at most one")]
    SecondPivot(String),
    /// A step that could run beside the pivot.
    #[error("step `{0}` comes neither before nor after the pivot: order it with `after`")]
    BesidePivot(String),
    /// An undo that could never run.
    #[error(
        "step `{0}` has an undo but comes after the pivot, where nothing is undone: move it before \
         the pivot or drop its undo"
    )]
    UndoAfterPivot(String),
    /// A pivot that has nothing to undo an unknown outcome with.
    #[error(
        "pivot `{0}` has no undo, so its unknown outcome can be retried, probed or parked only"
    )]
    PivotWithoutUndo(String),
    /// `unknown(Probe)` without a probe.
    #[error("step `{0}` probes unknown outcomes but has no probe: give it one with `probe`")]
    ProbeMissing(String),
    /// Retries of what must not be repeated.
    #[error("step `{0}` is not idempotent, so it can't be retried: drop its retries or its mark")]
    RepeatsNotIdempotent(String),
}

/// Builds a [`Saga`]. Made by [`Saga::builder`].
///
/// # Order
/// A step comes after the one written before it, unless it says otherwise with
/// [`after`](StepBuilder::after) or [`independent`](StepBuilder::independent).
///
/// # Defaults
/// At most 64 attempts in flight at once; the other undos go on when one has failed.
pub struct Builder<I> {
    plan: Plan,
    tag: u64,
    drafts: Vec<Draft>,
    input: PhantomData<fn(I)>,
}

struct Draft {
    step: PlanStep,
    undo_declared: bool,
    order: Order,
    handlers: Handlers,
}

enum Order {
    /// After the step written before it.
    Next,
    /// After these.
    After(Vec<Needed>),
}

enum Needed {
    Index(StepIndex),
    Name(String),
    Foreign,
}

impl<I> Builder<I> {
    pub(crate) fn new(saga: String) -> Self {
        static TAGS: AtomicU64 = AtomicU64::new(0);
        Self {
            plan: Plan {
                saga,
                version: 0,
                parallel: PARALLEL,
                on_undo_failure: OnUndoFailure::Continue,
                secret_inputs: Vec::new(),
                steps: Vec::new(),
                source: None,
            },
            tag: TAGS.fetch_add(1, Ordering::Relaxed),
            drafts: Vec::new(),
            input: PhantomData,
        }
    }

    /// The definition's version, for changes that the names and order of its steps do not show.
    /// Default: 0.
    pub fn version(&mut self, version: u32) -> &mut Self {
        self.plan.version = version;
        self
    }

    /// Most attempts in flight at once; 0 counts as 1. Default: 64.
    pub fn parallel(&mut self, attempts: u16) -> &mut Self {
        self.plan.parallel = attempts.max(1);
        self
    }

    /// The other undos wait once one has spent its budget, until a person has dealt with it. By
    /// default they go on.
    pub fn halt_on_undo_failure(&mut self) -> &mut Self {
        self.plan.on_undo_failure = OnUndoFailure::Halt;
        self
    }

    /// The value of that key of the input is secret, `*` is all of it: front ends don't show it. It is stored.
    pub fn secret_input(&mut self, key: impl Into<String>) -> &mut Self {
        self.plan.secret_inputs.push(key.into());
        self
    }

    /// Keeps, with each durable saga, what the definition was made from: for front ends whose
    /// definitions are data, so that any copy of them can make the definition again.
    pub fn source(&mut self, source: Box<serde_json::value::RawValue>) -> &mut Self {
        self.plan.source = Some(source);
        self
    }

    /// Begins a step: its name, and the function that does it.
    ///
    /// The function may return any error that converts into `Box<dyn Error + Send + Sync>`; see
    /// [`StepError`](crate::StepError) for what it can say beyond that.
    pub fn step<T, E, F, Fut>(
        &mut self,
        name: impl Into<String>,
        action: F,
    ) -> StepBuilder<'_, I, T>
    where
        I: 'static,
        T: Value,
        E: Into<BoxError>,
        F: Fn(StepContext<I>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let draft = Draft {
            step: PlanStep {
                name: name.into(),
                after: Vec::new(),
                undo: UndoPlan::None { because: String::new() },
                unknown: None,
                probe: false,
                idempotent: true,
                pivot: false,
                secret: false,
                retry: RetryPolicy::none(),
                timeout_ms: None,
            },
            undo_declared: false,
            order: Order::Next,
            handlers: Handlers {
                act: handler::action(action),
                undo: None,
                probe: None,
                output: Codec::of::<T>(),
            },
        };
        StepBuilder { saga: self, draft, undo: UndoBudget::default(), output: PhantomData }
    }

    /// Checks the definition.
    ///
    /// # Errors
    /// The first [`DefinitionError`] found.
    pub fn build(mut self) -> Result<Saga<I>, DefinitionError>
    where
        I: Value,
    {
        check_name(&self.plan.saga)?;
        let mut names = HashMap::new();
        for (draft, index) in self.drafts.iter().zip(0..) {
            check_name(&draft.step.name)?;
            if names.insert(draft.step.name.clone(), index).is_some() {
                return Err(DefinitionError::DuplicateName(draft.step.name.clone()));
            }
        }
        let mut handlers = Vec::with_capacity(self.drafts.len());
        for (mut draft, index) in self.drafts.into_iter().zip(0..) {
            draft.step.after = draft.order.resolve(&draft.step.name, index, &names)?;
            check_undo(&draft.step, draft.undo_declared)?;
            self.plan.steps.push(draft.step);
            handlers.push(Arc::new(draft.handlers));
        }
        let graph = self.plan.graph().map_err(|error| explain(&self.plan, error))?;
        Ok(Saga::new(Definition {
            plan: Arc::new(self.plan),
            graph: Arc::new(graph),
            handlers,
            input: Codec::of::<I>(),
            tag: self.tag,
        }))
    }
}

impl Order {
    fn resolve(
        self,
        step: &str,
        index: StepIndex,
        names: &HashMap<String, StepIndex>,
    ) -> Result<Vec<StepIndex>, DefinitionError> {
        let unknown =
            |needs: String| DefinitionError::UnknownDependency { step: step.to_owned(), needs };
        match self {
            Self::Next => Ok(index.checked_sub(1).into_iter().collect()),
            Self::After(needed) => needed
                .into_iter()
                .map(|needed| match needed {
                    Needed::Index(before) => Ok(before),
                    Needed::Name(name) => names.get(&name).copied().ok_or_else(|| unknown(name)),
                    Needed::Foreign => Err(unknown("(a step of another saga)".to_owned())),
                })
                .collect(),
        }
    }
}

fn check_name(name: &str) -> Result<(), DefinitionError> {
    let good = !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(char::is_control);
    if good { Ok(()) } else { Err(DefinitionError::BadName(name.to_owned())) }
}

fn check_undo(step: &PlanStep, declared: bool) -> Result<(), DefinitionError> {
    match &step.undo {
        UndoPlan::None { .. } if !declared => Err(DefinitionError::UndoMissing(step.name.clone())),
        UndoPlan::None { because } if because.trim().is_empty() => {
            Err(DefinitionError::EmptyReason(step.name.clone()))
        }
        _ => Ok(()),
    }
}

fn explain(plan: &Plan, error: GraphError) -> DefinitionError {
    let name = |step: StepIndex| plan.steps[usize::from(step)].name.clone();
    match error {
        GraphError::Empty => DefinitionError::NoSteps(plan.saga.clone()),
        GraphError::TooManySteps(steps) => DefinitionError::TooManySteps(plan.saga.clone(), steps),
        GraphError::UnknownDependency(step) => DefinitionError::UnknownDependency {
            step: name(step),
            needs: "(a step that does not exist)".to_owned(),
        },
        GraphError::Cycle(mut ring) => {
            ring.extend(ring.first().copied());
            DefinitionError::Cycle(ring.into_iter().map(name).collect())
        }
        GraphError::SecondPivot(step) => DefinitionError::SecondPivot(name(step)),
        GraphError::BesidePivot(step) => DefinitionError::BesidePivot(name(step)),
        GraphError::UndoAfterPivot(step) => DefinitionError::UndoAfterPivot(name(step)),
        GraphError::PivotWithoutUndo(step) => DefinitionError::PivotWithoutUndo(name(step)),
        GraphError::ProbeMissing(step) => DefinitionError::ProbeMissing(name(step)),
        GraphError::RepeatsNotIdempotent(step) => DefinitionError::RepeatsNotIdempotent(name(step)),
    }
}

/// Builds one step. Made by [`Builder::step`]; nothing is added before [`add`](Self::add).
///
/// # Defaults
/// After the step written before it; one attempt; no timeout; idempotent; an unknown outcome is
/// undone; undos are attempted five times, without a timeout.
#[must_use = "a step is part of the saga once `add` is called"]
pub struct StepBuilder<'a, I, T> {
    saga: &'a mut Builder<I>,
    draft: Draft,
    undo: UndoBudget,
    output: PhantomData<fn() -> T>,
}

/// What was said of the undo, in whatever order.
#[derive(Default)]
struct UndoBudget {
    retry: Option<RetryPolicy>,
    timeout_ms: Option<u64>,
    not_idempotent: bool,
    allow_skip: bool,
}

impl<I: 'static, T: Value> StepBuilder<'_, I, T> {
    /// How the step is undone. The undo gets the step's output, if the step is known to be done, and
    /// `None` where it may be or not; see [`UndoContext::effect`].
    pub fn undo<R, E, F, Fut>(mut self, undo: F) -> Self
    where
        E: Into<BoxError>,
        F: Fn(UndoContext<I>, Option<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.draft.handlers.undo = Some(handler::undo(undo));
        self.draft.undo_declared = true;
        self
    }

    /// The step is not undone, for this reason, which the record shows.
    pub fn no_undo(mut self, because: impl Into<String>) -> Self {
        self.draft.handlers.undo = None;
        self.draft.step.undo = UndoPlan::None { because: because.into() };
        self.draft.undo_declared = true;
        self
    }

    /// Comes after that step, instead of the one written before it. May be said several times.
    pub fn after<U>(mut self, step: &StepRef<U>) -> Self {
        let foreign = step.tag != self.saga.tag;
        self.need(if foreign { Needed::Foreign } else { Needed::Index(step.index) });
        self
    }

    /// Comes after the step of that name, which may be written later: for front ends that read names.
    pub fn after_named(mut self, step: impl Into<String>) -> Self {
        self.need(Needed::Name(step.into()));
        self
    }

    /// Comes after no step: it starts with the saga.
    pub fn independent(mut self) -> Self {
        self.draft.order = Order::After(Vec::new());
        self
    }

    /// The budget of attempts. Default: one attempt.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.draft.step.retry = policy;
        self
    }

    /// Attempts without end: for steps after the pivot.
    pub fn retry_forever(self) -> Self {
        self.retry(RetryPolicy::forever())
    }

    /// The longest that one attempt may take; then it is dropped, and counts as unknown. Default: no
    /// limit.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.draft.step.timeout_ms = Some(millis(limit));
        self
    }

    /// What it means that an attempt may have had its effect, or not. Default:
    /// [`UnknownPolicy::Undo`]; with a probe [`UnknownPolicy::Probe`]; for a pivot that has no undo
    /// [`UnknownPolicy::Park`]. A step after the pivot is not undone but parks.
    ///
    /// [`UnknownPolicy::Retry`] means three attempts where no other budget is given.
    pub fn unknown(mut self, policy: UnknownPolicy) -> Self {
        self.draft.step.unknown = Some(policy);
        if policy == UnknownPolicy::Retry && self.draft.step.retry == RetryPolicy::none() {
            self.draft.step.retry = RetryPolicy::new(UNKNOWN_ATTEMPTS);
        }
        self
    }

    /// How to find out whether an attempt of unknown outcome had its effect. It is attempted three
    /// times; then the step parks. [`Probed::NotDone`] is its word for the future too: read what it promises.
    pub fn probe<E, F, Fut>(mut self, probe: F) -> Self
    where
        E: Into<BoxError>,
        F: Fn(StepContext<I>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Probed<T>, E>> + Send + 'static,
    {
        self.draft.handlers.probe = Some(handler::probe(probe));
        self.draft.step.probe = true;
        self.draft.step.unknown = Some(UnknownPolicy::Probe);
        self
    }

    /// The action must not be attempted again by itself: not after a failure, nor after a crash.
    pub fn not_idempotent(mut self) -> Self {
        self.draft.step.idempotent = false;
        self
    }

    /// The step's output is secret: front ends don't show it. It is stored as it is.
    pub fn secret_output(mut self) -> Self {
        self.draft.step.secret = true;
        self
    }

    /// Nothing is undone once this step is done; what comes after it is attempted as its
    /// [`retry`](Self::retry) says, once by default, then parks.
    pub fn pivot(mut self) -> Self {
        self.draft.step.pivot = true;
        self
    }

    /// The budget of attempts of the undo. Default: five attempts, about three seconds.
    pub fn undo_retry(mut self, policy: RetryPolicy) -> Self {
        self.undo.retry = Some(policy);
        self
    }

    /// The longest that one attempt of the undo may take. Default: no limit.
    pub fn undo_timeout(mut self, limit: Duration) -> Self {
        self.undo.timeout_ms = Some(millis(limit));
        self
    }

    /// The undo must not be attempted again by itself: once it fails or is cut off it parks.
    pub fn undo_not_idempotent(mut self) -> Self {
        self.undo.not_idempotent = true;
        self
    }

    /// The saga may end without this undo: it is passed over once its budget is spent.
    pub fn allow_skip(mut self) -> Self {
        self.undo.allow_skip = true;
        self
    }

    /// Adds the step to the saga, and gives the handle by which later steps name it.
    pub fn add(mut self) -> StepRef<T> {
        if self.draft.handlers.undo.is_some() {
            let attempts = if self.undo.not_idempotent { 1 } else { UNDO_ATTEMPTS };
            self.draft.step.undo = UndoPlan::Run {
                retry: self.undo.retry.unwrap_or_else(|| RetryPolicy::new(attempts)),
                timeout_ms: self.undo.timeout_ms,
                idempotent: !self.undo.not_idempotent,
                allow_skip: self.undo.allow_skip,
            };
        }
        // More steps than fit are refused by `build`, so the cut handle is never used.
        let index = self.saga.drafts.len() as StepIndex;
        self.saga.drafts.push(self.draft);
        StepRef::new(self.saga.tag, index)
    }

    fn need(&mut self, needed: Needed) {
        match &mut self.draft.order {
            Order::After(all) => all.push(needed),
            order => *order = Order::After(vec![needed]),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
