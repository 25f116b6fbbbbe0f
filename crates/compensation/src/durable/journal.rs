//! The durable host: what happens to a saga becomes journal entries of a repository. One flush is one
//! durable write, however much happened since the last.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};

use super::notice::{News, Observers, Subject};
use crate::{
    clock::{self, Timestamp},
    drive::{Evidence, Host, Ordered},
    error::StepError,
    event::{Change, Event},
    handler::{AnyValue, Codec},
    machine::Machine,
    outcome::Order,
    plan::Plan,
    repository::{Append, Created, Entry, Head, NewSaga, Repository, RepositoryError, SagaKey},
    retry::RetryPolicy,
    status::Status,
};

/// Where a saga's journal is in the store.
pub(super) enum Place {
    /// Not there yet: the first flush creates it, with this plan and input.
    New { plan: Arc<str>, input: String, created: watch::Sender<bool> },
    /// There, with so many entries.
    Stored { key: SagaKey, entries: u32 },
}

/// What every journal of an engine needs.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) repository: Arc<dyn Repository>,
    pub(super) observers: Observers,
    /// Turns true when the engine shuts down.
    pub(super) closing: watch::Receiver<bool>,
}

/// One saga's journal.
pub(super) struct Journal {
    pub(super) desk: Desk,
    pub(super) subject: Subject,
    pub(super) plan: Arc<Plan>,
    pub(super) place: Place,
    pub(super) orders: mpsc::UnboundedReceiver<Ordered>,
    pending: Vec<(Event, u32)>,
    status: Status,
}

/// Why a flush did not come to pass.
pub(super) enum Unwritten {
    /// A saga of that id was there before.
    Existing,
    /// The store refused, for good or until the engine shut down.
    Refused(RepositoryError),
}

impl Journal {
    pub(super) fn new(
        desk: Desk,
        subject: Subject,
        plan: Arc<Plan>,
        place: Place,
        orders: mpsc::UnboundedReceiver<Ordered>,
        status: Status,
    ) -> Self {
        Self { desk, subject, plan, place, orders, pending: Vec::new(), status }
    }

    pub(super) fn key(&self) -> Option<SagaKey> {
        match self.place {
            Place::New { .. } => None,
            Place::Stored { key, .. } => Some(key),
        }
    }

    async fn write(&mut self, entry: Entry, head: Head) -> Result<(), Unwritten> {
        match &mut self.place {
            Place::New { plan, input, created } => {
                self.subject.created = entry.at;
                let saga = NewSaga {
                    id: self.subject.id.clone(),
                    name: self.subject.saga.clone(),
                    plan: plan.clone(),
                    input: std::mem::take(input),
                    head,
                    entry,
                };
                let made = self.desk.repository.create(saga).await.map_err(Unwritten::Refused)?;
                let Created::New(key) = made else { return Err(Unwritten::Existing) };
                created.send_replace(true);
                self.place = Place::Stored { key, entries: 1 };
                Ok(())
            }
            Place::Stored { key, entries } => {
                let append = Append { key: *key, seq: *entries, entry, head };
                persist(&self.desk, &self.subject, append).await.map_err(Unwritten::Refused)?;
                *entries += 1;
                Ok(())
            }
        }
    }

    fn tell(&mut self, at: Timestamp, head: Head, new: bool) {
        let observers = &self.desk.observers;
        if !observers.any() {
            return;
        }
        let tell = |news| observers.tell(&self.subject, at, news);
        if new {
            tell(News::Created);
        }
        for (event, attempt) in &self.pending {
            if let Ok(change) = event.change() {
                tell(News::of(change, *attempt, event.failure.as_ref(), &self.plan));
            }
        }
        if head.status != self.status {
            let Head { status, reason } = head;
            tell(News::Status { status, reason });
        }
    }
}

/// Appends until the store takes it: what happened can't be taken back, and must not be forgotten. Gives
/// up where the store says that trying again will not help, and when the engine shuts down.
async fn persist(desk: &Desk, of: &Subject, append: Append) -> Result<(), RepositoryError> {
    let pauses = RetryPolicy::forever().first(Duration::from_millis(100));
    let pauses = pauses.max(Duration::from_secs(5));
    let mut closing = desk.closing.clone();
    let mut failures = 0;
    loop {
        let Err(error) = desk.repository.append(append.clone()).await else { return Ok(()) };
        if !error.kind().may_pass() || *closing.borrow() {
            return Err(error);
        }
        failures += 1;
        tracing::warn!(saga = %of.id, %error, failures, "a journal write failed and is tried again");
        let news = News::StoreFailing { message: error.to_string() };
        desk.observers.tell(of, Timestamp::now(), news);
        tokio::select! {
            // In a fixed order, so that what happens can be repeated.
            biased;
            () = clock::sleep(pauses.wait(failures)) => {}
            // One last try, then give up. (An engine that is gone never closes: keep trying.)
            Ok(_) = closing.wait_for(|closing| *closing) => {}
        }
    }
}

impl Host for Journal {
    type Error = Unwritten;

    fn encode(
        &mut self,
        codec: &Codec,
        output: &AnyValue,
    ) -> Result<Option<Box<RawValue>>, StepError> {
        codec.keep(&**output).map(Some)
    }

    fn record(&mut self, change: Change, evidence: Evidence<'_>) {
        let mut event = Event::new(change);
        // `null` says no more than its absence.
        event.output = evidence.output.filter(|output| output.get() != "null");
        event.failure = evidence.failure.cloned();
        if let Some(wish) = evidence.wish {
            event.sign(wish.order.as_ref().map(Order::signature), wish.letter.clone());
            event.input.clone_from(&wish.edit.input);
            // As it was given, also `null`: it replaces what the record has.
            event.output.clone_from(&wish.edit.output);
        }
        self.pending.push((event, evidence.attempt));
    }

    async fn flush(
        &mut self,
        machine: &Machine,
        reason: impl FnOnce() -> Option<String> + Send,
    ) -> Result<(), Unwritten> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let status = machine.status();
        let head = Head { status, reason: reason() };
        let at = Timestamp::now();
        let new = matches!(self.place, Place::New { .. });
        let entry = Entry { at, body: super::record::write(&self.pending) };
        self.write(entry, head.clone()).await?;
        self.tell(at, head, new);
        self.status = status;
        self.pending.clear();
        Ok(())
    }

    fn poll_order(&mut self, cx: &mut Context<'_>) -> Poll<Ordered> {
        match self.orders.poll_recv(cx) {
            Poll::Ready(Some(ordered)) => Poll::Ready(ordered),
            // No sender: nobody will order anything.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
