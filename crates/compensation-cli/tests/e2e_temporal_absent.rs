//! A program that was built without Temporal says so.

#![cfg(not(feature = "temporal"))]

mod program;

use program::Place;

#[test]
fn a_program_without_temporal_says_how_to_install_one_with_it() {
    let place =
        Place::with("saga: x\nsteps: [{ name: a, run: \"true\", undo: none, because: nothing }]\n");
    for arguments in [
        &["run", "saga.yaml", "--temporal", "localhost:7233"][..],
        &["worker", "saga.yaml", "--temporal", "localhost:7233"],
    ] {
        place.call(arguments).code(2).says("--features temporal");
    }
    assert!(place.left().is_empty(), "nothing is there");
}
