//! The effects of a test activity, by idempotency key, and what no saga may do to them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a saga did to an activity that it must never do.
///
/// ```
/// use compensation_testing::TestActivity;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let reserve = TestActivity::new("reserve");
/// let error = reserve.compensate("trip-1").await.unwrap_err();
/// assert_eq!(error.to_string(), "`reserve` was compensated for `trip-1`, and never executed for it");
/// assert_eq!(reserve.violations()[0].to_string(), error.to_string());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A key was compensated that was never executed.
    #[error("`{activity}` was compensated for `{key}`, and never executed for it")]
    NeverExecuted {
        /// The activity.
        activity: String,
        /// The key.
        key: String,
    },
    /// A key was compensated while it was being executed.
    #[error("`{activity}` was compensated for `{key}` while it was still being executed")]
    StillExecuting {
        /// The activity.
        activity: String,
        /// The key.
        key: String,
    },
    /// A key was executed after it had been compensated.
    #[error("`{activity}` was executed for `{key}` after it had been compensated")]
    AfterCompensation {
        /// The activity.
        activity: String,
        /// The key.
        key: String,
    },
    /// An undo was handed the output of another execution.
    #[error("`{activity}` was compensated for `{key}` with the receipt of `{receipt}`")]
    OthersReceipt {
        /// The activity.
        activity: String,
        /// The key.
        key: String,
        /// What the undo was handed.
        receipt: String,
    },
}

/// Everything that was done for one key.
#[derive(Clone, Debug, Default)]
struct Entry {
    executions: u32,
    running: u32,
    compensations: u32,
    /// How often the effect came about.
    effects: u32,
    in_effect: bool,
    compensated: bool,
}

/// The effects of one activity. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    activity: Arc<str>,
    /// Whether everything is allowed.
    lenient: bool,
    books: Arc<Mutex<Books>>,
}

#[derive(Debug, Default)]
struct Books {
    entries: BTreeMap<String, Entry>,
    violations: Vec<Violation>,
}

impl Ledger {
    pub(super) fn new(activity: Arc<str>) -> Self {
        Self { activity, lenient: false, books: Arc::default() }
    }

    pub(super) fn lenient(self) -> Self {
        Self { lenient: true, ..self }
    }

    /// An execution begins, and lasts until what is returned is dropped.
    pub(super) fn begin(&self, key: &str) -> Result<Executing<'_>, Violation> {
        let mut books = self.books();
        let entry = books.entries.entry(key.to_owned()).or_default();
        entry.executions += 1;
        if entry.compensated && !self.lenient {
            let (activity, key) = (self.activity.to_string(), key.to_owned());
            return Err(books.note(Violation::AfterCompensation { activity, key }));
        }
        entry.running += 1;
        Ok(Executing { ledger: self, key: key.to_owned() })
    }

    /// A compensation begins. `due` says whether the saga knows of an execution, `receipt` what it was handed.
    pub(super) fn admit_undo(
        &self,
        key: &str,
        due: bool,
        receipt: Option<&str>,
    ) -> Result<(), Violation> {
        let mut books = self.books();
        let entry = books.entries.entry(key.to_owned()).or_default();
        entry.compensations += 1;
        let (running, executed) = (entry.running > 0, entry.executions > 0);
        let (activity, key) = (self.activity.to_string(), key.to_owned());
        let others = receipt.filter(|receipt| *receipt != key).map(str::to_owned);
        let violation = if running {
            Violation::StillExecuting { activity, key }
        } else if due && !executed {
            Violation::NeverExecuted { activity, key }
        } else if let Some(receipt) = others {
            Violation::OthersReceipt { activity, key, receipt }
        } else {
            return Ok(());
        };
        if self.lenient { Ok(()) } else { Err(books.note(violation)) }
    }

    /// Takes the effect of a key back, if there is one.
    pub(super) fn revert(&self, key: &str) {
        let mut books = self.books();
        let entry = books.entries.entry(key.to_owned()).or_default();
        entry.in_effect = false;
        entry.compensated = true;
    }

    pub(super) fn is_in_effect(&self, key: &str) -> bool {
        self.read(key, |entry| u32::from(entry.in_effect)) > 0
    }

    pub(super) fn in_effect(&self) -> Vec<String> {
        let books = self.books();
        let effective = books.entries.iter().filter(|(_, entry)| entry.in_effect);
        effective.map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn effects(&self, key: &str) -> u32 {
        self.read(key, |entry| entry.effects)
    }

    pub(super) fn executions(&self, key: &str) -> u32 {
        self.read(key, |entry| entry.executions)
    }

    pub(super) fn compensations(&self, key: &str) -> u32 {
        self.read(key, |entry| entry.compensations)
    }

    pub(super) fn violations(&self) -> Vec<Violation> {
        self.books().violations.clone()
    }

    fn read(&self, key: &str, read: impl FnOnce(&Entry) -> u32) -> u32 {
        self.books().entries.get(key).map_or(0, read)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Every change is made in one go, so a panic elsewhere leaves nothing half done.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn note(&mut self, violation: Violation) -> Violation {
        self.violations.push(violation.clone());
        violation
    }
}

/// An execution that goes on while it lives.
pub(super) struct Executing<'a> {
    ledger: &'a Ledger,
    key: String,
}

impl Executing<'_> {
    /// The effect comes about, unless it is there already.
    pub(super) fn take_effect(&self) {
        let mut books = self.ledger.books();
        let entry = books.entries.entry(self.key.clone()).or_default();
        entry.effects += u32::from(!entry.in_effect);
        entry.in_effect = true;
    }
}

impl Drop for Executing<'_> {
    fn drop(&mut self) {
        let mut books = self.ledger.books();
        let entry = books.entries.entry(self.key.clone()).or_default();
        entry.running = entry.running.saturating_sub(1);
    }
}
