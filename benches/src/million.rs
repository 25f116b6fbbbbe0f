//! A file with a million sagas, and an engine that runs 5,000 sagas a second on it: where the console and the
//! program are measured, and what their being used costs that engine.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use compensation::{Engine, RetryPolicy, Saga, SagaId, StepContext, StepError, UndoContext};
use compensation_sqlite::SqliteRepository;

use crate::{
    Plan,
    durable::{engine, sagas},
    sagas::Mode,
    table::{Table, median, number, quantile},
};

const FINISHED: u64 = 1_000_000;
const STUCK: u64 = 500;
const RARE: u64 = 40;
/// Sagas a second that the engine is to run beside.
pub(crate) const PACE: u64 = 5_000;
/// Rounds of load with and without somebody who looks.
const ROUNDS: usize = 5;

async fn no_line(_: UndoContext<bool>, _: Option<u64>) -> Result<(), StepError> {
    Err(StepError::unknown("no route to cars.internal"))
}

/// A saga that gets stuck.
fn stuck(name: &str) -> Saga<bool> {
    let mut saga = Saga::builder(name);
    saga.step("car", crate::sagas::step).undo(no_line).undo_retry(RetryPolicy::none()).add();
    saga.step("card", |_: StepContext<bool>| async {
        Err::<u64, _>(StepError::not_done("refused"))
    })
    .no_undo("by hand")
    .add();
    saga.build().expect("a sound saga")
}

/// A file with a million finished sagas, some stuck ones and a rare definition. The engine that wrote it.
pub(crate) async fn fill(path: &Path, plan: &Plan) -> Engine {
    let filler = engine(path).await;
    let (mut left, count) = (plan.scale(FINISHED), plan.scale(FINISHED));
    let rare = engine_of(path, [stuck("stuck"), stuck("rare")]).await;
    let mut written = false;
    while left > 0 {
        let rate = sagas(&filler, Mode::Mixed, 256, Duration::from_millis(500)).await;
        left = left.saturating_sub(rate.sagas as u64);
        if left < count / 2 && !written {
            written = true;
            for number in 0..STUCK {
                let id = SagaId::new(format!("stuck-{number}")).expect("an id");
                let name = if number < RARE { "rare" } else { "stuck" };
                let _ = rare.run(name, id, &true).await.expect("an end");
            }
        }
    }
    rare.drain().await;
    filler
}

async fn engine_of(path: &Path, all: [Saga<bool>; 2]) -> Engine {
    let store = SqliteRepository::open(path).expect("a store");
    let builder = all.into_iter().fold(Engine::open(store), |builder, saga| builder.register(saga));
    builder.without_recovery().start().await.expect("a start")
}

/// An engine that is given sagas at a pace, until this is dropped.
pub(crate) struct Load {
    task: tokio::task::JoinHandle<()>,
    done: Arc<AtomicU64>,
    latencies: Arc<std::sync::Mutex<Vec<f64>>>,
    since: Instant,
}

impl Load {
    pub(crate) fn begin(engine: &Engine, pace: u64) -> Self {
        let (done, latencies) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let task = tokio::spawn(drive(engine.clone(), pace, done.clone(), Arc::clone(&latencies)));
        Self { task, done, latencies, since: Instant::now() }
    }

    /// Sagas a second, and their median and 99 % latency in milliseconds.
    fn end(self) -> (f64, f64, f64) {
        let rate = self.done.load(Relaxed) as f64 / self.since.elapsed().as_secs_f64();
        let mut latencies = std::mem::take(&mut *self.latencies.lock().expect("no panic"));
        latencies.sort_by(f64::total_cmp);
        (rate, quantile(&latencies, 0.5), quantile(&latencies, 0.99))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn drive(
    engine: Engine,
    pace: u64,
    done: Arc<AtomicU64>,
    latencies: Arc<std::sync::Mutex<Vec<f64>>>,
) {
    let tick = Duration::from_millis(10);
    let each = (pace / 100).max(1);
    let mut ticks = tokio::time::interval(tick);
    loop {
        ticks.tick().await;
        for _ in 0..each {
            let (engine, done, latencies) = (engine.clone(), done.clone(), latencies.clone());
            tokio::spawn(async move {
                let start = Instant::now();
                if engine.run("trip", SagaId::random(), &false).await.is_ok() {
                    done.fetch_add(1, Relaxed);
                    let taken = start.elapsed().as_secs_f64() * 1_000.0;
                    latencies.lock().expect("no panic").push(taken);
                }
            });
        }
    }
}

/// How long something took, each time that it was asked for, in milliseconds.
pub(crate) fn took(table: &mut Table, name: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    table.row([
        format!("{name}, ms"),
        format!("{:.1} (p99 {:.1})", quantile(&times, 0.5), quantile(&times, 0.99)),
        "aim: under 50".to_owned(),
        String::new(),
    ]);
}

/// What it costs an engine that somebody looks.
/// `used`: what is done to it, for a table; `usage` does so for a while.
pub(crate) async fn slowing(
    table: &mut Table,
    worker: &Engine,
    plan: &Plan,
    used: &str,
    usage: impl AsyncFn(Duration),
) {
    let span = Duration::from_millis(plan.scale(5_000).max(50));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let (mut most_with, mut most_without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let load = Load::begin(worker, plan.scale(PACE));
        tokio::time::sleep(span).await;
        without.push(load.end());
        let load = Load::begin(worker, plan.scale(PACE));
        usage(span).await;
        with.push(load.end());
        most_without.push(sagas(worker, Mode::Forward, 64, span).await.per_second);
        let (rate, ()) = tokio::join!(sagas(worker, Mode::Forward, 64, span), usage(span));
        most_with.push(rate.per_second);
    }
    let of = |all: &[(f64, f64, f64)], which: fn(&(f64, f64, f64)) -> f64| {
        median(all.iter().map(which).collect())
    };
    let mut row = |what: &str, figure: f64, yardstick: f64| {
        table.row([
            format!("{what} while {used}"),
            number(figure),
            format!("{} undisturbed", number(yardstick)),
            format!("{:.2}", figure / yardstick),
        ]);
    };
    row("sagas/s at that pace", of(&with, |it| it.0), of(&without, |it| it.0));
    row("their p50, µs,", of(&with, |it| it.1) * 1e3, of(&without, |it| it.1) * 1e3);
    row("their p99, µs,", of(&with, |it| it.2) * 1e3, of(&without, |it| it.2) * 1e3);
    row("most sagas/s, 64 in flight,", median(most_with), median(most_without));
}
