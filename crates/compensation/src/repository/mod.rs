//! What the durable engine asks of a store: one small object-safe trait.
//!
//! A store keeps, for each saga, a *head* (status, reason, owner), the plan and input that it was
//! started with, and a *journal*: entries numbered 0, 1, 2 … that are only ever appended. Bodies are
//! opaque text. A store knows nothing of steps, closures or payload types, and decides nothing.

mod error;
mod mail;
mod memory;

use std::{future::Future, pin::Pin, sync::Arc};

pub use error::{ErrorKind, RepositoryError};
pub use mail::{KEEP_ANSWERS, Letter, Posted, Reply};
pub use memory::MemoryRepository;

use crate::{clock::Timestamp, id::SagaId, status::Status};

/// What a [`Repository`] call returns: a boxed future, so that the trait stays object-safe.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, RepositoryError>> + Send + 'a>>;

/// A store's own number for a saga. Only the store that gave it out can read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SagaKey(pub i64);

/// One journal entry: what became true together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was written.
    pub at: Timestamp,
    /// The engine's text; opaque to the store.
    pub body: String,
}

/// A saga's standing, stored beside its journal so that it can be listed without reading that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How it stands.
    pub status: Status,
    /// Why, where the status alone does not say (stuck, abandoned, failed).
    pub reason: Option<String>,
}

/// A saga to be created.
#[derive(Clone, Debug)]
pub struct NewSaga {
    /// Its id, unique in the store.
    pub id: SagaId,
    /// Its definition's name.
    pub name: Arc<str>,
    /// The whole plan as text. Many sagas share one; a store keeps each text once.
    pub plan: Arc<str>,
    /// The input as text.
    pub input: String,
    /// How it stands.
    pub head: Head,
    /// Journal entry 0.
    pub entry: Entry,
}

/// What became of a [`Repository::create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The saga is stored, and this repository owns it.
    New(SagaKey),
    /// A saga of that id was there before; nothing changed.
    Existing,
}

/// One durable write to a saga that this repository owns.
#[derive(Clone, Debug)]
pub struct Append {
    /// Which saga.
    pub key: SagaKey,
    /// The entry's number: how many entries the journal holds before it.
    pub seq: u32,
    /// The entry.
    pub entry: Entry,
    /// How the saga stands after it. Unless that is open, ownership ends with this write.
    pub head: Head,
}

/// A saga as the store holds it.
#[derive(Clone, Debug)]
pub struct StoredSaga {
    /// The store's number for it.
    pub key: SagaKey,
    /// Its listing.
    pub summary: Summary,
    /// The plan that it was started with.
    pub plan: Arc<str>,
    /// The input that it was started with.
    pub input: String,
    /// Every entry, in order.
    pub journal: Vec<Entry>,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: SagaId,
    /// Its definition's name.
    pub name: Arc<str>,
    /// How it stands.
    pub head: Head,
    /// When it was created.
    pub created: Timestamp,
    /// When its last entry was written.
    pub updated: Timestamp,
    /// Whether a living process owns it.
    pub owned: bool,
}

/// What became of a [`Repository::acquire`].
#[derive(Clone, Debug)]
pub enum Acquired {
    /// It belongs to this repository now, or did before.
    Owned(StoredSaga),
    /// Another living owner has it; the text says who, for people.
    Held(String),
    /// There is no such saga.
    Absent,
}

/// Which sagas to list. The default lists all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only sagas that stand so; empty means any.
    pub status: Vec<Status>,
    /// Only sagas of this definition.
    pub name: Option<String>,
    /// Only sagas whose id or reason contains this text; ASCII letters match in either case.
    pub text: Option<String>,
    /// Only sagas created at this moment or later.
    pub created_from: Option<Timestamp>,
    /// Only sagas created before this moment.
    pub created_before: Option<Timestamp>,
    /// Oldest first. The default is newest first.
    pub oldest_first: bool,
    /// Only sagas listed after this position: [`Page::next`] of the page before.
    pub after: Option<SagaKey>,
    /// At most so many; 0 means 50.
    pub limit: usize,
}

/// One page of a listing, in the order that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The sagas.
    pub sagas: Vec<Summary>,
    /// Where the next page starts, if there may be one. Of a query for a text, a store may look at a part of
    /// its sagas for each page: then this one may be short, or empty, and there is a next one.
    pub next: Option<SagaKey>,
}

/// How many sagas stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Status::ALL.len()]);

impl Counts {
    /// How many stand so.
    #[must_use]
    pub fn get(&self, status: Status) -> u64 {
        self.0[status as usize]
    }

    /// Sets how many stand so.
    pub fn set(&mut self, status: Status, count: u64) {
        self.0[status as usize] = count;
    }
}

