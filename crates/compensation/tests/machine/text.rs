//! Sagas and what happens to them as short text, and how they stand as a line.
//!
//! A saga: steps separated by `;`, each a name with `<` and what it comes after, then words for its
//! policies; words for the saga stand first, with `@`. A step has an undo, is idempotent, and has one
//! attempt for its action and one for its undo, unless it says otherwise.
//!
//! ```text
//! @halt @parallel=2 a; b<a once unknown=park; c<a,b no-undo pivot x3
//! ```
//!
//! What happens, separated by blanks; `S` is a step:
//!
//! | text | meaning | text | meaning |
//! |---|---|---|---|
//! | `S` | starts and is done | `^S` | its undo starts and is done |
//! | `S>` `S+` | starts, is done | `^S>` `^S+` | its undo starts, is done |
//! | `S-` | fails without effect | `^S-` | its undo fails |
//! | `S?` | fails, perhaps with effect | `~S>` `~S+` `~S-` `~S?` | its probe starts, finds it done, not done, cannot tell |
//! | `S*` | the attempt in flight died | `retry:S` `skip:S` `declare:S` `declare-undone:S` `cancel` `abandon` | orders |
//!
//! `!` behind a failure: another attempt would not help.
//!
//! How it stands: the status; each step's phase; the attempts that may start, in order, where `~`
//! is a probe, `^` an undo, and `^S?` an undo that may find nothing.

use std::{fmt::Write as _, sync::Arc};

use compensation::{
    Certainty,
    machine::{
        Change, Command, Effect, Graph, GraphSpec, Illegal, Machine, OnUndoFailure, Park, Phase,
        StepIndex, StepSpec, Task, UnknownPolicy,
    },
};

/// A saga of which a story is told.
pub(crate) struct Saga {
    names: Vec<String>,
    pub(crate) machine: Machine,
}

/// How the saga stands after all that.
pub(crate) fn after(saga: &str, story: &str) -> String {
    Saga::new(saga).tell(story).stands()
}

/// How the machine refuses the last of the changes, all others having happened; it must stay as it
/// was.
pub(crate) fn refused(saga: &str, story: &str, change: &str) -> String {
    Saga::new(saga).tell(story).refuse(change).to_string()
}

impl Saga {
    pub(crate) fn new(text: &str) -> Self {
        let (names, spec) = read(text);
        let graph = Graph::new(spec).expect("a sound saga");
        Self { names, machine: Machine::new(Arc::new(graph)) }
    }

    pub(crate) fn tell(mut self, story: &str) -> Self {
        for word in story.split_whitespace() {
            for change in self.changes(word) {
                if let Err(illegal) = self.machine.apply(change) {
                    panic!("`{word}`: {illegal}, after which: {}", self.stands());
                }
            }
        }
        self
    }

    /// The changes that a story tells of.
    pub(crate) fn read(&self, story: &str) -> Vec<Change> {
        story.split_whitespace().flat_map(|word| self.changes(word)).collect()
    }

    pub(crate) fn refuse(&mut self, word: &str) -> Illegal {
        let change = self.changes(word)[0];
        let before = format!("{:?}", self.machine);
        let illegal = self.machine.apply(change).expect_err("an illegal change");
        assert_eq!(format!("{:?}", self.machine), before, "`{word}` was refused with a trace");
        assert_eq!(illegal.change, change);
        assert_eq!(illegal.status, self.machine.status());
        assert_eq!(illegal.phase, change.step().map(|step| self.machine.phase(step)));
        illegal
    }

    pub(crate) fn stands(&self) -> String {
        let mut text = format!("{} |", self.machine.status());
        for (name, step) in self.names.iter().zip(0..) {
            let comma = if step == 0 { "" } else { "," };
            let phase = self.machine.phase(step);
            let _ = write!(text, "{comma} {name} {phase}");
            if let Phase::Parked(park) | Phase::UndoParked(park) = phase {
                let _ = write!(text, ": {}", reason(park));
            }
        }
        text.push_str(" |");
        let mut offered = self.machine.clone();
        while let Some(command) = offered.next() {
            let _ = write!(text, " {}", self.name(command));
        }
        text
    }

    /// A command as [`stands`](Self::stands) writes it.
    fn name(&self, Command { step, task, .. }: Command) -> String {
        let name = &self.names[usize::from(step)];
        match task {
            Task::Act => name.clone(),
            Task::Probe => format!("~{name}"),
            Task::Undo(Effect::Sure) => format!("^{name}"),
            Task::Undo(Effect::Maybe) => format!("^{name}?"),
        }
    }

    fn step(&self, name: &str) -> StepIndex {
        place(&self.names, name)
    }

