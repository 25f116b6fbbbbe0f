//! How one step stands, and how many steps stand so.

use std::fmt;

/// How one step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Its action has not been started.
    Waiting,
    /// An attempt of its action is in flight.
    Acting,
    /// An attempt failed or was interrupted; another is due.
    Retrying,
    /// It may have had its effect; its probe is due.
    ProbeDue,
    /// An attempt of its probe is in flight.
    Probing,
    /// It waits for a person before the saga can go forward.
    Parked(Park),
    /// It failed and knows that it had no effect.
    Failed,
    /// It failed and may have had its effect.
    Unsure,
    /// Its action is done.
    Done,
    /// A person let the saga go on without it.
    Skipped,
    /// An attempt of its undo is in flight.
    Undoing,
    /// An attempt of its undo failed or was interrupted; another is due.
    UndoRetrying,
    /// Its undo waits for a person.
    UndoParked(Park),
    /// It is undone.
    Undone,
    /// Its undo was passed over, by its definition or by a person.
    UndoSkipped,
}

/// Why a step waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Park {
    /// Nobody knows whether its action had its effect.
    OutcomeUnknown,
    /// Its probe could not find out.
    ProbeFailed,
    /// It failed after the pivot, where nothing is undone.
    TailFailed,
    /// Its undo has spent its budget.
    UndoFailed,
    /// Its undo was interrupted and must not be repeated by itself.
    UndoInterrupted,
}

impl Phase {
    /// Whether an attempt is in flight.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Acting | Self::Probing | Self::Undoing)
    }

    /// Whether its effect is still to be found out before anything may be undone.
    pub(super) fn is_unsettled(self) -> bool {
        matches!(self, Self::Acting | Self::Retrying | Self::ProbeDue | Self::Probing)
    }

    /// Whether its action may have had an effect that is not undone.
    #[must_use]
    pub fn may_be_done(self) -> bool {
        !matches!(
            self,
            Self::Waiting | Self::Failed | Self::Skipped | Self::Undone | Self::UndoSkipped
        )
    }

    /// Whether its action is recorded as done, or was when its undo started.
    #[must_use]
    pub fn has_output(self) -> bool {
        matches!(
            self,
            Self::Done
                | Self::Undoing
                | Self::UndoRetrying
                | Self::UndoParked(_)
                | Self::Undone
                | Self::UndoSkipped
        )
    }

    /// The phase with that name in Rust, such as `UndoParked(UndoFailed)`: how one process tells another.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let parks = [
            Park::OutcomeUnknown,
            Park::ProbeFailed,
            Park::TailFailed,
            Park::UndoFailed,
            Park::UndoInterrupted,
        ];
        let plain = [
            Self::Waiting,
            Self::Acting,
            Self::Retrying,
            Self::ProbeDue,
            Self::Probing,
            Self::Failed,
            Self::Unsure,
            Self::Done,
            Self::Skipped,
            Self::Undoing,
            Self::UndoRetrying,
            Self::Undone,
            Self::UndoSkipped,
        ];
        let parked =
            parks.into_iter().flat_map(|park| [Self::Parked(park), Self::UndoParked(park)]);
        plain.into_iter().chain(parked).find(|phase| format!("{phase:?}") == name)
    }

    /// The word for it in records and listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Acting => "acting",
            Self::Retrying => "retrying",
            Self::ProbeDue => "probe due",
            Self::Probing => "probing",
            Self::Parked(_) => "parked",
            Self::Failed => "failed",
            Self::Unsure => "unsure",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Undoing => "undoing",
            Self::UndoRetrying => "retrying undo",
            Self::UndoParked(_) => "undo parked",
            Self::Undone => "undone",
            Self::UndoSkipped => "undo skipped",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Park {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutcomeUnknown => "nobody knows whether it had its effect",
            Self::ProbeFailed => "its probe could not find out whether it had its effect",
            Self::TailFailed => "it failed after the pivot, where nothing is undone",
            Self::UndoFailed => "its undo failed and has no attempts left",
            Self::UndoInterrupted => "its undo was interrupted and must not be repeated by itself",
        })
    }
}

/// How many steps stand in each of the ways that decide how the saga stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) live: u16,
    pub(super) unsettled: u16,
    pub(super) parked: u16,
    pub(super) undo_retrying: u16,
    pub(super) undo_parked: u16,
}

impl Tally {
    pub(super) fn moved(&mut self, from: Phase, to: Phase) {
        fn shift(count: &mut u16, before: bool, after: bool) {
            *count = *count + u16::from(after) - u16::from(before);
        }
        shift(&mut self.live, from.is_live(), to.is_live());
        shift(&mut self.unsettled, from.is_unsettled(), to.is_unsettled());
        let parked = |phase| matches!(phase, Phase::Parked(_));
        shift(&mut self.parked, parked(from), parked(to));
        let retrying = |phase| phase == Phase::UndoRetrying;
        shift(&mut self.undo_retrying, retrying(from), retrying(to));
        let undo_parked = |phase| matches!(phase, Phase::UndoParked(_));
        shift(&mut self.undo_parked, undo_parked(from), undo_parked(to));
    }
}
