//! Plays one schedule: processes that start and die, an operator who orders, and the end.

use std::{future::Future, pin::pin, sync::Arc, task::Poll, time::Duration};

use compensation::{
    Applied, Engine, EngineError, Order, Outcome, Report, Saga, SagaId, Status, Value,
    machine::Phase,
    repository::{ErrorKind, RepositoryError},
};

use super::{
    hook::Hook,
    line::{Line, Names},
    log::What,
    schedule::{Moment, Schedule, Verb},
    stage::Stage,
    store::{Place, Store},
};
use crate::clock;

/// From the death of a process to the next one.
const RESTART: Duration = Duration::from_millis(10);

/// A saga that goes on for longer than this never ends.
const ENDS_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// More than one saga needs, and few to hand out and back.
const PLACES: usize = 4;

/// Tries of whoever starts the saga, should the store refuse.
const STARTS: u32 = 10;

type Definition<W, I> = Box<dyn Fn(&W) -> Saga<I>>;

/// What is put to the test.
pub(super) struct Subject<W, I> {
    pub(super) world: Box<dyn Fn(&Line) -> W>,
    pub(super) saga: Definition<W, I>,
    pub(super) input: I,
    /// Makes a place where nothing is stored.
    pub(super) place: Box<dyn Fn() -> Place>,
    pub(super) names: Names,
}

/// How one run went.
pub(super) struct Played<W> {
    pub(super) stage: Stage,
    pub(super) world: W,
    /// `None`: it did not end.
    pub(super) report: Option<Report>,
    pub(super) error: Option<String>,
}

impl<W, I: Value> Subject<W, I> {
    /// A world that nothing has happened to.
    pub(super) fn fresh(&self) -> W {
        let nobody = Stage::new(&Schedule::default(), false);
        (self.world)(&Line::new(self.names.clone(), nobody))
    }

    /// Runs the saga on a virtual clock of its own.
    pub(super) fn play(&self, schedule: &Schedule, told: bool) -> std::io::Result<Played<W>> {
        // Waits have a random part: the same one each time.
        fastrand::seed(7);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        Ok(runtime.block_on(self.run(schedule, told)))
    }

