//! A small saga, under every fault that the checker knows.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
};

use compensation::{Saga, StepContext, StepError, UndoContext};
use compensation_testing::checker::{Bound, Check, CheckError};

use crate::places::{closed, forgetting, losing_power, losing_power_on_a_disk_that_lies};

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

/// How a trip is booked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Room,
    RoomAndCar,
    /// Nothing is cancelled where it is not known whether it was booked.
    Forgetful,
}

fn trip(desk: &Desk, kind: Kind) -> Saga<u32> {
    let mut trip = Saga::builder("trip");
    let steps = ["room", "car"];
    let steps = if kind == Kind::Room { &steps[..1] } else { &steps[..] };
    for &name in steps {
        let (book, cancel) = (desk.clone(), desk.clone());
        trip.step(name, move |cx: StepContext<u32>| {
            let booked = book.book(cx.idempotency_key());
            async move { booked }
        })
        .undo(move |cx: UndoContext<u32>, known: Option<()>| {
            if known.is_some() || kind != Kind::Forgetful {
                cancel.cancel(cx.idempotency_key());
            }
            async { Ok::<_, StepError>(()) }
        })
        .add();
    }
    trip.build().expect("a sound saga")
}

fn check(kind: Kind) -> Check<Desk, u32> {
    Check::new(|_| Desk::default(), move |desk| trip(desk, kind), 7)
        .effect("room", |desk: &Desk| desk.booked("room"))
        .effect("car", |desk: &Desk| desk.booked("car"))
        .bound(Bound::Singles)
        .by_lot(0)
}

#[test]
fn every_single_fault_does_on_a_file_what_it_does_in_memory() {
    let in_memory = check(Kind::RoomAndCar).run();
    assert!(in_memory.schedules() > 50, "{in_memory}");
    let on_a_file = check(Kind::RoomAndCar).store(closed).run();
    assert_eq!(on_a_file.to_string(), in_memory.to_string());
}

#[test]
fn the_power_may_fail_at_every_write_beside_every_other_fault() {
    let check = || check(Kind::Room).bound(Bound::Deaths);
    let in_memory = check().run();
    assert!(in_memory.schedules() > 300, "{in_memory}");
    assert_eq!(check().store(losing_power).run().to_string(), in_memory.to_string());
}

#[test]
fn a_saga_that_forgets_an_undo_is_found_on_a_file_as_in_memory() {
    let check = || check(Kind::Forgetful);
    let Err(CheckError::Broken(in_memory)) = check().check() else { panic!("a bug is there") };
    let Err(CheckError::Broken(found)) = check().store(closed).check() else {
        panic!("a bug is there")
    };
    assert_eq!(found.to_string(), in_memory.to_string());
    assert_eq!(found.invariant(), "all or nothing: `room`");
}

#[test]
fn a_store_that_forgets_its_last_entry_is_found() {
    let forgets = || check(Kind::RoomAndCar).store(forgetting);
    let Err(CheckError::Broken(found)) = forgets().check() else { panic!("the store forgets") };
    assert_eq!(found.what(), "step 0 runs again although it is recorded as done", "{found}");
    assert!(forgets().replay(found.schedule()).check().is_err());
}

#[test]
fn a_disk_that_does_not_keep_what_it_synced_is_found_without_any_fault() {
    let lies = check(Kind::Room).store(losing_power_on_a_disk_that_lies);
    let Err(CheckError::Broken(found)) = lies.check() else { panic!("the disk lies") };
    assert_eq!(found.schedule(), "", "{found}");
}
