//! Failures on order, and the error by which they are known.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{error::Error, time::Duration};

use compensation::{
    BoxError, Certainty, Saga, SagaManager, SagaStep, StepError, TransactionalSaga, execute_saga,
};
use compensation_testing::{FailureInjector, Fault, InjectedError, Rule, is_injected};

/// How so many calls of that name end: `.` well, `x` with an error.
async fn calls(injector: &FailureInjector, name: &str, calls: usize) -> String {
    let mut ends = String::new();
    for _ in 0..calls {
        ends.push(if injector.check(name).await.is_ok() { '.' } else { 'x' });
    }
    ends
}

#[tokio::test]
async fn a_name_without_a_rule_succeeds() {
    assert_eq!(calls(&FailureInjector::new(), "a", 3).await, "...");
}

#[tokio::test]
async fn a_name_that_always_fails_never_succeeds() {
    let injector = FailureInjector::new();
    injector.fail("a");
    assert_eq!(calls(&injector, "a", 3).await, "xxx");
}

#[tokio::test]
async fn a_name_that_fails_twice_succeeds_at_the_third_call() {
    let injector = FailureInjector::new();
    injector.fail_times("a", 2);
    assert_eq!(calls(&injector, "a", 4).await, "xx..");
}

#[tokio::test]
async fn a_name_fails_on_the_given_calls_only() {
    let injector = FailureInjector::new();
    injector.fail_on("a", [2, 4]);
    assert_eq!(calls(&injector, "a", 5).await, ".x.x.");
}

#[tokio::test]
async fn a_name_that_never_fails_has_lost_its_rules() {
    let injector = FailureInjector::new();
    injector.fail("a");
    injector.never_fail("a");
    assert_eq!(calls(&injector, "a", 2).await, "..");
}

#[tokio::test]
async fn rules_of_one_name_do_not_touch_another() {
    let injector = FailureInjector::new();
    injector.fail("a");
    assert_eq!(calls(&injector, "b", 1).await, ".");
}

#[tokio::test]
async fn the_first_rule_that_is_about_a_call_decides() {
    let injector = FailureInjector::new();
    injector.set("a", Rule::on([1]).not_done());
    injector.add("a", Rule::times(2).unknown());
    let first = injector.check("a").await.expect_err("ordered");
    let second = injector.check("a").await.expect_err("ordered");
    assert_eq!((first.certainty(), second.certainty()), (Certainty::NotDone, Certainty::Unknown));
}

#[tokio::test]
async fn an_error_has_the_kind_that_was_ordered() {
    let kinds = [
        (Fault::Unknown, Certainty::Unknown, true),
        (Fault::UnknownTerminal, Certainty::Unknown, false),
        (Fault::NotDone, Certainty::NotDone, true),
        (Fault::NotDoneTerminal, Certainty::NotDone, false),
    ];
    for (fault, certainty, retryable) in kinds {
        let injector = FailureInjector::new();
        injector.set("a", Rule::always().with(fault));
        let error = injector.check("a").await.expect_err("ordered");
        assert_eq!((error.certainty(), error.is_retryable()), (certainty, retryable), "{fault:?}");
    }
}

