//! What the recorder keeps, and how it compares.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{future::pending, panic::catch_unwind, time::Duration};

use compensation::{Part, SagaManager, StepError, Timestamp, TransactionalSaga};
use compensation_testing::{CallOutcome, CompensationRecorder, FailureInjector};

/// A recorder of these calls, given by their labels; one with a `!` before it failed.
fn recorded(calls: &[&str]) -> CompensationRecorder {
    let recorder = CompensationRecorder::new();
    for call in calls {
        let (fails, label) = match call.strip_prefix('!') {
            Some(label) => (true, label),
            None => (false, *call),
        };
        let start = match label.strip_prefix("undo ") {
            Some(name) => recorder.start(Part::Undo, name),
            None => recorder.start(Part::Action, label),
        };
        if fails { start.failed("refused") } else { start.done() }
    }
    recorder
}

fn panic_text(run: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = catch_unwind(run).expect_err("it panics");
    panic.downcast_ref::<String>().expect("a text").clone()
}

#[tokio::test]
async fn a_recorded_success_passes_its_value_on() {
    let recorder = CompensationRecorder::new();
    let done = recorder.record(Part::Action, "a", async { Ok::<_, String>(17) }).await;
    assert_eq!(done, Ok(17));
    assert_eq!(recorder.events()[0].outcome(), &CallOutcome::Done);
}

#[tokio::test]
async fn a_recorded_error_passes_on_and_keeps_its_text() {
    let recorder = CompensationRecorder::new();
    let work = async { Err::<(), _>(StepError::not_done("full")) };
    assert!(recorder.record(Part::Undo, "a", work).await.is_err());
    assert_eq!(recorder.errors(), [("undo a".to_owned(), "full".to_owned())]);
}

#[tokio::test]
async fn a_panic_is_recorded_as_one() {
    let (recorder, injector) = (CompensationRecorder::new(), FailureInjector::new());
    injector.panic("a");
    let inside = recorder.clone();
    let run = async move { inside.record(Part::Action, "a", injector.check("a")).await };
    assert!(tokio::spawn(run).await.is_err());
    assert_eq!(recorder.events()[0].outcome(), &CallOutcome::Panicked);
}

#[tokio::test(start_paused = true)]
async fn a_call_cut_off_by_a_time_limit_is_recorded_as_dropped() {
    let recorder = CompensationRecorder::new();
    let work = recorder.record(Part::Action, "a", pending::<Result<(), String>>());
    assert!(tokio::time::timeout(Duration::from_secs(5), work).await.is_err());
    let events = recorder.events();
    assert_eq!(events[0].outcome(), &CallOutcome::Dropped);
    assert_eq!(events[0].duration(), Some(Duration::from_secs(5)));
}

#[tokio::test]
async fn a_call_in_flight_is_running_and_has_no_duration() {
    let recorder = CompensationRecorder::new();
    let _start = recorder.start(Part::Action, "a");
    let events = recorder.events();
    assert_eq!((events[0].outcome(), events[0].duration()), (&CallOutcome::Running, None));
}

#[tokio::test(start_paused = true)]
async fn moments_and_durations_are_those_of_the_paused_clock() {
    let recorder = CompensationRecorder::new();
    for (name, seconds) in [("a", 3), ("b", 4)] {
        let work = async {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok::<_, String>(())
        };
        recorder.record(Part::Action, name, work).await.expect("it works");
    }
    let times: Vec<_> = recorder
        .events()
        .iter()
        .map(|event| (event.after().as_secs(), event.duration().map(|span| span.as_secs())))
        .collect();
    assert_eq!(times, [(0, Some(3)), (3, Some(4))]);
}

#[test]
fn a_call_has_the_moment_of_its_start() {
    let before = Timestamp::now();
    let at = recorded(&["a"]).events()[0].started_at();
    assert!(before <= at && at <= Timestamp::now());
}

#[test]
fn attempts_are_counted_for_each_part_of_each_step() {
    let recorder = recorded(&["!a", "a", "!undo a", "b", "undo a"]);
    let attempts: Vec<_> = recorder.events().iter().map(|event| event.attempt()).collect();
    assert_eq!(attempts, [1, 2, 1, 1, 2]);
}

#[test]
fn counts_tell_calls_from_successes() {
    let recorder = recorded(&["!a", "!a", "a"]);
    assert_eq!(recorder.count(Part::Action, "a"), 3);
    assert_eq!(recorder.done_count(Part::Action, "a"), 1);
    assert_eq!(recorder.count(Part::Undo, "a"), 0);
}

#[test]
fn an_order_that_differs_is_shown_with_a_mark_at_the_first_difference() {
    let recorder = recorded(&["a", "b", "undo a", "undo b"]);
    let difference = recorder.verify_order(["a", "b", "undo b", "undo a"]).expect_err("it differs");
    assert_eq!(difference.place(), 2);
    assert_eq!(
        difference.to_string(),
        "the order of calls is not as expected:\n\
         \x20    expected   actual\n\
         \x20 1  a          a\n\
         \x20 2  b          b\n\
         > 3  undo b     undo a\n\
         \x20 4  undo a     undo b"
    );
}

#[test]
fn a_call_that_is_missing_at_the_end_is_the_first_difference() {
    let difference = recorded(&["a"]).verify_order(["a", "b"]).expect_err("it differs");
    assert!(difference.to_string().ends_with("> 2  b          -"), "{difference}");
}

