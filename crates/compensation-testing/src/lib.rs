//! What tests of sagas and of their stores need.
//!
//! Tests of your sagas:
//! * [`FailureInjector`] lets steps and undos fail on order: by error, panic, delay, or no answer at all.
//!   [`InjectedError`] tells its failures from defects.
//! * [`CompensationRecorder`] records what ran, and asserts its order.
//! * [`MockStep`] and [`MockCompensation`] do nothing but that; [`Mocks`] makes them.
//! * [`TestActivity`] has an effect, so that a test sees what a saga leaves behind.
//! * [`checker`] runs a saga of yours under every failure and crash that it knows, and prints the shortest schedule
//!   that breaks what you promise.
//! * [`scenarios`] are sagas that fail in every way that there is, for your own way of running them.
//!
//! Tests of stores:
//! * [`FaultyRepository`] puts faults into any store: errors of any kind, lost answers, held writes.
//! * [`conformance`] is the suite that every [`Repository`](compensation::repository::Repository)
//!   must pass; the stores of this project run it, and so should yours.
//! * [`records`] is the same for every
//!   [`RecordRepository`](compensation::records::RecordRepository).
//!
//! ```
//! use compensation::Saga;
//! use compensation_testing::{Mocks, Rule};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mocks = Mocks::new();
//! let mut trip = Saga::<()>::builder("trip");
//! for step in ["reserve-car", "book-hotel", "charge-card"].map(|name| mocks.step(name)) {
//!     trip.step(step.name(), step.action()).undo(step.undo()).add();
//! }
//! mocks.injector().set("charge-card", Rule::always().not_done());
//! assert!(!trip.build()?.run(()).await.is_completed());
//! mocks.recorder().assert_compensated(["book-hotel", "reserve-car"]);
//! # Ok(())
//! # }
//! ```

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod activity;
pub mod checker;
mod clock;
pub mod conformance;
mod faulty;
mod injected;
mod injector;
mod mock;
mod recorder;
pub mod records;
pub mod scenarios;
mod suite;

pub use activity::{TestActivity, Violation};
pub use faulty::{Faults, FaultyRepository};
pub use injected::{InjectedError, is_injected};
pub use injector::{Answer, FailureInjector, Fault, Rule};
pub use mock::{MockCompensation, MockStep, Mocks};
pub use recorder::{CallOutcome, CompensationRecorder, Difference, RecordedCall, RecordedStart};
