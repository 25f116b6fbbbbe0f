//! Recipe: a saga as a step of another.
//!
//! The inner saga runs on the same engine, under an id that is made from the outer one's key: the same at each
//! attempt, so a repeated attempt is the same inner saga. Undoing the step cancels it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex, OnceLock};

use compensation::{
    Engine, Order, Outcome, Saga, SagaId, Status, StepContext, StepError, UndoContext,
    repository::MemoryRepository,
};

#[derive(Clone, Default)]
struct World {
    trace: Arc<Mutex<Vec<&'static str>>>,
    /// Set once the engine is there: the outer saga's functions need it.
    engine: Arc<OnceLock<Engine>>,
}

impl World {
    fn add(&self, text: &'static str) {
        self.trace.lock().expect("no panic").push(text);
    }

    fn engine(&self) -> Result<&Engine, StepError> {
        self.engine.get().ok_or_else(|| StepError::not_done("the engine is starting"))
    }

    fn inner(&self) -> Saga<u32> {
        let mut hotel = Saga::builder("hotel");
        let (book, cancel) = (self.clone(), self.clone());
        hotel
            .step("room", move |_: StepContext<u32>| {
                book.add("room");
                async { Ok::<_, StepError>(()) }
            })
            .undo(move |_: UndoContext<u32>, _| {
                cancel.add("no room");
                async { Ok::<_, StepError>(()) }
            })
            .add();
        hotel.build().expect("a sound saga")
    }

    fn outer(&self) -> Saga<u32> {
        let mut trip = Saga::builder("trip");
        let (book, cancel) = (self.clone(), self.clone());
        trip.step("hotel", move |cx: StepContext<u32>| {
            let world = book.clone();
            async move {
                let id = SagaId::new(cx.idempotency_key())?;
                let outcome = world.engine()?.run("hotel", id, cx.input()).await?;
                // It has undone itself, or needs a person: nothing that this step could retry.
                outcome.into_completed().map_err(|error| StepError::not_done(error).terminal())?;
                Ok::<_, StepError>(())
            }
        })
        .undo(move |cx: UndoContext<u32>, _| {
            let world = cancel.clone();
            async move {
                let id = SagaId::new(cx.idempotency_key())?;
                let engine = world.engine()?;
                if engine.report(&id).await?.status() == Status::Completed {
                    engine.cancel(&id, Order::new("trip", "the trip is undone")).await?;
                }
                let outcome = engine.wait(&id).await?;
                match outcome {
                    Outcome::Compensated(_) => Ok(()),
                    other => {
                        Err(StepError::unknown(format!("the hotel is {}", other.report().status())))
                    }
                }
            }
        })
        .add();
        let fail = self.clone();
        trip.step("flight", move |_: StepContext<u32>| {
            fail.add("flight");
            async { Err::<(), _>(StepError::not_done("fully booked")) }
        })
        .no_undo("it never succeeds here")
        .add();
        trip.build().expect("a sound saga")
    }
}

#[tokio::test]
async fn undoing_the_outer_saga_undoes_the_inner_one() {
    let world = World::default();
    let engine = Engine::open(MemoryRepository::new())
        .register(world.inner())
        .register(world.outer())
        .start()
        .await
        .expect("a start");
    assert!(world.engine.set(engine.clone()).is_ok());
    let id = SagaId::new("1").expect("an id");
    let outcome = engine.run("trip", id, &1).await.expect("an outcome");
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    assert_eq!(*world.trace.lock().expect("no panic"), ["room", "flight", "no room"]);
    let inner = SagaId::new("trip:1:hotel").expect("an id");
    let inner = engine.wait(&inner).await.expect("an outcome");
    assert!(matches!(inner, Outcome::Compensated(_)));
}
