//! Shapes that are not sound, and what is said of them.

use compensation::machine::{Graph, GraphError, GraphSpec, MAX_STEPS, OnUndoFailure};

use crate::machine::text::{plain, spec};

fn error(saga: &str) -> GraphError {
    Graph::new(spec(saga)).expect_err("not sound")
}

fn sound(saga: &str) -> bool {
    Graph::new(spec(saga)).is_ok()
}

fn independent(count: usize) -> Result<Graph, GraphError> {
    let steps = vec![plain(); count];
    Graph::new(GraphSpec { steps, parallel: 1, on_undo_failure: OnUndoFailure::Continue })
}

#[test]
fn a_saga_has_steps_and_not_too_many() {
    assert_eq!(independent(0).expect_err("no step"), GraphError::Empty);
    assert_eq!(independent(MAX_STEPS).expect("as many as may be").len(), MAX_STEPS);
    let error = independent(MAX_STEPS + 1).expect_err("one too many");
    assert_eq!(error, GraphError::TooManySteps(MAX_STEPS + 1));
}

#[test]
fn a_step_comes_after_steps_that_exist() {
    let mut spec = spec("a; b");
    spec.steps[1].after = vec![0, 2];
    assert_eq!(Graph::new(spec).expect_err("no third"), GraphError::UnknownDependency(1));
}

#[test]
fn a_ring_is_told_without_what_leads_to_it_or_away_from_it() {
    assert_eq!(error("a<a"), GraphError::Cycle(vec![0]));
    assert_eq!(error("a<b; b<a"), GraphError::Cycle(vec![1, 0]));
    let GraphError::Cycle(mut ring) = error("a; b<a,d; c<b; d<c; e<d") else {
        panic!("not a ring");
    };
    ring.sort_unstable();
    assert_eq!(ring, [1, 2, 3]);
}

#[test]
fn saying_twice_that_a_step_comes_after_another_is_saying_it_once() {
    let graph = Graph::new(spec("a; b; c<b,a,b")).expect("sound");
    assert_eq!(graph.step(2).after, [0, 1]);
}

#[test]
fn a_saga_has_one_pivot() {
    assert_eq!(error("a pivot; b<a pivot no-undo"), GraphError::SecondPivot(1));
}

#[test]
fn every_step_comes_before_or_after_the_pivot() {
    assert_eq!(error("a; p<a pivot; b<a"), GraphError::BesidePivot(2));
    assert_eq!(error("b; p pivot; c<b,p no-undo"), GraphError::BesidePivot(0));
    assert!(sound("a; b<a; c<a; p<b,c pivot; d<p no-undo; e<p no-undo"));
}

#[test]
fn a_step_after_the_pivot_has_no_undo() {
    assert_eq!(error("p pivot; a<p no-undo; b<a"), GraphError::UndoAfterPivot(2));
}

#[test]
fn a_pivot_without_an_undo_is_not_to_be_undone() {
    assert_eq!(error("p pivot no-undo unknown=undo"), GraphError::PivotWithoutUndo(0));
    assert!(sound("p pivot no-undo unknown=park"));
    assert!(sound("p pivot unknown=undo"));
}

#[test]
fn a_step_that_is_to_be_probed_has_a_probe() {
    assert_eq!(error("a; b unknown=probe"), GraphError::ProbeMissing(1));
    assert!(sound("a probe"));
}

#[test]
fn a_step_that_is_not_idempotent_has_one_attempt() {
    assert_eq!(error("a once x2"), GraphError::RepeatsNotIdempotent(0));
    assert_eq!(error("a once xinf"), GraphError::RepeatsNotIdempotent(0));
    assert_eq!(error("a once unknown=retry"), GraphError::RepeatsNotIdempotent(0));
    assert!(sound("a once"));
}
