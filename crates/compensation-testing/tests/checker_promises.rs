//! The library's promises, on sagas and schedules drawn by lot: linear ones, branches, pivots, every policy.
//!
//! 2,000 schedules by default; as many as `COMPENSATION_SCHEDULES` says, from `COMPENSATION_SEED` on.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod generated;

use compensation::Status;
use compensation_testing::checker::{Bound, Check, Ending, Kind};
use generated::{Sketch, World};

/// Schedules of one saga.
const EACH: u64 = 20;

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => default,
    }
}

fn check(sketch: &Sketch) -> Check<World, u32> {
    let (saga, steps) = (sketch.clone(), sketch.steps.clone());
    let mut check = Check::new(
        |_| World::default(),
        move |world: &World| saga.saga(world).expect("a sound saga"),
        7,
    );
    for step in &steps {
        let name = step.name.clone();
        check = check.effect(step.name.clone(), move |world: &World| world.effect(&name));
    }
    if sketch.has_probe() {
        // What a probe has not found may still come: no saga can tell.
        check = check.without(Kind::Late);
    }
    check
        .always("an attempt has the key of all others of its step", |world, _| {
            let state = world.state();
            match state.keys.iter().find(|(_, keys)| keys.len() > 1) {
                None => Ok(()),
                Some((step, keys)) => Err(format!("`{step}` has run under {keys:?}")),
            }
        })
        .always("a completed saga has undone nothing, a compensated one has not gone on", ends)
}

fn ends(world: &World, ending: &Ending<'_>) -> Result<(), String> {
    let state = world.state();
    match (ending.status(), state.undone.keys().next()) {
        (Status::Completed, Some(step)) => Err(format!("the undo of `{step}` has run")),
        _ => Ok(()),
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
