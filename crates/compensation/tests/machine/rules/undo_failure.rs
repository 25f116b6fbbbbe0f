//! Undos that fail or are interrupted: their budget, who waits for a person, and who waits for them.

use crate::machine::text::after;

#[test]
fn a_failed_undo_is_attempted_again_while_its_budget_lasts() {
    let saga = "a undo-x3; b<a";
    let stands = "compensating | a retrying undo, b failed | ^a";
    assert_eq!(after(saga, "a b> b- ^a> ^a- ^a> ^a-"), stands);
    let stands = "stuck | a undo parked: undo failed, b failed |";
    assert_eq!(after(saga, "a b> b- ^a> ^a- ^a> ^a- ^a> ^a-"), stands);
}

#[test]
fn an_undo_parks_at_once_where_another_attempt_would_not_help() {
    let stands = "stuck | a undo parked: undo failed, b failed |";
    assert_eq!(after("a undo-x3; b<a", "a b> b- ^a> ^a-!"), stands);
}

#[test]
fn an_undo_that_is_not_idempotent_is_not_repeated_after_a_failure() {
    let stands = "stuck | a undo parked: undo failed, b failed |";
    assert_eq!(after("a undo-once undo-x3; b<a", "a b> b- ^a> ^a-"), stands);
}

#[test]
fn an_undo_without_a_budget_is_attempted_until_it_is_done() {
    let story = format!("a b> b- {}", "^a> ^a- ".repeat(50));
    let stands = "compensating | a retrying undo, b failed | ^a";
    assert_eq!(after("a undo-xinf; b<a", &story), stands);
}

#[test]
fn an_undo_that_waits_for_another_attempt_keeps_what_it_depends_on_waiting() {
    let stands = "compensating | a done, b retrying undo, c failed | ^b";
    assert_eq!(after("a; b<a undo-x2; c<b", "a b c> c- ^b> ^b-"), stands);
}

#[test]
fn an_interrupted_undo_runs_again_with_the_same_knowledge_and_its_budget_whole() {
    let stands = "compensating | a retrying undo, b failed | ^a";
    assert_eq!(after("a; b<a", "a b> b- ^a> a*"), stands);
    assert_eq!(after("a; b<a", "a b> b- ^a> a* ^a> a*"), stands);
    assert_eq!(after("a", "a> a? ^a> a*"), "compensating | a retrying undo | ^a?");
    assert_eq!(after("a", "a> a? ^a> a* ^a"), "compensated | a undone |");
}

#[test]
fn an_interrupted_undo_that_is_not_idempotent_waits_for_a_person() {
    let stands = "stuck | a undo parked: undo interrupted, b failed |";
    assert_eq!(after("a undo-once; b<a", "a b> b- ^a> a*"), stands);
    assert_eq!(after("a undo-once allow-skip; b<a", "a b> b- ^a> a*"), stands);
}

#[test]
fn the_other_undos_run_on_past_a_parked_one() {
    let saga = "a; b<a; c; d<b,c";
    let stands = "compensating | a done, b undo parked: undo failed, c done, d failed | ^c ^a";
    assert_eq!(after(saga, "a b c d> d- ^b> ^b-"), stands);
    let stands = "stuck | a undone, b undo parked: undo failed, c undone, d failed |";
    assert_eq!(after(saga, "a b c d> d- ^b> ^b- ^c ^a"), stands);
}

#[test]
fn under_halt_the_other_undos_wait_until_a_person_has_dealt_with_the_parked_one() {
    let saga = "@halt a; b<a; c; d<b,c";
    let stands = "stuck | a done, b undo parked: undo failed, c done, d failed |";
    assert_eq!(after(saga, "a b c d> d- ^b> ^b-"), stands);
    let stands = "compensating | a done, b undo skipped, c done, d failed | ^c ^a";
    assert_eq!(after(saga, "a b c d> d- ^b> ^b- skip:b"), stands);
}

#[test]
fn under_halt_undos_in_flight_still_end() {
    let saga = "@halt a; b undo-x2; c<a,b";
    let stands = "compensating | a undo parked: undo failed, b undoing, c failed |";
    assert_eq!(after(saga, "a b c> c- ^a> ^b> ^a-"), stands);
    let stands = "stuck | a undo parked: undo failed, b undone, c failed |";
    assert_eq!(after(saga, "a b c> c- ^a> ^b> ^a- ^b+"), stands);
    let stands = "stuck | a undo parked: undo failed, b retrying undo, c failed |";
    assert_eq!(after(saga, "a b c> c- ^a> ^b> ^a- ^b-"), stands);
}

#[test]
fn an_undo_that_may_be_skipped_is_skipped_once_its_budget_is_spent() {
    let saga = "a; b<a allow-skip undo-x2; c<b";
    let stands = "compensating | a done, b retrying undo, c failed | ^b";
    assert_eq!(after(saga, "a b c> c- ^b> ^b-"), stands);
    let stands = "compensating | a done, b undo skipped, c failed | ^a";
    assert_eq!(after(saga, "a b c> c- ^b> ^b- ^b> ^b-"), stands);
    let stands = "compensated | a undone, b undo skipped, c failed |";
    assert_eq!(after(saga, "a b c> c- ^b> ^b-! ^a"), stands);
}

/// Where an older library's shared assertion fell over, and again at each restart.
#[test]
fn two_undos_that_fail_side_by_side_leave_a_stuck_saga_with_both() {
    let stands = "stuck | a undo parked: undo failed, b undo parked: undo failed, c failed |";
    assert_eq!(after("a; b; c<a,b", "a b c> c- ^b> ^a> ^b- ^a-"), stands);
    assert_eq!(after("@halt a; b; c<a,b", "a b c> c- ^b> ^a> ^b- ^a-"), stands);
}
