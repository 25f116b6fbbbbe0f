//! The orders that make sense for a saga as it stands, and the words for them.

use axum::http::StatusCode;
use compensation::{
    EngineError, Plan, Report, SagaId, Status, Verb,
    machine::{Park, Phase},
};

use crate::{cells, problem::Problem, shown::Shown, state::State};

/// What its button says.
pub(crate) fn label(verb: Verb) -> &'static str {
    match verb {
        Verb::Retry => "Retry",
        Verb::Skip => "Skip",
        Verb::Done => "Done by hand",
        Verb::Undone => "Undone by hand",
        Verb::Undo => "Undo the saga",
        Verb::Resume => "Resume",
        Verb::Abandon => "Abandon",
    }
}

/// Whether the saga could be driven here, where it goes on by that order: then its functions must be there.
pub(crate) async fn check(state: &State, verb: Verb, id: &SagaId) -> Result<(), Problem> {
    if verb == Verb::Abandon {
        return Ok(());
    }
    let report = match state.engine.report(id).await {
        Ok(report) => report,
        // The engine says it better.
        Err(EngineError::Held { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    could_drive(state, verb, report.plan()).map_err(held)
}

/// The same by its plan: why not, if not.
pub(crate) fn could_drive(state: &State, verb: Verb, plan: &Plan) -> Result<(), String> {
    if verb == Verb::Abandon { Ok(()) } else { (state.options.drives)(plan) }
}

/// That it could not.
pub(crate) fn held(why: String) -> Problem {
    Problem::new(StatusCode::CONFLICT, why, "Nothing was changed.")
}

/// What it means for a saga as it stands, in a sentence.
pub(crate) fn meaning(verb: Verb, step: &str, phase: Option<Phase>) -> String {
    let undo = matches!(phase, Some(Phase::UndoParked(_)));
    match verb {
        Verb::Retry if undo => {
            format!("The undo of `{step}` is attempted again, with a fresh budget of attempts.")
        }
        Verb::Retry => format!("`{step}` is attempted again, with a fresh budget of attempts."),
        Verb::Skip if undo => {
            format!("The saga goes on without the undo of `{step}`: its effect stays in place.")
        }
        Verb::Skip => format!(
            "The saga goes on without `{step}`, and without all steps that wait for it."
        ),
        Verb::Undone => {
            format!("You have undone `{step}` by hand: the saga goes on as if its undo had succeeded.")
        }
        Verb::Done => {
            format!("You have done `{step}` by hand: the saga goes on as if it had succeeded.")
        }
        Verb::Undo => "What is in flight is let finish, and every step that may have had an effect is undone, in reverse.".to_owned(),
        Verb::Resume => "The saga goes on from where its record ends.".to_owned(),
        Verb::Abandon => "Nothing of the saga will run any more, and nothing more is undone. This is final.".to_owned(),
    }
}

/// The orders about a step that stands so.
pub(crate) fn of_step(phase: Phase) -> &'static [Verb] {
    match phase {
        Phase::UndoParked(_) => &[Verb::Retry, Verb::Skip, Verb::Undone],
        Phase::Parked(Park::TailFailed) => &[Verb::Retry, Verb::Skip, Verb::Done],
        Phase::Parked(_) => &[Verb::Retry, Verb::Done],
        _ => &[],
    }
}

/// The orders about a whole saga as it stands.
pub(crate) fn of_saga(shown: &Shown) -> Vec<Verb> {
    let status = shown.summary.head.status;
    let parked = shown.report.parked().next().is_some();
    let mut verbs = Vec::new();
    // Stuck without a step that waits: an engine parked it for want of its definition.
    if cells::is_left(&shown.summary) || (status == Status::Stuck && !parked) {
        verbs.push(Verb::Resume);
    }
    if may_be_undone(&shown.report) {
        verbs.push(Verb::Undo);
    }
    if !status.is_final() {
        verbs.push(Verb::Abandon);
    }
    verbs
}

/// As far as its record tells: a saga that goes forward, or has completed, and has no pivot that is done.
fn may_be_undone(report: &Report) -> bool {
    let forward = match report.status() {
        Status::Running | Status::Completed => true,
        Status::Stuck => report.steps().all(|(_, phase)| {
            !matches!(
                phase,
                Phase::Undoing
                    | Phase::UndoRetrying
                    | Phase::UndoParked(_)
                    | Phase::Undone
                    | Phase::UndoSkipped
                    | Phase::Failed
                    | Phase::Unsure
            )
        }),
        Status::Compensating | Status::Compensated | Status::Abandoned => false,
    };
    let steps = report.plan().steps.iter().zip(report.steps());
    let mut pivots = steps.filter(|(plan, _)| plan.pivot);
    forward && pivots.all(|(_, (_, phase))| phase == Phase::Waiting)
}
