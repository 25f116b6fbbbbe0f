//! What ran, in which order, and how it ended. Records only: what is right is for `verify` to say.

mod difference;
mod event;
mod verify;

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use compensation::{Part, Timestamp};
use tokio::sync::Notify;

use crate::clock::{self, Instant};

pub use difference::Difference;
pub(crate) use event::label;
pub use event::{CallOutcome, RecordedCall};

/// Records calls of actions and undos, and compares them with what a test expects. Cheap to clone; all clones
/// are one recorder, usable from several tasks.
///
/// Calls stand in the order of their start. In orders, an action goes by its step's name, and what undoes
/// it by `undo` and that name; each attempt stands there for itself.
///
/// ```
/// use compensation::{Part, SagaManager};
/// use compensation_testing::CompensationRecorder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (saga, recorder) = (SagaManager::new(), CompensationRecorder::new());
/// for name in ["reserve-car", "book-hotel"] {
///     let done = recorder.record(Part::Action, name, async { Ok::<_, String>(()) }).await;
///     assert!(done.is_ok());
///     let undo = recorder.clone();
///     saga.add_compensation(name, move || {
///         let undo = undo.clone();
///         async move { undo.record(Part::Undo, name, async { Ok::<_, String>(()) }).await }
///     });
/// }
/// assert!(saga.compensate().await.is_ok());
/// recorder.assert_order(["reserve-car", "book-hotel", "undo book-hotel", "undo reserve-car"]);
/// recorder.assert_reverse_of_actions();
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CompensationRecorder {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Told whenever a call starts or ends.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<RecordedCall>,
    first: Option<Instant>,
    /// How often it was cleared: what was started before has no place any more.
    cleared: u64,
}

impl CompensationRecorder {
    /// A recorder of nothing yet.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// assert!(CompensationRecorder::new().events().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Does `work`, and records it as a call of that part of that step, with how it ends: well, with an error,
    /// by a panic, or dropped.
    ///
    /// # Errors
    /// What `work` ends with.
    ///
    /// # Cancel safety
    /// That of `work`; the drop is recorded.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let recorder = CompensationRecorder::new();
    /// let seat = recorder.record(Part::Action, "reserve", async { Ok::<_, String>(17) }).await;
    /// assert_eq!(seat, Ok(17));
    /// recorder.assert_order(["reserve"]);
    /// # }
    /// ```
    pub async fn record<T, E: fmt::Display>(
        &self,
        part: Part,
        name: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let call = self.start(part, name);
        let ended = work.await;
        match &ended {
            Ok(_) => call.done(),
            Err(error) => call.failed(error),
        }
        ended
    }

