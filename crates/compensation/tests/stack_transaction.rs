//! A stack that is unwound unless it is committed, and a saga as a list of steps.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use compensation::{RolledBack, SagaStep, StepError, TransactionalSaga, execute_saga};

#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    fn add(&self, text: impl Into<String>) {
        self.0.lock().expect("no panic").push(text.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    fn register(&self, saga: &TransactionalSaga, name: &'static str) {
        let trace = self.clone();
        saga.add_compensation(name, move || {
            trace.add(name);
            async { Ok::<_, StepError>(()) }
        });
    }

    fn step(&self, name: &'static str, result: Result<(), StepError>) -> SagaStep {
        let (act, undo) = (self.clone(), self.clone());
        SagaStep::new(name, move || {
            act.add(name);
            async { result }
        })
        .with_compensation(move || {
            undo.add(format!("undo {name}"));
            async { Ok::<_, StepError>(()) }
        })
    }
}

#[tokio::test]
async fn a_committed_saga_is_not_rolled_back() {
    let (saga, trace) = (TransactionalSaga::new(), Trace::default());
    trace.register(&saga, "a");
    saga.commit().expect("committed");
    saga.commit().expect("still committed");
    assert!(saga.is_committed());
    saga.rollback().await.expect("nothing to do");
    let handle = saga.clone();
    drop(saga);
    handle.settled().await;
    assert_eq!(trace.take(), Vec::<String>::new());
}

#[tokio::test]
async fn a_saga_that_was_rolled_back_can_not_be_committed() {
    let (saga, trace) = (TransactionalSaga::new(), Trace::default());
    trace.register(&saga, "a");
    saga.rollback().await.expect("undone");
    assert_eq!(saga.commit(), Err(RolledBack));
    assert!(!saga.is_committed());
    assert_eq!(trace.take(), ["a"]);
}

#[tokio::test]
async fn the_last_handle_that_is_dropped_rolls_back_in_the_background() {
    let (saga, trace) = (TransactionalSaga::new(), Trace::default());
    trace.register(&saga, "a");
    let watcher = compensation::SagaManager::clone(&saga);
    let other = saga.clone();
    drop(saga);
    watcher.settled().await;
    assert_eq!(trace.take(), Vec::<String>::new(), "another handle lives");
    drop(other);
    watcher.settled().await;
    assert_eq!(trace.take(), ["a"]);
}

#[test]
fn the_last_handle_that_is_dropped_without_a_runtime_leaves_the_stack_as_it_is() {
    let (saga, trace) = (TransactionalSaga::new(), Trace::default());
    trace.register(&saga, "a");
    let watcher = compensation::SagaManager::clone(&saga);
    drop(saga);
    assert_eq!(trace.take(), Vec::<String>::new());
    assert_eq!(watcher.pending(), ["a"]);
}

#[tokio::test]
async fn a_scope_that_ends_well_commits() {
    let (saga, trace) = (TransactionalSaga::new(), Trace::default());
    let work = trace.clone();
    let done = saga.scope(|saga| async move {
        work.register(&saga, "a");
        Ok::<_, String>(17)
    });
    assert_eq!(done.await.expect("done"), 17);
    assert!(saga.is_committed());
    drop(saga);
    assert_eq!(trace.take(), Vec::<String>::new());
}

#[tokio::test]
async fn a_scope_that_fails_is_undone_before_it_returns() {
    let (saga, trace) = (TransactionalSaga::new(), Trace::default());
    let work = trace.clone();
    let error = saga.scope(|saga| async move {
        work.register(&saga, "a");
        work.register(&saga, "b");
        saga.add_compensation("c", || async { Err::<(), _>("stays") });
        Err::<(), _>("no")
    });
    let error = error.await.expect_err("it failed");
    assert_eq!(trace.take(), ["b", "a"]);
    assert_eq!(*error.error(), "no");
    assert_eq!(error.to_string(), "no; and of what was done: compensation `c` failed: stays");
    assert_eq!(error.rollback().expect("c").errors()[0].name(), "c");
}

#[tokio::test]
async fn a_scope_that_panics_is_undone_and_panics_on() {
    let (saga, trace) = (TransactionalSaga::new(), Trace::default());
    let work = trace.clone();
    let scope = saga.scope(|saga| async move {
        work.register(&saga, "a");
        if true {
            panic!("out of luck");
        }
        Ok::<_, String>(())
    });
    let panic = caught(scope).await.expect_err("a panic");
    assert_eq!(panic.downcast_ref(), Some(&"out of luck"));
    assert_eq!(trace.take(), ["a"]);
}

