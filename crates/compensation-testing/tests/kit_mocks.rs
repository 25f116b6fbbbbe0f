//! Mocks of steps and compensations, in every kind of saga.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{sync::Arc, sync::Mutex, time::Duration};

use compensation::{
    Engine, RetryPolicy, Saga, SagaId, SagaManager, SagaStep, StepError, TransactionalSaga,
    UndoContext, execute_saga, repository::MemoryRepository,
};
use compensation_testing::{
    CompensationRecorder, FailureInjector, MockCompensation, MockStep, Mocks,
};

#[tokio::test]
async fn a_mock_that_is_told_nothing_succeeds() {
    let mocks = Mocks::new();
    execute_saga([mocks.step("a").saga_step(), mocks.step("b").saga_step()]).await.expect("well");
    mocks.recorder().assert_order(["a", "b"]);
}

#[tokio::test]
async fn a_mock_step_fails_as_its_injector_is_told() {
    let mocks = Mocks::new();
    mocks.injector().fail_in_order(["b", "undo a"]);
    let steps = ["a", "b"].map(|name| mocks.step(name).saga_step());
    let error = execute_saga(steps).await.expect_err("ordered");
    let left = error.rollback().expect("ordered").errors();
    assert_eq!((error.step(), left[0].name()), ("b", "a"));
    mocks.recorder().assert_order(["a", "b", "undo b", "undo a"]);
}

#[tokio::test]
async fn a_mock_step_yields_closures_for_a_list_of_steps() {
    let mocks = Mocks::new();
    let (a, b) = (mocks.step("a").returning(17), mocks.step("b"));
    mocks.injector().fail("b");
    let steps = [
        SagaStep::new(a.name(), a.action_call()).with_compensation(a.undo_call()),
        SagaStep::new(b.name(), b.action_call()),
    ];
    assert!(execute_saga(steps).await.is_err());
    mocks.recorder().assert_order(["a", "b", "undo a"]);
}

#[tokio::test]
async fn a_mock_step_yields_closures_for_a_definition_of_any_input() {
    let mocks = Mocks::new();
    let (a, b) = (mocks.step("a"), mocks.step("b"));
    let mut saga = Saga::<Vec<String>>::builder("saga");
    saga.step(a.name(), a.action()).undo(a.undo()).add();
    saga.step(b.name(), b.action()).undo(b.undo()).add();
    let saga = saga.build().expect("a good definition");
    mocks.injector().fail("b");
    assert!(!saga.run(vec!["x".to_owned()]).await.is_completed());
    mocks.recorder().assert_reverse_of_actions();
}

#[tokio::test]
async fn the_undo_of_a_mock_step_may_be_another_function_with_its_output() {
    let mocks = Mocks::new();
    let (seat, seen) = (mocks.step("seat").returning(17), Arc::new(Mutex::new(None)));
    let mut saga = Saga::<()>::builder("saga");
    let undo = seen.clone();
    let free = move |_: UndoContext<()>, output| {
        *undo.lock().expect("no panic") = output;
        async { Ok::<_, StepError>(()) }
    };
    saga.step(seat.name(), seat.action()).undo(free).add();
    saga.step("charge", mocks.step("charge").action()).no_undo("a test").add();
    mocks.injector().fail("charge");
    assert!(!saga.build().expect("a good definition").run(()).await.is_completed());
    assert_eq!(*seen.lock().expect("no panic"), Some(17));
}

#[tokio::test(start_paused = true)]
async fn a_mock_step_runs_on_the_durable_engine() {
    let mocks = Mocks::new();
    let mut saga = Saga::<u32>::builder("saga");
    for step in ["a", "b"].map(|name| mocks.step(name).returning(name.to_owned())) {
        saga.step(step.name(), step.action()).undo(step.undo()).add();
    }
    let saga = saga.build().expect("a good definition");
    let engine =
        Engine::open(MemoryRepository::new()).register(saga).start().await.expect("starts");
    mocks.injector().fail("b");
    mocks.injector().fail_times("undo b", 2);
    let id = SagaId::new("1").expect("a good id");
    let outcome = engine.run("saga", id, &7).await.expect("it runs");
    assert!(!outcome.is_completed());
    mocks.recorder().assert_order(["a", "b", "undo b", "undo b", "undo b", "undo a"]);
    mocks.recorder().assert_each_once();
}

#[tokio::test]
async fn a_mock_compensation_is_recorded_when_a_stack_is_unwound() {
    let (recorder, injector) = (CompensationRecorder::new(), FailureInjector::new());
    let saga = SagaManager::new();
    for name in ["a", "b", "c"] {
        let mock = MockCompensation::new(name, &recorder, &injector);
        saga.add_compensation(mock.name(), mock.undo_call());
    }
    injector.fail("undo b");
    assert_eq!(saga.compensate().await.expect_err("ordered").errors().len(), 1);
    recorder.assert_compensated(["c", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_mock_compensation_may_have_a_budget_and_a_time_limit() {
    let (saga, mocks) = (SagaManager::new(), Mocks::new());
    let mock = mocks.compensation("a").compensation();
    saga.add(mock.retry(RetryPolicy::new(2)).timeout(Duration::from_secs(1)));
    mocks.injector().hang("undo a");
    let error = saga.compensate().await.expect_err("ordered");
    assert_eq!(error.errors()[0].attempts(), 2);
    mocks.recorder().assert_order(["undo a", "undo a"]);
}

#[tokio::test]
async fn a_mock_compensation_is_run_when_a_transaction_is_dropped() {
    let (saga, mocks) = (TransactionalSaga::new(), Mocks::new());
    saga.add(mocks.step("a").compensation());
    drop(saga);
    mocks.recorder().until(|calls| calls.iter().any(|call| call.is_done())).await;
    mocks.recorder().assert_compensated(["a"]);
}

#[tokio::test]
async fn mocks_of_one_recorder_share_its_order() {
    let (recorder, injector) = (CompensationRecorder::new(), FailureInjector::new());
    let first = MockStep::new("a", &recorder, &injector);
    let second = Mocks::with(&recorder, &injector).step("b");
    for step in [first, second] {
        step.action_call()().await.expect("well");
    }
    recorder.assert_order(["a", "b"]);
}

#[tokio::test]
async fn a_panic_of_a_mock_is_recorded() {
    let mocks = Mocks::new();
    mocks.injector().panic("a");
    assert!(execute_saga([mocks.step("a").saga_step()]).await.is_err());
    let calls: Vec<_> = mocks.recorder().events().iter().map(ToString::to_string).collect();
    assert_eq!(calls, ["a, attempt 1: panicked", "undo a, attempt 1: done"]);
}
