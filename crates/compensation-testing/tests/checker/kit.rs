//! The checker itself: what it plays, what it says, and that it is the same each time.

use std::future::pending;

use compensation::{Saga, Status, StepContext, StepError, UndoContext};
use compensation_testing::checker::{Bound, Check, CheckError, Kind};

use crate::hotel::{Books, Hotel, action, book, cancel, check, undo};

/// Five steps in a row, all of them right.
fn five(hotel: &Hotel) -> Saga<u32> {
    let mut trip = Saga::builder("five");
    for step in ["flight", "car", "room", "dinner", "guide"] {
        trip.step(step, action(hotel, book)).undo(undo(hotel, cancel)).add();
    }
    trip.build().expect("a sound saga")
}

fn one(hotel: &Hotel) -> Saga<u32> {
    let mut trip = Saga::builder("one");
    trip.step("room", action(hotel, book)).undo(undo(hotel, cancel)).add();
    trip.build().expect("a sound saga")
}

/// Its undo forgets what it does not know.
fn forgetful(hotel: &Hotel) -> Saga<u32> {
    let mut trip = Saga::builder("forgetful");
    let undone = undo(hotel, |books: &mut Books, key, known: Option<u32>| {
        known.map(|_| books.cancel(key));
        Ok(())
    });
    trip.step("room", action(hotel, book)).undo(undone).add();
    trip.build().expect("a sound saga")
}

#[test]
fn every_step_of_five_fails_in_every_way_and_its_process_dies_at_every_write() {
    let coverage = check(five).by_lot(0).run();
    assert_eq!(coverage.never(), [""; 0], "{coverage}");
    assert!(coverage.exhaustive() > 5_000, "{coverage}");
    for status in [Status::Completed, Status::Compensated, Status::Stuck, Status::Abandoned] {
        assert!(coverage.ended(status) > 100, "{coverage}");
    }
}

#[test]
fn two_checks_from_one_seed_play_the_same_schedules() {
    let coverage = |seed| check(one).seed(seed).by_lot(300).run().to_string();
    assert_eq!(coverage(1), coverage(1));
    assert_ne!(coverage(1), coverage(2));
}

#[test]
fn every_pair_of_faults_is_more_than_every_single_one() {
    let schedules = |bound| check(one).by_lot(0).bound(bound).run().schedules();
    let bounds = [Bound::Nothing, Bound::Singles, Bound::Deaths, Bound::Pairs];
    let counts = bounds.map(schedules);
    assert_eq!(counts[0], 1);
    assert!(counts.is_sorted_by(|a, b| a < b), "{counts:?}");
}

#[test]
fn a_schedule_that_is_replayed_shows_the_same_failure_and_plays_no_other() {
    let Err(CheckError::Broken(found)) = check(forgetful).check() else { panic!("a bug") };
    assert_eq!(found.schedule(), "room.act#1=lose-reply");
    let Err(CheckError::Broken(again)) = check(forgetful).replay(found.schedule()).check() else {
        panic!("the same bug")
    };
    assert_eq!(found, again);
    let coverage = check(one).replay(found.schedule()).run();
    assert_eq!(coverage.schedules(), 1);
}

#[test]
fn a_failure_by_lot_is_shrunk_to_the_fault_that_matters() {
    let found = (0..).find_map(|seed| {
        let check = check(forgetful).bound(Bound::Nothing).by_lot(20).seed(seed);
        check.check().err()
    });
    let Some(CheckError::Broken(found)) = found else { panic!("a bug") };
    assert!(!found.schedule().contains(';'), "{found}");
}

#[test]
fn a_text_that_is_no_schedule_is_refused_by_name() {
    let error = check(one).replay("room.act#1=lose-reply; flight.act#1=refuse").check();
    let Err(CheckError::BadSchedule(part)) = error else { panic!("{error:?}") };
    assert_eq!(part, "flight.act#1=refuse");
}

#[test]
fn a_kind_of_fault_that_is_left_out_never_befalls_anything() {
    let coverage = Kind::ALL.into_iter().fold(check(one), Check::without).run();
    assert_eq!(coverage.exhaustive(), 1);
    assert_eq!(coverage.ended(Status::Completed), coverage.schedules(), "{coverage}");
}

#[test]
fn a_saga_that_never_ends_is_found() {
    let endless = |_: &Hotel| {
        let mut saga = Saga::builder("endless");
        saga.step("wait", |_: StepContext<u32>| pending::<Result<(), StepError>>())
            .no_undo("nothing is done")
            .add();
        saga.build().expect("a sound saga")
    };
    let Err(CheckError::Broken(found)) = check(endless).check() else { panic!("a bug") };
    assert_eq!(found.invariant(), "the saga ends");
    assert_eq!(found.schedule(), "");
}

#[test]
fn an_effect_that_is_done_in_two_parts_is_cut_between_them() {
    // The room is booked under its key, and the key is noted only after an await.
    let halves = |hotel: &Hotel| {
        let mut trip = Saga::builder("halves");
        let (book, cancel) = (hotel.clone(), hotel.clone());
        trip.step("room", move |cx: StepContext<u32>| {
            let (hotel, key) = (book.clone(), cx.idempotency_key());
            async move {
                let booked = hotel.books().book(&key)?;
                tokio::task::yield_now().await;
                hotel.books().till += 1;
                Ok::<_, StepError>(booked)
            }
        })
        .undo(move |cx: UndoContext<u32>, _: Option<u32>| {
            let mut books = cancel.books();
            let there = books.cancel(&cx.idempotency_key());
            books.till -= i64::from(there);
            async { Ok::<_, StepError>(()) }
        })
        .add();
        trip.build().expect("a sound saga")
    };
    let check = check(halves).no_residue("the till", |hotel| hotel.books().till);
    let Err(CheckError::Broken(found)) = check.check() else { panic!("a bug") };
    assert_eq!(found.schedule(), "room.act#1=cut:1");
}
