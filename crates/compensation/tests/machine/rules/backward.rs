//! Rolling back: what is undone, in which order, and what is waited for before.

use compensation::{
    Status,
    machine::{Change, Machine},
};

use crate::machine::{
    drive::{interrupt, succeed},
    text::{Saga, after},
};

#[test]
fn a_step_that_failed_without_effect_is_not_undone() {
    assert_eq!(after("a; b<a", "a b> b-"), "compensating | a done, b failed | ^a");
    assert_eq!(after("a; b<a", "a b> b- ^a"), "compensated | a undone, b failed |");
}

#[test]
fn a_step_that_may_have_had_its_effect_is_undone_and_its_undo_is_told() {
    assert_eq!(after("a; b<a", "a b> b?"), "compensating | a done, b unsure | ^b?");
    assert_eq!(after("a; b<a", "a b> b? ^b"), "compensating | a done, b undone | ^a");
}

#[test]
fn an_attempt_that_may_have_had_its_effect_is_not_forgotten_when_a_later_one_had_none() {
    assert_eq!(after("a x2", "a> a? a> a-"), "compensating | a unsure | ^a?");
}

#[test]
fn a_sequence_is_undone_from_its_end() {
    let saga = "a; b<a; c<b; d<c";
    let told = |undone| after(saga, &format!("a b c d> d- {undone}"));
    assert_eq!(told(""), "compensating | a done, b done, c done, d failed | ^c");
    assert_eq!(told("^c"), "compensating | a done, b done, c undone, d failed | ^b");
    assert_eq!(told("^c ^b>"), "compensating | a done, b undoing, c undone, d failed |");
    assert_eq!(told("^c ^b"), "compensating | a done, b undone, c undone, d failed | ^a");
    assert_eq!(told("^c ^b ^a"), "compensated | a undone, b undone, c undone, d failed |");
}

#[test]
fn a_diamond_is_undone_in_the_exact_reverse_of_the_order_of_dependence() {
    let told = |undone| after("a; b<a; c<a; d<b,c; e<d", &format!("a b c d e> e- {undone}"));
    let offered = |undone| told(undone).rsplit('|').next().map(|line| line.trim().to_owned());
    assert_eq!(offered("").as_deref(), Some("^d"));
    assert_eq!(offered("^d").as_deref(), Some("^c ^b"));
    assert_eq!(offered("^d ^c>").as_deref(), Some("^b"));
    assert_eq!(offered("^d ^c").as_deref(), Some("^b"));
    assert_eq!(offered("^d ^c ^b>").as_deref(), Some(""));
    assert_eq!(offered("^d ^c ^b").as_deref(), Some("^a"));
}

#[test]
fn independent_undos_run_side_by_side_up_to_the_cap() {
    let saga = "@parallel=2 a; b; c; d<a,b,c";
    let stands = "compensating | a done, b done, c done, d failed | ^c ^b";
    assert_eq!(after(saga, "a b c d> d-"), stands);
    let stands = "compensating | a done, b undoing, c undoing, d failed |";
    assert_eq!(after(saga, "a b c d> d- ^b> ^c>"), stands);
    let stands = "compensating | a done, b undone, c undoing, d failed | ^a";
    assert_eq!(after(saga, "a b c d> d- ^b> ^c> ^b+"), stands);
}

#[test]
fn nothing_is_undone_while_a_sibling_is_in_flight() {
    let stands = "compensating | a done, b acting, c failed |";
    assert_eq!(after("a; b; c", "a b> c> c-"), stands);
}

#[test]
fn a_sibling_that_succeeds_late_is_undone_too() {
    let stands = "compensating | a done, b done, c failed | ^b ^a";
    assert_eq!(after("a; b; c", "a b> c> c- b+"), stands);
}

#[test]
fn a_sibling_that_fails_late_is_undone_only_if_it_may_have_had_its_effect() {
    let stands = "compensating | a done, b failed, c failed | ^a";
    assert_eq!(after("a; b; c", "a b> c> c- b-"), stands);
    let stands = "compensating | a done, b unsure, c failed | ^b? ^a";
    assert_eq!(after("a; b; c", "a b> c> c- b?"), stands);
}

