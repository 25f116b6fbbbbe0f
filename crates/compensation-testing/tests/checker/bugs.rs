//! The checker finds a bug of each common kind, and has nothing to say of the saga without it.

use std::time::Duration;

use compensation::{RetryPolicy, Saga, StepContext, StepError};

use crate::hotel::{Books, Hotel, action, book, cancel, check, finds, undo};

fn mail(trip: &mut compensation::Builder<u32>) {
    trip.step("mail", |_: StepContext<u32>| async { Ok::<_, StepError>(()) })
        .no_undo("words can't be taken back")
        .add();
}

/// A room and its payment, which the given undo takes back.
fn paid(hotel: &Hotel, repay: fn(&mut Books, &str) -> bool) -> Saga<u32> {
    let mut trip = Saga::builder("trip");
    trip.step("room", action(hotel, book)).undo(undo(hotel, cancel)).add();
    let pay = action(hotel, |books, key| {
        let known = books.booked.contains_key(key);
        books.book(key)?;
        books.till += i64::from(!known);
        Ok(())
    });
    let repay = undo(hotel, move |books, key, _| {
        books.till -= i64::from(repay(books, key));
        Ok(())
    });
    trip.step("pay", pay).undo(repay).add();
    mail(&mut trip);
    trip.build().expect("a sound saga")
}

/// Bars the payment, and says that there was one, as often as it is asked.
fn repays_twice(books: &mut Books, key: &str) -> bool {
    books.barred.insert(key.to_owned());
    books.booked.contains_key(key)
}

#[test]
fn an_undo_that_must_not_run_twice_is_found() {
    let check = |repay| check(move |hotel| paid(hotel, repay)).effect("pay", |h| h.books().till);
    finds("an-undo-that-runs-twice", check(repays_twice));
    check(Books::cancel).run();
}

/// A room that the given undo cancels.
fn room(
    hotel: &Hotel,
    cancel: fn(&mut Books, &str, Option<u32>) -> Result<(), StepError>,
) -> Saga<u32> {
    let mut trip = Saga::builder("trip");
    trip.step("room", action(hotel, book))
        .undo(undo(hotel, cancel))
        .undo_retry(RetryPolicy::new(2).without_jitter())
        .add();
    trip.build().expect("a sound saga")
}

#[test]
fn an_undo_that_fails_where_there_is_nothing_to_undo_is_found() {
    let misses = |books: &mut Books, key: &str, _| match books.cancel(key) {
        true => Ok(()),
        false => Err(StepError::unknown("no such booking")),
    };
    finds("nothing-to-undo", check(move |hotel| room(hotel, misses)));
    check(|hotel| room(hotel, cancel)).run();
}

#[test]
fn an_undo_that_needs_what_only_a_lost_reply_tells_is_found() {
    let by_number = |books: &mut Books, _: &str, number: Option<u32>| {
        books.booked.retain(|_, booked| Some(*booked) != number);
        Ok(())
    };
    finds("a-number-that-got-lost", check(move |hotel| room(hotel, by_number)));
    check(|hotel| room(hotel, cancel)).run();
}

/// A room and a breakfast, which can't be cancelled once its room is.
fn breakfast(hotel: &Hotel, ordered: bool) -> Saga<u32> {
    let mut trip = Saga::builder("trip");
    // Else a breakfast that waits for a person would not keep its room.
    trip.halt_on_undo_failure();
    let room = trip.step("room", action(hotel, book)).undo(undo(hotel, cancel)).add();
    let no_breakfast = undo(hotel, |books, key, _: Option<u32>| {
        if books.barred.iter().any(|key| key.ends_with("room")) {
            return Err(StepError::unknown("whose breakfast?").terminal());
        }
        books.cancel(key);
        Ok(())
    });
    let step = trip.step("breakfast", action(hotel, book)).undo(no_breakfast);
    let breakfast = if ordered { step.after(&room) } else { step.independent() }.add();
    trip.step("mail", |_: StepContext<u32>| async { Ok::<_, StepError>(()) })
        .after(&room)
        .after(&breakfast)
        .no_undo("words can't be taken back")
        .add();
    trip.build().expect("a sound saga")
}

#[test]
fn a_dependence_that_nobody_declared_is_found() {
    let check = |ordered| check(move |hotel| breakfast(hotel, ordered));
    finds("a-missing-order", check(false).undoes_before("breakfast", "room"));
    check(true).undoes_before("breakfast", "room").run();
}

/// Books over the line, and reads silence as the given error.
fn over_the_line(hotel: &Hotel, silence: fn(&'static str) -> StepError) -> Saga<u32> {
    let mut trip = Saga::builder("trip");
    let here = hotel.clone();
    let room = move |cx: StepContext<u32>| {
        let (here, there, key) = (here.clone(), here.clone(), cx.idempotency_key());
        async move {
            let booked = here.line.call("book", move || there.books().book(&key));
            match tokio::time::timeout(Duration::from_secs(5), booked).await {
                Ok(Ok(booked)) => booked,
                Ok(Err(broken)) => Err(StepError::unknown(broken)),
                Err(_) => Err(silence("the hotel does not answer")),
            }
        }
    };
    trip.step("room", room).undo(undo(hotel, cancel)).add();
    trip.build().expect("a sound saga")
}

#[test]
fn an_undo_that_is_missing_after_an_unknown_outcome_is_found() {
    finds("silence-for-a-no", check(|hotel| over_the_line(hotel, StepError::not_done)));
    check(|hotel| over_the_line(hotel, StepError::unknown)).run();
}