#[tokio::test]
async fn an_ordered_panic_panics_with_the_name_and_the_attempt() {
    let injector = FailureInjector::new();
    injector.panic("a");
    let call = injector.call("a");
    let panic = tokio::spawn(call()).await.expect_err("it panics").into_panic();
    let text = panic.downcast_ref::<String>().expect("a text");
    assert_eq!(text, "injected failure of `a` at attempt 1");
    assert_eq!(injector.failures(), [InjectedError::new("a", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_delay_passes_on_a_paused_clock() {
    let (injector, day) = (FailureInjector::new(), Duration::from_secs(24 * 60 * 60));
    injector.delay("a", day);
    injector.fail("a");
    let before = tokio::time::Instant::now();
    assert!(injector.check("a").await.is_err());
    assert_eq!(before.elapsed(), day);
}

#[tokio::test]
async fn a_call_that_hangs_succeeds_once_it_is_released() {
    let injector = FailureInjector::new();
    injector.hang("a");
    let call = tokio::spawn(injector.call("a")());
    injector.until_hanging("a").await;
    assert!(!call.is_finished());
    injector.release("a");
    assert!(call.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_released_name_does_not_hang_again() {
    let injector = FailureInjector::new();
    injector.hang("a");
    injector.release("a");
    assert_eq!(calls(&injector, "a", 2).await, "..");
}

#[tokio::test]
async fn a_released_name_hangs_again_by_a_new_rule() {
    let injector = FailureInjector::new();
    injector.hang("a");
    injector.release("a");
    injector.hang("a");
    let call = tokio::spawn(injector.call("a")());
    injector.until_hanging("a").await;
    call.abort();
    assert!(call.await.is_err());
}

#[tokio::test]
async fn failures_happen_in_their_order_over_all_names() {
    let injector = FailureInjector::new();
    injector.fail_in_order(["b", "a", "a"]);
    assert_eq!(calls(&injector, "a", 2).await, "..", "b has not failed yet");
    assert_eq!(calls(&injector, "b", 2).await, "x.");
    assert_eq!(calls(&injector, "a", 3).await, "xx.");
    let failed = ["b", "a", "a"].into_iter().zip([1, 3, 4]);
    let failed: Vec<_> = failed.map(|(name, call)| InjectedError::new(name, call)).collect();
    assert_eq!(injector.failures(), failed);
}

#[tokio::test]
async fn failures_in_order_are_of_the_ordered_kind() {
    let injector = FailureInjector::new();
    injector.fail_in_order_with(Fault::NotDoneTerminal, ["a"]);
    let error = injector.check("a").await.expect_err("ordered");
    assert_eq!((error.certainty(), error.is_retryable()), (Certainty::NotDone, false));
}

#[tokio::test]
async fn calls_are_counted_by_name() {
    let injector = FailureInjector::new();
    injector.fail("b");
    calls(&injector, "a", 1).await;
    calls(&injector, "b", 2).await;
    let counts: Vec<_> = injector.counts().into_iter().collect();
    assert_eq!(counts, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
}

#[tokio::test]
async fn a_reset_forgets_rules_and_counts() {
    let injector = FailureInjector::new();
    injector.fail("a");
    injector.fail_in_order(["b"]);
    calls(&injector, "a", 2).await;
    injector.reset();
    assert!(injector.counts().is_empty() && injector.failures().is_empty());
    assert_eq!(calls(&injector, "a", 1).await, ".");
    assert_eq!(calls(&injector, "b", 1).await, ".");
}

#[tokio::test]
async fn a_reset_releases_what_hangs() {
    let injector = FailureInjector::new();
    injector.hang("a");
    let call = tokio::spawn(injector.call("a")());
    injector.until_hanging("a").await;
    injector.reset();
    assert!(call.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_test_waits_for_the_second_call() {
    let injector = FailureInjector::new();
    let called = injector.clone();
    let wait = tokio::spawn(async move { called.until_called("a", 2).await });
    calls(&injector, "a", 1).await;
    tokio::task::yield_now().await;
    assert!(!wait.is_finished());
    calls(&injector, "a", 1).await;
    wait.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_from_many_tasks_fail_as_often_as_ordered() {
    let injector = FailureInjector::new();
    injector.fail_times("a", 100);
    let tasks: Vec<_> = (0..250).map(|_| tokio::spawn(injector.call("a")())).collect();
    let mut failed = 0;
    for task in tasks {
        failed += u32::from(task.await.expect("no panic").is_err());
    }
    assert_eq!((failed, injector.calls("a")), (100, 250));
}

#[tokio::test]
async fn a_failure_before_the_work_leaves_it_undone() {
    let injector = FailureInjector::new();
    injector.fail("a");
    let done = std::cell::Cell::new(false);
    let work = async {
        done.set(true);
        Ok::<_, StepError>(())
    };
    assert!(injector.before("a", work).await.is_err());
    assert!(!done.get());
}

#[tokio::test]
async fn a_failure_after_the_work_loses_its_reply_only() {
    let injector = FailureInjector::new();
    injector.fail("a");
    let done = std::cell::Cell::new(false);
    let work = async {
        done.set(true);
        Ok::<_, StepError>(())
    };
    assert!(injector.after("a", work).await.is_err());
    assert!(done.get());
}

#[tokio::test]
async fn the_error_of_the_work_keeps_its_kind_on_the_way_through() {
    let work = async { Err::<(), _>(StepError::not_done("full").terminal()) };
    let error = FailureInjector::new().before("a", work).await.expect_err("of the work");
    assert_eq!((error.certainty(), error.is_retryable()), (Certainty::NotDone, false));
}

#[tokio::test]
async fn an_injected_failure_is_found_in_the_error_of_a_list_of_steps() {
    let injector = FailureInjector::new();
    injector.fail("b");
    injector.fail("undo a");
    let error = execute_saga([
        SagaStep::new("a", injector.call("a")).with_compensation(injector.call("undo a")),
        SagaStep::new("b", injector.call("b")),
    ])
    .await
    .expect_err("ordered");
    let names: Vec<_> = InjectedError::all(&error).into_iter().map(InjectedError::name).collect();
    assert_eq!(names, ["b", "undo a"]);
}

#[tokio::test]
async fn an_injected_failure_is_found_in_the_outcome_of_a_definition() {
    let injector = FailureInjector::new();
    injector.set("a", Rule::always().not_done());
    let mut saga = Saga::<()>::builder("saga");
    saga.step("a", injector.action("a")).undo(injector.undo("undo a")).add();
    let outcome = saga.build().expect("a good definition").run(()).await;
    let error = outcome.into_completed().expect_err("ordered");
    assert_eq!(InjectedError::all(&error), [&InjectedError::new("a", 1)]);
}

#[tokio::test]
async fn an_injected_failure_is_found_in_the_rollback_of_a_transaction() {
    let (saga, injector) = (TransactionalSaga::new(), FailureInjector::new());
    injector.fail("undo a");
    saga.add_compensation("a", injector.call("undo a"));
    let error = saga.rollback().await.expect_err("ordered");
    assert!(is_injected(&error));
}

#[test]
fn an_injected_failure_is_found_behind_any_chain_of_sources() {
    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Wrapped {
        text: &'static str,
        source: BoxError,
    }
    let inner = std::io::Error::other(InjectedError::new("a", 7));
    let middle = Wrapped { text: "middle", source: inner.into() };
    let outer = Wrapped { text: "outer", source: middle.into() };
    assert_eq!(InjectedError::find(&outer).map(InjectedError::attempt), Some(7));
}

#[tokio::test]
async fn the_error_of_a_defect_is_no_injected_failure() {
    let saga = SagaManager::new();
    saga.add_compensation("a", || async { Err::<(), _>("a defect") });
    let error = saga.compensate().await.expect_err("it fails");
    assert!(!is_injected(&error));
    let boxed: Box<dyn Error> = "injected failure of `a` at attempt 1".into();
    assert!(!is_injected(&*boxed), "its text alone does not make it one");
}
