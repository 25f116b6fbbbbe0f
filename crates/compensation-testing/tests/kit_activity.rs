//! The activity with an effect in memory: its effect, its failures, and what no saga may do to it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{future::Future, time::Duration};

use compensation::{
    Engine, Outcome, RetryPolicy, Saga, SagaId, SagaManager, SagaStep, execute_saga,
    machine::UnknownPolicy, repository::MemoryRepository,
};
use compensation_testing::{FailureInjector, Mocks, TestActivity, Violation};

const KEY: &str = "saga:1:car";

fn id(text: &str) -> SagaId {
    SagaId::new(text).expect("a good id")
}

/// A saga of a car, and of a hotel after it.
fn trip(car: &TestActivity, hotel: &TestActivity) -> Saga<()> {
    let (mut saga, twice) = (Saga::builder("saga"), RetryPolicy::new(2));
    saga.step(car.name(), car.action()).undo(car.undo()).undo_retry(twice).add();
    saga.step(hotel.name(), hotel.action()).undo(hotel.undo()).add();
    saga.build().expect("a good definition")
}

fn car_and_hotel() -> (TestActivity, TestActivity, FailureInjector) {
    let mocks = Mocks::new();
    (mocks.activity("car"), mocks.activity("hotel"), mocks.injector().clone())
}

#[tokio::test]
async fn an_executed_activity_is_in_effect() {
    let car = TestActivity::new("car");
    assert_eq!(car.execute(KEY).await.expect("well"), KEY);
    assert!(car.is_in_effect(KEY) && !car.is_in_effect("another"));
    assert_eq!(car.in_effect(), [KEY]);
}

#[tokio::test]
async fn a_second_execution_has_no_second_effect() {
    let car = TestActivity::new("car");
    for _ in 0..2 {
        car.execute(KEY).await.expect("well");
    }
    assert_eq!((car.executions(KEY), car.effects(KEY)), (2, 1));
}

#[tokio::test]
async fn a_second_compensation_changes_nothing() {
    let car = TestActivity::new("car");
    car.execute(KEY).await.expect("well");
    for _ in 0..2 {
        car.compensate(KEY).await.expect("well");
    }
    assert!(!car.is_in_effect(KEY));
    assert_eq!(car.compensations(KEY), 2);
    car.assert_sound();
}

#[tokio::test]
async fn compensating_what_was_never_executed_is_a_violation() {
    let car = TestActivity::new("car");
    let error = car.compensate(KEY).await.expect_err("never executed");
    assert!(!error.is_retryable());
    let (activity, key) = ("car".to_owned(), KEY.to_owned());
    assert_eq!(car.violations(), [Violation::NeverExecuted { activity, key }]);
}

#[tokio::test]
async fn compensating_what_is_being_executed_is_a_violation() {
    let car = TestActivity::new("car");
    car.injector().hang("car");
    let executing = tokio::spawn(car.execute_call(KEY)());
    car.injector().until_hanging("car").await;
    assert!(car.compensate(KEY).await.is_err());
    assert!(matches!(car.violations()[..], [Violation::StillExecuting { .. }]));
    car.injector().release("car");
    executing.await.expect("no panic").expect("it goes on");
}

#[tokio::test]
async fn an_execution_that_was_dropped_may_be_compensated() {
    let car = TestActivity::new("car");
    car.injector().hang("car reply");
    let executing = tokio::spawn(car.execute_call(KEY)());
    car.injector().until_hanging("car reply").await;
    executing.abort();
    assert!(executing.await.is_err());
    assert!(car.is_in_effect(KEY));
    car.compensate(KEY).await.expect("nothing executes any more");
    assert!(!car.is_in_effect(KEY));
}

#[tokio::test]
async fn executing_what_was_compensated_is_a_violation() {
    let car = TestActivity::new("car");
    car.execute(KEY).await.expect("well");
    car.compensate(KEY).await.expect("well");
    assert!(car.execute(KEY).await.is_err());
    assert!(matches!(car.violations()[..], [Violation::AfterCompensation { .. }]));
    assert!(!car.is_in_effect(KEY));
}

