//! Orders to many sagas: what they would be given to, and what came of each.

use compensation::{Applied, Expected, Given, Target};
use serde_json::{Value, json};

use super::text::{clean, short, table};
use crate::error::Error;

fn row(target: &Target) -> Vec<String> {
    vec![
        clean(target.id.as_str()),
        clean(&target.saga),
        target.status.to_string(),
        target.step.as_deref().map(clean).unwrap_or_default(),
        target.why.as_deref().map(short).unwrap_or_default(),
    ]
}

fn target_json(target: &Target) -> Value {
    let (expected, refusal) = match &target.expected {
        Expected::Changed => ("changed", None),
        Expected::Already => ("already", None),
        Expected::Refused(why) => ("refused", Some(why)),
    };
    json!({
        "id": target.id,
        "saga": &*target.saga,
        "status": target.status,
        "step": target.step.as_deref(),
        "why": target.why,
        "expected": expected,
        "refusal": refusal,
    })
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
    let rows: Vec<_> = std::iter::once(head).chain(targets.iter().map(row)).collect();
    format!("{}{verb}: {}\n", table(&rows), count(targets.iter()))
}

/// How many of them the order would not change; `None` where it would change all.
pub(crate) fn unchanged(targets: &[Target]) -> Option<String> {
    let often = |is: fn(&Expected) -> bool| targets.iter().filter(|it| is(&it.expected)).count();
    let already = often(|expected| *expected == Expected::Already);
    let refused = often(|expected| matches!(expected, Expected::Refused(_)));
    let some = already + refused > 0;
    some.then(|| format!("of these, {already} so already, and {refused} would be refused"))
}

/// For programs.
pub(crate) fn targets_json(verb: &str, targets: &[Target]) -> Value {
    json!({
        "verb": verb,
        "count": targets.len(),
        "targets": targets.iter().map(target_json).collect::<Vec<_>>(),
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
pub(crate) fn given(verb: &str, given: &[Given<Error>]) -> String {
    if given.is_empty() {
        return format!("nothing to {verb}\n");
    }
    let row = |Given { target, answer }: &Given<Error>| {
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
pub(crate) fn given_json(verb: &str, given: &[Given<Error>], exit: u8) -> Value {
    let one = |Given { target, answer }: &Given<Error>| {
        let mut all = json!({ "id": target.id, "step": target.step.as_deref() });
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
