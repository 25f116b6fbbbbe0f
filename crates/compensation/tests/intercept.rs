//! What an interceptor sees of a saga, and what it may do to it.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::{Arc, Mutex};

use compensation::{
    Engine, Outcome, Part, Probed, Saga, SagaId, StepContext, StepError, UndoContext,
    intercept::{Call, Ended, Intercept, Intercepted},
    repository::MemoryRepository,
};

/// Notes every call, and what came of it.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn add(&self, note: String) {
        self.0.lock().expect("no panic").push(note);
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

struct Noting(Arc<Notes>, &'static str);

impl Intercept for Noting {
    fn attempt(&self, call: Call) -> Intercepted {
        let (notes, name) = (self.0.clone(), self.1);
        Box::pin(async move {
            notes.add(format!("{name} {} {:?} {}", call.step_name(), call.part(), call.attempt()));
            let ended = call.call().await;
            let error = ended.error().map_or("well".to_owned(), ToString::to_string);
            notes.add(format!("{name} {} ended {error}", call.step_name()));
            ended
        })
    }
}

/// Does something else than calling.
struct Instead(fn(Call) -> Intercepted);

impl Intercept for Instead {
    fn attempt(&self, call: Call) -> Intercepted {
        self.0(call)
    }
}

/// One step that counts its calls in its output, is probed, and undone.
fn counting() -> (Saga<()>, Arc<Mutex<u32>>) {
    let (calls, mut saga) = (Arc::new(Mutex::new(0)), Saga::<()>::builder("counting"));
    let (act, undo, probe) = (calls.clone(), calls.clone(), calls.clone());
    saga.step("count", move |_: StepContext<()>| {
        let mut calls = act.lock().expect("no panic");
        *calls += 1;
        let called = *calls;
        async move { Ok::<_, StepError>(called) }
    })
    .undo(move |_: UndoContext<()>, _| {
        *undo.lock().expect("no panic") -= 1;
        async { Ok::<_, StepError>(()) }
    })
    .probe(move |_: StepContext<()>| {
        let called = *probe.lock().expect("no panic");
        async move { Ok::<_, StepError>(Probed::Done(called)) }
    })
    .add();
    saga.step("fail", |_: StepContext<()>| async {
        Err::<(), _>(StepError::not_done("no").terminal())
    })
    .no_undo("it does nothing")
    .add();
    (saga.build().expect("a sound saga"), calls)
}

#[tokio::test]
async fn every_attempt_goes_through_all_that_is_around_it_the_last_outermost() {
    let notes = Arc::new(Notes::default());
    let saga = counting().0.intercepted(Arc::new(Noting(notes.clone(), "inner")));
    let saga = saga.intercepted(Arc::new(Noting(notes.clone(), "outer")));
    let engine = Engine::open(MemoryRepository::new()).register(saga).start().await;
    let engine = engine.expect("a store in memory");
    let outcome = engine.run("counting", SagaId::new("one").expect("an id"), &()).await;
    assert!(matches!(outcome, Ok(Outcome::Compensated(_))));
    assert_eq!(
        notes.all(),
        [
            "outer count Action 1",
            "inner count Action 1",
            "inner count ended well",
            "outer count ended well",
            "outer fail Action 1",
            "inner fail Action 1",
            "inner fail ended no",
            "outer fail ended no",
            "outer count Undo 1",
            "inner count Undo 1",
            "inner count ended well",
            "outer count ended well",
        ]
    );
}

#[tokio::test]
async fn an_attempt_may_call_its_function_twice_or_never() {
    let (saga, calls) = counting();
    let twice = Instead(|call| {
        Box::pin(async move {
            match call.part() {
                Part::Action => {
                    call.call().await;
                    call.call().await
                }
                // So it is not undone, and the saga is stuck.
                _ => call.fail(StepError::unknown("not today").terminal()),
            }
        })
    });
    let outcome = saga.intercepted(Arc::new(twice)).run(()).await;
    assert!(matches!(outcome, Outcome::Stuck(_)));
    assert_eq!(*calls.lock().expect("no panic"), 2);
}

#[tokio::test]
async fn a_probe_is_intercepted_like_the_rest() {
    let (saga, calls) = counting();
    let lost = Instead(|call| {
        Box::pin(async move {
            let ended = call.call().await;
            match (call.part(), call.step()) {
                (Part::Action, 0) => call.fail(StepError::unknown("lost")),
                _ => ended,
            }
        })
    });
    let outcome = saga.intercepted(Arc::new(lost)).run(()).await;
    assert!(matches!(outcome, Outcome::Compensated(_)));
    assert_eq!(*calls.lock().expect("no panic"), 0);
}

/// Keeps the ending of the first attempt, and gives it as that of the next.
#[derive(Default)]
struct Mixing(Arc<Mutex<Option<Ended>>>);

impl Intercept for Mixing {
    fn attempt(&self, call: Call) -> Intercepted {
        let kept = self.0.clone();
        Box::pin(async move {
            let ended = call.call().await;
            let mut kept = kept.lock().expect("no panic");
            match (call.part(), kept.take()) {
                (Part::Undo, Some(other)) => other,
                (_, None) => {
                    *kept = Some(ended);
                    call.fail(StepError::unknown("kept").terminal())
                }
                (_, Some(_)) => ended,
            }
        })
    }
}

#[tokio::test]
async fn the_ending_of_another_function_is_a_failure() {
    let mut saga = Saga::<()>::builder("mixed");
    saga.step("one", |_: StepContext<()>| async { Ok::<_, StepError>(1) })
        .undo(|_: UndoContext<()>, _| async { Ok::<_, StepError>(()) })
        .add();
    let saga = saga.build().expect("a sound saga").intercepted(Arc::new(Mixing::default()));
    let Outcome::Stuck(report) = saga.run(()).await else { panic!("the undo has failed") };
    let failures: Vec<_> = report.failures().iter().map(ToString::to_string).collect();
    assert_eq!(
        failures,
        [
            "step `one` failed: kept",
            "the undo of step `one` failed: the interceptor answered with the ending of another function"
        ]
    );
}
