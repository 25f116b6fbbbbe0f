//! The orders that make sense for a saga as it stands, and the words for them.

use compensation::{
    Report, Status,
    machine::{Park, Phase},
};

use crate::{cells, shown::Shown};

/// What a person may order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Retry,
    Skip,
    Done,
    Undone,
    Undo,
    Resume,
    Abandon,
}

impl Verb {
    pub(crate) const ALL: [Self; 7] = [
        Self::Retry,
        Self::Skip,
        Self::Done,
        Self::Undone,
        Self::Undo,
        Self::Resume,
        Self::Abandon,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Done => "done",
            Self::Undone => "undone",
            Self::Undo => "undo",
            Self::Resume => "resume",
            Self::Abandon => "abandon",
        }
    }

    /// What its button says.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Retry => "Retry",
            Self::Skip => "Skip",
            Self::Done => "Done by hand",
            Self::Undone => "Undone by hand",
            Self::Undo => "Undo the saga",
            Self::Resume => "Resume",
            Self::Abandon => "Abandon",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }

    /// Whether it is about one step.
    pub(crate) fn needs_step(self) -> bool {
        matches!(self, Self::Retry | Self::Skip | Self::Done | Self::Undone)
    }

    /// Whether the saga goes on by it, so that its functions must be there.
    pub(crate) fn drives(self) -> bool {
        self != Self::Abandon
    }

    /// What it means for a saga as it stands, in a sentence.
    pub(crate) fn meaning(self, step: &str, phase: Option<Phase>) -> String {
        let undo = matches!(phase, Some(Phase::UndoParked(_)));
        match self {
            Self::Retry if undo => {
                format!("The undo of `{step}` is attempted again, with a fresh budget of attempts.")
            }
            Self::Retry => format!("`{step}` is attempted again, with a fresh budget of attempts."),
            Self::Skip if undo => {
                format!("The saga goes on without the undo of `{step}`: its effect stays in place.")
            }
            Self::Skip => format!(
                "The saga goes on without `{step}`, and without all steps that wait for it."
            ),
            Self::Undone => {
                format!("You have undone `{step}` by hand: the saga goes on as if its undo had succeeded.")
            }
            Self::Done => {
                format!("You have done `{step}` by hand: the saga goes on as if it had succeeded.")
            }
            Self::Undo => "What is in flight is let finish, and every step that may have had an effect is undone, in reverse.".to_owned(),
            Self::Resume => "The saga goes on from where its record ends.".to_owned(),
            Self::Abandon => "Nothing of the saga will run any more, and nothing more is undone. This is final.".to_owned(),
        }
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
