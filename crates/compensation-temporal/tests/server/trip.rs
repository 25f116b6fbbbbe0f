//! The workflow under test: steps that do what their plan says, and activities whose effects are told to the
//! ledger.

use std::{pin::pin, rc::Rc, time::Duration};

use compensation_temporal::{
    ActivityPolicy, Compensate, CompensationExecutionRecord, CompensationManager, Mirror, NotDone,
    Report, Retry, Snapshot, Step, UndoContext, WhenUnknown, step,
};
use serde::{Deserialize, Serialize};
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::{
    ContinueAsNewOptions, SyncWorkflowContext, WaitConditionOptions, WorkflowContext,
    WorkflowContextView, WorkflowResult,
    activities::{ActivityContext, ActivityError},
    workflows::join_all,
};
use temporalio_workflow::common::{ActivityDefinition, error::ApplicationFailure};

use crate::ledger::tell;

/// What a workflow does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) ledger: String,
    pub(crate) legs: Vec<Leg>,
    /// Waits for a cancel, or a signal, once all is done.
    pub(crate) hold: bool,
    /// Takes all legs at once.
    pub(crate) together: bool,
    /// Undoes so many at once.
    pub(crate) parallel: u16,
    /// Continues as new after so many legs.
    pub(crate) renew_after: Option<usize>,
    /// Where its records are mirrored.
    pub(crate) mirror: Records,
    /// How long its rollback may take.
    pub(crate) within: Option<Duration>,
    pub(crate) carried: Option<Snapshot>,
}

/// Who mirrors the records.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Records {
    Nowhere,
    Here,
    /// A worker that is not there.
    Nobody,
}

/// Who does an undo.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Doer {
    Town,
    /// A task queue without a worker.
    Nobody,
    /// The worker, which does not know the activity.
    Ignorant,
}

/// One step and its undo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Leg {
    pub(crate) name: String,
    pub(crate) act: Act,
    pub(crate) undo: Act,
    pub(crate) timeout: Duration,
    pub(crate) counted: bool,
    /// A closure undoes it, which runs the activity.
    pub(crate) by_closure: bool,
    pub(crate) refusals_do_nothing: bool,
    pub(crate) doer: Doer,
    pub(crate) undoer: Doer,
    pub(crate) park: bool,
}

impl Leg {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            act: Act::Works,
            undo: Act::Works,
            timeout: Duration::from_secs(20),
            counted: false,
            by_closure: false,
            refusals_do_nothing: false,
            doer: Doer::Town,
            undoer: Doer::Town,
            park: false,
        }
    }
}

/// What an activity does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Act {
    Works,
    /// Fails for good without an effect.
    Refuses,
    /// Fails so often, and then works.
    FailsFirst(u32),
    FailsForever,
    /// Has its effect, and does not answer in time.
    LosesItsReply,
    /// Waits until it is opened; stops when it is cancelled.
    Waits,
    /// The same, deaf to cancels.
    WaitsDeaf,
}

/// One call of an activity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) ledger: String,
    pub(crate) word: String,
    pub(crate) act: Act,
    /// What an undo is told of what it undoes.
    pub(crate) told: Option<String>,
}

