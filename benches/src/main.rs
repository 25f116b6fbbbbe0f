//! The benchmarks: `cargo run --release -p benches`. Each figure stands beside a yardstick that was
//! measured in the same run; a rate without one says little about a noisy machine.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark that can't go on has no result")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command")]

mod console;
mod durable;
mod growth;
mod in_process;
mod machine;
mod million;
mod postgres;
mod raw_log;
mod records;
mod sagas;
mod table;
mod verbs;

use std::{alloc::System, fs, path::PathBuf};

use clap::{Parser, ValueEnum};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use table::Table;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Measures sagas in process, durable sagas, records of undos, and how all hold up as the
/// store grows.
#[derive(Parser)]
struct Args {
    /// What to measure; where nothing is said, all that needs no server.
    what: Vec<What>,
    /// Used by the benchmark itself: the process that is measured.
    #[arg(long, hide = true, num_args = 3, value_names = ["WHAT", "URL", "IN_FLIGHT"])]
    worker: Option<Vec<String>>,
    /// Where the stores are put: the disk to be measured. Default: the directory for temporary files.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where the figures are written as JSON.
    #[arg(long, default_value = "target/benches.json")]
    json: PathBuf,
    /// A hundredth of the work: shows that the benchmarks run, measures nothing.
    #[arg(long)]
    smoke: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    InProcess,
    Durable,
    Growth,
    Records,
    Console,
    Verbs,
    /// Only where it is asked for: it needs a PostgreSQL server on the machine
    Postgres,
}

/// How much is done, and where.
struct Plan {
    dir: PathBuf,
    smoke: bool,
}

impl Plan {
    /// So much work, or a hundredth of it.
    fn scale(&self, full: u64) -> u64 {
        if self.smoke { (full / 100).max(1) } else { full }
    }

    fn folder(&self) -> tempfile::TempDir {
        tempfile::tempdir_in(&self.dir).expect("a directory for the store")
    }
}

fn main() {
    let args = Args::parse();
    if let Some([what, url, in_flight]) = args.worker.as_deref() {
        return postgres::work(what, url, in_flight.parse().expect("a number"));
    }
    let plan = Plan { dir: args.dir.unwrap_or_else(std::env::temp_dir), smoke: args.smoke };
    let wanted = |what| args.what.is_empty() || args.what.contains(&what);
    let mut tables = Vec::new();
    let mut add = |table: Table| {
        println!("{table}");
        tables.push(table);
    };
    if wanted(What::InProcess) {
        add(in_process::measure(&plan));
    }
    if wanted(What::Durable) {
        add(durable::measure(&plan));
    }
    if wanted(What::Growth) {
        add(growth::measure(&plan));
    }
    if wanted(What::Records) {
        add(records::measure(&plan));
    }
    if wanted(What::Console) {
        add(console::measure(&plan));
    }
    if wanted(What::Verbs) {
        add(verbs::measure(&plan));
    }
    if args.what.contains(&What::Postgres) {
        add(postgres::measure(&plan));
    }
    if let Some(folder) = args.json.parent() {
        fs::create_dir_all(folder).expect("a directory for the figures");
    }
    let figures = serde_json::to_string_pretty(&tables).expect("plain figures");
    fs::write(&args.json, figures).expect("the figures");
    eprintln!("figures written to {}", args.json.display());
}
