//! The suite that every store of sagas must pass: the contract of
//! [`Repository`], one behaviour a test.
//!
//! Run it from a test without a harness of its own (`harness = false` in `Cargo.toml`):
//!
//! ```no_run
//! use std::{process::ExitCode, sync::Arc};
//!
//! use compensation::repository::{MemoryRepository, Repository};
//! use compensation_testing::conformance::{self, Fixture};
//!
//! struct InMemory(MemoryRepository);
//!
//! impl Fixture for InMemory {
//!     fn owner(&self) -> Arc<dyn Repository> {
//!         Arc::new(self.0.another_owner())
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     conformance::run("memory", || InMemory(MemoryRepository::new()))
//! }
//! ```

mod kit;
mod mail;
mod owners;
mod reading;
mod writing;

use std::{process::ExitCode, sync::Arc};

use compensation::repository::Repository;
use libtest_mimic::{Arguments, Trial};

use crate::suite;
use kit::Kit;

/// An empty store, and owners on it.
pub trait Fixture: Send + Sync + 'static {
    /// A further owner on this store. Dropping the last handle to it is the death of that owner.
    fn owner(&self) -> Arc<dyn Repository>;
}

/// Runs the suite with the arguments of the test runner. `make` makes an empty store for each test.
pub fn run<F: Fixture>(store: &str, make: impl Fn() -> F + Clone + Send + 'static) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials(store, make)).exit_code()
}

/// The tests of the suite, to be run together with others.
pub fn trials<F: Fixture>(
    store: &str,
    make: impl Fn() -> F + Clone + Send + 'static,
) -> Vec<Trial> {
    let tests = [writing::TESTS, owners::TESTS, reading::TESTS, mail::TESTS];
    suite::trials(store, &tests, move || Kit::new(make()))
}
