//! What is said of a change that cannot have happened.

use std::fmt;

use super::Phase;
use crate::{event::Change, status::Status};

/// A change that cannot have happened in this state. The machine is as it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Illegal {
    /// The change.
    pub change: Change,
    /// How the saga stands.
    pub status: Status,
    /// How the step stands, if the change is about one that exists.
    pub phase: Option<Phase>,
    /// What stands against it.
    pub cause: Cause,
}

/// What stands against a change that is [`Illegal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// How saga and step stand; there is no more to say.
    Standing,
    /// The saga was given up: nothing happens to it any more.
    GivenUp,
    /// The saga is over.
    Over,
    /// The pivot is done: there is no way back.
    PastPivot,
    /// The pivot is in flight, or may have had its effect.
    PivotOpen,
    /// An attempt is in flight.
    InFlight,
    /// The saga turns back, and what is in flight may have to be undone before that step.
    Settling,
    /// The step has no undo.
    NoUndo,
}

impl Cause {
    /// The cause with that name in Rust: how one process tells another.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Standing,
            Self::GivenUp,
            Self::Over,
            Self::PastPivot,
            Self::PivotOpen,
            Self::InFlight,
            Self::Settling,
            Self::NoUndo,
        ];
        all.into_iter().find(|cause| format!("{cause:?}") == name)
    }
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} cannot happen to a saga that is {}", self.change, self.status)?;
        match self.phase {
            Some(phase) => write!(f, " with that step {phase}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Illegal {}
