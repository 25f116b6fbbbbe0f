//! What the tests of the engine share: sagas whose steps do what a test tells them, a trace of what they
//! did, and lives of processes that end without a farewell.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
};

use compensation::{
    Engine, EngineBuilder, Saga, SagaId, StepContext, StepError, UndoContext,
    repository::{MemoryRepository, Repository},
};
use tokio::sync::watch;

/// What a function of a step does: `name` is the action of a step, `^name` its undo.
#[derive(Clone)]
pub(crate) enum Does {
    /// It reports that nothing happened.
    Refuses,
    /// It reports that nobody knows what happened.
    Fails,
    /// It panics.
    Panics,
    /// It waits at a gate, and then succeeds.
    Waits(Gate),
    /// So many attempts refuse; the next one succeeds.
    RefusesTimes(u32),
}

/// A place where steps wait until the test lets them go on.
#[derive(Clone)]
pub(crate) struct Gate {
    state: watch::Sender<(usize, bool)>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { state: watch::channel((0, false)).0 }
    }

    /// Waits until so many steps wait at the gate.
    pub(crate) async fn reached(&self, steps: usize) {
        self.state.subscribe().wait_for(|state| state.0 >= steps).await.expect("a gate");
    }

    pub(crate) fn open(&self) {
        self.state.send_modify(|state| state.1 = true);
    }

    pub(crate) async fn pass(&self) {
        self.state.send_modify(|state| state.0 += 1);
        self.state.subscribe().wait_for(|state| state.1).await.expect("a gate");
    }
}

/// Where steps have their effects.
#[derive(Clone, Default)]
pub(crate) struct World {
    trace: Arc<Mutex<Vec<String>>>,
    does: Arc<Mutex<HashMap<String, Does>>>,
}

impl World {
    pub(crate) fn tell(&self, function: &str, does: Does) {
        self.does.lock().expect("no panic").insert(function.to_owned(), does);
    }

    pub(crate) fn heal(&self, function: &str) {
        self.does.lock().expect("no panic").remove(function);
    }

    /// What was done since the last time, in order.
    pub(crate) fn trace(&self) -> Vec<String> {
        std::mem::take(&mut *self.trace.lock().expect("no panic"))
    }

    async fn act(&self, function: &str) -> Result<(), StepError> {
        self.trace.lock().expect("no panic").push(function.to_owned());
        let does = self.does.lock().expect("no panic").get(function).cloned();
        match does {
            None => Ok(()),
            Some(Does::Refuses) => Err(StepError::not_done(format!("{function} refused"))),
            Some(Does::Fails) => Err(StepError::unknown(format!("{function} failed"))),
            Some(Does::Panics) => panic!("{function} panicked"),
            Some(Does::Waits(gate)) => {
                gate.pass().await;
                Ok(())
            }
            Some(Does::RefusesTimes(0)) => Ok(()),
            Some(Does::RefusesTimes(times)) => {
                self.tell(function, Does::RefusesTimes(times - 1));
                Err(StepError::not_done(format!("{function} refused")))
            }
        }
    }

    pub(crate) fn action(
        &self,
        name: &'static str,
    ) -> impl Fn(StepContext<u32>) -> Acting + Send + Sync + use<> {
        let world = self.clone();
        move |_| {
            let world = world.clone();
            Box::pin(async move { world.act(name).await.map(|()| format!("made by {name}")) })
        }
    }

    pub(crate) fn undo(
        &self,
        name: &'static str,
    ) -> impl Fn(UndoContext<u32>, Option<String>) -> Undoing + Send + Sync + use<> {
        let world = self.clone();
        move |_, output| {
            let world = world.clone();
            Box::pin(async move {
                if let Some(output) = output {
                    assert_eq!(output, format!("made by {name}"));
                }
                world.act(&format!("^{name}")).await
            })
        }
    }

    /// A saga of these steps, one after the other, each with an undo.
    pub(crate) fn chain(&self, saga: &str, steps: &[&'static str]) -> Saga<u32> {
        let mut builder = Saga::builder(saga);
        for &step in steps {
            let undo = self.undo(step);
            let retry = compensation::RetryPolicy::none();
            builder.step(step, self.action(step)).undo(undo).undo_retry(retry).add();
        }
        builder.build().expect("a sound saga")
    }
}

type Acting = std::pin::Pin<Box<dyn Future<Output = Result<String, StepError>> + Send>>;
type Undoing = std::pin::Pin<Box<dyn Future<Output = Result<(), StepError>> + Send>>;

pub(crate) fn id(text: &str) -> SagaId {
    SagaId::new(text).expect("a good id")
}

/// One process: it runs until its main function ends, and whatever else it was doing dies with it. Its
/// clock is virtual.
pub(crate) fn life<T>(main: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(main)
}

/// An engine on that data, as another process would open it.
pub(crate) fn on(data: &MemoryRepository) -> EngineBuilder {
    Engine::open(data.another_owner())
}

/// A process that dies while step `at` of that saga waits in its first attempt. The next one finds it mended.
pub(crate) fn left(data: &MemoryRepository, world: &World, trip: Saga<u32>, saga: &str, at: &str) {
    let gate = Gate::new();
    world.tell(at, Does::Waits(gate.clone()));
    life(async {
        let engine = on(data).register(trip).start().await.expect("start");
        engine.start("trip", id(saga), &1).await.expect("started");
        gate.reached(1).await;
    });
    world.heal(at);
    world.trace();
}

/// The bodies of a saga's journal.
pub(crate) async fn journal(data: &MemoryRepository, saga: &str) -> Vec<String> {
    let stored = data.load(&id(saga)).await.expect("a store").expect("a saga");
    stored.journal.into_iter().map(|entry| entry.body).collect()
}
