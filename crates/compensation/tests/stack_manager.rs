//! The undo stack in process: what runs, in which order, how often, and what is told of it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use compensation::{
    Compensate, Compensation, CompensationBuilder, CompensationStatus, ResourceCleanup,
    RetryPolicy, SagaManager, StepError,
};

/// What was undone, in order.
#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    fn add(&self, text: &str) {
        self.0.lock().expect("no panic").push(text.to_owned());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    /// Registers compensations that only leave their names.
    fn register(&self, saga: &SagaManager, names: &[&'static str]) {
        for &name in names {
            let trace = self.clone();
            saga.add_compensation(name, move || {
                trace.add(name);
                async { Ok::<_, StepError>(()) }
            });
        }
    }

    /// Registers one that fails while the flag says so.
    fn failing(&self, saga: &SagaManager, name: &'static str) -> Arc<AtomicU32> {
        let (trace, failures) = (self.clone(), Arc::new(AtomicU32::new(u32::MAX)));
        let left = failures.clone();
        saga.add_compensation(name, move || {
            trace.add(name);
            let fails = left.load(Ordering::SeqCst) > 0;
            async move { if fails { Err(format!("{name} is broken")) } else { Ok(()) } }
        });
        failures
    }
}

#[tokio::test]
async fn compensations_run_last_first() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a", "b", "c"]);
    assert_eq!(saga.count(), 3);
    assert_eq!(saga.pending(), ["c", "b", "a"]);
    saga.compensate().await.expect("undone");
    assert_eq!(trace.take(), ["c", "b", "a"]);
}

#[tokio::test]
async fn all_run_though_some_fail_and_all_errors_are_told() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a"]);
    trace.failing(&saga, "b");
    trace.register(&saga, &["c"]);
    trace.failing(&saga, "d");
    let error = saga.compensate().await.expect_err("two failed");
    assert_eq!(trace.take(), ["d", "c", "b", "a"]);
    let names: Vec<_> = error.errors().iter().map(|failure| failure.name()).collect();
    assert_eq!(names, ["d", "b"]);
    assert_eq!(
        error.to_string(),
        "2 compensations failed: compensation `d` failed: d is broken; \
         compensation `b` failed: b is broken"
    );
    let first = std::error::Error::source(&error).expect("the first");
    assert_eq!(first.to_string(), "compensation `d` failed: d is broken");
}

#[tokio::test]
async fn an_error_is_found_again_by_its_type() {
    let saga = SagaManager::new();
    saga.add_compensation("a", || async { Err::<(), _>(std::io::Error::other("gone")) });
    let error = saga.compensate().await.expect_err("it failed");
    assert_eq!(error.to_string(), "compensation `a` failed: gone");
    let source = std::error::Error::source(&error.errors()[0]).expect("a source");
    assert!(source.is::<std::io::Error>());
}

/// The Go package runs every undo again.
#[tokio::test]
async fn a_second_call_runs_only_what_failed() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a"]);
    let failures = trace.failing(&saga, "b");
    trace.register(&saga, &["c"]);
    saga.compensate().await.expect_err("b failed");
    assert_eq!(saga.pending(), ["b"]);
    trace.take();
    failures.store(0, Ordering::SeqCst);
    saga.compensate().await.expect("undone");
    assert_eq!(trace.take(), ["b"]);
    saga.compensate().await.expect("nothing left");
    assert_eq!(trace.take(), Vec::<String>::new());
    assert_eq!(saga.count(), 3);
}

/// The Go package holds a mutex while compensations run, so this is a deadlock there.
#[tokio::test]
async fn what_a_compensation_registers_is_undone_by_the_same_call() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    let (inner, traced) = (saga.clone(), trace.clone());
    saga.add_compensation("a", move || {
        traced.register(&inner, &["x", "y"]);
        assert_eq!(inner.count(), 3, "the stack can be read meanwhile");
        async { Ok::<_, StepError>(()) }
    });
    saga.compensate().await.expect("undone");
    assert_eq!(trace.take(), ["y", "x"]);
}

#[tokio::test]
async fn a_compensation_that_compensates_its_own_stack_does_not_wait_for_itself() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a"]);
    let inner = saga.clone();
    saga.add_compensation("b", move || {
        let inner = inner.clone();
        async move { inner.compensate().await }
    });
    saga.compensate().await.expect("undone");
    assert_eq!(saga.pending(), Vec::<String>::new());
}

