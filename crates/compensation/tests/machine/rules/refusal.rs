//! Changes that cannot have happened: refused with the change, the status and the phase, and without a
//! trace, which `Saga::refuse` asserts each time.

use compensation::Status;
use compensation::machine::{Cause, Change, Illegal};

use crate::machine::text::{Saga, refused};

/// Each word must be refused after the story.
fn all_refused(saga: &str, story: &str, words: &[&str]) {
    let mut saga = Saga::new(saga).tell(story);
    for word in words {
        saga.refuse(word);
    }
}

#[test]
fn a_refusal_says_what_cannot_happen_to_whom() {
    let refusal = "ActionDone(1) cannot happen to a saga that is running with that step waiting";
    assert_eq!(refused("a; b<a", "a", "b+"), refusal);
    let refusal = "Abandoned cannot happen to a saga that is completed";
    assert_eq!(refused("a", "a", "abandon"), refusal);
}

#[test]
fn a_change_about_a_step_that_does_not_exist_is_refused() {
    let mut saga = Saga::new("a");
    for change in [Change::ActionStarted(1), Change::Interrupted(9), Change::RetryOrdered(u16::MAX)]
    {
        let illegal =
            Illegal { change, status: Status::Running, phase: None, cause: Cause::Standing };
        assert_eq!(saga.machine.apply(change), Err(illegal));
    }
    assert_eq!(saga.stands(), "running | a waiting | a");
}

#[test]
fn an_attempt_that_has_not_started_cannot_end() {
    let words = ["a+", "a-", "a?", "~a+", "~a-", "~a?", "^a+", "^a-", "a*"];
    all_refused("a", "", &words);
    all_refused("a", "a", &words);
    all_refused("a x2", "a> a-", &words);
}

#[test]
fn an_attempt_in_flight_ends_as_what_it_is() {
    all_refused("a", "a>", &["~a+", "~a-", "~a?", "^a+", "^a-"]);
    all_refused("a probe unknown=probe", "a> a? ~a>", &["a+", "a-", "a?", "^a+", "^a-"]);
    all_refused("a; b<a", "a b> b- ^a>", &["a+", "a-", "a?", "~a+", "~a-", "~a?"]);
}

#[test]
fn an_attempt_does_not_start_while_one_is_in_flight() {
    all_refused("a", "a>", &["a>", "~a>", "^a>"]);
    all_refused("a; b<a", "a b> b- ^a>", &["a>", "~a>", "^a>"]);
}

#[test]
fn a_step_does_not_start_before_its_time() {
    all_refused("a; b<a", "", &["b>"]);
    all_refused("a; b<a", "a>", &["b>"]);
    all_refused("a unknown=park; b", "a> a?", &["a>", "b>"]);
}

#[test]
fn what_is_done_or_undone_does_not_start_again() {
    all_refused("a", "a", &["a>", "~a>", "^a>"]);
    all_refused("a; b<a", "a b> b- ^a", &["a>", "~a>", "^a>", "b>", "^b>"]);
}

#[test]
fn an_undo_does_not_start_before_its_time() {
    all_refused("a; b<a; c<b", "a b", &["^a>", "^b>"]);
    all_refused("a; b", "a b> cancel", &["^a>"]);
    all_refused("a; b<a; c<b", "a b c> c-", &["^a>", "^c>"]);
    all_refused("a; b<a; c<b", "a b c> c- ^b>", &["^a>"]);
    all_refused("@halt a; b; c<a,b", "a b c> c- ^b> ^b-", &["^a>"]);
}

#[test]
fn a_step_is_not_probed_without_a_question() {
    all_refused("a probe unknown=probe", "", &["~a>"]);
    all_refused("a probe unknown=probe x2", "a> a-", &["~a>"]);
    all_refused("a probe unknown=probe", "a", &["~a>"]);
}

#[test]
fn nothing_is_cancelled_twice() {
    all_refused("a; b<a", "a b> cancel", &["cancel"]);
    all_refused("a; b<a", "a cancel ^a", &["cancel"]);
    all_refused("a; b<a", "a b> b-", &["cancel"]);
}

