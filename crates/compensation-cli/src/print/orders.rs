//! Orders to many sagas: what they would be given to, and what came of each.

use compensation::{Applied, SagaId, Status};
use serde_json::{Value, json};

use super::{
    listing::Listed,
    text::{clean, short, table},
};
use crate::error::Error;

/// A saga, or a step of one, that an order is for.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) id: SagaId,
    saga: String,
    status: Status,
    pub(crate) step: Option<String>,
    why: Option<String>,
}

/// An order that was given, and what came of it.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) target: Target,
    pub(crate) answer: Result<Applied, Error>,
}

impl Target {
    /// The saga itself, or that step of it, and why it waits.
    pub(crate) fn of(listed: &Listed, step: Option<(&str, String)>) -> Self {
        let saga = &listed.summary;
        let (step, why) = match step {
            Some((step, why)) => (Some(step.to_owned()), Some(why)),
            None => (None, None),
        };
        let mask = listed.history.as_ref().map(|history| history.mask.clone()).unwrap_or_default();
        let why = why.or_else(|| saga.head.reason.as_deref().map(|reason| mask.text(reason)));
        let name = saga.name.to_string();
        Self { id: saga.id.clone(), saga: name, status: saga.head.status, step, why }
    }

    fn row(&self) -> Vec<String> {
        vec![
            clean(self.id.as_str()),
            clean(&self.saga),
            self.status.to_string(),
            self.step.as_deref().map(clean).unwrap_or_default(),
            self.why.as_deref().map(short).unwrap_or_default(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "saga": self.saga,
            "status": self.status,
            "step": self.step,
            "why": self.why,
        })
    }
}

/// What an order did, in a word.
pub(crate) fn applied(applied: Applied) -> &'static str {
    match applied {
        Applied::Changed => "changed",
        Applied::Already => "already",
    }
}

/// For people.
pub(crate) fn targets(verb: &str, targets: &[Target]) -> String {
    if targets.is_empty() {
        return format!("nothing to {verb}\n");
    }
    let head = ["ID", "SAGA", "STATUS", "STEP", "WHY"].map(ToOwned::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(head).chain(targets.iter().map(Target::row)).collect();
    format!("{}{verb}: {}\n", table(&rows), count(targets.iter()))
}

/// For programs.
pub(crate) fn targets_json(verb: &str, targets: &[Target]) -> Value {
    json!({
        "verb": verb,
        "count": targets.len(),
        "targets": targets.iter().map(Target::json).collect::<Vec<_>>(),
    })
}

fn count<'a>(targets: impl Iterator<Item = &'a Target>) -> String {
    let (mut sagas, mut steps) = (Vec::new(), 0);
    for target in targets {
        if sagas.last() != Some(&&target.id) {
            sagas.push(&target.id);
        }
        steps += usize::from(target.step.is_some());
    }
    let many =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    match steps {
        0 => many(sagas.len(), "saga"),
        steps => format!("{}, {}", many(sagas.len(), "saga"), many(steps, "step")),
    }
}

/// For people.
pub(crate) fn given(verb: &str, given: &[Given]) -> String {
    if given.is_empty() {
        return format!("nothing to {verb}\n");
    }
    let row = |Given { target, answer }: &Given| {
        let said = match answer {
            Ok(Applied::Changed) => "done as ordered".to_owned(),
            Ok(Applied::Already) => "it was so already".to_owned(),
            Err(error) => short(&error.to_string()),
        };
        vec![clean(target.id.as_str()), target.step.as_deref().map(clean).unwrap_or_default(), said]
    };
    let rows: Vec<_> = given.iter().map(row).collect();
    let often = |wanted: Option<Applied>| {
        given.iter().filter(|given| given.answer.as_ref().ok().copied() == wanted).count()
    };
    format!(
        "{}{verb}: {} changed, {} so already, {} refused or failed\n",
        table(&rows),
        often(Some(Applied::Changed)),
        often(Some(Applied::Already)),
        often(None)
    )
}

/// For programs.
pub(crate) fn given_json(verb: &str, given: &[Given], exit: u8) -> Value {
    let one = |Given { target, answer }: &Given| {
        let mut all = json!({ "id": target.id, "step": target.step });
        all["applied"] = json!(answer.as_ref().ok().map(|&did| applied(did)));
        all["error"] =
            answer.as_ref().err().map_or(Value::Null, |error| error.json()["error"].take());
        all
    };
    json!({
        "verb": verb,
        "orders": given.iter().map(one).collect::<Vec<_>>(),
        "exit": exit,
    })
}
