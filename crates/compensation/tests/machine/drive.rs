//! A driver that carries out every command at once.

use compensation::machine::{Change, Command, Machine, StepIndex, Task};

/// Carries out all commands, one after the other and each with success, until there is none. Says what
/// happened; a saga that goes on for ever fails the test.
pub(crate) fn succeed(machine: &mut Machine) -> Vec<Change> {
    // A step's action, probe and undo, each started and done.
    let most = 6 * machine.graph().len();
    let mut changes = Vec::new();
    while let Some(Command { step, task, .. }) = machine.next() {
        for change in [started(task, step), done(task, step)] {
            machine.apply(change).unwrap_or_else(|illegal| panic!("a command, and yet: {illegal}"));
            changes.push(change);
        }
        assert!(changes.len() <= most, "it goes on and on: {changes:?}");
    }
    changes
}

/// Lets every attempt in flight die, as a restart does. Says what happened.
pub(crate) fn interrupt(machine: &mut Machine) -> Vec<Change> {
    let changes: Vec<_> = machine.live().map(Change::Interrupted).collect();
    for &change in &changes {
        machine.apply(change).unwrap_or_else(|illegal| panic!("in flight, and yet: {illegal}"));
    }
    changes
}

pub(crate) fn started(task: Task, step: StepIndex) -> Change {
    match task {
        Task::Act => Change::ActionStarted(step),
        Task::Probe => Change::ProbeStarted(step),
        Task::Undo(_) => Change::UndoStarted(step),
    }
}

pub(crate) fn done(task: Task, step: StepIndex) -> Change {
    match task {
        Task::Act => Change::ActionDone(step),
        Task::Probe => Change::ProbeDone(step),
        Task::Undo(_) => Change::UndoDone(step),
    }
}
