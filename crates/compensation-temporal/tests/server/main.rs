//! The manager against a real server. `./server-tests` starts one and runs these.
#![allow(clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

mod agencies;
mod by_hand;
mod cancels;
mod costs;
mod endings;
mod example;
mod golden;
mod harness;
#[path = "../golden/journey.rs"]
mod journey;
mod ledger;
mod load;
mod losses;
mod mirror;
mod nobody;
mod retries;
mod signals;
mod trip;
mod workers;