#[tokio::test]
async fn a_panic_is_a_failure_and_the_others_run() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a"]);
    saga.add_compensation("b", || async {
        if true { panic!("out of luck") } else { Ok::<_, StepError>(()) }
    });
    saga.add_compensation("c", || -> std::future::Ready<Result<(), StepError>> {
        panic!("at once")
    });
    let error = saga.compensate().await.expect_err("two failed");
    assert_eq!(trace.take(), ["a"]);
    assert_eq!(error.errors()[0].failure().message(), "panicked: at once");
    assert_eq!(error.errors()[1].failure().message(), "panicked: out of luck");
}

#[tokio::test]
async fn clearing_forgets_what_is_registered_and_keeps_the_records() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a"]);
    saga.compensate().await.expect("undone");
    trace.register(&saga, &["b"]);
    saga.clear();
    assert_eq!(saga.count(), 0);
    saga.compensate().await.expect("nothing to do");
    assert_eq!(trace.take(), ["a"]);
    assert_eq!(saga.records().len(), 1);
}

#[tokio::test]
async fn only_what_was_registered_since_a_savepoint_is_undone() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a", "b"]);
    let savepoint = saga.savepoint();
    trace.register(&saga, &["c", "d"]);
    saga.compensate_with(Compensate::since(savepoint)).await.expect("undone");
    assert_eq!(trace.take(), ["d", "c"]);
    saga.compensate().await.expect("undone");
    assert_eq!(trace.take(), ["b", "a"]);
}

#[tokio::test]
async fn only_the_named_are_undone_still_last_first() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a", "b", "c", "a"]);
    saga.compensate_with(Compensate::only(["a", "c", "none"])).await.expect("undone");
    assert_eq!(trace.take(), ["a", "c", "a"]);
    assert_eq!(saga.pending(), ["b"]);
}

#[tokio::test]
async fn told_to_halt_nothing_starts_after_a_failure_and_a_further_call_goes_on() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a"]);
    let failures = trace.failing(&saga, "b");
    trace.register(&saga, &["c"]);
    let error = saga.compensate_with(Compensate::all().halt_on_failure()).await;
    assert_eq!(error.expect_err("b failed").errors().len(), 1);
    assert_eq!(trace.take(), ["c", "b"]);
    assert_eq!(saga.pending(), ["b", "a"]);
    failures.store(0, Ordering::SeqCst);
    saga.compensate().await.expect("undone");
    assert_eq!(trace.take(), ["b", "a"]);
}

