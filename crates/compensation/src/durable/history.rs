//! What happened to a saga, event by event, and since when it has been half done.

use std::{collections::HashMap, sync::Arc};

use super::{
    engine::{self, Engine},
    error::EngineError,
    many::TOGETHER,
    mask::Mask,
    records::UndoHistory,
};
use crate::{
    clock::Timestamp,
    error::{Certainty, Failure},
    event::{Change, Event, StepIndex},
    id::SagaId,
    machine::Machine,
    outcome::{Edit, Order, Report},
    plan::UndoPlan,
    records::UndoRecord,
    repository::{StoredSaga, Summary},
    status::Status,
};

/// A saga's whole history, as its record tells it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct History {
    /// Its listing.
    pub summary: Summary,
    /// How it stands.
    pub report: Report,
    /// Since when it has had an effect that is neither undone nor completed; `None` where it has none, or is
    /// over.
    pub half_done_since: Option<Timestamp>,
    /// Everything that happened, in order.
    pub events: Vec<Happening>,
    /// The input that it was started with, as JSON.
    pub input: String,
    /// Its undos as records, as [`SagaRecords`](crate::SagaRecords) has them.
    pub undos: Vec<UndoRecord>,
    /// What of it is declared secret. Nothing here is masked.
    pub mask: Mask,
}

/// One thing that happened to a saga.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Happening {
    /// When it was written down.
    pub at: Timestamp,
    /// What happened.
    pub change: Change,
    /// The step's name, if it happened to one.
    pub step: Option<Arc<str>>,
    /// For attempts, which one of that function: from 1, over the whole life of the saga. Else 0.
    pub attempt: u32,
    /// How an attempt failed.
    pub failure: Option<Failure>,
    /// Who ordered it and why.
    pub order: Option<Order>,
    /// What that person gave the step in place of what is recorded.
    pub edit: Edit,
}

impl Engine {
    /// What happened to a saga, from its record in the store.
    ///
    /// # Errors
    /// As [`report`](Self::report).
    pub async fn history(&self, id: &SagaId) -> Result<History, EngineError> {
        history(&self.load(id).await?)
    }

    /// What happened to each of several sagas. Those that are not there are left out.
    ///
    /// # Errors
    /// [`EngineError::Store`]. A record that can't be read is an error of that saga alone: [`EngineError::Held`].
    pub async fn histories(
        &self,
        ids: Vec<SagaId>,
    ) -> Result<HashMap<SagaId, Result<History, EngineError>>, EngineError> {
        let mut histories = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(TOGETHER) {
            let sagas = self.inner().desk.repository.load_all(ids.to_vec()).await?;
            histories.extend(sagas.iter().map(|it| (it.summary.id.clone(), history(it))));
        }
        Ok(histories)
    }
}

fn history(saga: &StoredSaga) -> Result<History, EngineError> {
    let (mut heard, mut undone) = (Vec::new(), UndoHistory::default());
    let told = engine::read_with(saga, |at, change, event, machine| {
        undone.hear(at, change, event, machine);
        heard.push((at, change, event.clone()));
    })?;
    let undos = undone.records(saga, &told);
    let machine = told.machine.clone();
    let report = engine::report_of(saga, told)?;
    let steps = report.plan().steps.len();
    let mut counts = vec![[0_u32; 3]; steps];
    let mut effects = vec![None; steps];
    let names: Vec<Arc<str>> =
        report.plan().steps.iter().map(|step| step.name.as_str().into()).collect();
    let mut events: Vec<Happening> = Vec::with_capacity(heard.len());
    for (at, change, event) in heard {
        if let Some(step) = change.step().map(usize::from) {
            note_effect(&mut effects[step], at, change);
        }
        events.push(happening(at, change, &event, &names, &mut counts));
    }
    let half_done_since = half_done(&report, &machine, &effects);
    let (summary, mask) = (saga.summary.clone(), Mask::by(report.plan(), saga));
    let input = saga.input.clone();
    Ok(History { summary, report, half_done_since, events, input, undos, mask })
}

/// When a step had its effect, as far as is known.
fn note_effect(since: &mut Option<Timestamp>, at: Timestamp, change: Change) {
    match change {
        Change::ActionDone(_)
        | Change::ProbeDone(_)
        | Change::DoneDeclared(_)
        | Change::Interrupted(_) => {
            since.get_or_insert(at);
        }
        Change::ActionFailed { certainty: Certainty::Unknown, .. } => {
            since.get_or_insert(at);
        }
        Change::ProbeNotDone(_) => *since = None,
        _ => {}
    }
}

fn half_done(
    report: &Report,
    machine: &Machine,
    effects: &[Option<Timestamp>],
) -> Option<Timestamp> {
    if matches!(report.status(), Status::Completed | Status::Compensated | Status::Abandoned) {
        return None;
    }
    let stands = |step: StepIndex| {
        let owed = match report.plan().steps[usize::from(step)].undo {
            UndoPlan::Run { .. } => true,
            UndoPlan::None { .. } => !machine.is_backward(),
        };
        owed && machine.phase(step).may_be_done()
    };
    let steps = effects.iter().zip(0..);
    steps.filter(|(_, step)| stands(*step)).filter_map(|(since, _)| *since).min()
}

fn happening(
    at: Timestamp,
    change: Change,
    event: &Event,
    names: &[Arc<str>],
    counts: &mut [[u32; 3]],
) -> Happening {
    let place = change.step().map(usize::from);
    let part = match change {
        Change::ActionStarted(_) | Change::ActionDone(_) | Change::ActionFailed { .. } => Some(0),
        Change::ProbeStarted(_)
        | Change::ProbeDone(_)
        | Change::ProbeNotDone(_)
        | Change::ProbeFailed { .. } => Some(1),
        Change::UndoStarted(_) | Change::UndoDone(_) | Change::UndoFailed { .. } => Some(2),
        _ => None,
    };
    let attempt = match (place, part) {
        (Some(step), Some(part)) => {
            let count = &mut counts[step][part];
            let starts = matches!(
                change,
                Change::ActionStarted(_) | Change::ProbeStarted(_) | Change::UndoStarted(_)
            );
            *count += u32::from(starts);
            *count
        }
        _ => 0,
    };
    let order = event.by.clone().zip(event.why.clone()).map(|(by, why)| Order { by, why });
    let edit = match order {
        Some(_) => Edit { input: event.input.clone(), output: event.output.clone() },
        None => Edit::default(),
    };
    Happening {
        at,
        change,
        step: place.and_then(|step| names.get(step)).cloned(),
        attempt,
        failure: event.failure.clone(),
        order,
        edit,
    }
}