#[test]
fn a_call_too_many_at_the_end_is_the_first_difference() {
    let difference = recorded(&["a", "b"]).verify_order(["a"]).expect_err("it differs");
    assert!(difference.to_string().ends_with("> 2  -          b"), "{difference}");
}

#[test]
fn places_are_aligned_beyond_nine_calls() {
    let calls = ["a"; 11];
    let difference = recorded(&calls).verify_order(["a"; 10]).expect_err("it differs");
    let text = difference.to_string();
    assert!(
        text.contains("\n   9  a          a\n  10  a          a\n> 11  -          a"),
        "{text}"
    );
}

#[test]
fn an_assertion_of_order_panics_with_the_difference() {
    let recorder = recorded(&["a"]);
    let difference = recorder.verify_order(["b"]).expect_err("it differs").to_string();
    assert_eq!(panic_text(move || recorder.assert_order(["b"])), difference);
}

#[test]
fn what_was_undone_with_success_counts_as_compensated() {
    let recorder = recorded(&["a", "b", "c", "!undo c", "!undo b", "undo b", "undo a"]);
    recorder.assert_compensated(["b", "a"]);
    let difference = recorder.verify_compensated(["c", "b", "a"]).expect_err("c failed");
    assert_eq!(difference.place(), 0);
}

#[test]
fn an_undo_that_was_begun_is_not_nothing() {
    recorded(&["a"]).assert_nothing_compensated();
    let recorder = recorded(&["a", "!undo a"]);
    let text = panic_text(move || recorder.assert_nothing_compensated());
    assert!(text.starts_with("what was undone is not as expected"), "{text}");
}

#[test]
fn undos_in_reverse_order_are_right_whatever_their_retries() {
    recorded(&["a", "b", "undo b", "undo a"]).assert_reverse_of_actions();
    recorded(&["!a", "a", "b", "!undo b", "undo b", "undo a"]).assert_reverse_of_actions();
}

#[test]
fn undos_in_the_order_of_the_actions_are_wrong() {
    let recorder = recorded(&["a", "b", "undo a", "undo b"]);
    let difference = recorder.verify_reverse_of_actions().expect_err("not the reverse");
    assert_eq!((difference.expected(), difference.place()), (&["b", "a"].map(String::from)[..], 0));
}

#[test]
fn an_action_that_was_done_and_not_undone_is_missed() {
    let recorder = recorded(&["a", "b", "undo b"]);
    let difference = recorder.verify_reverse_of_actions().expect_err("a is left");
    assert!(difference.to_string().ends_with("> 2  a          -"), "{difference}");
}

#[test]
fn an_action_that_failed_may_be_undone_or_not() {
    recorded(&["a", "!b", "undo a"]).assert_reverse_of_actions();
    recorded(&["a", "!b", "undo b", "undo a"]).assert_reverse_of_actions();
    let late = recorded(&["a", "!b", "undo a", "undo b"]);
    assert!(late.verify_reverse_of_actions().is_err(), "but if it is, then first");
}

#[test]
fn an_undo_without_an_action_is_too_much() {
    assert!(recorded(&["a", "undo x", "undo a"]).verify_reverse_of_actions().is_err());
}

#[test]
fn attempts_that_fail_before_a_success_are_no_repetition() {
    recorded(&["!a", "!a", "a", "!undo a", "undo a"]).assert_each_once();
}

#[test]
fn an_undo_that_succeeds_twice_is_a_repetition() {
    let difference = recorded(&["a", "undo a", "undo a"]).verify_each_once();
    let text = difference.expect_err("twice").to_string();
    assert!(text.ends_with("> 3  -          undo a"), "{text}");
}

#[test]
fn a_call_after_a_success_is_a_repetition_even_if_it_fails() {
    assert!(recorded(&["a", "!a"]).verify_each_once().is_err());
}

#[test]
fn a_cleared_recorder_forgets_what_is_still_running() {
    let recorder = CompensationRecorder::new();
    let start = recorder.start(Part::Action, "a");
    recorder.clear();
    let next = recorder.start(Part::Action, "b");
    start.failed("late");
    next.done();
    assert_eq!(recorder.order(), ["b"]);
    assert!(recorder.errors().is_empty());
}

#[tokio::test]
async fn a_test_waits_for_undos_in_the_background() {
    let recorder = CompensationRecorder::new();
    let saga = TransactionalSaga::new();
    let undo = recorder.clone();
    saga.add_compensation("a", move || {
        let undo = undo.clone();
        async move { undo.record(Part::Undo, "a", async { Ok::<_, StepError>(()) }).await }
    });
    drop(saga);
    recorder.until(|calls| calls.iter().any(|call| call.is_done())).await;
    recorder.assert_compensated(["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_from_many_threads_are_all_recorded() {
    let (saga, recorder) = (SagaManager::new(), CompensationRecorder::new());
    for number in 0..200 {
        let undo = recorder.clone();
        saga.add_compensation(number.to_string(), move || {
            let undo = undo.clone();
            async move {
                let work = async { Ok::<_, StepError>(()) };
                let name = number.to_string();
                tokio::spawn(async move { undo.record(Part::Undo, &name, work).await }).await?
            }
        });
    }
    saga.compensate_with(compensation::Compensate::all().parallel(16)).await.expect("undone");
    assert_eq!(recorder.events().len(), 200);
    recorder.assert_each_once();
}