#[tokio::test]
async fn no_more_run_at_once_than_the_bound_says() {
    let saga = SagaManager::new();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for number in 0..20 {
        let (now, most) = (now.clone(), most.clone());
        saga.add_compensation(format!("undo-{number}"), move || {
            let (now, most) = (now.clone(), most.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, StepError>(())
            }
        });
    }
    saga.compensate_with(Compensate::all().parallel(4)).await.expect("undone");
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn two_calls_at_once_undo_everything_once() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a", "b", "c"]);
    let (one, two) = tokio::join!(saga.compensate(), saga.compensate());
    one.and(two).expect("undone");
    assert_eq!(trace.take(), ["c", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn retries_are_counted_and_named() {
    let (saga, attempts) = (SagaManager::new(), Arc::new(AtomicU32::new(0)));
    let counted = attempts.clone();
    let build = |name: &str, fails: u32| {
        let counted = counted.clone();
        CompensationBuilder::new(name)
            .with_action(move || {
                let attempt = counted.fetch_add(1, Ordering::SeqCst);
                async move { if attempt < fails { Err("not yet") } else { Ok(()) } }
            })
            .with_retry(RetryPolicy::new(3).first(Duration::from_secs(1)))
            .build()
            .expect("it has an action")
    };
    saga.add(build("late", 2));
    let begun = tokio::time::Instant::now();
    saga.compensate().await.expect("the third attempt succeeds");
    assert!(begun.elapsed() >= Duration::from_secs(3), "it waits between attempts");
    assert_eq!(saga.records()[0].retries, 2);
    attempts.store(0, Ordering::SeqCst);
    saga.add(build("never", 9));
    let error = saga.compensate().await.expect_err("its budget is spent");
    assert_eq!(error.to_string(), "compensation `never` failed after 3 attempts: not yet");
    assert_eq!(error.errors()[0].attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_terminal_is_not_tried_again() {
    let saga = SagaManager::new();
    let hopeless = || async { Err::<(), _>(StepError::unknown("hopeless").terminal()) };
    saga.add(Compensation::new("a", hopeless).retry(RetryPolicy::new(5)));
    let error = saga.compensate().await.expect_err("it failed");
    assert_eq!(error.errors()[0].attempts(), 1);
}

/// The Go package ignores its argument, and the action goes on.
#[tokio::test(start_paused = true)]
async fn a_time_limit_is_for_each_attempt_and_stops_it() {
    struct Stopped(Arc<AtomicU32>);
    impl Drop for Stopped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (saga, stopped) = (SagaManager::new(), Arc::new(AtomicU32::new(0)));
    let counted = stopped.clone();
    let slow = CompensationBuilder::new("slow")
        .with_timeout(Duration::from_secs(1))
        .with_retry(RetryPolicy::new(2))
        .with_action(move || {
            let guard = Stopped(counted.clone());
            async move {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
                drop(guard);
                Ok::<_, StepError>(())
            }
        })
        .build()
        .expect("it has an action");
    saga.add(slow);
    let error = saga.compensate().await.expect_err("too slow");
    assert_eq!(
        error.to_string(),
        "compensation `slow` failed after 2 attempts: no answer within 1s"
    );
    assert_eq!(stopped.load(Ordering::SeqCst), 2);
}

#[test]
fn building_without_an_action_is_an_error() {
    let error = CompensationBuilder::new("empty").build().expect_err("no action");
    assert_eq!(
        error.to_string(),
        "compensation `empty` has no action: give it one with `with_action`"
    );
}

#[tokio::test]
async fn what_may_be_skipped_is_no_failure_and_the_record_says_so() {
    let saga = SagaManager::new();
    let skipped = CompensationBuilder::new("cache")
        .with_action(|| async { Err::<(), _>("gone") })
        .allow_skip()
        .build()
        .expect("it has an action");
    saga.add(skipped);
    saga.compensate().await.expect("no failure");
    assert_eq!(saga.records()[0].status(), CompensationStatus::Skipped);
    assert_eq!(saga.pending(), Vec::<String>::new());
}

#[tokio::test]
async fn records_are_in_the_order_of_execution() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a"]);
    trace.failing(&saga, "b");
    saga.compensate().await.expect_err("b failed");
    let records = saga.records();
    assert_eq!(records[0].name, "b");
    assert_eq!(records[0].status(), CompensationStatus::Failed);
    assert_eq!(records[0].error.as_deref(), Some("b is broken"));
    assert!(!records[0].executed);
    assert_eq!(records[1].name, "a");
    assert!(records[1].executed && records[1].duration.is_some());
    assert!(records[0].executed_at <= records[1].executed_at);
}

#[tokio::test]
async fn a_stack_higher_than_the_machine_takes_at_once_is_undone_whole() {
    let (saga, count) = (SagaManager::new(), Arc::new(AtomicU32::new(5_000)));
    for number in 0..5_000_u32 {
        let count = count.clone();
        saga.add_compensation("one", move || {
            assert_eq!(count.fetch_sub(1, Ordering::SeqCst), number + 1);
            async { Ok::<_, StepError>(()) }
        });
    }
    saga.compensate().await.expect("undone");
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn nothing_that_a_compensation_captured_is_kept_once_it_has_succeeded() {
    let (saga, captured) = (SagaManager::new(), Arc::new(()));
    let kept = captured.clone();
    saga.add_compensation("a", move || {
        let _ = &kept;
        async { Ok::<_, StepError>(()) }
    });
    saga.compensate().await.expect("undone");
    assert_eq!(Arc::strong_count(&captured), 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_goes_on_in_the_background() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    let gate = Arc::new(tokio::sync::Notify::new());
    trace.register(&saga, &["a"]);
    let (waits, traced) = (gate.clone(), trace.clone());
    saga.add_compensation("b", move || {
        let (waits, traced) = (waits.clone(), traced.clone());
        async move {
            traced.add("b begins");
            waits.notified().await;
            traced.add("b ends");
            Ok::<_, StepError>(())
        }
    });
    tokio::select! {
        biased;
        _ = saga.compensate() => panic!("it waits"),
        () = tokio::task::yield_now() => {}
    }
    gate.notify_one();
    saga.settled().await;
    assert_eq!(trace.take(), ["b begins", "b ends", "a"]);
}

#[test]
fn a_call_that_is_dropped_without_a_runtime_leaves_the_rest_on_the_stack() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    trace.register(&saga, &["a"]);
    saga.add_compensation("b", || async {
        std::future::pending::<()>().await;
        Ok::<_, StepError>(())
    });
    {
        let mut call = std::pin::pin!(saga.compensate());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut cx).is_pending());
    }
    assert_eq!(saga.pending(), ["b", "a"]);
    assert_eq!(trace.take(), Vec::<String>::new());
}

#[tokio::test]
async fn resources_are_named_in_records_and_errors() {
    let (saga, cleanup) = (SagaManager::new(), ResourceCleanup::new());
    saga.add(cleanup.delete_resource("bucket", "b-17", |id| async move {
        assert_eq!(id, "b-17");
        Ok::<_, StepError>(())
    }));
    saga.add(cleanup.revert_state("account", "42", 100_u32, |id, balance| async move {
        assert_eq!((&*id, balance), ("42", 100));
        Err::<(), _>("the bank is closed")
    }));
    saga.add(cleanup.cancel_operation("transfer", "t-3", |_| async { Ok::<_, StepError>(()) }));
    let error = saga.compensate().await.expect_err("one failed");
    assert_eq!(
        error.to_string(),
        "compensation `revert account 42` failed: the bank is closed (about \
         {\"previousState\":100,\"resourceId\":\"42\",\"resourceType\":\"account\"})"
    );
    let records = saga.records();
    let names: Vec<_> = records.iter().map(|record| &*record.name).collect();
    assert_eq!(names, ["cancel transfer t-3", "revert account 42", "delete bucket b-17"]);
    assert_eq!(records[1].data.as_ref().expect("data")["previousState"], 100);
}

#[tokio::test]
async fn a_resource_that_is_absent_already_can_be_a_success() {
    let saga = SagaManager::new();
    let cleanup = ResourceCleanup::new().absent_is_success(|error| error.to_string() == "absent");
    saga.add(cleanup.delete_resource("file", "x", |_| async { Err::<(), _>("absent") }));
    saga.compensate().await.expect("it is gone");
    saga.add(cleanup.delete_resource("file", "y", |_| async { Err::<(), _>("locked") }));
    saga.compensate().await.expect_err("another error is one");
}

#[tokio::test]
async fn an_error_shows_no_more_than_the_beginning_of_a_long_state() {
    let saga = SagaManager::new();
    let long = "x".repeat(100_000);
    let fails = |_, _| async { Err::<(), _>("locked") };
    saga.add(ResourceCleanup::new().revert_state("file", "a", long.clone(), fails));
    let error = saga.compensate().await.expect_err("it failed").to_string();
    assert!(error.len() < 500 && error.ends_with("…)"), "{error}");
    let record = saga.records().remove(0);
    assert_eq!(record.data.expect("data")["previousState"], long);
}

#[tokio::test]
async fn what_failed_below_a_high_stack_of_successes_is_found_again() {
    let (saga, trace) = (SagaManager::new(), Trace::default());
    let failures = trace.failing(&saga, "oldest");
    for _ in 0..4_096 {
        saga.add_compensation("newer", || async { Ok::<_, StepError>(()) });
    }
    saga.compensate().await.expect_err("the oldest failed");
    failures.store(0, Ordering::SeqCst);
    saga.compensate().await.expect("undone");
    assert_eq!(saga.pending(), Vec::<String>::new());
}

#[test]
fn what_a_compensation_captured_may_use_the_stack_as_it_is_dropped() {
    struct Captured(SagaManager);
    impl Drop for Captured {
        fn drop(&mut self) {
            assert!(self.0.count() <= 1);
        }
    }
    let saga = SagaManager::new();
    let captured = Captured(saga.clone());
    saga.add_compensation("a", move || {
        let _ = &captured;
        async { Ok::<_, StepError>(()) }
    });
    saga.clear();
    assert_eq!(saga.count(), 0);
}
