//! One saga's record as data: how it stands, step by step, and what the journal says of it.

use compensation::{
    Mask, Plan, PlanStep, Report, UndoPlan, machine::Phase, repository::StoredSaga,
};
use serde_json::{Map, Value, json};

use super::listing::summary;

/// A saga as the store has it, and what that means.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) stored: StoredSaga,
    /// `Err`: why it can't be read.
    pub(crate) report: Result<Report, String>,
    /// What of it is not shown.
    pub(crate) mask: Mask,
}

/// One event of the journal, with its time and the name of its step.
#[derive(Debug)]
pub(super) struct Happened {
    pub(super) at: String,
    pub(super) event: Map<String, Value>,
}

/// How often each part of a step was started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    pub(super) action: u64,
    pub(super) probe: u64,
    pub(super) undo: u64,
}

impl Happened {
    /// The text of one of its fields.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.event.get(field)?.as_str()
    }

    /// Which part of its step failed, if this is a failure.
    pub(super) fn failed(&self) -> Option<&'static str> {
        match self.text("event")? {
            "action_failed" => Some("action"),
            "probe_failed" => Some("probe"),
            "undo_failed" => Some("undo"),
            _ => None,
        }
    }

    /// What caused a failure, outermost first.
    pub(super) fn causes(&self) -> impl Iterator<Item = &str> {
        let causes =
            self.event.get("failure").and_then(|failure| failure.get("causes")?.as_array());
        causes.into_iter().flatten().filter_map(Value::as_str)
    }

    /// How an attempt failed.
    pub(super) fn failure(&self, field: &str) -> Option<&str> {
        self.event.get("failure")?.get(field)?.as_str()
    }
}

impl Record {
    /// All of it.
    pub(crate) fn json(&self) -> Value {
        let mut all = self.brief_json();
        all["input"] = value(&self.mask.input(&self.stored.input));
        all["plan"] = value(&self.stored.plan);
        let entries = self.stored.journal.iter().zip(0..).map(|(entry, number)| {
            let events: Vec<_> = self.entry(number).into_iter().map(|it| it.event).collect();
            json!({ "at": entry.at.to_string(), "events": events })
        });
        all["journal"] = entries.collect();
        all
    }

    /// How it stands, and what failed.
    pub(crate) fn brief_json(&self) -> Value {
        let mut all = summary(&self.stored.summary, &self.mask);
        match &self.report {
            Ok(report) => {
                all["steps"] = self.steps_json(report);
                all["failures"] = self.journal().iter().filter_map(failure).collect();
            }
            Err(unreadable) => all["unreadable"] = json!(unreadable),
        }
        all
    }

    fn steps_json(&self, report: &Report) -> Value {
        let plan = report.plan();
        let step = |((step, (_, phase)), tried): ((&PlanStep, (&str, Phase)), Attempts)| {
            let because = match &step.undo {
                UndoPlan::Run { .. } => None,
                UndoPlan::None { because } => Some(because),
            };
            json!({
                "name": step.name,
                "phase": phase.as_str(),
                "parked": parked(phase),
                "attempts": { "action": tried.action, "probe": tried.probe, "undo": tried.undo },
                "output": report
                    .stored_output(&step.name)
                    .map(|output| value(&self.mask.output(&step.name, output.get()))),
                "no_undo_because": because,
                "pivot": step.pivot,
            })
        };
        plan.steps.iter().zip(report.steps()).zip(self.attempts(plan)).map(step).collect()
    }

    /// Every event, in order.
    pub(super) fn journal(&self) -> Vec<Happened> {
        (0..self.stored.journal.len()).flat_map(|number| self.entry(number)).collect()
    }

    fn entry(&self, number: usize) -> Vec<Happened> {
        let Some(entry) = self.stored.journal.get(number) else { return Vec::new() };
        let events: Vec<Map<_, _>> = serde_json::from_str(&entry.body).unwrap_or_default();
        let at = entry.at.to_string();
        events
            .into_iter()
            .map(|event| Happened { at: at.clone(), event: self.in_words(event) })
            .collect()
    }

    /// The journal's own spelling is short, and has the numbers of steps in place of their names.
    fn in_words(&self, mut event: Map<String, Value>) -> Map<String, Value> {
        if let Some(word) = event.remove("e") {
            event.insert("event".to_owned(), word);
        }
        if let Some(number) = event.remove("s") {
            let plan = self.report.as_ref().ok().map(Report::plan);
            let place = number.as_u64().and_then(|place| usize::try_from(place).ok());
            let step = plan.zip(place).and_then(|(plan, place)| plan.steps.get(place));
            event.insert("step".to_owned(), step.map_or(number, |step| json!(step.name)));
        }
        self.masked(event)
    }

    /// The event without what is secret.
    fn masked(&self, mut event: Map<String, Value>) -> Map<String, Value> {
        let step = event.get("step").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(output) = event.get_mut("output") {
            *output = value(&self.mask.output(&step, &output.to_string()));
        }
        if let Some(input) = event.get_mut("input") {
            *input = value(&self.mask.input(&input.to_string()));
        }
        for field in ["failure", "by", "why"] {
            if let Some(told) = event.get_mut(field) {
                mask_texts(&self.mask, told);
            }
        }
        event
    }

    /// For each step, how often its parts were started.
    pub(super) fn attempts(&self, plan: &Plan) -> Vec<Attempts> {
        let mut all = vec![Attempts::default(); plan.steps.len()];
        for event in self.journal() {
            let place = event.text("step").and_then(|step| plan.find(step)).map(usize::from);
            let Some(tried) = place.and_then(|place| all.get_mut(place)) else { continue };
            match event.text("event") {
                Some("action_started") => tried.action += 1,
                Some("probe_started") => tried.probe += 1,
                Some("undo_started") => tried.undo += 1,
                _ => {}
            }
        }
        all
    }
}

fn mask_texts(mask: &Mask, value: &mut Value) {
    match value {
        Value::String(text) => *text = mask.text(text),
        Value::Array(all) => all.iter_mut().for_each(|value| mask_texts(mask, value)),
        Value::Object(all) => all.values_mut().for_each(|value| mask_texts(mask, value)),
        _ => {}
    }
}

/// Why a step waits for a person, if it does.
pub(super) fn parked(phase: Phase) -> Option<String> {
    match phase {
        Phase::Parked(park) | Phase::UndoParked(park) => Some(park.to_string()),
        _ => None,
    }
}

fn failure(happened: &Happened) -> Option<Value> {
    let part = happened.failed()?;
    let mut all = json!({ "at": happened.at, "step": happened.event.get("step"), "part": part });
    if let (Value::Object(all), Some(Value::Object(failure))) =
        (&mut all, happened.event.get("failure"))
    {
        all.extend(failure.clone());
    }
    Some(all)
}

/// Stored text as the JSON that it is.
pub(super) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}
