//! How workflows and activities are called.

use compensation::machine::Task;
#[cfg(feature = "worker")]
use compensation::{Plan, SagaId, UndoPlan, machine::Effect};

/// The id of a saga's workflow.
#[cfg(feature = "worker")]
pub(super) fn workflow_id(id: &SagaId) -> String {
    format!("saga:{id}")
}

/// The type of an activity: the saga's name, the step's, and which of its functions if it is not the action.
pub(super) fn activity(saga: &str, step: &str, task: Task) -> String {
    match task {
        Task::Act => format!("{saga}/{step}"),
        Task::Probe => format!("{saga}/{step}/probe"),
        Task::Undo(_) => format!("{saga}/{step}/undo"),
    }
}

/// What is shown beside an activity.
pub(super) fn summary(step: &str, task: Task) -> String {
    match task {
        Task::Act => step.to_owned(),
        Task::Probe => format!("probe of {step}"),
        Task::Undo(_) => format!("undo of {step}"),
    }
}

/// Every activity that a worker needs for sagas of that plan.
#[cfg(feature = "worker")]
pub(super) fn activities(plan: &Plan) -> Vec<String> {
    let undo = Task::Undo(Effect::Maybe);
    let mut names = Vec::new();
    for step in &plan.steps {
        names.push(activity(&plan.saga, &step.name, Task::Act));
        if step.probe {
            names.push(activity(&plan.saga, &step.name, Task::Probe));
        }
        if matches!(step.undo, UndoPlan::Run { .. }) {
            names.push(activity(&plan.saga, &step.name, undo));
        }
    }
    names
}