#[test]
fn orders_are_for_what_is_parked() {
    for story in ["", "a>", "a", "a b> b- ^a>", "a b> b-", "a b> b- ^a"] {
        all_refused("a x2; b<a", story, &["retry:a", "skip:a", "declare:a", "declare-undone:a"]);
    }
    all_refused("a x2; b<a", "a> a-", &["skip:a", "declare:a", "declare-undone:a"]);
}

#[test]
fn what_waits_for_nothing_is_not_ordered_anew() {
    all_refused("a x2", "a> a- retry:a", &["retry:a"]);
    all_refused("a once unknown=park", "a> a? retry:a", &["retry:a"]);
}

#[test]
fn what_is_said_of_an_action_is_not_taken_for_its_undo() {
    all_refused("a; b<a", "a b> b- ^a> ^a-", &["declare:a"]);
    // It was its action that was parked, until `b` turned the saga back.
    all_refused("a unknown=park; b", "a> b> a? b-", &["declare:a"]);
    all_refused("a no-undo unknown=park; b", "a> b> a? b-", &["declare:a"]);
}

#[test]
fn what_is_said_of_an_undo_is_not_taken_for_its_action() {
    all_refused("a unknown=park; b<a", "a> a?", &["declare-undone:a"]);
    all_refused("p pivot; t<p no-undo", "p t> t-", &["declare-undone:t"]);
}

#[test]
fn a_step_parked_before_the_pivot_is_not_skipped() {
    all_refused("a unknown=park; p<a pivot", "a> a?", &["skip:a"]);
    all_refused("p pivot unknown=park", "p> p?", &["skip:p"]);
}

#[test]
fn nothing_is_ordered_about_undos_while_something_is_in_flight_that_may_have_to_be_undone() {
    let words = ["retry:a", "skip:a", "declare:a", "declare-undone:a"];
    all_refused("a unknown=park; b; c", "a> b> c> a? b-", &words);
}

#[test]
fn a_step_without_an_undo_has_none_to_retry() {
    all_refused("a no-undo unknown=park; b", "a> b> a? b-", &["retry:a"]);
}

#[test]
fn a_saga_with_an_attempt_in_flight_is_not_abandoned() {
    all_refused("a", "a>", &["abandon"]);
    all_refused("a probe unknown=probe", "a> a? ~a>", &["abandon"]);
    all_refused("a; b<a", "a b> b- ^a>", &["abandon"]);
}

#[test]
fn a_saga_that_is_over_is_not_abandoned() {
    all_refused("a", "a", &["abandon"]);
    all_refused("a", "a> a-", &["abandon"]);
}

#[test]
fn nothing_happens_to_an_abandoned_saga() {
    let words =
        ["b>", "cancel", "abandon", "retry:a", "skip:a", "declare:a", "declare-undone:a", "^a>"];
    all_refused("a unknown=park; b", "a> a? abandon", &words);
    all_refused("a; b<a", "a b> b- abandon", &words);
}

#[test]
fn a_saga_that_is_over_is_not_resumed() {
    all_refused("a", "a", &["resume"]);
    all_refused("a; b<a", "a b> b- ^a", &["resume"]);
    all_refused("a", "abandon", &["resume"]);
}

#[test]
fn a_refused_order_says_what_stands_against_it() {
    let told = [
        ("a; b<a", "a b> b- ^a> ^a- abandon", "retry:a", Cause::GivenUp),
        ("a", "a", "abandon", Cause::Over),
        ("p pivot; t<p no-undo", "p", "cancel", Cause::PastPivot),
        ("p pivot; t<p no-undo", "p>", "cancel", Cause::PivotOpen),
        ("a", "a>", "abandon", Cause::InFlight),
        ("a unknown=park; b; c", "a> b> c> a? b-", "retry:a", Cause::Settling),
        ("a unknown=park; b; c", "a> b> c> a? b-", "declare-undone:a", Cause::Settling),
        ("a no-undo unknown=park; b", "a> b> a? b-", "retry:a", Cause::NoUndo),
        ("a x2; b<a", "a", "skip:a", Cause::Standing),
    ];
    for (saga, story, word, cause) in told {
        assert_eq!(Saga::new(saga).tell(story).refuse(word).cause, cause, "{word} after {story}");
    }
}
