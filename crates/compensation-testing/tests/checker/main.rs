//! The checker: bugs that it finds, and what it plays and says.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod bugs;
mod hotel;
mod kit;
