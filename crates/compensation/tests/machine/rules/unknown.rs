//! Attempts whose outcome nobody knows: what each policy makes of them, and of attempts that died.

use crate::machine::text::after;

#[test]
fn retry_attempts_it_again_and_waits_for_a_person_once_the_budget_is_spent() {
    let saga = "a unknown=retry x2; b<a";
    assert_eq!(after(saga, "a> a?"), "running | a retrying, b waiting | a");
    assert_eq!(after(saga, "a> a? a"), "running | a done, b waiting | b");
    let stands = "stuck | a parked: outcome unknown, b waiting |";
    assert_eq!(after(saga, "a> a? a> a?"), stands);
    assert_eq!(after(saga, "a> a? a> a-"), stands, "the first attempt may have had its effect");
}

#[test]
fn retry_finds_out_even_in_a_rollback() {
    let saga = "a unknown=retry x3; b";
    let stands = "compensating | a retrying, b failed | a";
    assert_eq!(after(saga, "a> b> b- a?"), stands);
    assert_eq!(after(saga, "a> a? b> b-"), stands);
    assert_eq!(after(saga, "a> b> b- a? a"), "compensating | a done, b failed | ^a");
    let stands = "stuck | a undo parked: outcome unknown, b failed |";
    assert_eq!(after(saga, "a> b> b- a? a> a? a> a?"), stands);
    let stands = "compensated | a failed, b failed |";
    assert_eq!(after(saga, "a> b> b- a-"), stands, "nothing to find out");
}

#[test]
fn a_probe_that_finds_the_effect_lets_the_saga_go_on() {
    let saga = "a probe unknown=probe; b<a";
    assert_eq!(after(saga, "a> a?"), "running | a probe due, b waiting | ~a");
    assert_eq!(after(saga, "a> a? ~a>"), "running | a probing, b waiting |");
    assert_eq!(after(saga, "a> a? ~a> ~a+"), "running | a done, b waiting | b");
}

#[test]
fn a_probe_is_asked_before_another_attempt() {
    let saga = "a probe unknown=probe x2";
    assert_eq!(after(saga, "a> a?"), "running | a probe due | ~a");
    assert_eq!(after(saga, "a> a? ~a> ~a-"), "running | a retrying | a");
}

#[test]
fn a_step_that_its_probe_finds_not_done_is_not_undone() {
    let saga = "a; b<a probe unknown=probe";
    let stands = "compensating | a done, b failed | ^a";
    assert_eq!(after(saga, "a b> b? ~b> ~b-"), stands);
}

#[test]
fn a_probe_that_fails_three_times_waits_for_a_person() {
    let saga = "a probe unknown=probe";
    let stands = "running | a probe due | ~a";
    assert_eq!(after(saga, "a> a? ~a> ~a? ~a> ~a?"), stands);
    let stands = "stuck | a parked: probe failed |";
    assert_eq!(after(saga, "a> a? ~a> ~a? ~a> ~a? ~a> ~a?"), stands);
    assert_eq!(after(saga, "a> a? ~a> ~a?!"), stands, "another attempt would not help");
}

#[test]
fn a_probe_begins_anew_for_another_attempt_of_the_action() {
    let story = "a> a? ~a> ~a? ~a> ~a? ~a> ~a- a> a? ~a> ~a?";
    assert_eq!(after("a probe unknown=probe x2", story), "running | a probe due | ~a");
}

#[test]
fn an_interrupted_probe_is_asked_again_and_that_is_no_failure() {
    let story = format!("a> a? {}", "~a> a* ".repeat(10));
    assert_eq!(after("a probe unknown=probe", &story), "running | a probe due | ~a");
}

#[test]
fn a_probe_decides_in_a_rollback_what_is_undone() {
    let saga = "a probe unknown=probe x5; b";
    let told = |story| after(saga, &format!("a> b> b- a? {story}"));
    assert_eq!(told(""), "compensating | a probe due, b failed | ~a");
    assert_eq!(told("~a> ~a+"), "compensating | a done, b failed | ^a");
    assert_eq!(told("~a> ~a-"), "compensated | a failed, b failed |");
    let stands = "stuck | a undo parked: probe failed, b failed |";
    assert_eq!(told("~a> ~a? ~a> ~a? ~a> ~a?"), stands);
}

