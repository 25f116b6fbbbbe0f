//! A saga's report as data: the result of its workflow, the details of its failure or cancellation, and the answer to
//! the query `report`.

use compensation::{
    Plan, Report, SagaId, Status,
    remote::{Course, Unreadable},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::steering::Attempts;

/// Most bytes of a report; beyond, the outputs are left out, then the causes of failures, then the journal.
const MAX_REPORT_BYTES: usize = 1024 * 1024;

/// How a saga stands, for people who read it in Temporal's UI, and with its journal for programs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SagaReport {
    /// The definition's name.
    pub saga: String,
    /// The saga's id.
    pub id: SagaId,
    /// How it stands.
    pub status: Status,
    /// Why it stands so, where the status alone does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every step, in the order of the plan.
    pub steps: Vec<SagaStepReport>,
    /// What was left out, because there was too much of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// What happened, in the words of the durable engine's journal: failures, outputs and orders too.
    pub journal: Box<RawValue>,
    /// The plan that the saga was started with.
    pub plan: Plan,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SagaStepReport {
    /// Its name.
    pub name: String,
    /// How it stands: a word of [`Phase`](compensation::machine::Phase).
    pub phase: String,
    /// Attempts of its action that are known of.
    pub attempts: u32,
    /// The same of its undo.
    #[serde(default)]
    pub undo_attempts: u32,
}

impl SagaReport {
    pub(super) fn of(course: &Course, attempts: &[Attempts]) -> Self {
        let report = course.report();
        let steps = report.steps().zip(attempts).map(|((name, phase), attempts)| SagaStepReport {
            name: name.to_owned(),
            phase: phase.to_string(),
            attempts: attempts.action,
            undo_attempts: attempts.undo,
        });
        let (journal, left_out) = fit(course.journal());
        Self {
            saga: report.saga().to_owned(),
            id: course.id().clone(),
            status: report.status(),
            reason: report.reason(),
            steps: steps.collect(),
            left_out: left_out.map(str::to_owned),
            journal,
            plan: Plan::clone(course.plan()),
        }
    }

    /// The same as the report that the other ways of running a saga give.
    ///
    /// # Errors
    /// [`Unreadable`] where the journal was left out, or a newer version wrote it.
    pub fn report(&self) -> Result<Report, Unreadable> {
        let course = Course::read(self.plan.clone(), self.id.clone(), self.journal.get())?;
        Ok(course.report())
    }
}

/// The journal, as much of it as fits.
fn fit(journal: String) -> (Box<RawValue>, Option<&'static str>) {
    if journal.len() <= MAX_REPORT_BYTES
        && let Ok(journal) = RawValue::from_string(journal.clone())
    {
        return (journal, None);
    }
    let mut events: Vec<Value> = serde_json::from_str(&journal).unwrap_or_default();
    for event in events.iter_mut().filter_map(Value::as_object_mut) {
        event.remove("output");
    }
    if let Some(journal) = raw(&events) {
        return (journal, Some("outputs"));
    }
    for event in &mut events {
        if let Some(failure) = event.get_mut("failure").and_then(Value::as_object_mut) {
            failure.remove("causes");
        }
    }
    match raw(&events) {
        Some(journal) => (journal, Some("outputs and the causes of failures")),
        None => (RawValue::NULL.to_owned(), Some("the journal")),
    }
}

fn raw(events: &[Value]) -> Option<Box<RawValue>> {
    let journal = serde_json::value::to_raw_value(events).ok()?;
    (journal.get().len() <= MAX_REPORT_BYTES).then_some(journal)
}
