//! In process: a saga of three steps that do nothing, against the same three calls written by hand.

use std::{future::Future, hint::black_box, pin::Pin, time::Instant};

use compensation::Outcome;
use stats_alloc::Region;

use crate::{
    ALLOCATOR, Plan,
    sagas::saga,
    table::{Table, median, number},
};

const SAGAS: u64 = 400_000;
const ROUNDS: usize = 9;

type Call = Pin<Box<dyn Future<Output = Result<u64, ()>> + Send>>;

async fn call(fails: bool) -> Result<u64, ()> {
    if black_box(fails) { Err(()) } else { Ok(black_box(1)) }
}

fn boxed(fails: bool) -> Call {
    Box::pin(call(fails))
}

/// The three calls and, where the third fails, the two undos, as a careful person writes them: each call
/// behind a boxed future, as it is where steps are values.
async fn by_hand(fails: bool) -> Result<u64, ()> {
    let first = boxed(false).await?;
    let Ok(second) = boxed(false).await else {
        boxed(false).await?;
        return Err(());
    };
    let Ok(third) = boxed(fails).await else {
        boxed(false).await?;
        boxed(false).await?;
        return Err(());
    };
    Ok(first + second + third)
}

struct Figures {
    nanos: f64,
    allocations: f64,
    kept: f64,
}

/// Runs `one` again and again.
async fn time<F: Future>(sagas: u64, one: impl Fn() -> F) -> Figures {
    let memory = Region::new(ALLOCATOR);
    let start = Instant::now();
    for _ in 0..sagas {
        black_box(one().await);
    }
    let nanos = start.elapsed().as_nanos() as f64 / sagas as f64;
    let memory = memory.change();
    let kept = memory.bytes_allocated as f64 - memory.bytes_deallocated as f64;
    let allocations = memory.allocations as f64 / sagas as f64;
    Figures { nanos, allocations, kept: kept / sagas as f64 }
}

pub(crate) fn measure(plan: &Plan) -> Table {
    let columns =
        ["saga", "ns", "by hand, ns", "allocations", "by hand", "bytes kept a finished saga"];
    let mut table = Table::new("In process: three steps that do nothing", &columns);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let sagas = plan.scale(SAGAS);
    let saga = saga();
    for (name, fails) in [("forward", false), ("third step fails, two undos", true)] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            runtime.block_on(async {
                ours.push(
                    time(sagas / ROUNDS as u64 + 1, || async {
                        let outcome = saga.run(fails).await;
                        assert_eq!(matches!(outcome, Outcome::Completed(_)), !fails);
                    })
                    .await,
                );
                theirs.push(time(sagas / ROUNDS as u64 + 1, || by_hand(fails)).await);
            });
        }
        let of = |all: &[Figures], value: fn(&Figures) -> f64| {
            median(all.iter().map(value).collect::<Vec<_>>())
        };
        table.row([
            name.to_owned(),
            number(of(&ours, |one| one.nanos)),
            number(of(&theirs, |one| one.nanos)),
            format!("{:.1}", of(&ours, |one| one.allocations)),
            format!("{:.1}", of(&theirs, |one| one.allocations)),
            format!("{:.2}", of(&ours, |one| one.kept)),
        ]);
    }
    table
}
