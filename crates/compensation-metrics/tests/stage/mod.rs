//! A saga of two steps whose parts fail when told to, for the tests of this crate.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use compensation::{
    Engine, News, Notice, RetryPolicy, Saga, SagaId, StepContext, StepError, Timestamp,
    UndoContext, repository::Repository,
};

#[derive(Clone, Default)]
pub(crate) struct Stage {
    charge: Arc<AtomicBool>,
    cancel: Arc<AtomicBool>,
}

impl Stage {
    pub(crate) fn charge_fails(&self, fails: bool) {
        self.charge.store(fails, SeqCst);
    }

    pub(crate) fn cancel_fails(&self, fails: bool) {
        self.cancel.store(fails, SeqCst);
    }

    pub(crate) fn trip(&self) -> Saga<()> {
        let (charge, cancel) = (self.charge.clone(), self.cancel.clone());
        let mut trip = Saga::<()>::builder("trip");
        let car = trip
            .step("car", |_: StepContext<()>| async { Ok::<(), StepError>(()) })
            .undo(move |_: UndoContext<()>, _: Option<()>| {
                let fails = cancel.load(SeqCst);
                async move { if fails { Err(StepError::unknown("no line")) } else { Ok(()) } }
            })
            .undo_retry(RetryPolicy::none())
            .add();
        trip.step("charge", move |_: StepContext<()>| {
            let fails = charge.load(SeqCst);
            async move { if fails { Err(StepError::unknown("refused")) } else { Ok(()) } }
        })
        .retry(RetryPolicy::none())
        .no_undo("by hand")
        .after(&car)
        .add();
        trip.build().expect("a sound saga")
    }

    pub(crate) async fn engine(&self, store: Arc<dyn Repository>) -> Engine {
        let engine = Engine::open_shared(store).register(self.trip());
        engine.without_recovery().start().await.expect("a start")
    }
}

pub(crate) fn created(saga: &str) -> Notice {
    let now = Timestamp::from_millis(0);
    Notice { id: id("1"), saga: saga.into(), created: now, at: now, news: News::Created }
}

pub(crate) fn interrupted(saga: &str) -> Notice {
    Notice { news: News::Interrupted { step: "car".into() }, ..created(saga) }
}

pub(crate) fn id(text: &str) -> SagaId {
    SagaId::new(text).expect("a good id")
}

/// Runs it on a virtual clock.
pub(crate) fn life<T>(main: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(main)
}
