//! The checker: runs a saga of yours under every failure that it knows, and looks whether what you promise
//! still holds.
//!
//! Each run follows a *schedule* of faults, on the real engine with a virtual clock, and a store in memory or
//! another: calls that fail before or after their effect, are cut off, slow, late, doubled, or panic; a process that
//! dies at a write and a new one that takes over; a store that fails; an operator who interferes. All schedules
//! within a [`Bound`] are played, then some drawn by lot. The same check plays the same schedules each time.
//!
//! `docs/testing.md` in the repository leads from an empty test to a bug that is found and mended.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use compensation::{Saga, StepContext, StepError, UndoContext};
//! use compensation_testing::checker::Check;
//!
//! /// The world: seats that are taken, by key, and keys under which none may be taken any more.
//! #[derive(Clone, Default)]
//! struct Seats(Arc<Mutex<(Vec<String>, Vec<String>)>>);
//!
//! fn trip(seats: &Seats) -> Saga<u32> {
//!     let (take, free) = (seats.clone(), seats.clone());
//!     let mut trip = Saga::builder("trip");
//!     trip.step("seat", move |cx: StepContext<u32>| {
//!         let (taken, barred) = &mut *take.0.lock().unwrap();
//!         let key = cx.idempotency_key();
//!         if !taken.contains(&key) && !barred.contains(&key) {
//!             taken.push(key);
//!         }
//!         async { Ok::<_, StepError>(()) }
//!     })
//!     .undo(move |cx: UndoContext<u32>, _| {
//!         let (taken, barred) = &mut *free.0.lock().unwrap();
//!         taken.retain(|key| *key != cx.idempotency_key());
//!         barred.push(cx.idempotency_key());
//!         async { Ok::<_, StepError>(()) }
//!     })
//!     .add();
//!     trip.build().expect("a sound saga")
//! }
//!
//! let coverage = Check::new(|_| Seats::default(), trip, 7)
//!     .effect("seat", |seats: &Seats| seats.0.lock().unwrap().0.len() as i64)
//!     .by_lot(100)
//!     .run();
//! assert!(coverage.never().is_empty());
//! ```

mod check;
mod coverage;
mod dice;
mod explore;
mod faults;
mod hook;
mod judge;
mod line;
mod log;
mod play;
mod schedule;
mod shrink;
mod stage;
mod store;
mod text;
mod timeline;
mod watch;

pub use check::{Check, CheckError, Failure};
pub use coverage::Coverage;
pub use explore::Bound;
pub use faults::Kind;
pub use judge::Ending;
pub use line::{Line, LineError};
