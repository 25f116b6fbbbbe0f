//! The library's promises, on sagas and schedules drawn by lot: linear ones, branches, pivots, every policy.
//!
//! 2,000 schedules by default; as many as `COMPENSATION_SCHEDULES` says, from `COMPENSATION_SEED` on.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod generated;

use compensation_testing::checker::Bound;
use generated::{Sketch, check};

/// Schedules of one saga.
const EACH: u64 = 20;

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => default,
    }
}

#[test]
fn promises_hold_whatever_befalls_a_saga() {
    let schedules = number("COMPENSATION_SCHEDULES", 2_000);
    let seed = number("COMPENSATION_SEED", 0);
    let mut played = 0;
    for seed in (seed..).take(schedules.div_ceil(EACH) as usize) {
        let sketch = Sketch::draw(seed);
        let check = check(&sketch).bound(Bound::Nothing).by_lot(EACH).seed(seed);
        match check.check() {
            Ok(coverage) => played += coverage.schedules(),
            Err(error) => panic!(
                "COMPENSATION_SEED={seed}, after {played} schedules:\n{error}\n\n{sketch:#?}"
            ),
        }
    }
    assert!(played >= schedules);
}
