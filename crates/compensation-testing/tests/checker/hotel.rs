//! A hotel in memory, and a saga on it that is right: what the sagas with bugs are made from.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};

use compensation::{Saga, StepContext, StepError, UndoContext};
use compensation_testing::checker::{Check, Line};

#[derive(Clone)]
pub(crate) struct Hotel {
    pub(crate) line: Line,
    books: Arc<Mutex<Books>>,
}

#[derive(Default)]
pub(crate) struct Books {
    /// What is booked, by the key of the booking.
    pub(crate) booked: BTreeMap<String, u32>,
    /// Bookings that were cancelled, so that none of that key is made any more.
    pub(crate) barred: BTreeSet<String>,
    numbers: u32,
    /// What is in the till.
    pub(crate) till: i64,
}

impl Hotel {
    pub(crate) fn new(line: &Line) -> Self {
        Self { line: line.clone(), books: Arc::default() }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("nothing panics while it is held")
    }

    /// How often something is booked for that step.
    pub(crate) fn booked(&self, step: &str) -> i64 {
        self.books().booked.keys().filter(|key| key.ends_with(step)).count() as i64
    }
}

impl Books {
    /// Once for each key, and not at all once that is cancelled.
    pub(crate) fn book(&mut self, key: &str) -> Result<u32, StepError> {
        if self.barred.contains(key) {
            return Err(StepError::not_done("it has been cancelled").terminal());
        }
        self.numbers += 1;
        Ok(*self.booked.entry(key.to_owned()).or_insert(self.numbers))
    }

    /// Whether there is a booking or not, and should there be one later. Says whether there was.
    pub(crate) fn cancel(&mut self, key: &str) -> bool {
        self.barred.insert(key.to_owned());
        self.booked.remove(key).is_some()
    }
}

pub(crate) type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StepError>> + Send>>;

/// An action that does `work` with the books, under the step's key.
pub(crate) fn action<T: Send + 'static>(
    hotel: &Hotel,
    work: impl Fn(&mut Books, &str) -> Result<T, StepError> + Send + Sync + 'static,
) -> impl Fn(StepContext<u32>) -> Answer<T> + Send + Sync + 'static {
    let (hotel, work) = (hotel.clone(), Arc::new(work));
    move |cx| {
        let (hotel, work, key) = (hotel.clone(), work.clone(), cx.idempotency_key());
        Box::pin(async move { work(&mut hotel.books(), &key) })
    }
}

/// An undo that does `work` with the books, under the step's key and with the action's output.
pub(crate) fn undo<T: Send + 'static>(
    hotel: &Hotel,
    work: impl Fn(&mut Books, &str, Option<T>) -> Result<(), StepError> + Send + Sync + 'static,
) -> impl Fn(UndoContext<u32>, Option<T>) -> Answer<()> + Send + Sync + 'static {
    let (hotel, work) = (hotel.clone(), Arc::new(work));
    move |cx, output| {
        let (hotel, work, key) = (hotel.clone(), work.clone(), cx.idempotency_key());
        Box::pin(async move { work(&mut hotel.books(), &key, output) })
    }
}

/// Books in the right way.
pub(crate) fn book(books: &mut Books, key: &str) -> Result<u32, StepError> {
    books.book(key)
}

/// Cancels in the right way.
pub(crate) fn cancel<T>(books: &mut Books, key: &str, _: Option<T>) -> Result<(), StepError> {
    books.cancel(key);
    Ok(())
}

/// A check of a saga that books a room in its step `room`.
pub(crate) fn check(saga: impl Fn(&Hotel) -> Saga<u32> + 'static) -> Check<Hotel, u32> {
    Check::new(Hotel::new, saga, 7).effect("room", |hotel| hotel.booked("room")).by_lot(200)
}

/// The check finds a bug, and says of it what is written in that file.
#[track_caller]
pub(crate) fn finds(file: &str, check: Check<Hotel, u32>) {
    let found = check.check().expect_err("a bug is there").to_string();
    let path = format!("{}/tests/checker/found/{file}.txt", env!("CARGO_MANIFEST_DIR"));
    let told = std::fs::read_to_string(&path).expect("the file is there");
    assert_eq!(found, told.trim_end(), "see {path}");
}
