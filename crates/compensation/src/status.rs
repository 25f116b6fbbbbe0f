//! How a saga stands, as one word. Derived by the machine, stored as a saga's head, shown to people.
//! Knows nothing of steps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a saga stands.
///
/// The first two are *open*: an engine drives them. `Stuck` waits for a person. The other three are
/// *final*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Steps are being done.
    Running,
    /// Steps are being undone.
    Compensating,
    /// Every step is done.
    Completed,
    /// Every step that may have had an effect is undone.
    Compensated,
    /// Something needs a person; the reason says what.
    Stuck,
    /// A named person gave the saga up.
    Abandoned,
}

impl Status {
    /// All of them, in the order of a saga's life.
    pub const ALL: [Self; 6] = [
        Self::Running,
        Self::Compensating,
        Self::Completed,
        Self::Compensated,
        Self::Stuck,
        Self::Abandoned,
    ];

    /// Whether an engine has work to do on it.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Compensating)
    }

    /// Whether nothing will change any more, unless somebody asks to undo a completed saga.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated | Self::Abandoned)
    }

    /// The word used in records and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Compensating => "compensating",
            Self::Completed => "completed",
            Self::Compensated => "compensated",
            Self::Stuck => "stuck",
            Self::Abandoned => "abandoned",
        }
    }

    /// The status that a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