    async fn run(&self, schedule: &Schedule, told: bool) -> Played<W> {
        let names = self.names.clone();
        let place = undisturbed(&self.place);
        let stage = Stage::new(schedule, told);
        let world = (self.world)(&Line::new(names, stage.clone()));
        let saga = (self.saga)(&world);
        stage.plays(saga.plan());
        let ended = clock::within(ENDS_WITHIN, self.lives(&stage, &saga, &place)).await;
        // Closed before its place goes.
        stage.leave();
        let (report, error) = match ended {
            Some(Ok(report)) => (Some(report), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        if let Some(report) = &report {
            stage.state().watch.ended(report);
            stage.stands(report.status());
        }
        Played { stage, world, report, error }
    }

    async fn lives(
        &self,
        stage: &Stage,
        saga: &Saga<I>,
        place: &Place,
    ) -> Result<Report, EngineError> {
        let report = loop {
            let life = stage.begin(undisturbed(place));
            let hook = Hook { stage: stage.clone(), life };
            let store = Store { stage: stage.clone(), life };
            let engine = Engine::open(store)
                .max_concurrent(PLACES)
                .register(saga.intercepted(Arc::new(hook)));
            let lived = async {
                let engine = engine.start().await?;
                self.live(stage, saga.name(), &engine).await
            };
            match unless_dead(stage, life, lived).await {
                Some(ended) => break ended?,
                None if stage.state().stalled => return Err(no_answer()),
                None => clock::sleep(RESTART).await,
            }
        };
        // What is late comes still.
        while stage.state().late > 0 {
            stage.changed().await;
        }
        stage.leave();
        let life = stage.enter(undisturbed(place));
        let looked = unless_dead(stage, life, self.look_back(stage, life, &report)).await;
        looked.map(|()| report).ok_or_else(no_answer)
    }

    /// What was told is what is recorded, and nothing is left to drive.
    async fn look_back(&self, stage: &Stage, life: u32, told: &Report) {
        let store = Store { stage: stage.clone(), life };
        let engine = Engine::open(store).without_recovery().start().await;
        let Ok(engine) = engine else { return };
        let recorded = engine.report(&id()).await.map(|report| report.status());
        if recorded.as_ref().ok() != Some(&told.status()) {
            let status = told.status();
            let broken =
                format!("the caller was told {status:?}, and the record says {recorded:?}");
            stage.state().watch.broken.push(broken);
        }
        engine.drain().await;
    }

    /// One life of the process.
    async fn live(
        &self,
        stage: &Stage,
        name: &str,
        engine: &Engine,
    ) -> Result<Report, EngineError> {
        let id = id();
        let mut refused = 0;
        loop {
            let ended = async {
                // The first process starts it. Whoever comes later goes on, if it is there.
                match engine.finish(&id).await {
                    Err(EngineError::NotFound(_)) => {
                        engine.run(name, id.clone(), &self.input).await
                    }
                    ended => ended,
                }
            };
            let outcome = match first(ended, operate(stage, engine, &id)).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    refused += 1;
                    if refused == STARTS {
                        return Err(error);
                    }
                    // Whoever started it tries again; so does the engine, if the saga is there.
                    clock::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            stage.state().watch.told(outcome.report());
            if let Outcome::Stuck(_) = outcome {
                let stuck = {
                    let mut state = stage.state();
                    state.stuck += 1;
                    state.stuck
                };
                stage.stands(Status::Stuck);
                stage.moment(Moment::Stuck(stuck));
            }
            // Also those that came too late for a saga that was running: a completed one may be cancelled.
            let orders = std::mem::take(&mut stage.state().orders);
            let mut changed = false;
            for verb in orders {
                changed |= order(stage, engine, &id, verb).await;
            }
            let now = engine.report(&id).await?;
            if now.status().is_final() || !(changed || now.status().is_open()) {
                return Ok(now);
            }
        }
    }
}

#[allow(clippy::expect_used, reason = "the text is a sound id")]
fn id() -> SagaId {
    SagaId::new("checked").expect("a sound id")
}

/// What the user's part of a place does, without a trace in the random part of the saga's waits: names of
/// temporary files are drawn from the same numbers.
fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    let seed = fastrand::get_seed();
    let done = work();
    fastrand::seed(seed);
    done
}

fn no_answer() -> EngineError {
    let why = "the store left a call without an answer for a minute: \
               one that a check plays on must not need the runtime on which it is called";
    EngineError::Store(RepositoryError::new(ErrorKind::Permanent, why).into())
}

/// Gives the orders that are due while the saga runs. Never ends.
async fn operate(stage: &Stage, engine: &Engine, id: &SagaId) {
    loop {
        let orders = std::mem::take(&mut stage.state().orders);
        for verb in orders {
            order(stage, engine, id, verb).await;
        }
        stage.changed().await;
    }
}

/// Gives an order: to every step that is parked, or to the first one where none is. Says whether any was
/// taken.
async fn order(stage: &Stage, engine: &Engine, id: &SagaId, verb: Verb) -> bool {
    let order = || Order::new("operator", "the schedule says so");
    let Ok(report) = engine.report(id).await else { return false };
    let mut steps: Vec<_> = report.parked().map(|(step, _)| step.to_owned()).collect();
    if steps.is_empty() || matches!(verb, Verb::Cancel | Verb::Abandon) {
        steps = report.steps().take(1).map(|(step, _)| step.to_owned()).collect();
    }
    let mut taken = false;
    for step in steps {
        let done = match verb {
            Verb::Cancel => engine.cancel(id, order()).await,
            Verb::Retry => engine.retry(id, &step, order()).await,
            Verb::Skip => engine.skip(id, &step, order()).await,
            // Said of what was seen to be parked.
            Verb::Done if matches!(report.phase(&step), Some(Phase::UndoParked(_))) => {
                engine.mark_undone(id, &step, order()).await
            }
            Verb::Done => engine.mark_done(id, &step, None, order()).await,
            Verb::Abandon => engine.abandon(id, order()).await,
        };
        // An order that the store refused may have been written down.
        taken |= matches!(done, Ok(Applied::Changed) | Err(EngineError::Store(_)));
        let step = match verb {
            Verb::Cancel | Verb::Abandon => None,
            _ => report.plan().find(&step),
        };
        let refused = match done {
            Ok(Applied::Changed) => None,
            Ok(Applied::Already) => Some("it was so already".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        stage.note(What::Ordered { verb, step, refused });
    }
    taken
}

/// The first of the two; the second has no end.
async fn first<T>(one: impl Future<Output = T>, other: impl Future<Output = ()>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|cx| {
        let polled = one.as_mut().poll(cx);
        if polled.is_pending() {
            let _ = other.as_mut().poll(cx);
        }
        polled
    })
    .await
}

/// `None`: the process died before.
async fn unless_dead<T>(stage: &Stage, life: u32, lived: impl Future<Output = T>) -> Option<T> {
    let mut lived = pin!(lived);
    std::future::poll_fn(|cx| {
        if !stage.is_alive(life) {
            return Poll::Ready(None);
        }
        stage.wakes(cx.waker());
        match lived.as_mut().poll(cx) {
            Poll::Ready(ended) if stage.is_alive(life) => Poll::Ready(Some(ended)),
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending if stage.is_alive(life) => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        }
    })
    .await
}
