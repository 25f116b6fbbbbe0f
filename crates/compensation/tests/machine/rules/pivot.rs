//! The pivot, before which a saga may be undone and after which it goes on to its end.

use crate::machine::text::{after, refused};

#[test]
fn a_pivot_that_fails_without_effect_turns_the_saga_back() {
    let stands = "compensating | a done, p failed, t waiting | ^a";
    assert_eq!(after("a; p<a no-undo pivot; t<p no-undo", "a p> p-"), stands);
}

#[test]
fn a_pivot_with_an_undo_is_undone_where_its_outcome_is_unknown() {
    let stands = "compensating | a done, p unsure | ^p?";
    assert_eq!(after("a; p<a pivot", "a p> p?"), stands);
}

#[test]
fn a_pivot_without_an_undo_waits_for_a_person_where_its_outcome_is_unknown() {
    let saga = "a; p<a no-undo pivot; t<p no-undo";
    let stands = "stuck | a done, p parked: outcome unknown, t waiting |";
    assert_eq!(after(saga, "a p> p?"), stands);
    let stands = "running | a done, p done, t waiting | t";
    assert_eq!(after(saga, "a p> p? declare:p"), stands);
    let stands = "running | a done, p retrying, t waiting | p";
    assert_eq!(after(saga, "a p> p? retry:p"), stands);
    let stands = "compensating | a done, p unsure, t waiting | ^a";
    assert_eq!(after(saga, "a p> p? cancel"), stands, "the person says that it had none");
}

#[test]
fn nothing_is_cancelled_after_the_pivot() {
    let refusal = "CancelRequested cannot happen to a saga that is running";
    assert_eq!(refused("a; p<a pivot; t<p no-undo", "a p", "cancel"), refusal);
    let refusal = "CancelRequested cannot happen to a saga that is completed";
    assert_eq!(refused("a; p<a pivot; t<p no-undo", "a p t", "cancel"), refusal);
    let refusal = "CancelRequested cannot happen to a saga that is stuck";
    assert_eq!(refused("a; p<a pivot; t<p no-undo", "a p t> t-", "cancel"), refusal);
}

#[test]
fn nothing_is_cancelled_while_the_pivot_may_be_done() {
    let refusal = "CancelRequested cannot happen to a saga that is running";
    let saga = "a; p<a pivot probe unknown=probe x2";
    for story in ["a p>", "a p> p*", "a p> p?", "a p> p? ~p>"] {
        assert_eq!(refused(saga, story, "cancel"), refusal, "after `{story}`");
    }
}

#[test]
fn a_saga_is_cancelled_while_the_pivot_has_had_no_effect() {
    let stands = "compensating | a done, p waiting | ^a";
    assert_eq!(after("a; p<a pivot", "a cancel"), stands);
    let stands = "compensating | a done, p failed | ^a";
    assert_eq!(after("a; p<a pivot x2", "a p> p- cancel"), stands);
}

#[test]
fn the_tail_is_attempted_while_its_budget_lasts_and_then_waits_for_a_person() {
    let saga = "a; p<a pivot; t<p no-undo x2";
    assert_eq!(after(saga, "a p t> t-"), "running | a done, p done, t retrying | t");
    let stands = "stuck | a done, p done, t parked: tail failed |";
    assert_eq!(after(saga, "a p t> t- t> t-"), stands);
    assert_eq!(after(saga, "a p t> t?!"), stands);
}

#[test]
fn the_tail_follows_its_unknown_policy_where_that_does_not_undo() {
    let told = |policy| after(&format!("p pivot; t<p no-undo {policy}"), "p t> t?");
    assert_eq!(told("unknown=undo"), "stuck | p done, t parked: tail failed |");
    assert_eq!(told("unknown=park"), "stuck | p done, t parked: outcome unknown |");
    assert_eq!(told("unknown=retry"), "stuck | p done, t parked: outcome unknown |");
    assert_eq!(told("probe unknown=probe"), "running | p done, t probe due | ~t");
}

#[test]
fn a_tail_step_that_its_probe_finds_not_done_waits_for_a_person() {
    let stands = "stuck | p done, t parked: tail failed |";
    assert_eq!(after("p pivot; t<p no-undo probe unknown=probe", "p t> t? ~t> ~t-"), stands);
}

#[test]
fn the_rest_of_the_tail_goes_on_past_a_parked_step() {
    let saga = "p pivot; t<p no-undo; u<p no-undo; v<u no-undo";
    let stands = "running | p done, t parked: tail failed, u waiting, v waiting | u";
    assert_eq!(after(saga, "p t> t-"), stands);
    let stands = "stuck | p done, t parked: tail failed, u done, v done |";
    assert_eq!(after(saga, "p t> t- u v"), stands);
}

#[test]
fn a_parked_tail_step_is_retried_or_declared_done_on_order() {
    let saga = "p pivot; t<p no-undo; u<t no-undo";
    let stands = "running | p done, t retrying, u waiting | t";
    assert_eq!(after(saga, "p t> t- retry:t"), stands);
    assert_eq!(after(saga, "p t> t- retry:t t u"), "completed | p done, t done, u done |");
    assert_eq!(after(saga, "p t> t- declare:t"), "running | p done, t done, u waiting | u");
}

#[test]
fn a_parked_tail_step_is_skipped_with_all_that_waits_for_it() {
    let saga = "p pivot; t<p no-undo; u<t no-undo; v<p no-undo; w<u,v no-undo";
    let stands = "running | p done, t skipped, u skipped, v waiting, w skipped | v";
    assert_eq!(after(saga, "p t> t- skip:t"), stands);
    let stands = "completed | p done, t skipped, u skipped, v done, w skipped |";
    assert_eq!(after(saga, "p t> t- skip:t v"), stands);
}

#[test]
fn two_parked_tail_steps_that_hold_up_the_same_one_are_skipped_one_by_one() {
    let saga = "p pivot; t<p no-undo; u<p no-undo; v<t,u no-undo";
    let stands = "stuck | p done, t skipped, u parked: tail failed, v skipped |";
    assert_eq!(after(saga, "p t> u> t- u- skip:t"), stands);
    let stands = "completed | p done, t skipped, u skipped, v skipped |";
    assert_eq!(after(saga, "p t> u> t- u- skip:t skip:u"), stands);
    let stands = "completed | p done, t skipped, u done, v skipped |";
    assert_eq!(after(saga, "p t> u> t- u- skip:t retry:u u"), stands);
}
