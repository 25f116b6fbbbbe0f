//! A step: the undo is registered, then the activity runs, then it is recorded how it ended.

use std::{future::Future, marker::PhantomData, rc::Rc};

use temporalio_workflow::common::{
    ActivityDefinition,
    data_converters::{PayloadConversionError, PayloadConverter},
    protos::temporal::api::common::v1::Payload,
};

use crate::{
    compensation::{BoxError, Undo, UndoContext, UndoPolicy, WhenUnknown, closure},
    context::{ActivityEnd, SagaContext},
    entry::{Execution, Running},
    error::{ManagerError, StepError},
    failure::{ActivityFailure, NotDone},
    manager::CompensationManager,
    payload,
    policy::{ActivityPolicy, Retry},
    slot::Slot,
};

/// Makes an undo of the output of the step's activity, or of none.
type MakeUndo<C> =
    Box<dyn Fn(&PayloadConverter, Option<&Payload>) -> Result<Undo<C>, PayloadConversionError>>;

/// An activity that wants to know how it is undone; then it is a [`Step`]. Made by [`step`].
///
/// ```
/// # use compensation_temporal::{Retry, Step, step};
/// # use temporalio_workflow::{WorkflowContext, common::{UntypedActivity, data_converters::RawValue}};
/// # struct Trip;
/// # fn example(reserve_car: UntypedActivity, cancel_car: UntypedActivity, request: RawValue) -> Step<WorkflowContext<Trip>, UntypedActivity> {
/// step("car", reserve_car, request)
///     .retry(Retry::times(5))
///     .undo(cancel_car, |car| car.cloned().unwrap_or_default())
/// # }
/// ```
#[must_use = "say how it is undone: `undo`, `undo_fn` or `no_undo`"]
pub struct NewStep<A: ActivityDefinition> {
    name: String,
    activity: String,
    input: A::Input,
    policy: ActivityPolicy,
    not_done: NotDone,
}

/// An activity and its undo, for [`CompensationManager::step`].
///
/// # Defaults
/// The activity: [`ActivityPolicy::default`], no failure means that there was no effect. The undo: as those
/// of a [`CompensationStep`](crate::CompensationStep).
#[must_use = "nothing happens until it is given to `step`"]
pub struct Step<C, A: ActivityDefinition> {
    new: NewStep<A>,
    undo: MakeUndo<C>,
    policy: UndoPolicy,
    context: PhantomData<fn(C)>,
}

/// A step of that name, which no other unfinished step of the workflow has, that runs the activity. Say next how
/// it is undone.
pub fn step<A: ActivityDefinition>(
    name: impl Into<String>,
    activity: A,
    input: A::Input,
) -> NewStep<A> {
    NewStep {
        name: name.into(),
        activity: activity.name().to_owned(),
        input,
        policy: ActivityPolicy::default(),
        not_done: NotDone::default(),
    }
}

impl<A: ActivityDefinition> NewStep<A> {
    /// All of how the activity is attempted.
    pub fn policy(mut self, policy: ActivityPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The activity's budget of attempts. Default: [`Retry::default`].
    pub fn retry(mut self, retry: Retry) -> Self {
        self.policy.retry = retry;
        self
    }

    /// Which failures mean that the activity had no effect, so that it is not undone. Default: none.
    pub fn not_done(mut self, when: NotDone) -> Self {
        self.not_done = when;
        self
    }

    /// An activity undoes it. `input` makes its input, of what the step's activity gave; of nothing where that is
    /// not known, because its reply was lost. It is called before the activity starts, with `None`, and again once
    /// it is done.
    pub fn undo<C, U>(
        self,
        undo: U,
        input: impl Fn(Option<&A::Output>) -> U::Input + 'static,
    ) -> Step<C, A>
    where
        C: SagaContext,
        U: ActivityDefinition,
    {
        let activity = undo.name().to_owned();
        self.with(Box::new(move |converter, output| {
            let output: Option<A::Output> = decoded(converter, output)?;
            let input = payload::encode(converter, &input(output.as_ref()))?;
            Ok(Undo::Activity { activity: activity.clone(), input })
        }))
    }

    /// A closure undoes it, with what the step's activity gave, where that is known. As
    /// [`CompensationStep::closure`](crate::CompensationStep::closure).
    pub fn undo_fn<C, F, Fut, E>(self, undo: F) -> Step<C, A>
    where
        C: SagaContext,
        F: Fn(UndoContext<C>, Option<Rc<A::Output>>) -> Fut + 'static,
        Fut: Future<Output = Result<(), E>> + 'static,
        E: Into<BoxError>,
    {
        let undo = Rc::new(undo);
        self.with(Box::new(move |converter, output| {
            let output: Option<A::Output> = decoded(converter, output)?;
            let (undo, output) = (undo.clone(), output.map(Rc::new));
            Ok(closure(move |scope| undo(scope, output.clone())))
        }))
    }

    /// Nothing undoes it, and why: a rollback passes it over, and says so.
    pub fn no_undo<C: SagaContext>(self, reason: impl Into<String>) -> Step<C, A> {
        let reason = reason.into();
        self.with(Box::new(move |_, _| Ok(Undo::Nothing(reason.clone()))))
    }

    fn with<C>(self, undo: MakeUndo<C>) -> Step<C, A> {
        Step { new: self, undo, policy: UndoPolicy::default(), context: PhantomData }
    }
}

impl<C, A: ActivityDefinition> Step<C, A> {
    /// All of how the undo is attempted. Default: [`ActivityPolicy::default`].
    pub fn undo_policy(mut self, policy: ActivityPolicy) -> Self {
        self.policy.activity = policy;
        self
    }