/// Awaits a future and catches its panic.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn std::any::Any + Send>> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_is_dropped_by_a_timeout_is_undone_in_the_background() {
    let (saga, trace) = (TransactionalSaga::new(), Trace::default());
    let work = trace.clone();
    let scope = saga.scope(|saga| async move {
        work.register(&saga, "a");
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        Ok::<_, String>(())
    });
    tokio::time::timeout(Duration::from_secs(1), scope).await.expect_err("too slow");
    saga.settled().await;
    assert_eq!(trace.take(), ["a"]);
    assert_eq!(saga.commit(), Err(RolledBack));
}

#[tokio::test]
async fn a_scope_whose_rollback_is_dropped_is_undone_to_its_end() {
    let (saga, trace) = (TransactionalSaga::new(), Trace::default());
    let (work, gate) = (trace.clone(), Arc::new(tokio::sync::Notify::new()));
    let waits = gate.clone();
    let scope = saga.scope(|saga| async move {
        work.register(&saga, "a");
        saga.add_compensation("b", move || {
            let waits = waits.clone();
            async move {
                waits.notified().await;
                Ok::<_, StepError>(())
            }
        });
        Err::<(), _>("no")
    });
    tokio::select! {
        biased;
        _ = scope => panic!("it waits"),
        () = tokio::task::yield_now() => {}
    }
    gate.notify_one();
    saga.settled().await;
    assert_eq!(trace.take(), ["a"]);
    assert_eq!(saga.pending(), Vec::<String>::new());
}

#[tokio::test]
async fn a_list_of_steps_runs_in_order() {
    let trace = Trace::default();
    let steps = [trace.step("a", Ok(())), trace.step("b", Ok(()))];
    execute_saga(steps).await.expect("done");
    assert_eq!(trace.take(), ["a", "b"]);
}

#[tokio::test]
async fn a_step_that_failed_without_effect_is_not_undone_and_the_others_are() {
    let trace = Trace::default();
    let steps = [
        trace.step("a", Ok(())),
        trace.step("b", Ok(())),
        trace.step("c", Err(StepError::not_done("full"))),
        trace.step("d", Ok(())),
    ];
    let error = execute_saga(steps).await.expect_err("it failed");
    assert_eq!(trace.take(), ["a", "b", "c", "undo b", "undo a"]);
    assert_eq!(error.to_string(), "step `c` failed: full");
    assert_eq!(error.step(), "c");
    let names: Vec<_> = error.records().iter().map(|record| &*record.name).collect();
    assert_eq!(names, ["b", "a"]);
}

#[tokio::test]
async fn a_step_that_may_have_had_its_effect_is_undone_too() {
    let trace = Trace::default();
    let steps = [trace.step("a", Ok(())), trace.step("b", Err(StepError::unknown("no reply")))];
    execute_saga(steps).await.expect_err("it failed");
    assert_eq!(trace.take(), ["a", "b", "undo b", "undo a"]);
}

#[tokio::test]
async fn a_step_that_panics_is_a_failure_and_undone() {
    let trace = Trace::default();
    let undo = trace.clone();
    let bad = SagaStep::new("b", || async {
        if true { panic!("out of luck") } else { Ok::<_, StepError>(()) }
    })
    .with_compensation(move || {
        undo.add("undo b");
        async { Ok::<_, StepError>(()) }
    });
    let error = execute_saga([trace.step("a", Ok(())), bad]).await.expect_err("it panicked");
    assert_eq!(error.to_string(), "step `b` failed: panicked: out of luck");
    assert_eq!(trace.take(), ["a", "undo b", "undo a"]);
}

#[tokio::test]
async fn what_can_not_be_undone_is_told_beside_what_failed() {
    let step = SagaStep::new("a", || async { Ok::<_, StepError>(()) })
        .with_compensation(|| async { Err::<(), _>("stays") });
    let bad = SagaStep::new("b", || async { Err::<(), _>(StepError::not_done("no")) });
    let error = execute_saga([step, bad]).await.expect_err("it failed");
    assert_eq!(
        error.to_string(),
        "step `b` failed: no; and of what was done: compensation `a` failed: stays"
    );
    assert!(error.rollback().is_some());
}
