//! The manager on a stage: every verb and every option, without a server.
#![allow(clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

mod finish;
mod refusals;
mod registration;
mod retries;
mod rollback;
mod snapshot;
mod stage;
mod steps;
