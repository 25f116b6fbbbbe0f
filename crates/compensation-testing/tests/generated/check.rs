//! What is to hold of sagas drawn by lot, whatever befalls them and whatever store they are on.

use compensation::Status;
use compensation_testing::checker::{Check, Ending, Kind};

use super::{Sketch, World};

/// What is promised of each.
pub(crate) fn check(sketch: &Sketch) -> Check<World, u32> {
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