/// A store of sagas.
///
/// # Contract
/// * One value is one **owner**. An owner dies when its value is dropped or its process ends, and
///   the store must be able to prove that without a timeout.
/// * `Ok` from [`create`](Self::create) and [`append`](Self::append) means *durable*: it survives the
///   death of the process (and, for stores on disk, of the machine).
/// * An error means that nothing of that call is visible, or that repeating the same call is harmless:
///   an append of an entry that is there already, with the same body, is `Ok`.
/// * A write to a saga that this owner does not own fails with [`ErrorKind::NotOwner`].
/// * Dropping a call's future does not undo the call: a write may still become durable. A saga that was taken
///   by a claim or an acquisition that failed, or that nobody waited for, is let go by the store.
/// * Every error is classified; see [`ErrorKind`].
/// * A letter that was posted is in the inbox of whoever may act on it until it is answered or withdrawn,
///   whoever posted it and whoever took it, alive or dead. So several may act on it: that it takes effect
///   once is for the engine to see to.
///
/// All of it is checked by the conformance suite in `compensation-testing`.
pub trait Repository: Send + Sync + 'static {
    /// Stores a new saga with its first entry and owns it; one durable write.
    fn create(&self, saga: NewSaga) -> Pending<'_, Created>;

    /// Appends one entry and sets the head; one durable write. Ownership ends if the new status is
    /// not open.
    fn append(&self, append: Append) -> Pending<'_, ()>;

    /// Sets only the head of a saga that this owner owns, and lets it go. For a saga whose record
    /// can't be read, so that nothing can be appended to it.
    fn park(&self, key: SagaKey, reason: String) -> Pending<'_, ()>;

    /// Lets open sagas go, so that any owner may claim them.
    fn release(&self, keys: Vec<SagaKey>) -> Pending<'_, ()>;

    /// Lets go what dead owners left. Returns how many open sagas wait to be claimed.
    fn recover(&self) -> Pending<'_, u64>;

    /// Takes at most `limit` open sagas that nobody owns, oldest first.
    fn claim(&self, limit: usize) -> Pending<'_, Vec<StoredSaga>>;

    /// Takes one saga, open or not, unless a living owner has it.
    fn acquire(&self, id: &SagaId) -> Pending<'_, Acquired>;

    /// Reads one saga, whoever owns it.
    fn load(&self, id: &SagaId) -> Pending<'_, Option<StoredSaga>>;

    /// Reads those sagas, whoever owns them, in the order of their ids. Those that are not there are left out.
    fn load_all(&self, ids: Vec<SagaId>) -> Pending<'_, Vec<StoredSaga>>;

    /// Lists sagas, newest first unless the query says otherwise.
    fn list(&self, query: Query) -> Pending<'_, Page>;

    /// Counts sagas by status.
    fn counts(&self) -> Pending<'_, Counts>;

    /// Deletes at most `limit` final sagas whose last entry is older than `before`, in small
    /// transactions. Returns how many it deleted.
    ///
    /// Letters to a saga go with it.
    fn purge(&self, before: Timestamp, limit: usize) -> Pending<'_, u64>;

    /// Stores a letter to a saga; one durable write. A letter of that key that is there already stays as it
    /// is. Forgets answers to letters that were posted more than [`KEEP_ANSWERS`] before this one.
    fn post(&self, letter: Letter) -> Pending<'_, Posted>;

    /// At most `limit` unanswered letters, oldest first: those to sagas that this owner owns, and to sagas
    /// that no living owner has, open or not. Changes nothing. Costs next to nothing where there are none,
    /// for it is asked several times a second.
    fn inbox(&self, limit: usize) -> Pending<'_, Vec<Letter>>;

    /// Takes a letter, to act on it: from then on it can't be withdrawn before it is answered. Returns `false`
    /// for one that is answered, or not there. Taking it again is harmless.
    fn take(&self, key: &str) -> Pending<'_, bool>;

    /// Answers a letter; one durable write. One that is answered already, or has gone, stays so.
    fn answer(&self, key: &str, answer: String) -> Pending<'_, ()>;

    /// What has become of a letter. Changes nothing.
    fn reply(&self, key: &str) -> Pending<'_, Reply>;

    /// Forgets a letter, unless somebody has taken it and not answered. Returns whether it is forgotten;
    /// of one that is not there it is.
    fn withdraw(&self, key: &str) -> Pending<'_, bool>;

    /// Resolves when letters or answers may have come since it was called, even if it is first polled
    /// later; a store that several processes share may also tell so of sagas that wait to be claimed. A store
    /// that can't tell never resolves; the engine looks by its own clock as well. The future keeps nothing of
    /// the store alive.
    fn changed(&self) -> Pending<'static, ()>;
}

const _: fn(&dyn Repository) = |_| ();
