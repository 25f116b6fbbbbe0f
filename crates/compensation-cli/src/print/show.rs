//! One saga's record for people, in short and in full.

use compensation::{Report, Timestamp, machine::Phase};

use super::{
    record::{Attempts, Record, parked},
    text::{clean, indented, short, span, table},
    timeline::happenings,
};

/// How a saga stands in a few lines; `steps` also says how each step stands.
pub(crate) fn brief(record: &Record, steps: bool) -> String {
    let head = &record.stored.summary;
    let why = head.head.reason.as_deref().map(|why| record.mask.text(why));
    let why = why.map(|why| format!(": {}", indented(&why, 2)));
    let (name, id) = (clean(&head.name), clean(head.id.as_str()));
    let mut text = format!("{name} {id}: {}{}\n", head.head.status, why.unwrap_or_default());
    if let (true, Ok(report)) = (steps, &record.report) {
        text.push_str(&step_table(record, report));
    }
    text
}

/// All that matters of it.
pub(crate) fn full(record: &Record, half_done: Option<Timestamp>) -> String {
    let head = &record.stored.summary;
    let mut rows = vec![
        ("saga", clean(&head.name)),
        ("id", clean(head.id.as_str())),
        ("status", head.head.status.to_string()),
    ];
    if let Some(why) = &head.head.reason {
        rows.push(("why", indented(&record.mask.text(why), 9)));
    }
    if head.head.status.is_open() {
        let owner = if head.owned { "a living process" } else { "nobody: resume it" };
        rows.push(("run by", owner.to_owned()));
    }
    let now = Timestamp::now();
    let ago = |moment| format!("{moment} ({} ago)", span(moment, now));
    rows.push(("created", ago(head.created)));
    if let Some(since) = half_done {
        rows.push(("halfway", format!("since {}", ago(since))));
    }
    rows.push(("updated", ago(head.updated)));
    rows.push(("input", short(&record.mask.input(&record.stored.input))));
    let mut text: String =
        rows.iter().map(|(name, value)| format!("{name:7}  {value}\n")).collect();
    match &record.report {
        Err(unreadable) => {
            text.push_str(&format!("\nits record can't be read: {}\n", clean(unreadable)));
        }
        Ok(report) => {
            text.push_str("\nsteps\n");
            text.push_str(&step_table(record, report));
            text.push_str("\nwhat happened\n");
            for line in happenings(record, false) {
                text.push_str(&format!("  {line}\n"));
            }
        }
    }
    text
}

fn step_table(record: &Record, report: &Report) -> String {
    let row = |((name, phase), tried): ((&str, Phase), Attempts)| {
        let said = report.stored_output(name).map(|output| record.mask.output(name, output.get()));
        let said = said.map(|output| short(&plain(&output)));
        vec![
            format!("  {}", clean(name)),
            phase.to_string(),
            tries(tried),
            parked(phase).or(said).unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = report.steps().zip(record.attempts(report.plan())).map(row).collect();
    table(&rows)
}

/// What was tried more than once.
fn tries(tried: Attempts) -> String {
    let parts = [(tried.action, "attempts"), (tried.probe, "probes"), (tried.undo, "undos")];
    let often = parts.into_iter().filter(|(count, _)| *count > 1);
    often.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// A JSON string as the text that it is.
fn plain(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}
