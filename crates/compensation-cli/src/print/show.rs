//! One saga's record for people, in short and in full.

use compensation::{Report, machine::Phase};

use super::{
    record::{Attempts, Happened, Record, parked},
    text::{clean, indented, short, table},
};

/// How a saga stands in a few lines; `steps` also says how each step stands.
pub(crate) fn brief(record: &Record, steps: bool) -> String {
    let head = &record.stored.summary;
    let why = head.head.reason.as_deref().map(|why| format!(": {}", indented(why, 2)));
    let (name, id) = (clean(&head.name), clean(head.id.as_str()));
    let mut text = format!("{name} {id}: {}{}\n", head.head.status, why.unwrap_or_default());
    if let (true, Ok(report)) = (steps, &record.report) {
        text.push_str(&step_table(record, report));
    }
    text
}

/// All that matters of it.
pub(crate) fn full(record: &Record) -> String {
    let head = &record.stored.summary;
    let mut rows = vec![
        ("saga", clean(&head.name)),
        ("id", clean(head.id.as_str())),
        ("status", head.head.status.to_string()),
    ];
    if let Some(why) = &head.head.reason {
        rows.push(("why", indented(why, 9)));
    }
    if head.head.status.is_open() {
        let owner = if head.owned { "a living process" } else { "nobody: resume it" };
        rows.push(("run by", owner.to_owned()));
    }
    rows.push(("created", head.created.to_string()));
    rows.push(("updated", head.updated.to_string()));
    rows.push(("input", short(&record.stored.input)));
    let mut text: String =
        rows.iter().map(|(name, value)| format!("{name:7}  {value}\n")).collect();
    match &record.report {
        Err(unreadable) => {
            text.push_str(&format!("\nits record can't be read: {}\n", clean(unreadable)));
        }
        Ok(report) => {
            text.push_str("\nsteps\n");
            text.push_str(&step_table(record, report));
            let told: Vec<_> = record.journal().iter().filter_map(told).collect();
            if !told.is_empty() {
                text.push_str("\nfailures and orders\n");
                text.push_str(&told.concat());
            }
        }
    }
    text
}

fn step_table(record: &Record, report: &Report) -> String {
    let row = |((name, phase), tried): ((&str, Phase), Attempts)| {
        let said = report.stored_output(name).map(|output| short(&plain(output.get())));
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

/// What people want to know of an event, if anything.
fn told(happened: &Happened) -> Option<String> {
    let what = if let Some(part) = happened.failed() {
        let part = if part == "action" { String::new() } else { format!("{part}: ") };
        let sure = match happened.failure("certainty") {
            Some("not_done") => " (it had no effect)",
            _ => "",
        };
        format!("{part}{}{sure}", happened.failure("message").unwrap_or_default())
    } else if happened.text("event") == Some("interrupted") {
        "cut off by the end of its process".to_owned()
    } else {
        let word = match happened.text("event")? {
            "cancel_requested" => "undo",
            "retry_ordered" => "retry",
            "skip_ordered" => "skip",
            "done_declared" => "done",
            "abandoned" => "abandon",
            _ => return None,
        };
        let by = happened.text("by").unwrap_or("somebody");
        format!("{word}, ordered by {by}: {}", happened.text("why").unwrap_or_default())
    };
    let step = happened.text("step").map(|step| format!("{}: ", clean(step)));
    Some(format!("  {}  {}{}\n", happened.at, step.unwrap_or_default(), indented(&what, 6)))
}
