//! How the store holds up as it grows: speed with a million finished sagas in the file, memory over many
//! sagas, opening, and taking over what a dead process left.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use compensation::{
    Engine, SagaId, Status, Timestamp,
    repository::{Entry, Head, NewSaga, Repository as _},
};
use compensation_sqlite::SqliteRepository;

use crate::{
    Plan,
    durable::{engine, sagas},
    machine::resident_mib,
    sagas::{Mode, saga},
    table::{Table, median, number},
};

const FINISHED: u64 = 1_000_000;
const MEMORY: u64 = 200_000;
const INTERRUPTED: u64 = 100_000;
const IN_FLIGHT: usize = 64;
const ROUNDS: usize = 5;

pub(crate) fn measure(plan: &Plan) -> Table {
    let mut table = Table::new("Growth", &["what", "figure", "yardstick", "ratio"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = plan.folder();
    let (full, empty) = (folder.path().join("full.db"), folder.path().join("empty.db"));
    let finished = plan.scale(FINISHED);
    runtime.block_on(async {
        let filler = engine(&full).await;
        let before = fill(&filler, finished.saturating_sub(plan.scale(MEMORY))).await;
        let after = fill(&filler, plan.scale(MEMORY)).await;
        filler.drain().await;
        table.row([
            format!("resident memory after {} further sagas", number(plan.scale(MEMORY) as f64)),
            format!("{after:.0} MiB"),
            format!("{before:.0} MiB before them"),
            format!("{:.2}", after / before),
        ]);
    });
    opening(&mut table, &full, finished);
    runtime.block_on(async {
        let span = Duration::from_millis(plan.scale(2_000).max(20));
        let (old, new) = (engine(&full).await, engine(&empty).await);
        for mode in [Mode::Forward, Mode::Undo] {
            let (mut with, mut without) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                with.push(sagas(&old, mode, IN_FLIGHT, span).await.per_second);
                without.push(sagas(&new, mode, IN_FLIGHT, span).await.per_second);
            }
            let ratios = with.iter().zip(&without).map(|(with, without)| with / without).collect();
            table.row([
                format!("{mode:?} sagas/s with {} finished in the file", number(finished as f64))
                    .to_lowercase(),
                number(median(with)),
                format!("{} in an empty one", number(median(without))),
                format!("{:.2}", median(ratios)),
            ]);
        }
        old.drain().await;
        new.drain().await;
    });
    taking_over(&mut table, &runtime, &folder.path().join("left.db"), plan.scale(INTERRUPTED));
    table
}

/// Runs so many sagas, and tells the resident memory at their end.
async fn fill(engine: &Engine, count: u64) -> f64 {
    let mut left = count;
    while left > 0 {
        let rate = sagas(engine, Mode::Forward, 256, Duration::from_millis(500)).await;
        left = left.saturating_sub(rate.sagas as u64);
    }
    resident_mib()
}

fn opening(table: &mut Table, path: &Path, finished: u64) {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        let store = SqliteRepository::open_existing(path).expect("a store");
        let taken = start.elapsed();
        drop(store);
        taken.as_secs_f64() * 1_000.0
    });
    table.row([
        format!("opening a file with {} finished sagas", number(finished as f64)),
        format!("{:.1} ms", median(times.collect())),
        "aim: under 100 ms".to_owned(),
        String::new(),
    ]);
}

fn taking_over(table: &mut Table, runtime: &tokio::runtime::Runtime, path: &Path, left: u64) {
    runtime.block_on(leave(path, left));
    let seconds = runtime.block_on(async {
        let start = Instant::now();
        let engine = engine(path).await;
        engine.idle().await.expect("idle");
        let seconds = start.elapsed().as_secs_f64();
        let counts = engine.counts().await.expect("counts");
        assert_eq!(counts.get(Status::Completed), left);
        engine.drain().await;
        seconds
    });
    table.row([
        format!("taking over and ending {} interrupted sagas", number(left as f64)),
        format!("{}/s", number(left as f64 / seconds)),
        "aim: 10,000/s".to_owned(),
        String::new(),
    ]);
}

/// Sagas of an owner that dies: started, and cut off in their second step.
async fn leave(path: &Path, count: u64) {
    let store = Arc::new(SqliteRepository::open(path).expect("a store"));
    let plan: Arc<str> = serde_json::to_string(saga().plan()).expect("a plan").into();
    let tasks: Vec<_> = (0..256)
        .map(|task| {
            let (store, plan) = (store.clone(), plan.clone());
            tokio::spawn(async move {
                for _ in (task..count).step_by(256) {
                    let head = Head { status: Status::Running, reason: None };
                    let body = r#"[{"e":"action_started","s":0},{"e":"action_done","s":0,"output":1},{"e":"action_started","s":1}]"#;
                    let saga = NewSaga {
                        id: SagaId::random(),
                        name: "trip".into(),
                        plan: plan.clone(),
                        input: "false".to_owned(),
                        head,
                        entry: Entry { at: Timestamp::now(), body: body.to_owned() },
                    };
                    store.create(saga).await.expect("a start");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
}
