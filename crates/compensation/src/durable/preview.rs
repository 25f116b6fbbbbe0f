//! Which undos would run, before anything happens: the machine itself is asked, on a copy that nobody keeps.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::value::RawValue;

use super::{
    engine::Engine,
    error::{EngineError, Refusal},
    mask::Mask,
};
use crate::{
    event::{Change, StepIndex},
    id::SagaId,
    machine::{Effect, Illegal, Machine, Park, Phase, Task},
    plan::{Plan, UndoPlan},
    repository::{StoredSaga, Summary},
    status::Status,
    told::Told,
};

/// What would happen if a saga were undone now, or what is left to do of its undoing.
///
/// What is in flight is taken for done: its undo runs if that turns out so. Each undo is taken to succeed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Preview {
    /// The saga's listing.
    pub summary: Summary,
    /// The undos that would run, in the order in which they would start.
    pub undos: Vec<UndoPreview>,
    /// Steps that are done and have nothing to undo, and why.
    pub kept: Vec<(Arc<str>, String)>,
    /// Steps that wait for a person and would go on waiting, and why.
    pub parked: Vec<(Arc<str>, Park)>,
    /// How the saga would stand in the end.
    pub ends: Status,
    /// What of it is declared secret. Nothing here is masked.
    pub mask: Mask,
}

/// One undo that would run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UndoPreview {
    /// The step.
    pub step: Arc<str>,
    /// Undos of one stage may run side by side; the first is 1.
    pub stage: u32,
    /// The undos that must be over before it starts.
    pub after: Vec<Arc<str>>,
    /// Whether the step is recorded as done, or there may be nothing to undo.
    pub effect: Effect,
    /// Whether an attempt of the step is in flight, so that it may yet turn out not done.
    pub in_flight: bool,
    /// The number of the attempt.
    pub attempt: u32,
    /// The saga's input as the undo is given it, as JSON.
    pub input: Box<RawValue>,
    /// The step's output as the undo is given it, as JSON; `None` where it is not known, or there is none.
    pub output: Option<Box<RawValue>>,
}

impl Engine {
    /// What would happen if that saga were undone now. Nothing is changed.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where it can't be undone; else as [`report`](Self::report).
    pub async fn preview(&self, id: &SagaId) -> Result<Preview, EngineError> {
        let saga = self.load(id).await?;
        let told = super::engine::read(&saga)?;
        preview(&saga, &told)
            .map_err(|why| EngineError::Refused { id: id.clone(), why: Refusal(why) })
    }
}

pub(super) fn preview(saga: &StoredSaga, told: &Told) -> Result<Preview, Illegal> {
    let mut machine = told.machine.clone();
    let in_flight: BTreeSet<StepIndex> = machine.live().collect();
    if !machine.is_backward() {
        machine.apply(Change::CancelRequested)?;
    }
    let name = |step: StepIndex| Arc::<str>::from(told.plan.steps[usize::from(step)].name.as_str());
    for &step in &in_flight {
        settle(&mut machine, step)?;
    }
    let order = walk(&mut machine)?;
    let undoes: BTreeSet<StepIndex> = order.iter().map(|walked| walked.step).collect();
    let undos = order.iter().map(|walked| UndoPreview {
        step: name(walked.step),
        stage: walked.stage,
        after: behind(&told.plan, walked.step, &undoes).into_iter().map(name).collect(),
        effect: walked.effect,
        in_flight: in_flight.contains(&walked.step),
        attempt: walked.attempt,
        input: given_input(saga, told, walked.step),
        output: told.outputs[usize::from(walked.step)].clone(),
    });
    let kept = told.plan.steps.iter().zip(0..).filter_map(|(step, index)| match &step.undo {
        UndoPlan::None { because } if machine.phase(index) == Phase::Done => {
            Some((name(index), because.clone()))
        }
        _ => None,
    });
    Ok(Preview {
        summary: saga.summary.clone(),
        undos: undos.collect(),
        kept: kept.collect(),
        parked: machine.parked().map(|(step, park)| (name(step), park)).collect(),
        ends: machine.status(),
        mask: Mask::by(&told.plan, saga),
    })
}

/// One undo of the walk.
struct Walked {
    step: StepIndex,
    stage: u32,
    effect: Effect,
    attempt: u32,
}

/// What is in flight is taken for done.
fn settle(machine: &mut Machine, step: StepIndex) -> Result<(), Illegal> {
    machine.apply(match machine.phase(step) {
        Phase::Probing => Change::ProbeDone(step),
        Phase::Undoing => Change::UndoDone(step),
        _ => Change::ActionDone(step),
    })
}

/// Lets the machine undo, one stage after the other: a stage is all that it gives out at once.
fn walk(machine: &mut Machine) -> Result<Vec<Walked>, Illegal> {
    let mut order = Vec::new();
    let mut stage = 0;
    loop {
        let commands: Vec<_> = std::iter::from_fn(|| machine.next()).collect();
        if commands.is_empty() {
            return Ok(order);
        }
        stage += u32::from(commands.iter().any(|command| matches!(command.task, Task::Undo(_))));
        for command in &commands {
            let step = command.step;
            machine.apply(match command.task {
                Task::Act => Change::ActionStarted(step),
                Task::Probe => Change::ProbeStarted(step),
                Task::Undo(effect) => {
                    order.push(Walked { step, stage, effect, attempt: command.attempt });
                    Change::UndoStarted(step)
                }
            })?;
        }
        for command in commands {
            settle(machine, command.step)?;
        }
    }
}

/// The steps that come after that one, directly or over steps without an undo, and are undone before it.
fn behind(plan: &Plan, step: StepIndex, undoes: &BTreeSet<StepIndex>) -> Vec<StepIndex> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut left = vec![step];
    while let Some(step) = left.pop() {
        for (other, index) in plan.steps.iter().zip(0..) {
            if other.after.contains(&step) && seen.insert(index) {
                if undoes.contains(&index) {
                    found.insert(index);
                } else {
                    left.push(index);
                }
            }
        }
    }
    found.into_iter().collect()
}

fn given_input(saga: &StoredSaga, told: &Told, step: StepIndex) -> Box<RawValue> {
    let text = RawValue::from_string(saga.input.clone()).unwrap_or_default();
    told.inputs.get(&step).cloned().unwrap_or(text)
}
