//! What people order: cancel, retry, skip, declare done, abandon, resume.

use crate::machine::text::after;

#[test]
fn a_saga_cancelled_before_anything_started_is_over() {
    assert_eq!(after("a; b<a", "cancel"), "compensated | a waiting, b waiting |");
}

#[test]
fn a_running_saga_that_is_cancelled_settles_and_then_undoes() {
    assert_eq!(after("a; b<a", "a b> cancel"), "compensating | a done, b acting |");
    assert_eq!(after("a; b<a", "a b> cancel b+"), "compensating | a done, b done | ^b");
    assert_eq!(after("a; b<a", "a b> cancel b-"), "compensating | a done, b failed | ^a");
}

#[test]
fn a_completed_saga_without_a_pivot_can_be_undone() {
    assert_eq!(after("a; b<a", "a b cancel"), "compensating | a done, b done | ^b");
    assert_eq!(after("a; b<a", "a b cancel ^b ^a"), "compensated | a undone, b undone |");
    assert_eq!(after("a no-undo", "a cancel"), "compensated | a done |");
}

#[test]
fn whoever_cancels_decides_about_what_is_parked() {
    let stands = "compensating | a unsure, b waiting | ^a?";
    assert_eq!(after("a unknown=park; b<a", "a> a? cancel"), stands);
}

#[test]
fn a_retry_gives_a_parked_action_a_fresh_budget() {
    let saga = "a unknown=retry x2";
    assert_eq!(after(saga, "a> a? a> a? retry:a"), "running | a retrying | a");
    assert_eq!(after(saga, "a> a? a> a? retry:a a> a?"), "running | a retrying | a");
    let stands = "stuck | a parked: outcome unknown |";
    assert_eq!(after(saga, "a> a? a> a? retry:a a> a? a> a?"), stands);
    assert_eq!(after(saga, "a> a?! retry:a a> a-"), "running | a retrying | a");
}

#[test]
fn a_retry_lets_a_step_act_again_that_is_not_idempotent() {
    assert_eq!(after("a once", "a> a* retry:a a"), "completed | a done |");
    assert_eq!(after("a once", "a> a* retry:a a> a*"), "stuck | a parked: outcome unknown |");
}

#[test]
fn a_retry_lets_a_probe_ask_again_with_a_fresh_budget() {
    let saga = "a probe unknown=probe";
    let parked = "a> a? ~a> ~a? ~a> ~a? ~a> ~a? retry:a";
    assert_eq!(after(saga, parked), "running | a probe due | ~a");
    let stands = "running | a probe due | ~a";
    assert_eq!(after(saga, &format!("{parked} ~a> ~a? ~a> ~a?")), stands);
}

#[test]
fn a_retry_of_what_waits_out_its_failures_gives_it_a_fresh_budget() {
    let stands = "running | a retrying | a";
    assert_eq!(after("a x3", "a> a- a> a- retry:a a> a- a> a-"), stands);
    let stands = "running | a probe due | ~a";
    let probing = "a> a? ~a> ~a? ~a> ~a? retry:a ~a> ~a? ~a> ~a?";
    assert_eq!(after("a probe unknown=probe", probing), stands);
    let stands = "compensating | a retrying undo, b failed | ^a";
    let undoing = "a b> b- ^a> ^a- retry:a ^a> ^a-";
    assert_eq!(after("a undo-x2; b<a", undoing), stands);
}

#[test]
fn a_retry_gives_a_parked_undo_a_fresh_budget() {
    let saga = "a undo-x2; b<a";
    let parked = "a b> b- ^a> ^a- ^a> ^a-";
    let stands = "compensating | a retrying undo, b failed | ^a";
    assert_eq!(after(saga, &format!("{parked} retry:a")), stands);
    assert_eq!(after(saga, &format!("{parked} retry:a ^a> ^a-")), stands);
    let stands = "stuck | a undo parked: undo failed, b failed |";
    assert_eq!(after(saga, &format!("{parked} retry:a ^a> ^a- ^a> ^a-")), stands);
}

