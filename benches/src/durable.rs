//! Durable sagas on SQLite with `synchronous=FULL`, against a raw log with the same number of durable
//! waits. The two are measured in turn, so that both see the same machine.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use compensation::{Engine, Outcome, SagaId};
use compensation_sqlite::SqliteRepository;

use crate::{
    Plan,
    machine::cpu_seconds,
    raw_log::RawLog,
    sagas::{Mode, saga},
    table::{Table, median, number, quantile},
};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(2_000);
const IN_FLIGHT: [usize; 4] = [1, 8, 64, 512];

/// What a round gave.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) sagas: f64,
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    cpu_micros: f64,
}

/// Lets so many tasks do `one` after the other for a while. `one` is given a number that is never given
/// twice.
pub(crate) async fn drive<F>(
    in_flight: usize,
    span: Duration,
    one: impl Fn(u64) -> F + Send + Sync + 'static,
) -> Rate
where
    F: Future<Output = ()> + Send + 'static,
{
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let (cpu, start) = (cpu_seconds(), Instant::now());
    let one = Arc::new(one);
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| {
            let one = one.clone();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                while start.elapsed() < span {
                    let begun = Instant::now();
                    one(NUMBERS.fetch_add(1, Ordering::Relaxed)).await;
                    waits.push(begun.elapsed().as_secs_f64() * 1_000.0);
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.expect("no panic"));
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu;
    waits.sort_by(f64::total_cmp);
    let sagas = waits.len() as f64;
    Rate {
        sagas,
        per_second: sagas / seconds,
        p50: quantile(&waits, 0.50),
        p99: quantile(&waits, 0.99),
        cpu_micros: cpu / sagas * 1e6,
    }
}

/// A round of sagas.
pub(crate) async fn sagas(engine: &Engine, mode: Mode, in_flight: usize, span: Duration) -> Rate {
    let engine = engine.clone();
    drive(in_flight, span, move |number| {
        let engine = engine.clone();
        let fails = mode.fails(number);
        async move {
            let outcome = engine.run("trip", SagaId::random(), &fails).await.expect("an outcome");
            assert_eq!(matches!(outcome, Outcome::Completed(_)), !fails);
        }
    })
    .await
}

async fn raw(log: &Arc<RawLog>, mode: Mode, in_flight: usize, span: Duration) -> Rate {
    let log = log.clone();
    drive(in_flight, span, move |number| {
        let log = log.clone();
        async move {
            for _ in 0..mode.writes(number) {
                log.append().await;
            }
        }
    })
    .await
}

pub(crate) async fn engine(path: &Path) -> Engine {
    let store = SqliteRepository::open(path).expect("a store");
    Engine::open(store).register(saga()).start().await.expect("an engine")
}

pub(crate) fn measure(plan: &Plan) -> Table {
    let columns = [
        "in flight",
        "saga",
        "sagas/s",
        "raw log/s",
        "ratio",
        "p50 ms",
        "p99 ms",
        "raw p50 ms",
        "CPU µs a saga",
        "bytes a saga",
    ];
    let mut table = Table::new("Durable: SQLite, `synchronous=FULL`", &columns);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let span = Duration::from_millis(plan.scale(ROUND.as_millis() as u64).max(20));
    for in_flight in IN_FLIGHT {
        for mode in Mode::ALL {
            let folder = plan.folder();
            let path = folder.path().join("sagas.db");
            let log = Arc::new(RawLog::create(&folder.path().join("raw.log")));
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            runtime.block_on(async {
                let engine = engine(&path).await;
                for round in 0..=ROUNDS {
                    let one = sagas(&engine, mode, in_flight, span).await;
                    let two = raw(&log, mode, in_flight, span).await;
                    // The first round warms both up.
                    if round > 0 {
                        ours.push(one);
                        theirs.push(two);
                    }
                }
                engine.drain().await;
            });
            let total = count(&path);
            let bytes = std::fs::metadata(&path).expect("a store").len() as f64;
            let of =
                |all: &[Rate], value: fn(&Rate) -> f64| median(all.iter().map(value).collect());
            let ratios = ours.iter().zip(&theirs).map(|(one, two)| one.per_second / two.per_second);
            table.row([
                in_flight.to_string(),
                format!("{mode:?}").to_lowercase(),
                number(of(&ours, |one| one.per_second)),
                number(of(&theirs, |one| one.per_second)),
                format!("{:.2}", median(ratios.collect())),
                format!("{:.2}", of(&ours, |one| one.p50)),
                format!("{:.2}", of(&ours, |one| one.p99)),
                format!("{:.2}", of(&theirs, |one| one.p50)),
                number(of(&ours, |one| one.cpu_micros)),
                number(bytes / total),
            ]);
        }
    }
    table
}

/// How many sagas the file holds. Opening and closing it also folds the write-ahead log in.
fn count(path: &Path) -> f64 {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        use compensation::{Status, repository::Repository as _};
        let store = SqliteRepository::open_existing(path).expect("a store");
        let counts = store.counts().await.expect("counts");
        Status::ALL.iter().map(|&status| counts.get(status)).sum::<u64>() as f64
    })
}
