//! What undoes one activity: another activity with its input, or a closure, and the budget for it.

use std::{error::Error, fmt, future::Future, rc::Rc, time::Duration};

use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use temporalio_workflow::{
    ActivityExecutionError, WorkflowCancellationToken,
    common::{
        ActivityDefinition,
        data_converters::{PayloadConversionError, PayloadConverter},
        protos::temporal::api::common::v1::Payload,
    },
};

use crate::{
    context::SagaContext,
    payload,
    policy::{ActivityPolicy, Retry},
};

/// Any error, boxed.
pub(crate) type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// What an unknown outcome of an activity means for its undo: its reply was lost, or nobody recorded one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenUnknown {
    /// It is undone. The undo must bear that there is nothing to undo.
    #[default]
    Undo,
    /// It is left to a person: the rollback reports it as left, and undoes it only by name.
    Park,
}

/// How a compensation is run, as data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UndoPolicy {
    pub(crate) activity: ActivityPolicy,
    pub(crate) not_idempotent: bool,
    pub(crate) allow_skip: bool,
    pub(crate) counted: bool,
    pub(crate) when_unknown: WhenUnknown,
}

impl UndoPolicy {
    /// What is not idempotent has one attempt, whatever its budget says.
    pub(crate) fn retry(&self) -> Retry {
        if self.not_idempotent { Retry::none() } else { self.activity.retry.clone() }
    }
}

pub(crate) type Closure<C> =
    Rc<dyn Fn(UndoContext<C>) -> LocalBoxFuture<'static, Result<(), BoxError>>>;

/// What is called to undo.
pub(crate) enum Undo<C> {
    Activity {
        activity: String,
        input: Vec<Payload>,
    },
    Closure(Closure<C>),
    /// There is nothing to call, and why.
    Nothing(String),
}

impl<C> Clone for Undo<C> {
    fn clone(&self) -> Self {
        match self {
            Self::Activity { activity, input } => {
                Self::Activity { activity: activity.clone(), input: input.clone() }
            }
            Self::Closure(closure) => Self::Closure(closure.clone()),
            Self::Nothing(why) => Self::Nothing(why.clone()),
        }
    }
}

/// Where an undo that is a closure runs: in its workflow, out of reach of the workflow's cancellation.
pub struct UndoContext<C> {
    pub(crate) context: C,
    pub(crate) token: WorkflowCancellationToken,
}

impl<C: SagaContext> UndoContext<C> {
    /// The workflow's context. What is started on it must be given the [`token`](Self::token), or it ends
    /// with the workflow's cancellation.
    pub fn context(&self) -> &C {
        &self.context
    }

    /// A token that the workflow's cancellation does not reach.
    pub fn token(&self) -> WorkflowCancellationToken {
        self.token.clone()
    }

    /// Runs an activity, shielded.
    ///
    /// # Errors
    /// The SDK's error. One of conversion is safe to return from the closure.
    pub async fn run<A: ActivityDefinition>(
        &self,
        activity: A,
        input: A::Input,
        policy: &ActivityPolicy,
    ) -> Result<A::Output, Box<ActivityExecutionError>> {
        let converter = self.context.converter();
        let input = payload::encode(converter, &input).map_err(serialization)?;
        let options = policy.to_options(self.token(), "part of an undo".to_owned());
        let output = self.context.run_activity(activity.name(), input, options).await?;
        payload::decode(converter, output).map_err(serialization)
    }
}

fn serialization(error: PayloadConversionError) -> Box<ActivityExecutionError> {
    Box::new(ActivityExecutionError::Serialization(error))
}

type Encode<C> = Box<dyn FnOnce(&PayloadConverter) -> Result<Undo<C>, PayloadConversionError>>;

/// A compensation of an activity, for [`register_compensation`](crate::CompensationManager::register_compensation).
///
/// # Defaults
/// 30 s for one attempt; three attempts, the second a second after the first, then twice as long each time, at
/// most 30 s; idempotent; not to be skipped; an unknown outcome is undone.
pub struct CompensationStep<C> {
    pub(crate) name: String,
    pub(crate) undo: Encode<C>,
    pub(crate) policy: UndoPolicy,
}

impl<C: SagaContext> CompensationStep<C> {
    /// The activity `undo` with its input undoes what goes by the name `activity_name`. The input becomes a
    /// payload when it is registered, so that one that does not serialize is refused before anything is done.
    pub fn new<U: ActivityDefinition>(
        activity_name: impl Into<String>,
        undo: U,
        input: U::Input,
    ) -> Self {
        let activity = undo.name().to_owned();
        let encode = move |converter: &PayloadConverter| {
            Ok(Undo::Activity { activity, input: payload::encode(converter, &input)? })
        };
        Self::with(activity_name.into(), Box::new(encode))
    }

    /// A closure undoes what goes by that name. It is called once for each attempt, which the workflow itself
    /// repeats; the time limit does not apply to it. It is not data: a [`snapshot`](crate::CompensationManager::snapshot)
    /// can't carry it. It must be as deterministic as workflow code, and must not capture the workflow's
    /// context: the manager lives in the workflow, and neither would ever be freed.
    pub fn closure<F, Fut, E>(activity_name: impl Into<String>, undo: F) -> Self
    where
        F: Fn(UndoContext<C>) -> Fut + 'static,
        Fut: Future<Output = Result<(), E>> + 'static,
        E: Into<BoxError>,
    {
        let undo = closure(undo);
        Self::with(activity_name.into(), Box::new(|_| Ok(undo)))
    }

    fn with(name: String, undo: Encode<C>) -> Self {
        Self { name, undo, policy: UndoPolicy::default() }
    }

    /// The longest that one attempt may take. Default: 30 s.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.policy.activity.timeout = limit;
        self
    }

    /// The budget of attempts. Default: [`Retry::default`].
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.policy.activity.retry = retry;
        self
    }

    /// All of how it is attempted, limits and task queue included.
    #[must_use]
    pub fn policy(mut self, policy: ActivityPolicy) -> Self {
        self.policy.activity = policy;
        self
    }

    /// Whether it may be attempted again after a failure. If not, it has one attempt in a rollback, whatever its
    /// budget says. Default: `true`.
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.policy.not_idempotent = !idempotent;
        self
    }

    /// Once its budget is spent it counts as skipped, and not as a failure.
    #[must_use]
    pub fn allow_skip(mut self) -> Self {
        self.policy.allow_skip = true;
        self
    }

    /// The workflow repeats the attempts, and not the server. The record then has the exact number of attempts
    /// while they are made, at the price of more events in the history: without it the server does not tell
    /// how often it attempted what succeeded in the end.
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.policy.counted = true;
        self
    }

    /// What an unknown outcome of the activity means. Default: it is undone.
    #[must_use]
    pub fn when_unknown(mut self, policy: WhenUnknown) -> Self {
        self.policy.when_unknown = policy;
        self
    }
}

pub(crate) fn closure<C, F, Fut, E>(undo: F) -> Undo<C>
where
    F: Fn(UndoContext<C>) -> Fut + 'static,
    Fut: Future<Output = Result<(), E>> + 'static,
    E: Into<BoxError>,
{
    Undo::Closure(Rc::new(move |scope| {
        let undoing = undo(scope);
        Box::pin(async move { undoing.await.map_err(Into::into) })
    }))
}

impl<C> fmt::Debug for CompensationStep<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompensationStep")
            .field("activity_name", &self.name)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for UndoContext<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UndoContext").field("token", &self.token).finish_non_exhaustive()
    }
}
