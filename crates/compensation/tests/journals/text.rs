//! A recorded saga as text: what the store held of it, and what it was told to mean.

use std::{fmt::Write as _, sync::Arc};

use compensation::{
    Part, Report, SagaId, Status, Timestamp,
    repository::{Append, Created, Entry, Head, MemoryRepository, NewSaga, Repository, StoredSaga},
};

/// A file of `tests/journals`, part by part.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) id: String,
    name: String,
    plan: String,
    input: String,
    head: Head,
    entries: Vec<Entry>,
    /// What a report says of it: the lines below `told`.
    pub(crate) told: String,
    /// How an engine ends it: the lines below `ended`; empty where it is not open.
    pub(crate) ended: String,
}

impl Recorded {
    pub(crate) fn of(saga: &StoredSaga, told: String, ended: String) -> Self {
        Self {
            id: saga.summary.id.to_string(),
            name: saga.summary.name.to_string(),
            plan: saga.plan.to_string(),
            input: saga.input.clone(),
            head: saga.summary.head.clone(),
            entries: saga.journal.clone(),
            told,
            ended,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.head.status.is_open()
    }

    pub(crate) fn write(&self) -> String {
        let mut text = format!("id: {}\nsaga: {}\nplan: {}\n", self.id, self.name, self.plan);
        let _ = writeln!(text, "input: {}\nhead: {}", self.input, self.head.status);
        if let Some(reason) = &self.head.reason {
            let _ = writeln!(text, "reason: {reason}");
        }
        for entry in &self.entries {
            let _ = writeln!(text, "entry: {} {}", entry.at.as_millis(), entry.body);
        }
        let _ = write!(text, "\ntold\n{}", self.told);
        if self.is_open() {
            let _ = write!(text, "\nended\n{}", self.ended);
        }
        text
    }

    pub(crate) fn read(text: &str) -> Self {
        let (store, rest) = text.split_once("\ntold\n").expect("a part `told`");
        let (told, ended) = rest.split_once("\nended\n").unwrap_or((rest, ""));
        let all = |key: &str| {
            let key = format!("{key}: ");
            store.lines().filter_map(move |line| line.strip_prefix(&key).map(str::to_owned))
        };
        let one = |key: &str| all(key).next().unwrap_or_else(|| panic!("a line `{key}`"));
        let entry = |line: String| {
            let (at, body) = line.split_once(' ').expect("a moment and a body");
            Entry { at: Timestamp::from_millis(at.parse().expect("a moment")), body: body.into() }
        };
        let status = Status::parse(&one("head")).expect("a status");
        Self {
            id: one("id"),
            name: one("saga"),
            plan: one("plan"),
            input: one("input"),
            head: Head { status, reason: all("reason").next() },
            entries: all("entry").map(entry).collect(),
            told: told.to_owned(),
            ended: ended.to_owned(),
        }
    }

    /// Puts it into a store, as a process would have that is dead by now.
    pub(crate) async fn restore(&self, data: &MemoryRepository) {
        let dead = data.another_owner();
        let open = Head { status: Status::Running, reason: None };
        let last = self.entries.len() - 1;
        let head = |place: usize| if place == last { self.head.clone() } else { open.clone() };
        let created = dead.create(NewSaga {
            id: SagaId::new(self.id.as_str()).expect("an id"),
            name: Arc::from(self.name.as_str()),
            plan: Arc::from(self.plan.as_str()),
            input: self.input.clone(),
            head: head(0),
            entry: self.entries[0].clone(),
        });
        let Created::New(key) = created.await.expect("a start") else { panic!("it is new") };
        for (place, entry) in self.entries.iter().enumerate().skip(1) {
            let (seq, entry) = (place as u32, entry.clone());
            dead.append(Append { key, seq, entry, head: head(place) }).await.expect("an entry");
        }
    }
}

/// All that a report says, in lines.
pub(crate) fn tell(report: &Report) -> String {
    let mut text = format!("status: {}\n", report.status());
    if let Some(reason) = report.reason() {
        let _ = writeln!(text, "reason: {reason}");
    }
    for (step, phase) in report.steps() {
        let output = report.stored_output(step).map_or("", |output| output.get());
        let _ = writeln!(text, "{}", format!("step {step}: {phase:?} {output}").trim_end());
    }
    for failure in report.failures() {
        let part = match failure.part() {
            Part::Action => "action",
            Part::Probe => "probe",
            Part::Undo => "undo",
        };
        let said = failure.failure();
        let _ = writeln!(
            text,
            "failure: {part} of {}: {} ({:?}, retryable: {})",
            failure.step(),
            said.message(),
            said.certainty(),
            said.is_retryable()
        );
    }
    if let Some(order) = report.abandoned() {
        let _ = writeln!(text, "abandoned: by {}, because {}", order.by, order.why);
    }
    text
}
