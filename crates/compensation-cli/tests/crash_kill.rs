//! The real program is killed with `kill -9` between any two journal writes of a saga of four steps, and
//! resumed by another one. Commands append to a file what they do, so that every effect is counted.
//!
//! A step's command runs after the write that records its start and before the one that records its end.
//! So a command that kills the program before its effect, or after it, does so between those two writes;
//! all commands together cover every write.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

/// Kills the program once before or after the effect of `$1`, as `KILL` says; fails if `FAIL` says so.
const ACT: &str = r#"
kill_once() {
    if [ "$KILL" = "$1" ] && mkdir killed 2>/dev/null; then kill -9 "$(cat pid)"; exit 9; fi
}
kill_once "before:$1"
echo "$1" >> effects
kill_once "after:$1"
[ "$FAIL" != "$1" ]
"#;

const STEPS: [&str; 4] = ["a", "b", "c", "d"];

/// How a saga of four steps is meant to go.
struct Story {
    name: &'static str,
    /// Whether its commands may be repeated.
    idempotent: bool,
    /// The step whose action fails.
    fails: Option<&'static str>,
    pivot: Option<&'static str>,
}

struct Site {
    folder: TempDir,
}

impl Site {
    fn new(story: &Story) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let mut file = "saga: four\nsteps:\n".to_owned();
        let mut committed = false;
        for step in STEPS {
            file.push_str(&format!("  - name: {step}\n    run: sh ./act.sh {step}\n"));
            committed |= story.pivot == Some(step);
            if story.idempotent || committed {
                file.push_str("    idempotent: true\n");
            }
            if committed {
                file.push_str("    undo: none\n    because: nothing is undone from the pivot on\n");
                file.push_str("    unknown: retry\n    retry: { attempts: 3, first: 1ms }\n");
            } else {
                file.push_str(&format!("    undo: sh ./act.sh undo-{step}\n"));
            }
            if story.pivot == Some(step) {
                file.push_str("    pivot: true\n");
            }
        }
        fs::write(folder.path().join("saga.yaml"), file).expect("a file");
        fs::write(folder.path().join("act.sh"), ACT).expect("a file");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn program(&self, args: &[&str], kill: &str, fail: Option<&str>) -> Output {
        // The shell leaves its number, and becomes the program.
        Command::new("/bin/sh")
            .args(["-c", "echo $$ > pid && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_compensation")])
            .args(args)
            .current_dir(self.path())
            .env("KILL", kill)
            .env("FAIL", fail.unwrap_or_default())
            .output()
            .expect("the program")
    }

    fn effects(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path().join("effects")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// Kills the program in each command of the story, before its effect and after it, and resumes.
fn kill_everywhere(story: &Story) {
    let whole = Site::new(story);
    let args = ["run", "saga.yaml", "--id", "one", "--db", "sagas.db"];
    whole.program(&args, "never", story.fails);
    let commands = whole.effects();
    assert!(commands.len() >= 4, "{}: {commands:?}", story.name);
    for command in &commands {
        for place in ["before", "after"] {
            let kill = format!("{place}:{command}");
            let context = format!("{}, killed {place} the effect of {command}", story.name);
            let site = Site::new(story);
            let killed = site.program(&args, &kill, story.fails);
            assert_eq!(killed.status.code(), None, "{context}: {killed:?}");
            let before = site.effects();
            let resumed = site.program(&["resume", "--db", "sagas.db"], "never", story.fails);
            judge(story, &context, &resumed, &before, &site.effects(), (place, command));
        }
    }
}

/// What must hold after the saga was resumed.
fn judge(
    story: &Story,
    context: &str,
    resumed: &Output,
    before: &[String],
    effects: &[String],
    (place, command): (&str, &str),
) {
    let context = format!("{context}: {effects:?}, {resumed:?}");
    let completed = match resumed.status.code() {
        Some(0) => true,
        Some(3) => false,
        _ => panic!("neither completed nor compensated: {context}"),
    };
    let count = |name: &str| effects.iter().filter(|effect| *effect == name).count();
    for step in STEPS {
        let undo = format!("undo-{step}");
        // What was recorded as done before the kill does not run again.
        for name in [step, &undo] {
            let recorded = before.iter().any(|effect| effect == name) && name != command;
            assert!(!recorded || count(name) == 1, "{name} ran again: {context}");
            let most = if name == command && place == "after" { 2 } else { 1 };
            assert!(count(name) <= most, "{name} ran too often: {context}");
        }
        if completed {
            assert!(count(step) >= 1, "{step} is missing: {context}");
            assert_eq!(count(&undo), 0, "{step} was undone: {context}");
        } else if count(step) > 0 {
            // Every effect has its undo, and the undo comes last.
            let last = |name: &str| effects.iter().rposition(|effect| effect == name);
            assert!(last(&undo) > last(step), "{step} is not undone: {context}");
        }
    }
    if !completed {
        let undos: Vec<_> =
            effects.iter().filter_map(|effect| effect.strip_prefix("undo-")).collect();
        assert!(undos.is_sorted_by(|one, two| one >= two), "undone out of order: {context}");
    }
    match (story.idempotent, story.fails) {
        (_, Some(_)) => assert!(!completed, "it can't have completed: {context}"),
        (true, None) => assert!(completed, "a kill is no failure: {context}"),
        (false, None) => {}
    }
    let after_pivot = story.pivot.is_some_and(|pivot| before.iter().any(|effect| effect == pivot));
    assert!(!after_pivot || completed, "undone after its pivot: {context}");
}

#[test]
fn a_saga_of_repeatable_commands_that_is_killed_anywhere_completes() {
    let story = Story { name: "repeatable", idempotent: true, fails: None, pivot: None };
    kill_everywhere(&story);
}

#[test]
fn a_saga_of_commands_that_may_not_be_repeated_is_completed_or_undone() {
    let story = Story { name: "once", idempotent: false, fails: None, pivot: None };
    kill_everywhere(&story);
}

#[test]
fn a_failing_saga_that_is_killed_anywhere_is_undone() {
    let story = Story { name: "failing", idempotent: true, fails: Some("d"), pivot: None };
    kill_everywhere(&story);
}

#[test]
fn a_failing_saga_of_commands_that_may_not_be_repeated_is_undone() {
    let story = Story { name: "failing once", idempotent: false, fails: Some("d"), pivot: None };
    kill_everywhere(&story);
}

#[test]
fn a_saga_that_is_killed_after_its_pivot_completes() {
    let story = Story { name: "pivot", idempotent: true, fails: None, pivot: Some("b") };
    kill_everywhere(&story);
}