#[test]
fn a_parked_undo_that_is_retried_knows_what_it_knew() {
    let stands = "compensating | a retrying undo | ^a?";
    assert_eq!(after("a", "a> a? ^a> ^a- retry:a"), stands);
    let stands = "compensating | a retrying undo, b failed | ^a";
    assert_eq!(after("a; b<a", "a b> b- ^a> ^a- retry:a"), stands);
    let stands = "compensating | a retrying undo, b failed | ^a?";
    assert_eq!(after("a unknown=park; b", "a> b> a? b- retry:a"), stands);
}

#[test]
fn undos_not_yet_started_wait_again_for_one_that_is_retried() {
    let stands = "compensating | a done, b retrying undo, c failed | ^b";
    assert_eq!(after("a; b<a; c<b", "a b c> c- ^b> ^b- retry:b"), stands);
    let stands = "compensating | a done, b undone, c failed | ^a";
    assert_eq!(after("a; b<a; c<b", "a b c> c- ^b> ^b- retry:b ^b"), stands);
}

#[test]
fn an_undo_in_flight_runs_on_beside_one_that_is_retried() {
    let saga = "a undo-x2; b<a; c<b";
    let stands = "compensating | a undoing, b retrying undo, c failed | ^b";
    assert_eq!(after(saga, "a b c> c- ^b> ^b- ^a> retry:b"), stands);
    let stands = "compensating | a retrying undo, b retrying undo, c failed | ^b";
    assert_eq!(after(saga, "a b c> c- ^b> ^b- ^a> retry:b ^a-"), stands, "now it waits");
}

#[test]
fn a_parked_undo_is_skipped_or_declared_done_on_order() {
    let told = |order| after("a; b<a", &format!("a b> b- ^a> ^a- {order}"));
    assert_eq!(told("skip:a"), "compensated | a undo skipped, b failed |");
    assert_eq!(told("declare-undone:a"), "compensated | a undone, b failed |");
}

#[test]
fn a_step_parked_with_its_outcome_is_declared_done_on_order() {
    let stands = "running | a done, b waiting | b";
    assert_eq!(after("a unknown=park; b<a", "a> a? declare:a"), stands);
    let stands = "compensating | a done, b failed | ^a";
    assert_eq!(after("a unknown=park; b<a", "a> a? declare:a b> b-"), stands);
}

#[test]
fn a_step_without_undo_that_is_parked_in_a_rollback_is_skipped_or_declared_done() {
    let told = |order| after("a no-undo unknown=park; b", &format!("a> b> a? b- {order}"));
    assert_eq!(told(""), "stuck | a undo parked: outcome unknown, b failed |");
    assert_eq!(told("skip:a"), "compensated | a undo skipped, b failed |");
    assert_eq!(told("declare-undone:a"), "compensated | a undone, b failed |");
}

#[test]
fn a_saga_with_nothing_in_flight_can_be_abandoned() {
    assert_eq!(after("a; b<a", "abandon"), "abandoned | a waiting, b waiting |");
    assert_eq!(after("a; b<a", "a abandon"), "abandoned | a done, b waiting |");
    let stands = "abandoned | a done, b failed |";
    assert_eq!(after("a; b<a", "a b> b- abandon"), stands);
    let stands = "abandoned | a parked: outcome unknown |";
    assert_eq!(after("a unknown=park", "a> a? abandon"), stands);
    let stands = "abandoned | a undo parked: undo failed, b failed |";
    assert_eq!(after("a; b<a", "a b> b- ^a> ^a- abandon"), stands);
}

#[test]
fn to_be_resumed_changes_nothing_of_a_saga() {
    assert_eq!(after("a; b<a", "a b> resume"), after("a; b<a", "a b>"));
    assert_eq!(after("a; b<a", "a b> cancel resume"), after("a; b<a", "a b> cancel"));
    let stuck = "a b> b- ^a> ^a-";
    assert_eq!(after("a; b<a", &format!("{stuck} resume")), after("a; b<a", stuck));
}
