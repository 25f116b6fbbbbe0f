//! The manager against a real server. `./server-tests` starts one and runs these.
#![allow(clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

mod cancels;
mod endings;
mod harness;
mod ledger;
mod losses;
mod retries;
mod trip;
