//! What the manager costs in workflow code, beside the same workflow by hand in the same run: `cargo bench`.
//! There is no server and no worker: a driver in this process feeds both with the same answers.
#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark that can't go on has no result")]
#![allow(clippy::print_stdout, reason = "a command")]

mod driver;
mod workflows;

use std::time::{Duration, Instant};

use driver::{End, drive};
use workflows::{ByHand, Managed, Plan};

/// The time in workflow code that a step with its undo may cost beyond that by hand.
const AIM: Duration = Duration::from_micros(20);

/// Workflows of each kind that are measured, after a tenth of them to warm up.
const ROUNDS: usize = 2_000;

fn main() {
    println!("in workflow code, median of {ROUNDS} workflows each, by turns; per step in µs\n");
    println!("| workflow | by hand | manager | overhead |");
    println!("|---|---|---|---|");
    let mut worst = 0.0_f64;
    for steps in [3, 10, 50] {
        for fails in [false, true] {
            worst = worst.max(row(steps, fails));
        }
    }
    let aim = AIM.as_secs_f64() * 1e6;
    let met = if worst < aim { "met" } else { "missed" };
    println!("\nthe aim, less than {aim:.0} µs a step, is {met}");
    if worst >= aim {
        std::process::exit(1);
    }
}

/// Measures one kind of workflow; the overhead of a step in µs.
fn row(steps: u32, fails: bool) -> f64 {
    let plan = Plan { steps, fails };
    let (mut by_hand, mut managed) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + ROUNDS / 10 {
        let hand = measured(|| drive::<ByHand>(&plan), &plan);
        let manager = measured(|| drive::<Managed>(&plan), &plan);
        if round >= ROUNDS / 10 {
            by_hand.push(hand);
            managed.push(manager);
        }
    }
    let per_step = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6 / f64::from(steps)
    };
    let (by_hand, managed) = (per_step(&mut by_hand), per_step(&mut managed));
    let what = if fails { "the last fails, the others are undone" } else { "all succeed" };
    let overhead = managed - by_hand;
    println!("| {steps} steps, {what} | {by_hand:.1} | {managed:.1} | {overhead:.1} |");
    overhead
}

fn measured(run: impl FnOnce() -> End, plan: &Plan) -> Duration {
    let start = Instant::now();
    let end = run();
    let span = start.elapsed();
    let undos = if plan.fails { plan.steps - 1 } else { 0 };
    assert_eq!(end.activities, plan.steps + undos, "both do the same");
    assert_eq!(end.completed, !plan.fails);
    span
}
