//! Sagas in process: order, settling, panics, timeouts, dropped futures.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use compensation::{
    DefinitionError, Outcome, Part, RetryPolicy, Saga, StepContext, StepError, UndoContext,
    machine::{Effect, UnknownPolicy},
};

/// What ran, in order. The input of every saga here.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }

    fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl serde::Serialize for Log {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> serde::Deserialize<'de> for Log {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self::default())
    }
}

async fn act(cx: StepContext<Log>) -> Result<String, StepError> {
    cx.input().add(cx.step_name());
    Ok(format!("{} output", cx.step_name()))
}

async fn undo(cx: UndoContext<Log>, output: Option<String>) -> Result<(), StepError> {
    let output = output.unwrap_or_else(|| "maybe".to_owned());
    cx.input().add(format!("undo {} ({output})", cx.step_name()));
    Ok(())
}

async fn refuse(cx: StepContext<Log>) -> Result<String, StepError> {
    cx.input().add(format!("{} refuses", cx.step_name()));
    Err(StepError::not_done("refused").terminal())
}

async fn never(cx: StepContext<Log>) -> Result<String, StepError> {
    cx.input().add(format!("{} hangs", cx.step_name()));
    std::future::pending().await
}

#[tokio::test]
async fn a_saga_that_fails_is_undone_in_reverse() {
    let mut saga = Saga::builder("s");
    saga.step("a", act).undo(undo).add();
    saga.step("b", act).undo(undo).add();
    saga.step("c", refuse).undo(undo).add();
    let log = Log::default();
    let outcome = saga.build().unwrap().run(log.clone()).await;
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    assert_eq!(log.entries(), ["a", "b", "c refuses", "undo b (b output)", "undo a (a output)"]);
}

#[tokio::test]
async fn a_completed_saga_gives_typed_outputs() {
    let mut saga = Saga::<u32>::builder("s");
    let double = |cx: StepContext<u32>| async move { Ok::<_, StepError>(*cx.input() * 2) };
    let doubled = saga.step("double", double).no_undo("pure").add();
    let next = move |cx: StepContext<u32>| async move {
        Ok::<_, StepError>(format!("got {}", cx.output(&doubled)?))
    };
    let told = saga.step("tell", next).no_undo("pure").add();
    let outcome = saga.build().unwrap().run(21).await;
    assert_eq!(outcome.output(&doubled), Some(42));
    assert_eq!(outcome.output(&told).as_deref(), Some("got 42"));
}

