//! All that happened to a saga, line by line.

use serde_json::json;

use super::{
    record::{Happened, Record},
    text::{clean, indented},
};

/// One line for each thing that happened, in order: for people, or as JSON for programs.
pub(crate) fn happenings(record: &Record, as_json: bool) -> Vec<String> {
    let mut counts = Counts::default();
    let line = |happened: &Happened| {
        let attempt = counts.count(happened);
        if as_json {
            let mut event = happened.event.clone();
            event.insert("at".to_owned(), json!(happened.at));
            return serde_json::Value::Object(event).to_string();
        }
        let step = happened.text("step").map(|step| format!("{}: ", clean(step)));
        let what = indented(&what(happened, attempt), 6);
        format!("{}  {}{what}", happened.at, step.unwrap_or_default())
    };
    record.journal().iter().map(line).collect()
}

/// How often each part of each step was started so far.
#[derive(Default)]
struct Counts(std::collections::HashMap<(String, &'static str), u32>);

impl Counts {
    fn count(&mut self, happened: &Happened) -> u32 {
        let (Some(step), Some(word)) = (happened.text("step"), happened.text("event")) else {
            return 0;
        };
        let Some(part) = ["action", "probe", "undo"].into_iter().find(|it| word.starts_with(it))
        else {
            return 0;
        };
        let count = self.0.entry((step.to_owned(), part)).or_default();
        *count += u32::from(word.ends_with("_started"));
        *count
    }
}

/// The number of an attempt that is not the first one.
pub(super) fn again(attempt: u32) -> String {
    if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() }
}

fn what(happened: &Happened, attempt: u32) -> String {
    let again = again(attempt);
    if let Some(part) = happened.failed() {
        let part = if part == "action" { String::new() } else { format!("{part} ") };
        let sure = match happened.failure("certainty") {
            Some("not_done") => " (it had no effect)",
            _ => "",
        };
        let message = happened.failure("message").unwrap_or_default();
        let causes: String =
            happened.causes().map(|cause| format!("\ncaused by: {cause}")).collect();
        return format!("{part}failed{again}: {message}{sure}{causes}");
    }
    let word = match happened.text("event").unwrap_or_default() {
        "action_started" => return format!("start{again}"),
        "action_done" => return format!("done{again}"),
        "probe_started" => return format!("probe{again}"),
        "probe_done" => return "done, as its probe found".to_owned(),
        "probe_not_done" => return "not done, as its probe found".to_owned(),
        "undo_started" => return format!("undo{again}"),
        "undo_done" => return format!("undone{again}"),
        "interrupted" => return "cut off by the end of its process".to_owned(),
        "cancel_requested" => "undo",
        "retry_ordered" => "retry",
        "skip_ordered" => "skip",
        "done_declared" => "done by hand",
        "undone_declared" => "undone by hand",
        "abandoned" => "abandon",
        "resume_ordered" => "resume",
        other => return other.to_owned(),
    };
    let by = happened.text("by").unwrap_or("somebody");
    let given: Vec<_> =
        ["input", "output"].into_iter().filter(|it| happened.event.contains_key(*it)).collect();
    let with = match given.is_empty() {
        true => String::new(),
        false => format!(" with another {}", given.join(" and another ")),
    };
    format!("{word}{with}, ordered by {by}: {}", happened.text("why").unwrap_or_default())
}