    /// Records that a call starts, where [`record`](Self::record) does not fit. Dropped without a word about
    /// its end, it counts as dropped, or as panicked where a panic drops it.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Undo, "reserve").done();
    /// recorder.assert_compensated(["reserve"]);
    /// ```
    pub fn start(&self, part: Part, name: &str) -> RecordedStart {
        let now = clock::now();
        let mut state = self.state();
        let first = *state.first.get_or_insert(now);
        let before =
            state.events.iter().filter(|event| event.part == part && *event.name == *name).count();
        state.events.push(RecordedCall {
            part,
            name: name.into(),
            attempt: u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1),
            started_at: Timestamp::now(),
            after: now.saturating_duration_since(first),
            duration: None,
            outcome: CallOutcome::Running,
        });
        let (place, cleared) = (state.events.len() - 1, state.cleared);
        drop(state);
        self.shared.changed.notify_waiters();
        RecordedStart { recorder: self.clone(), place, cleared, started: now, ended: false }
    }

    /// Every call so far, in the order of their start.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Action, "reserve").done();
    /// assert_eq!(recorder.events()[0].name(), "reserve");
    /// ```
    #[must_use]
    pub fn events(&self) -> Vec<RecordedCall> {
        self.state().events.clone()
    }

    /// The [labels](RecordedCall::label) of all calls, in the order of their start.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Action, "reserve").failed("lost");
    /// recorder.start(Part::Undo, "reserve").done();
    /// assert_eq!(recorder.order(), ["reserve", "undo reserve"]);
    /// ```
    #[must_use]
    pub fn order(&self) -> Vec<String> {
        self.state().events.iter().map(RecordedCall::label).collect()
    }

    /// How often that part of that step was called.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Undo, "reserve").failed("lost");
    /// recorder.start(Part::Undo, "reserve").done();
    /// assert_eq!(recorder.count(Part::Undo, "reserve"), 2);
    /// assert_eq!(recorder.done_count(Part::Undo, "reserve"), 1);
    /// ```
    #[must_use]
    pub fn count(&self, part: Part, name: &str) -> usize {
        self.state()
            .events
            .iter()
            .filter(|event| event.part == part && event.name() == name)
            .count()
    }

    /// How often that part of that step succeeded; see [`count`](Self::count).
    #[must_use]
    pub fn done_count(&self, part: Part, name: &str) -> usize {
        self.done(part).iter().filter(|done| *done == name).count()
    }

    /// The label and the text of every error, in the order of the calls' start.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Undo, "reserve").failed("lost");
    /// assert_eq!(recorder.errors(), [("undo reserve".to_owned(), "lost".to_owned())]);
    /// ```
    #[must_use]
    pub fn errors(&self) -> Vec<(String, String)> {
        let error = |event: &RecordedCall| match event.outcome() {
            CallOutcome::Failed(error) => Some((event.label(), error.clone())),
            _ => None,
        };
        self.state().events.iter().filter_map(error).collect()
    }

    /// Forgets every call. The end of one that is running is not recorded.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Action, "reserve").done();
    /// recorder.clear();
    /// assert!(recorder.events().is_empty());
    /// ```
    pub fn clear(&self) {
        let mut state = self.state();
        *state = State { cleared: state.cleared + 1, ..State::default() };
        drop(state);
        self.shared.changed.notify_waiters();
    }

    /// Waits until the calls are as asked: for what goes on in the background.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let recorder = CompensationRecorder::new();
    /// let background = recorder.clone();
    /// tokio::spawn(async move { background.start(Part::Undo, "reserve").done() });
    /// recorder.until(|calls| calls.iter().any(|call| call.is_done())).await;
    /// recorder.assert_compensated(["reserve"]);
    /// # }
    /// ```
    pub async fn until(&self, reached: impl Fn(&[RecordedCall]) -> bool) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change falls in between.
            changed.as_mut().enable();
            // On a copy, so that the test's code runs outside the lock.
            let events = self.events();
            if reached(&events) {
                return;
            }
            changed.await;
        }
    }

    /// The names whose part succeeded, in the order of the successful calls' start.
    fn done(&self, part: Part) -> Vec<String> {
        let state = self.state();
        let done = state.events.iter().filter(|event| event.part == part && event.is_done());
        done.map(|event| event.name.to_string()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is made in one go, so a panic elsewhere leaves nothing half done.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that has started. Made by [`CompensationRecorder::start`].
///
/// ```
/// use compensation::Part;
/// use compensation_testing::{CallOutcome, CompensationRecorder};
///
/// let recorder = CompensationRecorder::new();
/// drop(recorder.start(Part::Action, "reserve"));
/// assert_eq!(recorder.events()[0].outcome(), &CallOutcome::Dropped);
/// ```
#[derive(Debug)]
#[must_use = "dropped, it records that the call was dropped"]
pub struct RecordedStart {
    recorder: CompensationRecorder,
    place: usize,
    cleared: u64,
    started: Instant,
    ended: bool,
}

impl RecordedStart {
    /// It succeeded.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Action, "reserve").done();
    /// assert!(recorder.events()[0].is_done());
    /// ```
    pub fn done(mut self) {
        self.end(CallOutcome::Done);
    }

    /// It failed so.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Action, "reserve").failed("no seat is free");
    /// assert_eq!(recorder.errors()[0].1, "no seat is free");
    /// ```
    pub fn failed(mut self, error: impl fmt::Display) {
        self.end(CallOutcome::Failed(error.to_string()));
    }

    fn end(&mut self, outcome: CallOutcome) {
        self.ended = true;
        let duration = clock::now().saturating_duration_since(self.started);
        let mut state = self.recorder.state();
        if state.cleared == self.cleared
            && let Some(event) = state.events.get_mut(self.place)
        {
            event.duration = Some(duration);
            event.outcome = outcome;
        }
        drop(state);
        self.recorder.shared.changed.notify_waiters();
    }
}

impl Drop for RecordedStart {
    fn drop(&mut self) {
        if !self.ended {
            let panics = thread::panicking();
            self.end(if panics { CallOutcome::Panicked } else { CallOutcome::Dropped });
        }
    }
}
