//! What can happen to a saga: the changes that the machine reads, and the journal events that carry
//! them with their evidence (outputs, failures, names).
//!
//! This is the stored vocabulary. A word, once released, keeps its meaning for ever; see
//! `ARCHITECTURE.md`, "The journal".

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::error::{Certainty, Failure};

/// A step's place in its saga, from 0, in the order of writing.
pub type StepIndex = u16;

/// One thing that happened, in the machine's terms: indices only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// An attempt of the action starts.
    ActionStarted(StepIndex),
    /// The action is done.
    ActionDone(StepIndex),
    /// The attempt of the action failed.
    ActionFailed {
        /// Whose.
        step: StepIndex,
        /// Whether it may have had its effect.
        certainty: Certainty,
        /// Whether another attempt may help.
        retryable: bool,
    },
    /// An attempt of the probe starts.
    ProbeStarted(StepIndex),
    /// The probe found the action's effect.
    ProbeDone(StepIndex),
    /// The probe found that the action had no effect.
    ProbeNotDone(StepIndex),
    /// The probe could not find out.
    ProbeFailed {
        /// Whose.
        step: StepIndex,
        /// Whether another attempt may help.
        retryable: bool,
    },
    /// An attempt of the undo starts.
    UndoStarted(StepIndex),
    /// The step is undone.
    UndoDone(StepIndex),
    /// The attempt of the undo failed.
    UndoFailed {
        /// Whose.
        step: StepIndex,
        /// Whether another attempt may help.
        retryable: bool,
    },
    /// The attempt in flight (action, probe or undo) died with its process.
    Interrupted(StepIndex),
    /// Somebody asked to undo the saga.
    CancelRequested,
    /// A person ordered another attempt of what is parked, or waits after a failure, at once.
    RetryOrdered(StepIndex),
    /// A person ordered to go on without what is parked.
    SkipOrdered(StepIndex),
    /// A person says that the parked action has been done by hand.
    DoneDeclared(StepIndex),
    /// A person says that the parked undo has been done by hand.
    UndoneDeclared(StepIndex),
    /// A person gave the saga up.
    Abandoned,
    /// A person had a saga driven on that nobody drove.
    ResumeOrdered,
}

impl Change {
    /// The step that it happened to, if it is about one.
    #[must_use]
    pub fn step(self) -> Option<StepIndex> {
        match self {
            Self::ActionStarted(step)
            | Self::ActionDone(step)
            | Self::ActionFailed { step, .. }
            | Self::ProbeStarted(step)
            | Self::ProbeDone(step)
            | Self::ProbeNotDone(step)
            | Self::ProbeFailed { step, .. }
            | Self::UndoStarted(step)
            | Self::UndoDone(step)
            | Self::UndoFailed { step, .. }
            | Self::Interrupted(step)
            | Self::RetryOrdered(step)
            | Self::SkipOrdered(step)
            | Self::DoneDeclared(step)
            | Self::UndoneDeclared(step) => Some(step),
            Self::CancelRequested | Self::Abandoned | Self::ResumeOrdered => None,
        }
    }

    fn word(self) -> Word {
        match self {
            Self::ActionStarted(_) => Word::ActionStarted,
            Self::ActionDone(_) => Word::ActionDone,
            Self::ActionFailed { .. } => Word::ActionFailed,
            Self::ProbeStarted(_) => Word::ProbeStarted,
            Self::ProbeDone(_) => Word::ProbeDone,
            Self::ProbeNotDone(_) => Word::ProbeNotDone,
            Self::ProbeFailed { .. } => Word::ProbeFailed,
            Self::UndoStarted(_) => Word::UndoStarted,
            Self::UndoDone(_) => Word::UndoDone,
            Self::UndoFailed { .. } => Word::UndoFailed,
            Self::Interrupted(_) => Word::Interrupted,
            Self::CancelRequested => Word::CancelRequested,
            Self::RetryOrdered(_) => Word::RetryOrdered,
            Self::SkipOrdered(_) => Word::SkipOrdered,
            Self::DoneDeclared(_) => Word::DoneDeclared,
            Self::UndoneDeclared(_) => Word::UndoneDeclared,
            Self::Abandoned => Word::Abandoned,
            Self::ResumeOrdered => Word::ResumeOrdered,
        }
    }
}

/// The words of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    ActionStarted,
    ActionDone,
    ActionFailed,
    ProbeStarted,
    ProbeDone,
    ProbeNotDone,
    ProbeFailed,
    UndoStarted,
    UndoDone,
    UndoFailed,
    Interrupted,
    CancelRequested,
    RetryOrdered,
    SkipOrdered,
    DoneDeclared,
    UndoneDeclared,
    Abandoned,
    ResumeOrdered,
}