#[test]
fn a_sibling_that_fails_late_is_not_attempted_again() {
    assert_eq!(after("a x5; b", "a> b> b- a-"), "compensated | a failed, b failed |");
}

#[test]
fn nothing_new_starts_once_the_saga_has_turned_back() {
    let stands = "compensating | a acting, b failed, c waiting, d waiting |";
    assert_eq!(after("a; b; c; d<a", "a> b> b-"), stands);
    let stands = "compensating | a done, b failed, c waiting, d waiting | ^a";
    assert_eq!(after("a; b; c; d<a", "a> b> b- a+"), stands);
}

#[test]
fn a_step_that_waited_for_another_attempt_is_judged_by_the_ones_before() {
    assert_eq!(after("a x3; b", "a> a- b> b-"), "compensated | a failed, b failed |");
    assert_eq!(after("a x3; b", "a> a? b> b-"), "compensating | a unsure, b failed | ^a?");
}

#[test]
fn a_command_given_out_for_an_attempt_that_finds_out_still_stands_when_the_saga_turns_back() {
    let mut saga = Saga::new("@parallel=2 a unknown=retry x2; b; c").tell("a> a? b>");
    let given = saga.machine.next().expect("another attempt of a");
    let mut saga = saga.tell("b-");
    assert!(saga.machine.is_wanted(given));
    assert_eq!(saga.machine.next(), None, "it is given out already");
    saga.machine.give_back(given);
    assert_eq!(saga.machine.next(), Some(given));
}

#[test]
fn a_step_without_an_undo_is_passed_by() {
    assert_eq!(after("a no-undo; b<a", "a b> b-"), "compensated | a done, b failed |");
    assert_eq!(after("a no-undo", "a> a?"), "compensated | a unsure |");
}

#[test]
fn a_step_without_an_undo_does_not_loosen_the_order_around_it() {
    let saga = "a; b<a no-undo; c<b; d<c";
    let stands = "compensating | a done, b done, c done, d failed | ^c";
    assert_eq!(after(saga, "a b c d> d-"), stands);
    let stands = "compensating | a done, b done, c undoing, d failed |";
    assert_eq!(after(saga, "a b c d> d- ^c>"), stands);
    let stands = "compensating | a done, b done, c undone, d failed | ^a";
    assert_eq!(after(saga, "a b c d> d- ^c"), stands);
}

/// Where an older library's shared assertion fell over.
#[test]
fn two_steps_that_fail_side_by_side_are_both_kept() {
    let saga = "a; b<a; c<a";
    assert_eq!(after(saga, "a b> c> b-"), "compensating | a done, b failed, c acting |");
    let stands = "compensating | a done, b failed, c failed | ^a";
    assert_eq!(after(saga, "a b> c> b- c-"), stands);
    let stands = "compensated | a undone, b failed, c failed |";
    assert_eq!(after(saga, "a b> c> b- c- ^a"), stands);
}

/// Where an older library could not recover at all.
#[test]
fn a_crash_at_any_point_of_an_undo_beside_a_failure_recovers() {
    let saga = Saga::new("a; b<a; c<a; d<b,c");
    let story = saga.read("a b> c> b- c+ ^c ^a");
    let failed = saga.read("a b> c> b-").len();
    for cut in 0..=story.len() {
        let graph = saga.machine.graph().clone();
        let mut machine = Machine::recover(graph, story[..cut].iter().copied()).expect("a prefix");
        let died = interrupt(&mut machine);
        let then = succeed(&mut machine);
        let end = if cut < failed { Status::Completed } else { Status::Compensated };
        assert_eq!(machine.status(), end, "after {cut} changes, {died:?} and {then:?}");
        let undone = |step| {
            let all = story[..cut].iter().chain(&then);
            all.clone().position(|&change| change == Change::UndoDone(step))
        };
        assert!(end == Status::Completed || undone(2) < undone(0), "{cut}: {then:?}");
    }
}
