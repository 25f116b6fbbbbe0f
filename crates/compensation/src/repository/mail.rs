//! Letters to whoever drives a saga: how an order reaches a saga that another process owns.
//!
//! A letter is opaque text with a key of its own. It waits beside the saga, not in the journal: what comes
//! of it is for the saga's driver to write there.

use std::time::Duration;

use crate::{clock::Timestamp, id::SagaId};

/// Answers are kept at least this long after their letters were posted: one hour. Who asked has long gone by
/// then.
pub const KEEP_ANSWERS: Duration = Duration::from_secs(60 * 60);

/// A letter to whoever drives a saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Names the letter in its store. Made by whoever posts it, never used twice.
    pub key: String,
    /// To which saga.
    pub saga: SagaId,
    /// When it was posted.
    pub at: Timestamp,
    /// The engine's text; opaque to the store.
    pub body: String,
}

/// What became of a [`post`](super::Repository::post).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The letter is stored.
    Waits,
    /// There is no such saga; nothing is stored.
    Absent,
}

/// What has become of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nobody has taken it yet.
    Waits,
    /// Somebody has taken it, and has not answered.
    Taken,
    /// It is answered; the engine's text.
    Answered(String),
    /// There is no such letter: it was withdrawn, or forgotten.
    Absent,
}
