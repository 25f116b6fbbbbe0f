//! One call as the recorder keeps it.

use std::{fmt, sync::Arc, time::Duration};

use compensation::{Part, Timestamp};

/// How a recorded call ended.
///
/// ```
/// use compensation::Part;
/// use compensation_testing::{CallOutcome, CompensationRecorder};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let recorder = CompensationRecorder::new();
/// let _ = recorder.record(Part::Action, "a", async { Err::<(), _>("lost") }).await;
/// assert_eq!(recorder.events()[0].outcome(), &CallOutcome::Failed("lost".to_owned()));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// It has not ended.
    Running,
    /// It succeeded.
    Done,
    /// It ended with an error of this text.
    Failed(String),
    /// It panicked.
    Panicked,
    /// It was dropped before its end: by a time limit, or with its runtime.
    Dropped,
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Done => f.write_str("done"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked => f.write_str("panicked"),
            Self::Dropped => f.write_str("dropped before its end"),
        }
    }
}

/// One call of an action, an undo or a probe, as a [`CompensationRecorder`](crate::CompensationRecorder) saw it.
///
/// ```
/// use compensation::Part;
/// use compensation_testing::CompensationRecorder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let recorder = CompensationRecorder::new();
/// let _ = recorder.record(Part::Undo, "a", async { Err::<(), _>("lost") }).await;
/// let _ = recorder.record(Part::Undo, "a", async { Ok::<_, String>(()) }).await;
/// let events = recorder.events();
/// assert_eq!(events[0].to_string(), "undo a, attempt 1: failed: lost");
/// assert_eq!((events[1].part(), events[1].name(), events[1].attempt()), (Part::Undo, "a", 2));
/// assert_eq!(events[1].label(), "undo a");
/// assert!(events[1].is_done() && events[1].duration().is_some());
/// assert!(events[0].after() <= events[1].after());
/// assert!(events[0].started_at() <= compensation::Timestamp::now());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RecordedCall {
    pub(super) part: Part,
    pub(super) name: Arc<str>,
    pub(super) attempt: u32,
    pub(super) started_at: Timestamp,
    pub(super) after: Duration,
    pub(super) duration: Option<Duration>,
    pub(super) outcome: CallOutcome,
}

impl RecordedCall {
    /// Whether it was an action, an undo or a probe.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// The name of the step or compensation.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is called in orders and for the injector: `a` for an action, `undo a` for what undoes it,
    /// `probe a` for what finds out whether it is done.
    #[must_use]
    pub fn label(&self) -> String {
        label(self.part, &self.name)
    }

    /// The number of this call among those of its label, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When it started, by the clock on the wall.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// How long after the first recorded call it started, by tokio's clock, which a test may pause.
    #[must_use]
    pub fn after(&self) -> Duration {
        self.after
    }

    /// How long it took, by tokio's clock; `None` while it runs.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> &CallOutcome {
        &self.outcome
    }

    /// Whether it succeeded.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outcome == CallOutcome::Done
    }
}

impl fmt::Display for RecordedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, attempt {}: {}", self.label(), self.attempt, self.outcome)
    }
}

/// How a step's function is called in orders and for the injector.
pub(crate) fn label(part: Part, name: &str) -> String {
    match part {
        Part::Action => name.to_owned(),
        Part::Probe => format!("probe {name}"),
        Part::Undo => format!("undo {name}"),
    }
}
