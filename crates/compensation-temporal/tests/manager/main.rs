//! The manager on a stage: every verb and every option, without a server.
#![allow(clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

mod deadline;
mod details;
mod finish;
mod go;
mod mirror;
mod refusals;
mod registration;
mod retries;
mod rollback;
mod signals;
mod snapshot;
mod stage;
mod steps;