/// An activity by its name, which no worker need know.
pub(crate) struct Does(pub(crate) &'static str);

impl ActivityDefinition for Does {
    type Input = Call;
    type Output = String;

    fn name(&self) -> &str {
        self.0
    }
}

impl Doer {
    fn activity(self) -> Does {
        Does(if self == Self::Ignorant { "Town::never_heard_of" } else { "Town::does" })
    }

    fn policy(self, policy: ActivityPolicy) -> ActivityPolicy {
        match self {
            Self::Nobody => ActivityPolicy {
                task_queue: Some("nobody".to_owned()),
                schedule_to_start: Some(Duration::from_millis(300)),
                ..policy
            },
            Self::Town | Self::Ignorant => policy,
        }
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Trip {
    saga: CompensationManager<WorkflowContext<Trip>>,
}

#[workflow_methods]
impl Trip {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, plan: Plan) -> WorkflowResult<usize> {
        let saga = ctx.state(|trip| trip.saga.clone());
        let what = Compensate::all().parallel(plan.parallel);
        let what = match plan.within {
            Some(limit) => what.within(limit),
            None => what,
        };
        match plan.mirror {
            Records::Nowhere => {}
            Records::Here => saga.mirror(Mirror::new().with_inputs()),
            Records::Nobody => saga.mirror(Mirror::new().policy(ActivityPolicy {
                total: Some(Duration::from_millis(300)),
                ..Doer::Nobody.policy(ActivityPolicy::default())
            })),
        }
        let result = Self::travel(ctx, &saga, plan).await;
        saga.finish_with(ctx, result, what).await
    }

    async fn travel(
        ctx: &WorkflowContext<Self>,
        saga: &CompensationManager<WorkflowContext<Self>>,
        mut plan: Plan,
    ) -> WorkflowResult<usize> {
        if let Some(carried) = plan.carried.take() {
            saga.restore(carried)?;
        }
        let legs = std::mem::take(&mut plan.legs);
        if plan.together {
            let ledger = &plan.ledger;
            let steps = legs.iter().map(|leg| saga.step(ctx, step_of(ledger, leg)));
            for ended in join_all(steps).await {
                ended?;
            }
            return Ok(saga.executed_count());
        }
        for (place, leg) in legs.iter().enumerate() {
            if plan.renew_after == Some(place) {
                let rest = Plan {
                    legs: legs[place..].to_vec(),
                    renew_after: None,
                    carried: Some(saga.snapshot()?),
                    ..plan
                };
                ctx.continue_as_new(rest, ContinueAsNewOptions::default())?;
                return Ok(0);
            }
            saga.step(ctx, step_of(&plan.ledger, leg)).await?;
        }
        if plan.hold {
            let token = saga.token(ctx);
            let options = WaitConditionOptions::builder().cancellation_token(token).build();
            ctx.wait_condition_with_options(|_| false, options).await?;
        }
        Ok(saga.executed_count())
    }

    #[signal]
    pub(crate) async fn roll_back(ctx: &mut WorkflowContext<Self>) {
        let saga = ctx.state(|trip| trip.saga.clone());
        // Its report is in the records.
        drop(saga.compensate(ctx).await);
    }

    #[query]
    pub(crate) fn records(&self, _: &WorkflowContextView) -> Vec<CompensationExecutionRecord> {
        self.saga.records()
    }

    #[query]
    pub(crate) fn report(&self, _: &WorkflowContextView) -> Option<Report> {
        self.saga.report()
    }

    #[signal]
    pub(crate) fn compensate(&mut self, _: &mut SyncWorkflowContext<Self>, why: String) {
        self.saga.ask_to_compensate(why);
    }

    #[signal]
    pub(crate) fn cancel(&mut self, _: &mut SyncWorkflowContext<Self>, why: String) {
        self.saga.ask_to_cancel(why);
    }
}

fn step_of(ledger: &str, leg: &Leg) -> Step<WorkflowContext<Trip>, Does> {
    let policy = ActivityPolicy {
        heartbeat: Some(Duration::from_secs(1)),
        ..ActivityPolicy::within(leg.timeout)
    };
    let call = |sign: char, act| Call {
        ledger: ledger.to_owned(),
        word: format!("{sign}{}", leg.name),
        act,
        told: None,
    };
    let not_done = if leg.refusals_do_nothing { NotDone::on_refusals() } else { NotDone::never() };
    let undo = call('-', leg.undo);
    let step = step(&leg.name, leg.doer.activity(), call('+', leg.act))
        .policy(leg.doer.policy(policy.clone().retry(Retry::none())))
        .not_done(not_done);
    let policy = leg.undoer.policy(policy).retry(Retry::times(3).first(Duration::from_millis(50)));
    if leg.by_closure {
        return step.undo_fn(move |scope: UndoContext<_>, done: Option<Rc<String>>| {
            let told = done.map(|done| (*done).clone());
            let (undo, policy) =
                (Call { told, ..undo.clone() }, policy.clone().retry(Retry::none()));
            async move { scope.run(Town::does, undo, &policy).await.map(drop) }
        });
    }
    let step = step
        .undo(leg.undoer.activity(), move |done: Option<&String>| Call {
            told: done.cloned(),
            ..undo.clone()
        })
        .undo_policy(policy);
    let step = if leg.park { step.when_unknown(WhenUnknown::Park) } else { step };
    if leg.counted { step.counted() } else { step }
}

/// Returns what can't be written.
#[workflow]
#[derive(Default)]
pub(crate) struct Wedge {
    saga: CompensationManager<WorkflowContext<Wedge>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("this can't be written"))
    }
}

#[workflow_methods]
impl Wedge {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        ledger: String,
    ) -> WorkflowResult<Unwritable> {
        let saga = ctx.state(|wedge| wedge.saga.clone());
        let undo = Call { ledger, word: "-car".to_owned(), act: Act::Works, told: None };
        saga.register_simple(ctx, "car", Town::does, undo)?;
        saga.finish(ctx, WorkflowResult::Ok(Unwritable)).await
    }
}

pub(crate) struct Town;

#[activities]
impl Town {
    #[activity]
    pub(crate) async fn does(ctx: ActivityContext, call: Call) -> Result<String, ActivityError> {
        does(ctx, call).await
    }
}

/// Does what a call says.
pub(crate) async fn does(ctx: ActivityContext, call: Call) -> Result<String, ActivityError> {
    let Call { ledger, word, act, told } = call;
    let word = told.map_or(word.clone(), |told| format!("{word}({told})"));
    match act {
        Act::Works => {}
        Act::Refuses => {
            let failure = ApplicationFailure::builder(format!("{word} is refused"))
                .type_name("Refused".to_owned())
                .non_retryable(true);
            return Err(ActivityError::application(failure.build()));
        }
        // An attempt of the workflow's own is always the server's first: the ledger knows better.
        Act::FailsFirst(times) if tell(&ledger, &format!("#!{word}")).await? >= times => {}
        Act::FailsFirst(_) | Act::FailsForever => {
            tell(&ledger, &format!("!{word}")).await?;
            let failure = ApplicationFailure::new(format!("{word} fails"));
            return Err(ActivityError::application(failure));
        }
        Act::LosesItsReply => {
            tell(&ledger, &word).await?;
            ctx.cancelled().await;
            // A worker that stops tells its activities; this one has no reply to lose any more.
            return Err(ActivityError::cancelled());
        }
        Act::Waits | Act::WaitsDeaf => {
            let question = format!("?{word}");
            let mut opened = pin!(tell(&ledger, &question));
            let mut beat = tokio::time::interval(Duration::from_millis(100));
            loop {
                tokio::select! {
                    opened = &mut opened => break opened.map(drop)?,
                    () = ctx.cancelled(), if act == Act::Waits => {
                        tell(&ledger, &format!("x{word}")).await?;
                        return Err(ActivityError::cancelled());
                    }
                    _ = beat.tick() => ctx.record_heartbeat(()).await?,
                }
            }
        }
    }
    tell(&ledger, &word).await?;
    Ok(word.trim_start_matches(['+', '-']).to_owned())
}
