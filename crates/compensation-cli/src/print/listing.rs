//! A page of sagas.

use compensation::{
    History, Mask, Report, Timestamp,
    repository::{SagaKey, Summary},
};
use serde_json::{Value, json};

use super::text::{clean, short, span, table};

/// A saga as a list shows it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) summary: Summary,
    /// `None` where the list says all there is to say, or the record can't be read.
    pub(crate) history: Option<History>,
}

impl Listed {
    /// Its steps that wait for a person. Of a saga that was given up nobody waits for anything.
    pub(crate) fn parked(&self) -> impl Iterator<Item = (&str, String)> + '_ {
        let is_over = self.summary.head.status.is_final();
        let report = self.history.as_ref().filter(|_| !is_over).map(|history| &history.report);
        report.into_iter().flat_map(Report::parked).map(|(step, park)| (step, park.to_string()))
    }
}

/// For people.
pub(crate) fn listing(sagas: &[Listed]) -> String {
    if sagas.is_empty() {
        return "no sagas\n".to_owned();
    }
    let head = ["ID", "SAGA", "STATUS", "AGE", "HALF DONE", "WHY"];
    let now = Timestamp::now();
    let mut rows = vec![head.map(ToOwned::to_owned).to_vec()];
    rows.extend(sagas.iter().map(|listed| row(listed, now)));
    table(&rows)
}

fn row(listed: &Listed, now: Timestamp) -> Vec<String> {
    let saga = &listed.summary;
    let half_done = listed.history.as_ref().and_then(|history| history.half_done_since);
    vec![
        clean(saga.id.as_str()),
        clean(&saga.name),
        saga.head.status.to_string(),
        span(saga.created, now),
        half_done.map(|since| span(since, now)).unwrap_or_default(),
        why(listed),
    ]
}

fn why(listed: &Listed) -> String {
    let saga = &listed.summary;
    match &saga.head.reason {
        _ if is_left(saga) => "nobody runs it: resume it".to_owned(),
        Some(reason) => {
            let waits = waits(listed).unwrap_or_else(|| reason.clone());
            short(&mask(listed).text(&waits))
        }
        None => String::new(),
    }
}

/// What waits for a person, with what it said last: shorter than the reason, which says first what is known.
fn waits(listed: &Listed) -> Option<String> {
    let report = &listed.history.as_ref()?.report;
    let parked = listed.parked().map(|(step, park)| {
        let last = report.failures().iter().rev().find(|failure| failure.step() == step);
        last.map_or_else(|| format!("step `{step}`: {park}"), ToString::to_string)
    });
    let parked: Vec<_> = parked.collect();
    (!parked.is_empty()).then(|| parked.join("; "))
}

fn mask(listed: &Listed) -> Mask {
    listed.history.as_ref().map(|history| history.mask.clone()).unwrap_or_default()
}

/// Left by a dead process.
fn is_left(saga: &Summary) -> bool {
    saga.head.status.is_open() && !saga.owned
}

/// One line of a list that goes on, and what of it is news when it changes.
pub(crate) fn listed_line(listed: &Listed, json: bool) -> (String, String) {
    let saga = &listed.summary;
    let mark = format!("{} {} {:?}", saga.updated, saga.head.status, saga.head.reason);
    if json {
        return (mark, format!("{}\n", listed_json(listed)));
    }
    let (id, name) = (clean(saga.id.as_str()), clean(&saga.name));
    let line = format!("{}  {id}  {name}  {}  {}", saga.updated, saga.head.status, why(listed));
    (mark, format!("{}\n", line.trim_end()))
}

/// For programs.
pub(crate) fn listing_json(sagas: &[Listed], next: Option<SagaKey>) -> Value {
    json!({
        "sagas": sagas.iter().map(listed_json).collect::<Vec<_>>(),
        "next": next.map(|next| next.0),
    })
}

fn listed_json(listed: &Listed) -> Value {
    let mut all = summary(&listed.summary, &mask(listed));
    let half_done = listed.history.as_ref().and_then(|history| history.half_done_since);
    all["half_done_since"] = json!(half_done.map(|since| since.to_string()));
    let parked = listed.parked().map(|(step, why)| json!({ "step": step, "why": why }));
    all["parked"] = parked.collect();
    all
}

/// One saga's head, for programs.
pub(super) fn summary(saga: &Summary, mask: &Mask) -> Value {
    json!({
        "id": saga.id,
        "saga": &*saga.name,
        "status": saga.head.status,
        "reason": saga.head.reason.as_deref().map(|reason| mask.text(reason)),
        "created": saga.created.to_string(),
        "updated": saga.updated.to_string(),
        "owned": saga.owned,
    })
}
