//! The workflow under test: steps that do what their plan says, and activities whose effects are told to the
//! ledger.

use std::{pin::pin, rc::Rc, time::Duration};

use compensation_temporal::{
    ActivityPolicy, Compensate, CompensationExecutionRecord, CompensationManager, NotDone, Retry,
    Snapshot, Step, UndoContext, step,
};
use serde::{Deserialize, Serialize};
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::{
    ContinueAsNewOptions, WorkflowContext, WorkflowContextView, WorkflowResult,
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
    /// Waits for a cancel once all is done.
    pub(crate) hold: bool,
    /// Takes all legs at once.
    pub(crate) together: bool,
    /// Undoes so many at once.
    pub(crate) parallel: u16,
    /// Continues as new after so many legs.
    pub(crate) renew_after: Option<usize>,
    pub(crate) carried: Option<Snapshot>,
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
    ledger: String,
    word: String,
    act: Act,
    /// What an undo is told of what it undoes.
    told: Option<String>,
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
            ctx.wait_condition(|_| false).await?;
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
}

fn step_of(
    ledger: &str,
    leg: &Leg,
) -> Step<WorkflowContext<Trip>, impl ActivityDefinition<Input = Call, Output = String> + use<>> {
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
    let step = step(&leg.name, Town::does, call('+', leg.act))
        .policy(policy.clone().retry(Retry::none()))
        .not_done(not_done);
    let policy = policy.retry(Retry::times(3).first(Duration::from_millis(50)));
    if leg.by_closure {
        return step.undo_fn(move |scope: UndoContext<_>, done: Option<Rc<String>>| {
            let told = done.map(|done| (*done).clone());
            let (undo, policy) =
                (Call { told, ..undo.clone() }, policy.clone().retry(Retry::none()));
            async move { scope.run(Town::does, undo, &policy).await.map(drop) }
        });
    }
    let step = step
        .undo(Town::does, move |done: Option<&String>| Call { told: done.cloned(), ..undo.clone() })
        .undo_policy(policy);
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
}
