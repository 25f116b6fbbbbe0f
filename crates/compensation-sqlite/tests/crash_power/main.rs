//! The loss of power, and disks that fail: what was acknowledged is there afterwards, and what was not is there as a
//! whole or not at all.
//!
//! Each run writes through a file layer that notes down every call (`powercut`), and then looks at many images of
//! what the disk could hold, had the power failed at one moment or another. `COMPENSATION_POWER_SEEDS=1000` makes
//! a thousand runs of each kind; the number of a run that fails is printed, and `COMPENSATION_POWER_FIRST=417` begins
//! with that one.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod controls;
mod engine;
mod errors;
mod records;
mod sagas;

use std::{env, ops::Range, path::Path, sync::Arc};

use powercut::Disk;

/// Runs of each kind, where nothing is said.
const RUNS: u64 = 4;

/// Images of each run.
const IMAGES: u64 = 40;

fn seeds() -> Range<u64> {
    let number = |name| env::var(name).ok().map(|text| text.parse().expect("a number"));
    let first = number("COMPENSATION_POWER_FIRST").unwrap_or(1);
    first..first + number("COMPENSATION_POWER_SEEDS").unwrap_or(RUNS)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// Looks at images of a disk at moments by chance; `judge` is given the directory and what had been acknowledged, and
/// returns how much of that is lost. Returns in how many images anything was.
fn losses(disk: &Arc<Disk>, seed: u64, images: u64, judge: impl Fn(&Path, &[u64]) -> usize) -> u64 {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut lossy = 0;
    for _ in 0..images {
        let moment = rng.usize(0..=disk.moment());
        let image = tempfile::tempdir().expect("a directory");
        disk.cut(moment, rng.u64(..), image.path()).expect("an image");
        lossy += u64::from(judge(image.path(), &disk.acknowledged(moment)) > 0);
    }
    lossy
}

/// The file is sound by SQLite's own account.
fn assert_sound(path: &Path) {
    let db = rusqlite::Connection::open(path).expect("a database");
    let told: String =
        db.query_row("PRAGMA integrity_check", (), |row| row.get(0)).expect("an answer");
    assert_eq!(told, "ok");
}