    /// The undo's budget of attempts. Default: [`Retry::default`].
    pub fn undo_retry(mut self, retry: Retry) -> Self {
        self.policy.activity.retry = retry;
        self
    }

    /// Whether the undo may be attempted again after a failure. Default: `true`.
    pub fn undo_idempotent(mut self, idempotent: bool) -> Self {
        self.policy.not_idempotent = !idempotent;
        self
    }

    /// An undo whose budget is spent counts as skipped, and not as a failure.
    pub fn allow_skip(mut self) -> Self {
        self.policy.allow_skip = true;
        self
    }

    /// The workflow repeats the undo's attempts; see [`CompensationStep::counted`](crate::CompensationStep::counted).
    pub fn counted(mut self) -> Self {
        self.policy.counted = true;
        self
    }

    /// What an unknown outcome means: a timeout, a lost worker, a failure that was not
    /// [declared](NewStep::not_done). Default: it is undone.
    pub fn when_unknown(mut self, policy: WhenUnknown) -> Self {
        self.policy.when_unknown = policy;
        self
    }
}

fn decoded<O: temporalio_workflow::common::data_converters::TemporalDeserializable + 'static>(
    converter: &PayloadConverter,
    output: Option<&Payload>,
) -> Result<Option<O>, PayloadConversionError> {
    output.map(|output| payload::decode(converter, output.clone())).transpose()
}

impl<C: SagaContext> CompensationManager<C> {
    /// Registers the undo, runs the activity, records how it ended, and gives its output to the undo. Where the
    /// workflow is cancelled meanwhile, the activity is asked to stop, and waited for.
    ///
    /// # Errors
    /// [`StepError`]: cancelled or [stopped](Self::ask_to_compensate) before it began, refused (a name that is taken, an input that does not serialize, a time
    /// limit of zero, a rollback under way), failed, or done with an output that can't be read. It may be returned from the
    /// workflow with `?`, best through [`finish`](Self::finish).
    ///
    /// # Cancel safety
    /// Don't drop it: its activity goes on, and a rollback can ask it to stop, but no more wait for it.
    pub async fn step<A: ActivityDefinition>(
        &self,
        ctx: &C,
        step: Step<C, A>,
    ) -> Result<A::Output, StepError> {
        let Step { new, undo, policy, .. } = step;
        let NewStep { name, activity, input, policy: attempts, not_done } = new;
        if ctx.cancellation().is_cancelled() {
            return Err(StepError::Cancelled(name));
        }
        if let Some(stop) = self.stop() {
            return Err(StepError::Stopped { name, stop });
        }
        if self.is_compensating() {
            return Err(ManagerError::Compensating.into());
        }
        self.check_free(&name)?;
        for (policy, what) in [(&attempts, "the activity"), (&policy.activity, "the undo")] {
            if !policy.is_possible() {
                return Err(ManagerError::NoTime { name, what }.into());
            }
        }
        let refused = |what, source| ManagerError::Input { name: name.clone(), what, source };
        let converter = ctx.converter();
        let input =
            payload::encode(converter, &input).map_err(|source| refused("the activity", source))?;
        let registered = undo(converter, None).map_err(|source| refused("the undo", source))?;

        let number = self.push(name.clone(), registered, policy);
        let token = ctx.cancellation().child_token();
        let options = attempts.to_options(token.clone(), name.clone());
        let running = ctx.run_activity(&activity, input, options);
        let on_end = self.on_end(ctx, number, not_done.clone(), undo);
        let slot = Rc::new(Slot::new(running, on_end));
        if let Some(entry) = self.stack.borrow_mut().at(number) {
            entry.running = Some(Running { slot: Rc::downgrade(&slot), token });
        }
        slot.ended().await;
        // A rollback in another task may wait for the same end.
        ctx.changed();
        match slot.take() {
            Some(Ok(output)) => payload::decode(ctx.converter(), output)
                .map_err(|source| StepError::Output { name, source }),
            Some(Err(source)) => {
                let failure = ActivityFailure::of(&source);
                let not_done = not_done.covers(&failure);
                Err(StepError::Failed { name, failure, not_done, source })
            }
            None => Err(ManagerError::InFlight(name).into()),
        }
    }

    /// Records how a step's activity ended: once, whoever waited for it.
    fn on_end(
        &self,
        ctx: &C,
        number: u64,
        not_done: NotDone,
        undo: MakeUndo<C>,
    ) -> Box<dyn FnOnce(&ActivityEnd)> {
        let (stack, ctx) = (self.stack.clone(), ctx.clone());
        Box::new(move |end| {
            let (execution, with_output) = match end {
                // An undo that can't be made of this output is left as it was registered: without.
                Ok(output) => (Execution::Done, undo(ctx.converter(), Some(output)).ok()),
                Err(error) if not_done.covers(&ActivityFailure::of(error)) => {
                    (Execution::NotDone, None)
                }
                Err(_) => (Execution::Unknown, None),
            };
            let mut replaced = None;
            if let Some(entry) = stack.borrow_mut().at(number) {
                entry.running = None;
                entry.execution = execution;
                replaced = with_output.map(|undo| std::mem::replace(&mut entry.undo, undo));
            }
            drop(replaced);
        })
    }
}