#[test]
fn a_probe_in_flight_when_the_saga_turns_back_is_waited_for() {
    let saga = "a probe unknown=probe; b; c";
    let stands = "compensating | a probing, b failed, c done |";
    assert_eq!(after(saga, "a> b> c a? ~a> b-"), stands);
    let stands = "compensating | a done, b failed, c done | ^c ^a";
    assert_eq!(after(saga, "a> b> c a? ~a> b- ~a+"), stands);
}

#[test]
fn park_waits_for_a_person_and_starts_nothing_new_meanwhile() {
    let saga = "a unknown=park; b; c<b; d x2";
    let stands = "running | a parked: outcome unknown, b acting, c waiting, d retrying | d";
    assert_eq!(after(saga, "b> d> d- a> a?"), stands, "what has begun goes on");
    let stands = "stuck | a parked: outcome unknown, b done, c waiting, d done |";
    assert_eq!(after(saga, "b> d> d- a> a? b+ d"), stands);
}

#[test]
fn a_parked_step_stays_with_the_person_when_the_saga_turns_back() {
    let saga = "a; b<a unknown=park; c";
    let stands = "compensating | a done, b undo parked: outcome unknown, c failed | ^a";
    assert_eq!(after(saga, "a b> c> b? c-"), stands);
    let stands = "stuck | a undone, b undo parked: outcome unknown, c failed |";
    assert_eq!(after(saga, "a b> c> b? c- ^a"), stands);
}

#[test]
fn an_interrupted_idempotent_step_is_attempted_again_whatever_its_policy() {
    for policy in ["", "unknown=undo", "unknown=park", "unknown=retry", "probe unknown=probe"] {
        let saga = format!("a {policy}");
        assert_eq!(after(&saga, "a> a*"), "running | a retrying | a", "`{saga}`");
    }
}

#[test]
fn an_interruption_does_not_spend_the_budget() {
    let interrupted = "a> a* ".repeat(10);
    assert_eq!(after("a x2", &(interrupted.clone() + "a> a-")), "running | a retrying | a");
    assert_eq!(after("a x2", &(interrupted + "a")), "completed | a done |");
}

#[test]
fn an_interrupted_attempt_may_have_had_its_effect() {
    assert_eq!(after("a", "a> a* a> a-"), "compensating | a unsure | ^a?");
}

#[test]
fn an_interrupted_step_that_is_not_idempotent_follows_its_policy() {
    assert_eq!(after("a once", "a> a*"), "stuck | a parked: outcome unknown |");
    assert_eq!(after("a once unknown=park", "a> a*"), "stuck | a parked: outcome unknown |");
    assert_eq!(after("a once unknown=undo", "a> a*"), "compensating | a unsure | ^a?");
    assert_eq!(after("a once probe unknown=probe", "a> a*"), "running | a probe due | ~a");
}

#[test]
fn a_step_that_is_not_idempotent_is_not_attempted_again_though_its_probe_finds_nothing() {
    let saga = "a once probe unknown=probe";
    assert_eq!(after(saga, "a> a* ~a> ~a-"), "compensated | a failed |");
}

#[test]
fn a_step_interrupted_in_a_rollback_follows_its_policy_and_is_not_attempted_to_be_done() {
    let told = |policies| after(&format!("a {policies}; b"), "a> b> b- a*");
    assert_eq!(told(""), "compensating | a unsure, b failed | ^a?");
    assert_eq!(told("once unknown=undo"), "compensating | a unsure, b failed | ^a?");
    assert_eq!(told("probe unknown=probe"), "compensating | a probe due, b failed | ~a");
    assert_eq!(told("unknown=retry"), "compensating | a retrying, b failed | a");
    let stands = "stuck | a undo parked: outcome unknown, b failed |";
    assert_eq!(told("once"), stands);
    assert_eq!(told("unknown=park"), stands);
}
