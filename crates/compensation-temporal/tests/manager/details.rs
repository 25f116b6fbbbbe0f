//! What Temporal's own pages show of a rollback.

use compensation_temporal::{CompensationManager, step};

use crate::stage::{Act, End, Stage, run, waits};

fn many(stage: &Stage, names: &[&'static str]) -> CompensationManager<Stage> {
    let saga = CompensationManager::new();
    for name in names {
        let undo: &'static str = format!("-{name}").leak();
        saga.register_simple(stage, *name, Act(undo), String::new()).expect("new");
    }
    saga
}

#[test]
fn nothing_is_shown_while_all_goes_well() {
    let stage = Stage::new();
    let saga = many(&stage, &["a"]);
    let step = step("b", Act("+b"), String::new()).no_undo("none");
    run(saga.step(&stage, step)).expect("it succeeds");
    assert_eq!(stage.shown(), "");
}

#[test]
fn a_rollback_shows_what_is_undone_what_runs_and_what_is_left() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b", "c"]);
    stage.script("-b", [End::Hangs]);
    let mut rollback = Box::pin(saga.compensate(&stage));
    waits(&mut rollback);
    let running = "**Rolling back: 1 of 3 undone**, 1 left\n\n\
                   - c: undone\n- b: **being undone**\n- a: left";
    assert_eq!(stage.shown(), running);
    stage.release();
    run(rollback).expect("it succeeds");
    let ended = "**Rolled back: 3 of 3 undone**\n\n- c: undone\n- b: undone\n- a: undone";
    assert_eq!(stage.shown(), ended);
}

#[test]
fn what_failed_and_what_was_passed_over_is_shown_with_its_reason() {
    let stage = Stage::new();
    let saga = many(&stage, &["a", "b"]);
    saga.record_not_done("b").expect("registered");
    stage.script("-a", [End::Refuses("Gone")]);
    run(saga.compensate(&stage)).expect_err("it is refused");
    let ended = "**Rolled back: 0 of 2 undone**, 1 failed, 1 skipped\n\n\
                 - b: skipped: it had no effect\n- a: **failed**: it went wrong (Gone)";
    assert_eq!(stage.shown(), ended);
}

#[test]
fn of_many_the_newest_are_named_and_the_others_counted() {
    let stage = Stage::new();
    let names: Vec<&'static str> = (0..25).map(|n| &*format!("n{n}").leak()).collect();
    run(many(&stage, &names).compensate(&stage)).expect("all succeed");
    let shown = stage.shown();
    assert!(shown.starts_with("**Rolled back: 25 of 25 undone**\n\n- n24: undone\n"), "{shown}");
    assert!(shown.ends_with("- n5: undone\n- and 5 older"), "{shown}");
}