#[tokio::test]
async fn the_receipt_of_another_execution_is_a_violation() {
    let (car, hotel, injector) = car_and_hotel();
    injector.fail("hotel");
    let mut saga = Saga::<()>::builder("saga");
    let action = |_| async { Ok::<_, std::io::Error>("saga:2:car".to_owned()) };
    saga.step("car", action).undo(car.undo()).add();
    saga.step("hotel", hotel.action()).undo(hotel.undo()).add();
    car.execute(KEY).await.expect("well");
    let saga = saga.build().expect("a good definition");
    assert!(matches!(saga.run_as(id("1"), ()).await, Outcome::Stuck(_)));
    let text = car.violations()[0].to_string();
    assert_eq!(text, "`car` was compensated for `saga:1:car` with the receipt of `saga:2:car`");
}

#[tokio::test]
async fn a_lenient_activity_allows_everything() {
    let car = TestActivity::new("car").lenient();
    car.compensate(KEY).await.expect("allowed");
    car.execute(KEY).await.expect("allowed");
    assert!(car.is_in_effect(KEY));
    car.assert_sound();
}

#[tokio::test]
#[should_panic(expected = "`car` was compensated for `saga:1:car`, and never executed for it")]
async fn an_activity_with_a_violation_is_not_sound() {
    let car = TestActivity::new("car");
    assert!(car.compensate(KEY).await.is_err());
    car.assert_sound();
}

#[tokio::test]
async fn a_failure_before_the_effect_leaves_none_and_may_be_compensated() {
    let car = TestActivity::new("car");
    car.injector().fail("car");
    assert!(car.execute(KEY).await.is_err());
    assert!(!car.is_in_effect(KEY));
    car.compensate(KEY).await.expect("it was called");
    car.assert_sound();
}

#[tokio::test]
async fn a_lost_reply_leaves_the_effect() {
    let car = TestActivity::new("car");
    car.injector().fail("car reply");
    assert!(car.execute(KEY).await.is_err());
    assert!(car.is_in_effect(KEY));
}

#[tokio::test]
async fn a_lost_reply_of_a_compensation_leaves_no_effect() {
    let car = TestActivity::new("car");
    car.execute(KEY).await.expect("well");
    car.injector().fail("undo car reply");
    assert!(car.compensate(KEY).await.is_err());
    assert!(!car.is_in_effect(KEY));
}

#[tokio::test]
async fn a_completed_saga_leaves_every_effect_under_its_own_key() {
    let (car, hotel, _) = car_and_hotel();
    let saga = trip(&car, &hotel);
    for text in ["1", "2"] {
        assert!(saga.run_as(id(text), ()).await.is_completed());
    }
    assert_eq!(car.in_effect(), [KEY, "saga:2:car"]);
    assert_eq!(hotel.in_effect(), ["saga:1:hotel", "saga:2:hotel"]);
}