/// One journal event: a [`Change`] with its evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    #[serde(rename = "e")]
    word: Word,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    step: Option<StepIndex>,
    /// The output of an action or probe that is done, or what a person gave in its place.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Box<RawValue>>,
    /// What a person gave a step in place of the saga's input.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Box<RawValue>>,
    /// How an attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Failure>,
    /// Who ordered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// The reason given for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// By which letter it was ordered, where it came from another process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) letter: Option<String>,
}

/// A `null` that a person gave is something given.
fn given<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(text).map(Some)
}

/// Why a journal event says nothing that the machine could read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event lacks its {0}")]
pub(crate) struct Incomplete(&'static str);

impl Event {
    /// A change without evidence.
    pub(crate) fn new(change: Change) -> Self {
        Self {
            word: change.word(),
            step: change.step(),
            output: None,
            input: None,
            failure: None,
            by: None,
            why: None,
            letter: None,
        }
    }

    /// Says who ordered it and why, and by which letter.
    pub(crate) fn sign(&mut self, by_whom: Option<(&str, &str)>, letter: Option<String>) {
        let (by, why) = by_whom.unzip();
        self.by = by.map(ToOwned::to_owned);
        self.why = why.map(ToOwned::to_owned);
        self.letter = letter;
    }

    /// What it means to the machine.
    pub(crate) fn change(&self) -> Result<Change, Incomplete> {
        let step = self.step.ok_or(Incomplete("step"));
        let failure = self.failure.as_ref().ok_or(Incomplete("failure"));
        Ok(match self.word {
            Word::ActionStarted => Change::ActionStarted(step?),
            Word::ActionDone => Change::ActionDone(step?),
            Word::ActionFailed => {
                let (certainty, retryable) = failure.map(|f| (f.certainty(), f.is_retryable()))?;
                Change::ActionFailed { step: step?, certainty, retryable }
            }
            Word::ProbeStarted => Change::ProbeStarted(step?),
            Word::ProbeDone => Change::ProbeDone(step?),
            Word::ProbeNotDone => Change::ProbeNotDone(step?),
            Word::ProbeFailed => {
                Change::ProbeFailed { step: step?, retryable: failure?.is_retryable() }
            }
            Word::UndoStarted => Change::UndoStarted(step?),
            Word::UndoDone => Change::UndoDone(step?),
            Word::UndoFailed => {
                Change::UndoFailed { step: step?, retryable: failure?.is_retryable() }
            }
            Word::Interrupted => Change::Interrupted(step?),
            Word::CancelRequested => Change::CancelRequested,
            Word::RetryOrdered => Change::RetryOrdered(step?),
            Word::SkipOrdered => Change::SkipOrdered(step?),
            Word::DoneDeclared => Change::DoneDeclared(step?),
            Word::UndoneDeclared => Change::UndoneDeclared(step?),
            Word::Abandoned => Change::Abandoned,
            Word::ResumeOrdered => Change::ResumeOrdered,
        })
    }
}

/// Events as the text of a journal's entry.
pub(crate) fn write<'a>(events: impl Iterator<Item = &'a Event>) -> String {
    let mut body = String::with_capacity(64 * events.size_hint().0);
    body.push('[');
    for event in events {
        if body.len() > 1 {
            body.push(',');
        }
        // Events are plain data whose texts are valid already; there is nothing that could fail.
        body.push_str(&serde_json::to_string(event).unwrap_or_default());
    }
    body.push(']');
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StepError;

    #[test]
    fn a_failed_attempt_is_read_back_as_the_same_change() {
        let change =
            Change::ActionFailed { step: 3, certainty: Certainty::NotDone, retryable: false };
        let mut event = Event::new(change);
        event.failure = Some(StepError::not_done("full").terminal().into_failure());
        let text = serde_json::to_string(&event).expect("plain data");
        let back: Event = serde_json::from_str(&text).expect("just written");
        assert_eq!(back.change(), Ok(change));
    }

    #[test]
    fn an_event_that_lacks_its_step_is_refused() {
        let event: Event = serde_json::from_str(r#"{"e":"action_done"}"#).expect("known word");
        assert_eq!(event.change(), Err(Incomplete("step")));
    }

    #[test]
    fn an_unknown_word_is_refused() {
        assert!(serde_json::from_str::<Event>(r#"{"e":"reincarnated","s":1}"#).is_err());
    }
}
