//! The library's promises, on this store: schedules of the checker whose processes open a real file. When one dies,
//! the store is closed, or the power fails. What a schedule does on the file, it does in memory too.
//!
//! 200 schedules by lot of each kind; as many as `COMPENSATION_SCHEDULES` says, from `COMPENSATION_SEED` on.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "../../../compensation-testing/tests/generated/mod.rs"]
mod generated;
mod places;
mod trip;

use std::env;

use compensation::repository::Repository;
use compensation_testing::checker::Bound;
use generated::{Sketch, check};
use places::{closed, losing_power};

/// Schedules of one saga.
const EACH: u64 = 10;

fn number(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => default,
    }
}

/// Plays schedules by lot of sagas by lot.
fn by_lot<P, R>(place: fn() -> P)
where
    P: Fn() -> R + 'static,
    R: Repository,
{
    let schedules = number("COMPENSATION_SCHEDULES", 200);
    let seed = number("COMPENSATION_SEED", 0);
    let mut played = 0;
    for seed in (seed..).take(schedules.div_ceil(EACH) as usize) {
        let sketch = Sketch::draw(seed);
        let check = || check(&sketch).bound(Bound::Nothing).by_lot(EACH).seed(seed);
        match check().store(place).check() {
            Ok(coverage) => {
                played += coverage.schedules();
                let in_memory = check().check().expect("it holds in memory");
                assert_eq!(coverage.to_string(), in_memory.to_string(), "COMPENSATION_SEED={seed}");
            }
            Err(error) => panic!(
                "COMPENSATION_SEED={seed}, after {played} schedules:\n{error}\n\n{sketch:#?}"
            ),
        }
    }
    assert!(played >= schedules);
}

#[test]
fn promises_hold_on_a_file_that_is_closed_and_opened_again() {
    by_lot(closed);
}

#[test]
fn promises_hold_on_a_disk_that_loses_power_whenever_a_process_dies() {
    by_lot(losing_power);
}
