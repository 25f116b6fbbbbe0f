//! The suite that every repository of records must pass: the contract of [`RecordRepository`], one behaviour
//! a test.
//!
//! Run it from a test without a harness of its own (`harness = false` in `Cargo.toml`):
//!
//! ```no_run
//! use std::{process::ExitCode, sync::Arc};
//!
//! use compensation::records::{MemoryRecords, RecordRepository};
//! use compensation_testing::records::{self, Fixture};
//!
//! struct InMemory(MemoryRecords);
//!
//! impl Fixture for InMemory {
//!     fn open(&self) -> Arc<dyn RecordRepository> {
//!         Arc::new(self.0.clone())
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     records::run("memory", || InMemory(MemoryRecords::new()))
//! }
//! ```

mod crowd;
mod ending;
mod kit;
mod listing;
mod marking;
mod reading;
mod saving;

use std::{process::ExitCode, sync::Arc};

use compensation::records::RecordRepository;
use libtest_mimic::{Arguments, Trial};

use crate::suite;
use kit::Kit;

/// An empty repository of records, and ways into it.
///
/// ```
/// use std::sync::Arc;
/// use compensation::records::{MemoryRecords, RecordRepository};
/// use compensation_testing::records::Fixture;
///
/// struct InMemory(MemoryRecords);
///
/// impl Fixture for InMemory {
///     fn open(&self) -> Arc<dyn RecordRepository> {
///         Arc::new(self.0.clone())
///     }
/// }
/// ```
pub trait Fixture: Send + Sync + 'static {
    /// The repository as a further process would open it.
    fn open(&self) -> Arc<dyn RecordRepository>;
}

/// Runs the suite with the arguments of the test runner. `make` makes an empty repository for each test.
pub fn run<F: Fixture>(store: &str, make: impl Fn() -> F + Clone + Send + 'static) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials(store, make)).exit_code()
}

/// The tests of the suite, to be run together with others.
///
/// ```
/// # use std::sync::Arc;
/// # use compensation::records::{MemoryRecords, RecordRepository};
/// # use compensation_testing::records::{self, Fixture};
/// # struct InMemory(MemoryRecords);
/// # impl Fixture for InMemory {
/// #     fn open(&self) -> Arc<dyn RecordRepository> { Arc::new(self.0.clone()) }
/// # }
/// let trials = records::trials("memory", || InMemory(MemoryRecords::new()));
/// assert!(trials.iter().any(|trial| trial.name() == "memory::a_listing_is_newest_first"));
/// ```
pub fn trials<F: Fixture>(
    store: &str,
    make: impl Fn() -> F + Clone + Send + 'static,
) -> Vec<Trial> {
    let tests = [
        saving::TESTS,
        marking::TESTS,
        reading::TESTS,
        listing::TESTS,
        ending::TESTS,
        crowd::TESTS,
    ];
    suite::trials(store, &tests, move || Kit::new(make()))
}
