//! What tests of sagas and of their stores need.
//!
//! * [`FaultyRepository`] puts faults into any store: errors of any kind, lost answers, held writes.
//! * [`conformance`] is the suite that every [`Repository`](compensation::repository::Repository)
//!   must pass; the stores of this project run it, and so should yours.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

pub mod conformance;
mod faulty;

pub use faulty::{Faults, FaultyRepository};
