//! How one compensation stands, as one word: in records of every kind, in process, stored or derived.
//! Knows nothing of sagas.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a compensation stands.
///
/// ```
/// use compensation::CompensationStatus;
///
/// assert_eq!(CompensationStatus::parse("failed"), Some(CompensationStatus::Failed));
/// assert_eq!(CompensationStatus::Skipped.to_string(), "skipped");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CompensationStatus {
    /// It has not been attempted.
    #[default]
    Pending,
    /// An attempt is in flight, or another one is waited for.
    Running,
    /// It succeeded.
    Completed,
    /// Its last attempt failed, and no other is under way.
    Failed,
    /// It was passed over, as its definition or a person allowed, or because it is not needed.
    Skipped,
}

impl CompensationStatus {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Skipped];

    /// The word used in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Whether one that stands so may stand like `next` afterwards:
    ///
    /// | from | to |
    /// |---|---|
    /// | pending | running, skipped |
    /// | running | completed, failed, skipped |
    /// | failed | running (another attempt), skipped |
    /// | completed, skipped | nothing |
    ///
    /// ```
    /// use compensation::CompensationStatus::{Completed, Failed, Running};
    ///
    /// assert!(Failed.may_become(Running));
    /// assert!(!Completed.may_become(Running));
    /// ```
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending | Self::Failed, Self::Running | Self::Skipped)
                | (Self::Running, Self::Completed | Self::Failed | Self::Skipped)
        )
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Skipped)
    }

    /// The status that a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl fmt::Display for CompensationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
