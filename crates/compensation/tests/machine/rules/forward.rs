//! Going forward: what may start and when, and how often it is attempted.

use compensation::machine::{Change, Command, Effect, Task};

use crate::machine::text::{Saga, after};

#[test]
fn a_step_starts_once_all_that_it_comes_after_is_done() {
    assert_eq!(after("a; b<a", ""), "running | a waiting, b waiting | a");
    assert_eq!(after("a; b<a", "a>"), "running | a acting, b waiting |");
    assert_eq!(after("a; b<a", "a"), "running | a done, b waiting | b");
    assert_eq!(after("a; b; c<a,b", "b"), "running | a waiting, b done, c waiting | a");
    assert_eq!(after("a; b; c<a,b", "b a"), "running | a done, b done, c waiting | c");
}

#[test]
fn the_order_of_writing_decides_nothing_but_who_comes_first() {
    assert_eq!(after("b<a; a", ""), "running | b waiting, a waiting | a");
    assert_eq!(after("b; a; c", "a>"), "running | b waiting, a acting, c waiting | b c");
}

#[test]
fn a_saga_is_completed_once_every_step_is_done() {
    assert_eq!(after("a; b<a", "a b>"), "running | a done, b acting |");
    assert_eq!(after("a; b<a", "a b"), "completed | a done, b done |");
}

#[test]
fn steps_that_do_not_depend_on_each_other_run_side_by_side() {
    assert_eq!(after("a; b<a; c<a", "a"), "running | a done, b waiting, c waiting | b c");
    assert_eq!(after("a; b<a; c<a", "a c>"), "running | a done, b waiting, c acting | b");
}

#[test]
fn no_more_attempts_are_in_flight_than_the_cap_allows() {
    let saga = "@parallel=2 a; b; c";
    assert_eq!(after(saga, ""), "running | a waiting, b waiting, c waiting | a b");
    assert_eq!(after(saga, "a>"), "running | a acting, b waiting, c waiting | b");
    assert_eq!(after(saga, "a> b>"), "running | a acting, b acting, c waiting |");
    assert_eq!(after(saga, "a> b> a+"), "running | a done, b acting, c waiting | c");
}

#[test]
fn a_cap_of_none_still_lets_one_attempt_run() {
    assert_eq!(after("@parallel=0 a; b", ""), "running | a waiting, b waiting | a");
}

#[test]
fn a_failed_action_is_attempted_again_while_its_budget_lasts() {
    assert_eq!(after("a x3", "a> a- a> a-"), "running | a retrying | a");
    assert_eq!(after("a x3", "a> a- a> a- a> a-"), "compensated | a failed |");
}

#[test]
fn an_action_without_a_budget_is_attempted_until_it_is_done() {
    let story = "a> a- ".repeat(50);
    assert_eq!(after("a xinf", &story), "running | a retrying | a");
    assert_eq!(after("a xinf", &(story + "a")), "completed | a done |");
}

#[test]
fn an_action_is_not_attempted_again_where_that_would_not_help() {
    assert_eq!(after("a x3", "a> a-!"), "compensated | a failed |");
    assert_eq!(after("a x3", "a> a?!"), "compensating | a unsure | ^a?");
}

#[test]
fn a_step_that_waits_for_another_attempt_holds_up_only_what_comes_after_it() {
    let stands = "running | a retrying, b waiting, c done, d waiting | a d";
    assert_eq!(after("a x2; b<a; c; d<c", "a> a? c"), stands);
}

#[test]
fn a_command_counts_the_attempts_and_the_failures_before_it() {
    let next = |saga, story| Saga::new(saga).tell(story).machine.next();
    let act = Command { step: 0, task: Task::Act, attempt: 4, failures: 2 };
    assert_eq!(next("a x5", "a> a- a> a* a> a?"), Some(act));
    let probe = Command { step: 0, task: Task::Probe, attempt: 4, failures: 1 };
    let story = "a> a? ~a> ~a- a> a? ~a> ~a? ~a> a*";
    assert_eq!(next("a x2 probe unknown=probe", story), Some(probe));
    let undo = Command { step: 0, task: Task::Undo(Effect::Maybe), attempt: 4, failures: 2 };
    assert_eq!(next("a undo-x5", "a> a? ^a> ^a- ^a> a* ^a> ^a-"), Some(undo));
}

#[test]
fn a_retry_ordered_by_a_person_goes_on_counting_attempts_and_begins_anew_with_failures() {
    let next = |saga, story| Saga::new(saga).tell(story).machine.next();
    let act = Command { step: 0, task: Task::Act, attempt: 3, failures: 0 };
    assert_eq!(next("a x2 unknown=retry", "a> a? a> a? retry:a"), Some(act));
    let undo = Command { step: 0, task: Task::Undo(Effect::Maybe), attempt: 2, failures: 0 };
    assert_eq!(next("a", "a> a? ^a> ^a- retry:a"), Some(undo));
}

#[test]
fn a_command_is_given_out_once_until_it_is_given_back() {
    let mut saga = Saga::new("@parallel=1 a; b");
    let given = saga.machine.next().expect("a may start");
    assert_eq!(saga.machine.next(), None, "the only place is taken");
    saga.machine.give_back(given);
    assert_eq!(saga.machine.next(), Some(given));
}

#[test]
fn a_place_given_back_twice_is_free_once() {
    let mut saga = Saga::new("@parallel=2 a; b; c");
    let given = saga.machine.next().expect("a may start");
    saga.machine.give_back(given);
    saga.machine.give_back(given);
    let given = std::iter::from_fn(|| saga.machine.next()).map(|command| command.step);
    assert_eq!(given.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn an_attempt_in_flight_cannot_be_given_back() {
    let mut saga = Saga::new("a");
    let given = saga.machine.next().expect("a may start");
    let mut saga = saga.tell("a>");
    saga.machine.give_back(given);
    assert_eq!(saga.stands(), "running | a acting |");
    assert_eq!(saga.tell("a+").stands(), "completed | a done |");
}

#[test]
fn a_command_is_no_longer_wanted_once_the_saga_has_turned_back() {
    let mut saga = Saga::new("a; b; c<b").tell("b");
    let act = saga.machine.next().expect("a may start");
    assert!(saga.machine.is_wanted(act));
    saga.machine.apply(Change::CancelRequested).expect("running");
    assert!(!saga.machine.is_wanted(act));
    assert_eq!(saga.stands(), "compensating | a waiting, b done, c waiting | ^b");
}

#[test]
fn a_command_withdrawn_when_the_saga_turned_back_does_not_take_back_the_next_one() {
    let mut saga = Saga::new("@parallel=2 a x2; b; c").tell("a> a? b>");
    let withdrawn = saga.machine.next().expect("another attempt of a");
    let mut saga = saga.tell("b-");
    let undo = saga.machine.next().expect("the undo of a");
    saga.machine.give_back(withdrawn);
    assert!(saga.machine.is_wanted(undo));
    assert_eq!(saga.machine.next(), None, "it is given out already");
}

#[test]
fn commands_given_out_do_not_make_two_sagas_differ() {
    let (mut one, other) = (Saga::new("a; b"), Saga::new("a; b"));
    one.machine.next();
    assert!(one.machine == other.machine);
    let (one, other) = (one.tell("a"), other.tell("b"));
    assert!(one.machine != other.machine);
}
