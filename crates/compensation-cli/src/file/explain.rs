//! What the library objects to, in the words of saga files and with the place in the file.

use compensation::DefinitionError as D;
use serde_saphyr::Location;

use super::{
    build::{Part, Unbuildable},
    check::Placed,
    problem::Problem,
};

/// What is wrong, and where.
pub(super) fn explain(file: &str, placed: &Placed, unbuildable: Unbuildable) -> Problem {
    match unbuildable {
        Unbuildable::Part { place, part, message } => {
            let at = placed.steps.get(place).map(|places| match part {
                Part::Name => places.name,
                Part::Call => places.call,
                Part::Undo => places.undo,
                Part::Probe => places.probe,
            });
            let problem = Problem::new(file, at, message);
            match placed.model.steps.get(place) {
                Some(step) => problem.of_step(&step.name),
                None => problem,
            }
        }
        Unbuildable::Definition(error) => definition(file, placed, &error),
    }
}

fn definition(file: &str, placed: &Placed, error: &D) -> Problem {
    let (step, message) = sentence(placed, error);
    let at = step.and_then(|step| last(placed, step)).unwrap_or(placed.saga);
    let problem = Problem::new(file, Some(at), message);
    match step {
        Some(step) => problem.of_step(step),
        None => problem,
    }
}

/// Where the last step of that name stands: of two, the second is the one too many.
fn last(placed: &Placed, name: &str) -> Option<Location> {
    let steps = placed.model.steps.iter().zip(&placed.steps);
    steps.rev().find(|(step, _)| step.name == name).map(|(_, places)| places.name)
}

/// The step at fault, and what is wrong with it.
fn sentence<'a>(placed: &Placed, error: &'a D) -> (Option<&'a str>, String) {
    let of = |step: &'a String, message: &str| (Some(step.as_str()), message.to_owned());
    match error {
        D::BadName(step) if last(placed, step).is_some() => {
            of(step, "its name needs 1 to 100 bytes and no control characters")
        }
        D::DuplicateName(step) => {
            of(step, "another step has this name already: rename one of them")
        }
        D::UnknownDependency { step, needs } => {
            let names: Vec<_> =
                placed.model.steps.iter().map(|step| format!("`{}`", step.name)).collect();
            let message = format!(
                "it needs `{needs}`, which this saga does not have: its steps are {}",
                names.join(", ")
            );
            (Some(step), message)
        }
        D::Cycle(ring) => {
            let message = format!("these steps wait for each other: {}", ring.join(" -> "));
            (ring.first().map(String::as_str), message)
        }
        D::SecondPivot(step) => of(step, "it is a second pivot: a saga has at most one"),
        D::BesidePivot(step) => {
            of(step, "it comes neither before nor after the pivot: order it with `needs`")
        }
        D::UndoAfterPivot(step) => of(
            step,
            "it has an undo but comes after the pivot, where nothing is undone: move it before the \
             pivot, or say `undo: none` and why with `because`",
        ),
        D::PivotWithoutUndo(step) => of(
            step,
            "it is a pivot without an undo, so `unknown: undo` can't be: say retry, probe or park",
        ),
        D::ProbeMissing(step) => of(step, "it says `unknown: probe`: give it a `probe`"),
        D::RepeatsNotIdempotent(step) => of(
            step,
            "it may be attempted more than once, which harms no command that has one effect however \
             often it runs: if it is such a command, say `idempotent: true`; if not, drop `retry` \
             and `unknown: retry`",
        ),
        other => (None, other.to_string()),
    }
}