#[tokio::test]
async fn a_failed_saga_leaves_no_effect_wherever_it_fails() {
    for point in ["car", "car reply", "hotel", "hotel reply"] {
        let (car, hotel, injector) = car_and_hotel();
        injector.fail(point);
        let outcome = trip(&car, &hotel).run(()).await;
        assert!(matches!(outcome, Outcome::Compensated(_)), "{point}");
        assert!(car.in_effect().is_empty() && hotel.in_effect().is_empty(), "{point}");
        car.assert_sound();
        hotel.assert_sound();
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_whose_reply_is_lost_is_repeated_and_harmless() {
    let (car, hotel, injector) = car_and_hotel();
    injector.fail("hotel");
    injector.fail_times("undo car reply", 1);
    let outcome = trip(&car, &hotel).run_as(id("1"), ()).await;
    assert!(matches!(outcome, Outcome::Compensated(_)));
    assert_eq!((car.compensations(KEY), car.effects(KEY)), (2, 1));
    car.assert_sound();
}

#[tokio::test(start_paused = true)]
async fn a_retried_step_has_one_effect() {
    let car = TestActivity::new("car");
    car.injector().fail_times("car reply", 2);
    let mut saga = Saga::<()>::builder("saga");
    let step = saga.step("car", car.action()).undo(car.undo());
    step.unknown(UnknownPolicy::Retry).retry(RetryPolicy::new(3)).add();
    let saga = saga.build().expect("a good definition");
    assert!(saga.run_as(id("1"), ()).await.is_completed());
    assert_eq!((car.executions(KEY), car.effects(KEY)), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_cut_off_by_its_time_limit_is_undone_without_a_violation() {
    for point in ["car", "car reply"] {
        let car = TestActivity::new("car");
        car.injector().hang(point);
        let mut saga = Saga::<()>::builder("saga");
        let step = saga.step("car", car.action()).undo(car.undo());
        step.timeout(Duration::from_secs(1)).add();
        let outcome = saga.build().expect("a good definition").run(()).await;
        assert!(matches!(outcome, Outcome::Compensated(_)), "{point}");
        assert!(car.in_effect().is_empty(), "{point}");
        car.assert_sound();
    }
}

#[tokio::test]
async fn a_probe_finds_out_whether_the_effect_is_there() {
    for (point, completed) in [("car", false), ("car reply", true)] {
        let car = TestActivity::new("car");
        car.injector().fail(point);
        let mut saga = Saga::<()>::builder("saga");
        saga.step("car", car.action()).undo(car.undo()).probe(car.probe()).add();
        let outcome = saga.build().expect("a good definition").run(()).await;
        assert_eq!(outcome.is_completed(), completed, "{point}");
        car.recorder().assert_order(["car", "probe car"]);
    }
}

#[tokio::test]
async fn an_activity_works_on_a_stack_of_compensations() {
    let (saga, (car, hotel, _)) = (SagaManager::new(), car_and_hotel());
    for activity in [&car, &hotel] {
        activity.execute("trip").await.expect("well");
        saga.add_compensation(activity.name(), activity.compensate_call("trip"));
    }
    saga.compensate().await.expect("undone");
    assert!(car.in_effect().is_empty() && hotel.in_effect().is_empty());
    car.recorder().assert_reverse_of_actions();
}

#[tokio::test]
async fn an_activity_works_in_a_list_of_steps() {
    let (car, hotel, injector) = car_and_hotel();
    injector.fail("hotel reply");
    let step = |activity: &TestActivity| {
        SagaStep::new(activity.name(), activity.execute_call("trip"))
            .with_compensation(activity.compensate_call("trip"))
    };
    assert!(execute_saga([step(&car), step(&hotel)]).await.is_err());
    assert!(car.in_effect().is_empty() && hotel.in_effect().is_empty());
}

#[test]
fn a_step_that_is_attempted_again_after_a_death_has_one_effect() {
    let (car, hotel, injector) = car_and_hotel();
    let saga = trip(&car, &hotel);
    let store = MemoryRepository::new();
    let heir = store.another_owner();
    injector.hang("hotel reply");
    life(async {
        let engine = Engine::open(store).register(saga.clone()).start().await.expect("starts");
        engine.start("saga", id("1"), &()).await.expect("started");
        injector.until_hanging("hotel reply").await;
    });
    injector.release("hotel reply");
    life(async {
        let engine = Engine::open(heir).register(saga).start().await.expect("starts");
        assert!(engine.wait(&id("1")).await.expect("known").is_completed());
    });
    assert_eq!((hotel.executions("saga:1:hotel"), hotel.effects("saga:1:hotel")), (2, 1));
    assert_eq!(car.executions(KEY), 1, "what is recorded as done never runs again");
}

/// One life of a process: everything in it dies with its runtime.
fn life(run: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(run);
}