    fn changes(&self, word: &str) -> Vec<Change> {
        match word {
            "cancel" => return vec![Change::CancelRequested],
            "abandon" => return vec![Change::Abandoned],
            "resume" => return vec![Change::ResumeOrdered],
            _ => {}
        }
        if let Some((order, name)) = word.split_once(':') {
            let step = self.step(name);
            return vec![match order {
                "retry" => Change::RetryOrdered(step),
                "skip" => Change::SkipOrdered(step),
                "declare" => Change::DoneDeclared(step),
                "declare-undone" => Change::UndoneDeclared(step),
                _ => panic!("no order `{order}`"),
            }];
        }
        let (word, retryable) = match word.strip_suffix('!') {
            Some(word) => (word, false),
            None => (word, true),
        };
        let task = word.chars().next().filter(|first| "~^".contains(*first));
        let word = word.trim_start_matches(['~', '^']);
        let name = word.trim_end_matches(['>', '+', '-', '?', '*']);
        let step = self.step(name);
        let failed = |certainty| Change::ActionFailed { step, certainty, retryable };
        match (task, &word[name.len()..]) {
            (None, "") => vec![Change::ActionStarted(step), Change::ActionDone(step)],
            (None, ">") => vec![Change::ActionStarted(step)],
            (None, "+") => vec![Change::ActionDone(step)],
            (None, "-") => vec![failed(Certainty::NotDone)],
            (None, "?") => vec![failed(Certainty::Unknown)],
            (Some('~'), ">") => vec![Change::ProbeStarted(step)],
            (Some('~'), "+") => vec![Change::ProbeDone(step)],
            (Some('~'), "-") => vec![Change::ProbeNotDone(step)],
            (Some('~'), "?") => vec![Change::ProbeFailed { step, retryable }],
            (Some('^'), "") => vec![Change::UndoStarted(step), Change::UndoDone(step)],
            (Some('^'), ">") => vec![Change::UndoStarted(step)],
            (Some('^'), "+") => vec![Change::UndoDone(step)],
            (Some('^'), "-") => vec![Change::UndoFailed { step, retryable }],
            (None, "*") => vec![Change::Interrupted(step)],
            _ => panic!("nothing that happens: `{word}`"),
        }
    }
}

fn reason(park: Park) -> &'static str {
    match park {
        Park::OutcomeUnknown => "outcome unknown",
        Park::ProbeFailed => "probe failed",
        Park::TailFailed => "tail failed",
        Park::UndoFailed => "undo failed",
        Park::UndoInterrupted => "undo interrupted",
    }
}

fn place(names: &[String], name: &str) -> StepIndex {
    let found = names.iter().position(|known| known == name);
    let place = found.unwrap_or_else(|| panic!("no step `{name}`"));
    StepIndex::try_from(place).expect("few steps")
}

/// The shape that a text describes, sound or not.
pub(crate) fn spec(text: &str) -> GraphSpec {
    read(text).1
}

fn read(text: &str) -> (Vec<String>, GraphSpec) {
    let mut parallel = 16;
    let mut on_undo_failure = OnUndoFailure::Continue;
    let mut steps = text;
    while let Some(rest) = steps.trim_start().strip_prefix('@') {
        let (word, rest) = rest.split_once(' ').expect("steps behind the words for the saga");
        match word.split_once('=') {
            Some(("parallel", many)) => parallel = many.parse().expect("a number"),
            _ if word == "halt" => on_undo_failure = OnUndoFailure::Halt,
            _ => panic!("no word for a saga: `{word}`"),
        }
        steps = rest;
    }
    let parts: Vec<_> = steps.split(';').map(str::trim).collect();
    let head = |part: &str| part.split_whitespace().next().expect("a name").to_owned();
    let names: Vec<_> =
        parts.iter().map(|part| head(part).split('<').next().expect("a name").to_owned()).collect();
    let steps = parts
        .iter()
        .map(|part| {
            let befores = head(part).split_once('<').map(|(_, befores)| befores.to_owned());
            let mut step = plain();
            step.after = befores
                .iter()
                .flat_map(|befores| befores.split(','))
                .map(|name| place(&names, name))
                .collect();
            part.split_whitespace().skip(1).for_each(|word| adjust(&mut step, word));
            step
        })
        .collect();
    (names, GraphSpec { steps, parallel, on_undo_failure })
}

/// A step as it is without a word said.
pub(crate) fn plain() -> StepSpec {
    StepSpec {
        after: Vec::new(),
        undo: true,
        probe: false,
        unknown: None,
        idempotent: true,
        undo_idempotent: true,
        pivot: false,
        allow_skip: false,
        attempts: Some(1),
        undo_attempts: Some(1),
    }
}

fn adjust(step: &mut StepSpec, word: &str) {
    let many = |count: &str| (count != "inf").then(|| count.parse().expect("a number"));
    match word {
        "no-undo" => step.undo = false,
        "once" => step.idempotent = false,
        "undo-once" => step.undo_idempotent = false,
        "pivot" => step.pivot = true,
        "allow-skip" => step.allow_skip = true,
        "unknown=undo" => step.unknown = Some(UnknownPolicy::Undo),
        "unknown=retry" => step.unknown = Some(UnknownPolicy::Retry),
        "unknown=park" => step.unknown = Some(UnknownPolicy::Park),
        "unknown=probe" => step.unknown = Some(UnknownPolicy::Probe),
        "probe" => step.probe = true,
        _ => match (word.strip_prefix("undo-x"), word.strip_prefix('x')) {
            (Some(count), _) => step.undo_attempts = many(count),
            (None, Some(count)) => step.attempts = many(count),
            _ => panic!("no word for a step: `{word}`"),
        },
    }
}
