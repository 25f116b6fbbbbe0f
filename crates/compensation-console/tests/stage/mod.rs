//! A store with sagas in every state, for the tests of the console.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use compensation::{
    Engine, RetryPolicy, Saga, SagaId, StepContext, StepError, UndoContext,
    repository::{MemoryRepository, Repository},
};
use compensation_sqlite::SqliteRepository;
use tokio::sync::Semaphore;

/// What the steps of the test's saga meet.
#[derive(Clone)]
pub(crate) struct World {
    line: Arc<AtomicBool>,
    gate: Arc<Semaphore>,
}

/// An error with a cause.
#[derive(Debug, thiserror::Error)]
#[error("the car could not be given back")]
struct NoCar(#[source] std::io::Error);

impl World {
    pub(crate) fn new() -> Self {
        Self { line: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }

    /// Whether the undo of `reserve-car` works.
    pub(crate) fn line_is_up(&self, up: bool) {
        self.line.store(up, SeqCst);
    }

    /// Lets one saga whose input is `slow` go on.
    pub(crate) fn go_on(&self) {
        self.gate.add_permits(1);
    }

    /// A trip: for `mallory` the card is refused, for `slow` the tickets wait.
    pub(crate) fn trip(&self) -> Saga<String> {
        let (line, gate) = (self.line.clone(), self.gate.clone());
        let mut trip = Saga::<String>::builder("book-trip");
        let car = trip
            .step("reserve-car", |cx: StepContext<String>| async move {
                Ok::<_, StepError>(format!("car for {}", cx.input()))
            })
            .undo(move |_: UndoContext<String>, _: Option<String>| {
                let up = line.load(SeqCst);
                async move {
                    if up {
                        return Ok::<(), StepError>(());
                    }
                    Err(NoCar(std::io::Error::other("no route to cars.internal")).into())
                }
            })
            .undo_retry(RetryPolicy::new(2).without_jitter().first(std::time::Duration::ZERO))
            .add();
        let hotel = trip
            .step("reserve-hotel", |_: StepContext<String>| async {
                Ok::<_, StepError>("room 17".to_owned())
            })
            .undo(|_: UndoContext<String>, _: Option<String>| async { Ok::<(), StepError>(()) })
            .independent()
            .add();
        let tickets = trip
            .step("issue-tickets", move |cx: StepContext<String>| {
                let (gate, slow) = (gate.clone(), cx.input() == "slow");
                async move {
                    if slow {
                        gate.acquire().await.map_err(StepError::unknown)?.forget();
                    }
                    Ok::<_, StepError>(2_u32)
                }
            })
            .undo(|_: UndoContext<String>, _: Option<u32>| async { Ok::<(), StepError>(()) })
            .after(&car)
            .after(&hotel)
            .add();
        trip.step("charge-card", |cx: StepContext<String>| async move {
            match cx.input().as_str() {
                "mallory" => Err(StepError::not_done("the card was refused")),
                _ => Ok(()),
            }
        })
        .no_undo("refunds are made by the bank")
        .after(&tickets)
        .add();
        trip.build().expect("a sound saga")
    }

    pub(crate) async fn engine(&self, store: Arc<dyn Repository>) -> Engine {
        let engine = Engine::open_shared(store).register(self.trip()).without_recovery();
        engine.start().await.expect("a start")
    }

    /// An engine in memory.
    pub(crate) async fn in_memory(&self) -> Engine {
        self.engine(Arc::new(MemoryRepository::new())).await
    }

    /// An engine on that file, as another process would open it.
    pub(crate) async fn on_file(&self, path: &Path) -> Engine {
        self.engine(Arc::new(SqliteRepository::open(path).expect("a store"))).await
    }
}

pub(crate) fn id(text: &str) -> SagaId {
    SagaId::new(text).expect("a good id")
}

/// Runs a trip to its end.
pub(crate) async fn run(engine: &Engine, saga: &str, input: &str) {
    let _ = engine.run("book-trip", id(saga), input).await.expect("an end");
}
