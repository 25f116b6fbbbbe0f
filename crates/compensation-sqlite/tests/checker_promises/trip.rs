//! A small saga, under every fault that the checker knows.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
};

use compensation::{Saga, StepContext, StepError, UndoContext};
use compensation_testing::checker::{Bound, Check, CheckError};

use crate::places::{closed, losing_power, losing_power_on_a_disk_that_lies};

#[derive(Clone, Default)]
struct Desk(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    booked: BTreeSet<String>,
    /// Cancelled, so that nothing is booked under that key any more.
    barred: BTreeSet<String>,
}

impl Desk {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().expect("nothing panics while it is held")
    }

    fn booked(&self, step: &str) -> i64 {
        self.books().booked.iter().filter(|key| key.ends_with(step)).count() as i64
    }

    fn book(&self, key: String) -> Result<(), StepError> {
        let mut books = self.books();
        if books.barred.contains(&key) {
            return Err(StepError::not_done("it has been cancelled").terminal());
        }
        books.booked.insert(key);
        Ok(())
    }

    fn cancel(&self, key: String) {
        let mut books = self.books();
        books.booked.remove(&key);
        books.barred.insert(key);
    }
}

/// Two bookings. `forgetful`: nothing is cancelled where it is not known whether it was booked.
fn trip(desk: &Desk, forgetful: bool) -> Saga<u32> {
    let mut trip = Saga::builder("trip");
    for name in ["room", "car"] {
        let (book, cancel) = (desk.clone(), desk.clone());
        trip.step(name, move |cx: StepContext<u32>| {
            let booked = book.book(cx.idempotency_key());
            async move { booked }
        })
        .undo(move |cx: UndoContext<u32>, known: Option<()>| {
            if known.is_some() || !forgetful {
                cancel.cancel(cx.idempotency_key());
            }
            async { Ok::<_, StepError>(()) }
        })
        .add();
    }
    trip.build().expect("a sound saga")
}

fn check(forgetful: bool) -> Check<Desk, u32> {
    Check::new(|_| Desk::default(), move |desk| trip(desk, forgetful), 7)
        .effect("room", |desk: &Desk| desk.booked("room"))
        .effect("car", |desk: &Desk| desk.booked("car"))
        .bound(Bound::Singles)
        .by_lot(0)
}

#[test]
fn every_fault_of_a_small_saga_does_on_a_file_what_it_does_in_memory() {
    let in_memory = check(false).run();
    assert!(in_memory.schedules() > 200, "{in_memory}");
    assert_eq!(check(false).store(closed).run().to_string(), in_memory.to_string());
}

#[test]
fn the_power_may_fail_at_every_write_and_every_call_of_a_small_saga() {
    let in_memory = check(false).run().to_string();
    assert_eq!(check(false).store(losing_power).run().to_string(), in_memory);
}

#[test]
fn a_saga_that_forgets_an_undo_is_found_on_a_file_as_in_memory() {
    let Err(CheckError::Broken(in_memory)) = check(true).check() else { panic!("a bug is there") };
    let Err(CheckError::Broken(found)) = check(true).store(closed).check() else {
        panic!("a bug is there")
    };
    assert_eq!(found.to_string(), in_memory.to_string());
}

#[test]
fn a_store_that_loses_what_it_acknowledged_is_found() {
    let lies = || check(false).store(losing_power_on_a_disk_that_lies);
    let Err(CheckError::Broken(found)) = lies().check() else { panic!("the disk lies") };
    assert_eq!(found.invariant(), "the promises of the library", "{found}");
    assert!(found.timeline().contains("*** "), "{found}");
    eprintln!("{found}");
    assert!(lies().replay(found.schedule()).check().is_err());
}
