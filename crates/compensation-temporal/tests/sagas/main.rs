//! Sagas as workflows, on a real server. `./server-tests` starts one and runs these.
#![allow(clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

mod bad_input;
mod cancels;
mod cost;
mod endings;
mod harness;
#[allow(dead_code, reason = "it serves the tests of the manager too")]
#[path = "../server/ledger.rs"]
mod ledger;
mod losses;
mod orders;
mod places;
mod town;
mod unknown;
#[path = "../server/workers.rs"]
mod workers;
