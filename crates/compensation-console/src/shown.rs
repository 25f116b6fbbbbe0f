//! A saga as it may be shown: everything that goes to a page has passed the mask of what is secret.

use std::sync::Arc;

use compensation::{
    Certainty, CompensationStatus, Edit, EngineError, Failure, History, Mask, Order, Report,
    SagaId, Timestamp,
    machine::Change,
    repository::{Page, Query, Summary},
};

use crate::state::State;

/// A saga's history, masked.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) summary: Summary,
    /// For plan and phases; its outputs and failures are not masked, and are taken from here.
    pub(crate) report: Report,
    pub(crate) half_done_since: Option<Timestamp>,
    pub(crate) events: Vec<Event>,
    pub(crate) input: String,
    pub(crate) mask: Mask,
    /// One for each step.
    pub(crate) outputs: Vec<Option<String>>,
    pub(crate) undos: Vec<Undo>,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) change: Change,
    pub(crate) step: Option<Arc<str>>,
    pub(crate) attempt: u32,
    pub(crate) failure: Option<Said>,
    pub(crate) order: Option<Order>,
    /// What the step was given in place of what is recorded, in words.
    pub(crate) given: Option<&'static str>,
}

/// What an attempt said when it failed.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) certainty: Certainty,
    pub(crate) retryable: bool,
}

/// The record of an undo.
#[derive(Clone, Debug)]
pub(crate) struct Undo {
    pub(crate) step: String,
    pub(crate) status: CompensationStatus,
    pub(crate) retries: u32,
    pub(crate) data: String,
    pub(crate) note: String,
}

/// A saga whose record can't be read: what is known beside.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    pub(crate) summary: Option<Summary>,
    pub(crate) why: String,
}

/// Sagas of a listing. What is secret is known from a saga's record only, so those that say why are read; a reason
/// that can't be judged is not shown.
pub(crate) async fn list(state: &State, query: Query) -> Result<Page, EngineError> {
    let mut page = state.engine.list(query).await?;
    let with_reason = page.sagas.iter().filter(|saga| saga.head.reason.is_some());
    let ids = with_reason.map(|saga| saga.id.clone()).collect();
    let histories = state.engine.histories(ids).await.unwrap_or_default();
    for saga in &mut page.sagas {
        let Some(reason) = saga.head.reason.take() else { continue };
        saga.head.reason = match histories.get(&saga.id) {
            Some(Ok(history)) => Some(mask(state, history).text(&reason)),
            // Parked because it can't be read: no step of it had a word in that.
            Some(Err(_)) => Some(reason),
            None => None,
        };
    }
    Ok(page)
}

/// Reads a saga.
pub(crate) async fn read(
    state: &State,
    id: &SagaId,
) -> Result<Result<Shown, Unreadable>, EngineError> {
    match state.engine.history(id).await {
        Ok(history) => Ok(Ok(Shown::of(state, history))),
        Err(EngineError::Held { reason, .. }) => {
            let query = Query { text: Some(id.to_string()), limit: 50, ..Query::default() };
            let found = state.engine.list(query).await?.sagas;
            let summary = found.into_iter().find(|saga| saga.id == *id);
            Ok(Err(Unreadable { summary, why: reason }))
        }
        Err(error) => Err(error),
    }
}

fn mask(state: &State, history: &History) -> Mask {
    let mut mask = history.mask.clone();
    (state.options.hides)(&mut mask, history.report.plan());
    mask
}

fn given(edit: &Edit) -> Option<&'static str> {
    match (&edit.input, &edit.output) {
        (Some(_), Some(_)) => Some("with another input and another output"),
        (Some(_), None) => Some("with another input"),
        (None, Some(_)) => Some("with another output"),
        (None, None) => None,
    }
}

impl Shown {
    fn of(state: &State, history: History) -> Self {
        let mask = &mask(state, &history);
        let said = |failure: &Failure| Said {
            message: mask.text(failure.message()),
            causes: failure.causes().iter().map(|cause| mask.text(cause)).collect(),
            certainty: failure.certainty(),
            retryable: failure.is_retryable(),
        };
        let events = history.events.iter().map(|event| Event {
            at: event.at,
            change: event.change,
            step: event.step.clone(),
            attempt: event.attempt,
            failure: event.failure.as_ref().map(said),
            order: event
                .order
                .as_ref()
                .map(|order| Order::new(mask.text(&order.by), mask.text(&order.why))),
            given: given(&event.edit),
        });
        let outputs = history.report.plan().steps.iter().map(|step| {
            let output = history.report.stored_output(&step.name);
            output.map(|output| mask.output(&step.name, output.get()))
        });
        let undos = history.undos.iter().map(|undo| Undo {
            step: undo.activity_name.clone(),
            status: undo.status,
            retries: undo.retries,
            data: mask.output(&undo.activity_name, &undo.compensation_data.to_string()),
            note: mask.text(undo.error.as_deref().or(undo.reason.as_deref()).unwrap_or_default()),
        });
        let mut summary = history.summary.clone();
        summary.head.reason = summary.head.reason.map(|reason| mask.text(&reason));
        Self {
            summary,
            half_done_since: history.half_done_since,
            events: events.collect(),
            input: mask.input(&history.input),
            outputs: outputs.collect(),
            undos: undos.collect(),
            mask: mask.clone(),
            report: history.report,
        }
    }
}