#[tokio::test]
async fn a_panic_in_an_action_is_an_unknown_outcome_and_undone() {
    async fn explode(_: StepContext<Log>) -> Result<String, StepError> {
        panic!("boom")
    }
    let mut saga = Saga::builder("s");
    saga.step("a", act).undo(undo).add();
    saga.step("b", explode).undo(undo).add();
    let log = Log::default();
    let outcome = saga.build().unwrap().run(log.clone()).await;
    assert!(matches!(outcome, Outcome::Compensated(_)));
    assert_eq!(log.entries(), ["a", "undo b (maybe)", "undo a (a output)"]);
    assert_eq!(outcome.report().failures()[0].failure().message(), "panicked: boom");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_over_its_time_limit_is_stopped_and_undone() {
    let mut saga = Saga::builder("s");
    saga.step("a", never).timeout(Duration::from_secs(3)).undo(undo).add();
    let log = Log::default();
    let outcome = saga.build().unwrap().run(log.clone()).await;
    assert!(matches!(outcome, Outcome::Compensated(_)));
    assert_eq!(log.entries(), ["a hangs", "undo a (maybe)"]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_undo_is_retried_and_then_parks_while_the_others_run() {
    async fn stubborn(cx: UndoContext<Log>, _: Option<String>) -> Result<(), StepError> {
        cx.input().add(format!("try {}", cx.attempt()));
        Err(StepError::unknown("no"))
    }
    let mut saga = Saga::builder("s");
    saga.step("a", act).undo(undo).add();
    saga.step("b", act).undo(stubborn).undo_retry(RetryPolicy::new(2)).add();
    saga.step("c", refuse).undo(undo).add();
    let log = Log::default();
    let outcome = saga.build().unwrap().run(log.clone()).await;
    let Outcome::Stuck(report) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(log.entries(), ["a", "b", "c refuses", "try 1", "try 2", "undo a (a output)"]);
    assert_eq!(
        report.reason().unwrap(),
        "step `b` needs a person: its undo failed and has no attempts left (no)"
    );
    let parts: Vec<_> = report.failures().iter().map(|failure| failure.part()).collect();
    assert_eq!(parts, [Part::Action, Part::Undo, Part::Undo]);
}

#[tokio::test(start_paused = true)]
async fn a_sibling_in_flight_is_settled_before_anything_is_undone() {
    async fn slow(cx: StepContext<Log>) -> Result<String, StepError> {
        tokio::time::sleep(Duration::from_secs(9)).await;
        act(cx).await
    }
    let mut saga = Saga::builder("s");
    saga.step("slow", slow).undo(undo).independent().add();
    saga.step("bad", refuse).undo(undo).independent().add();
    let log = Log::default();
    let outcome = saga.build().unwrap().run(log.clone()).await;
    assert!(matches!(outcome, Outcome::Compensated(_)));
    assert_eq!(log.entries(), ["bad refuses", "slow", "undo slow (slow output)"]);
}

#[tokio::test(start_paused = true)]
async fn two_branches_that_fail_together_report_both() {
    let mut saga = Saga::builder("s");
    saga.step("root", act).undo(undo).add();
    let root = saga.step("mid", act).undo(undo).add();
    saga.step("x", refuse).undo(undo).after(&root).add();
    saga.step("y", refuse).undo(undo).after(&root).add();
    let outcome = saga.build().unwrap().run(Log::default()).await;
    let failed: Vec<_> = outcome.report().failures().iter().map(|f| f.step().to_owned()).collect();
    assert!(matches!(outcome, Outcome::Compensated(_)));
    assert_eq!(failed, ["x", "y"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_run_is_undone_in_the_background() {
    let mut saga = Saga::builder("s");
    saga.step("a", act).undo(undo).add();
    saga.step("b", never).timeout(Duration::from_secs(60)).undo(undo).add();
    let log = Log::default();
    let run = saga.build().unwrap().run(log.clone());
    assert!(tokio::time::timeout(Duration::from_secs(1), run).await.is_err());
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(log.entries(), ["a", "b hangs", "undo b (maybe)", "undo a (a output)"]);
}

#[tokio::test]
async fn a_run_that_was_never_polled_does_nothing_when_dropped() {
    let mut saga = Saga::builder("s");
    saga.step("a", act).undo(undo).add();
    let log = Log::default();
    drop(saga.build().unwrap().run(log.clone()));
    tokio::task::yield_now().await;
    assert!(log.entries().is_empty());
}

#[tokio::test]
async fn an_attempt_sees_that_its_saga_is_being_undone() {
    async fn patient(cx: StepContext<Log>) -> Result<String, StepError> {
        cx.cancelled().await;
        cx.input().add("saw it");
        Err(StepError::not_done("gave way"))
    }
    let mut saga = Saga::builder("s");
    saga.step("patient", patient).undo(undo).independent().add();
    saga.step("bad", refuse).undo(undo).independent().add();
    let log = Log::default();
    let outcome = saga.build().unwrap().run(log.clone()).await;
    assert!(matches!(outcome, Outcome::Compensated(_)));
    assert_eq!(log.entries(), ["bad refuses", "saw it"]);
}

#[tokio::test(start_paused = true)]
async fn every_attempt_has_the_same_key_and_its_own_number() {
    async fn third_time(cx: StepContext<Log>) -> Result<String, StepError> {
        cx.input().add(format!("{} {}", cx.idempotency_key(), cx.attempt()));
        if cx.attempt() < 3 { Err(StepError::not_done("not yet")) } else { Ok(String::new()) }
    }
    let mut saga = Saga::builder("s");
    saga.step("a", third_time).undo(undo).retry(RetryPolicy::new(5)).add();
    let log = Log::default();
    let id = "one".parse().unwrap();
    assert!(saga.build().unwrap().run_as(id, log.clone()).await.is_completed());
    assert_eq!(log.entries(), ["s:one:a 1", "s:one:a 2", "s:one:a 3"]);
}

#[tokio::test]
async fn an_undo_of_an_unknown_outcome_is_told_so() {
    async fn lost(_: StepContext<Log>) -> Result<String, StepError> {
        Err(StepError::unknown("reply lost"))
    }
    async fn check(cx: UndoContext<Log>, output: Option<String>) -> Result<(), StepError> {
        assert_eq!(cx.effect(), Effect::Maybe);
        assert_eq!(output, None);
        cx.input().add("checked");
        Ok(())
    }
    let mut saga = Saga::builder("s");
    saga.step("a", lost).undo(check).add();
    let log = Log::default();
    let outcome = saga.build().unwrap().run(log.clone()).await;
    assert!(matches!(outcome, Outcome::Compensated(_)));
    assert_eq!(log.entries(), ["checked"]);
}

#[test]
fn a_step_without_undo_and_without_reason_is_refused() {
    let mut saga = Saga::builder("s");
    saga.step("a", act).add();
    assert_eq!(saga.build().unwrap_err(), DefinitionError::UndoMissing("a".to_owned()));
}

#[test]
fn steps_that_wait_for_each_other_are_named() {
    let mut saga = Saga::builder("s");
    saga.step("a", act).undo(undo).after_named("b").add();
    saga.step("b", act).undo(undo).add();
    let error = saga.build().unwrap_err().to_string();
    assert!(error.starts_with("steps wait for each other: "), "{error}");
    assert!(error.contains("a -> b") || error.contains("b -> a"), "{error}");
}

#[test]
fn an_undo_after_the_pivot_is_refused() {
    let mut saga = Saga::builder("s");
    saga.step("a", act).no_undo("final").pivot().add();
    saga.step("b", act).undo(undo).add();
    assert_eq!(saga.build().unwrap_err(), DefinitionError::UndoAfterPivot("b".to_owned()));
}

#[test]
fn retries_of_a_step_that_is_not_idempotent_are_refused() {
    let mut saga = Saga::builder("s");
    saga.step("a", act).undo(undo).not_idempotent().retry(RetryPolicy::new(2)).add();
    assert_eq!(saga.build().unwrap_err(), DefinitionError::RepeatsNotIdempotent("a".to_owned()));
}

#[test]
fn a_handle_of_another_saga_is_refused() {
    let mut other = Saga::builder("other");
    let foreign = other.step("a", act).undo(undo).add();
    let mut saga = Saga::builder("s");
    saga.step("b", act).undo(undo).after(&foreign).add();
    let error = saga.build().unwrap_err();
    assert!(matches!(error, DefinitionError::UnknownDependency { .. }), "{error}");
}

#[tokio::test]
async fn any_error_type_will_do() {
    async fn boxed(_: StepContext<()>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err("text".into())
    }
    async fn text(_: UndoContext<()>, _: Option<()>) -> Result<u8, String> {
        Ok(1)
    }
    let mut saga = Saga::builder("s");
    saga.step("a", boxed).undo(text).unknown(UnknownPolicy::Undo).add();
    assert!(matches!(saga.build().unwrap().run(()).await, Outcome::Compensated(_)));
}

/// A wait for another attempt that is left over from before the rollback ends in the middle of it.
#[tokio::test(start_paused = true)]
async fn a_wait_that_the_rollback_has_overtaken_starts_nothing() {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };
    let undos = std::sync::Arc::new(AtomicU32::new(0));
    let counted = undos.clone();
    let waits = |seconds| RetryPolicy::new(5).first(Duration::from_secs(seconds)).without_jitter();
    let mut saga = Saga::<()>::builder("overtaken");
    saga.step("a", |_: StepContext<()>| async { Err::<(), _>(StepError::unknown("lost")) })
        .undo(move |_: UndoContext<()>, _| {
            let attempt = counted.fetch_add(1, Ordering::SeqCst);
            async move { if attempt == 0 { Err(StepError::not_done("busy")) } else { Ok(()) } }
        })
        .retry(waits(10))
        .undo_retry(waits(20))
        .independent()
        .add();
    saga.step("b", |_: StepContext<()>| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err::<(), _>(StepError::not_done("refused").terminal())
    })
    .no_undo("it never succeeds")
    .independent()
    .add();
    let outcome = saga.build().expect("a sound saga").run(()).await;
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    assert_eq!(undos.load(Ordering::SeqCst), 2);
}
