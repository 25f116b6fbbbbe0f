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

mod crash;
mod crowd;
mod cut;
mod damage;
mod kit;
mod listing;
mod mail;
mod owners;
mod reading;
mod reopen;
mod writing;

use std::{ffi::OsString, process::ExitCode, sync::Arc};

use compensation::{SagaId, repository::Repository};
use libtest_mimic::{Arguments, Trial};

use crate::suite;
use kit::Kit;

/// An empty store, and owners on it.
///
/// Only [`owner`](Self::owner) must be there. Some tests need more than a value: another process, a hand in the
/// store's files. A fixture that offers it says so in [`abilities`](Self::abilities). Tests that need what it
/// does not offer are listed all the same, as ignored, and their names say what is missing.
pub trait Fixture: Send + Sync + 'static {
    /// A further owner on this store. Dropping the last handle to it is the death of that owner.
    fn owner(&self) -> Arc<dyn Repository>;

    /// What else this fixture can do. Default: nothing.
    #[must_use]
    fn abilities() -> &'static [Ability]
    where
        Self: Sized,
    {
        &[]
    }

    /// Where the store is, in a text from which [`open`](Self::open) opens it in another process.
    /// For [`Ability::Processes`].
    fn place(&self) -> OsString {
        panic!("a fixture with Ability::Processes tells where its store is")
    }

    /// An owner on the store at that place. For [`Ability::Processes`].
    #[must_use]
    fn open(_place: OsString) -> Arc<dyn Repository>
    where
        Self: Sized,
    {
        panic!("a fixture with Ability::Processes opens its store in another process")
    }

    /// Spoils what is stored of a saga, past the store's back. For [`Ability::Damage`].
    fn damage(&self, _saga: &SagaId, _what: Damage) {
        panic!("a fixture with Ability::Damage can spoil what is stored")
    }

    /// Cuts off every owner that there is: from now on others can prove that they are dead, though their values
    /// live on and may try to write. For [`Ability::CutOff`].
    fn cut_off(&self) {
        panic!("a fixture with Ability::CutOff can cut owners off")
    }
}

/// What a fixture may be able to do beyond making owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ability {
    /// The store can be used from several processes, so that one can be killed:
    /// [`place`](Fixture::place) and [`open`](Fixture::open).
    Processes,
    /// What is stored can be spoilt: [`damage`](Fixture::damage).
    Damage,
    /// An owner can be taken for dead while it lives: [`cut_off`](Fixture::cut_off).
    CutOff,
}

impl Ability {
    /// What the names of tests begin with where it is missing.
    fn missing(self) -> &'static str {
        match self {
            Self::Processes => "without_processes",
            Self::Damage => "without_damage",
            Self::CutOff => "without_cutting_off",
        }
    }
}

/// How a saga is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The body of that entry is something that no engine wrote.
    Entry(u32),
    /// That entry is gone, though there are later ones.
    Missing(u32),
    /// The plan that it was started with is something that no engine wrote, or gone.
    Plan,
}

/// Runs the suite with the arguments of the test runner. `make` makes an empty store for each test.
///
/// For tests that kill a process the program is started again: this function never returns then.
pub fn run<F: Fixture>(store: &str, make: impl Fn() -> F + Clone + Send + 'static) -> ExitCode {
    if write_until_killed::<F>() {
        return ExitCode::SUCCESS;
    }
    libtest_mimic::run(&Arguments::from_args(), trials(store, make)).exit_code()
}

/// In a process that was started to be killed: writes to the store until then, or until nobody listens any
/// more, and returns true. Elsewhere it returns false at once. A program that runs [`trials`] itself, of a
/// fixture with [`Ability::Processes`], calls it first.
#[must_use]
pub fn write_until_killed<F: Fixture>() -> bool {
    crash::place().map(|place| crash::write(F::open(place))).is_some()
}

/// The tests of the suite, to be run together with others.
pub fn trials<F: Fixture>(
    store: &str,
    make: impl Fn() -> F + Clone + Send + 'static,
) -> Vec<Trial> {
    let always = [
        writing::TESTS,
        owners::TESTS,
        reading::TESTS,
        listing::TESTS,
        mail::TESTS,
        crowd::TESTS,
        reopen::TESTS,
    ];
    let able = [
        (Ability::Processes, crash::TESTS),
        (Ability::Damage, damage::TESTS),
        (Ability::CutOff, cut::TESTS),
    ];
    let make = move || Kit::new(make());
    let mut trials = suite::trials(store, &always, make.clone());
    for (ability, tests) in able {
        if F::abilities().contains(&ability) {
            trials.extend(suite::trials(store, &[tests], make.clone()));
        } else {
            let name = format!("{store}::{}", ability.missing());
            let missing = suite::trials(&name, &[tests], make.clone()).into_iter();
            trials.extend(missing.map(|trial| trial.with_ignored_flag(true)));
        }
    }
    trials
}
