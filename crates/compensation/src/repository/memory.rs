//! A complete store in memory: for tests, examples, and sagas that may die with their process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{
    Acquired, Append, Counts, Created, Entry, ErrorKind, Head, KEEP_ANSWERS, Letter, NewSaga, Page,
    Pending, Posted, Query, Reply, Repository, RepositoryError, SagaKey, StoredSaga, Summary,
};
use crate::{clock::Timestamp, id::SagaId, status::Status};

/// Sagas on a page, where the query says nothing.
const PAGE: usize = 50;

/// A store in memory. One value is one owner; [`another_owner`](Self::another_owner) gives a second one
/// on the same data, as a second process would be on a shared store.
///
/// Finished sagas stay until they are purged.
///
/// ```
/// use compensation::repository::{MemoryRepository, Repository};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let store = MemoryRepository::new();
/// assert!(store.list(Default::default()).await?.sagas.is_empty());
/// # Ok::<(), compensation::repository::RepositoryError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MemoryRepository {
    data: Arc<Mutex<Data>>,
    /// Told of every letter and every answer.
    mail: Arc<Notify>,
    owner: u64,
}

#[derive(Debug, Default)]
struct Data {
    rows: BTreeMap<i64, Row>,
    keys: HashMap<SagaId, i64>,
    last_key: i64,
    /// Owners that are alive.
    alive: Vec<u64>,
    last_owner: u64,
    /// In the order of their posting.
    letters: Vec<Posting>,
}

#[derive(Debug)]
struct Posting {
    letter: Letter,
    saga: i64,
    taken: bool,
    answer: Option<String>,
}

#[derive(Debug)]
struct Row {
    id: SagaId,
    name: Arc<str>,
    plan: Arc<str>,
    input: String,
    head: Head,
    owner: Option<u64>,
    journal: Vec<Entry>,
}

impl MemoryRepository {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Arc::default(), Arc::default())
    }

    /// A further owner on the same data.
    #[must_use]
    pub fn another_owner(&self) -> Self {
        Self::on(self.data.clone(), self.mail.clone())
    }

    fn on(data: Arc<Mutex<Data>>, mail: Arc<Notify>) -> Self {
        let owner = {
            let mut data = lock(&data);
            data.last_owner += 1;
            let owner = data.last_owner;
            data.alive.push(owner);
            owner
        };
        Self { data, mail, owner }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Data, u64) -> T) -> T {
        work(&mut lock(&self.data), self.owner)
    }
}

impl Default for MemoryRepository {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MemoryRepository {
    fn drop(&mut self) {
        self.with(|data, owner| data.alive.retain(|&alive| alive != owner));
    }
}

fn lock(data: &Mutex<Data>) -> MutexGuard<'_, Data> {
    // Every change below is made in one go, so a panic elsewhere leaves nothing half done.
    data.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Data {
    fn owned(&mut self, key: SagaKey, owner: u64) -> Result<&mut Row, RepositoryError> {
        self.rows.get_mut(&key.0).filter(|row| row.owner == Some(owner)).ok_or_else(|| {
            RepositoryError::new(
                ErrorKind::NotOwner,
                format!("saga number {} belongs to another owner, or to none", key.0),
            )
        })
    }

    fn is_free(&self, row: &Row) -> bool {
        row.owner.is_none_or(|owner| !self.alive.contains(&owner))
    }

    fn summary(&self, row: &Row) -> Summary {
        let at = |entry: Option<&Entry>| entry.map_or(Timestamp::from_millis(0), |entry| entry.at);
        Summary {
            id: row.id.clone(),
            name: row.name.clone(),
            head: row.head.clone(),
            created: at(row.journal.first()),
            updated: at(row.journal.last()),
            owned: !self.is_free(row),
        }
    }

    fn stored(&self, key: i64) -> Option<StoredSaga> {
        let row = self.rows.get(&key)?;
        Some(StoredSaga {
            key: SagaKey(key),
            summary: self.summary(row),
            plan: row.plan.clone(),
            input: row.input.clone(),
            journal: row.journal.clone(),
        })
    }

    fn letter(&mut self, key: &str) -> Option<&mut Posting> {
        self.letters.iter_mut().find(|posting| posting.letter.key == key)
    }

    fn post(&mut self, letter: Letter) -> Posted {
        let Some(&saga) = self.keys.get(&letter.saga) else { return Posted::Absent };
        let old = letter.at.earlier_by(KEEP_ANSWERS);
        self.letters.retain(|posting| posting.answer.is_none() || posting.letter.at >= old);
        if self.letter(&letter.key).is_none() {
            self.letters.push(Posting { letter, saga, taken: false, answer: None });
        }
        Posted::Waits
    }

    fn inbox(&self, owner: u64, limit: usize) -> Vec<Letter> {
        let mine = |posting: &Posting| {
            let row = self.rows.get(&posting.saga);
            row.is_some_and(|row| row.owner == Some(owner) || self.is_free(row))
        };
        let open = self.letters.iter().filter(|it| it.answer.is_none() && mine(it));
        open.take(limit).map(|posting| posting.letter.clone()).collect()
    }

    fn take(&mut self, key: i64, owner: u64) -> Option<StoredSaga> {
        self.rows.get_mut(&key)?.owner = Some(owner);
        self.stored(key)
    }
}

impl Posting {
    fn reply(&self) -> Reply {
        match &self.answer {
            Some(answer) => Reply::Answered(answer.clone()),
            None if self.taken => Reply::Taken,
            None => Reply::Waits,
        }
    }
}

impl Query {
    fn wants(&self, row: &Row) -> bool {
        let created = row.journal.first().map_or(Timestamp::from_millis(0), |entry| entry.at);
        let contains = |text: &str| {
            let found = |place: &str| place.to_ascii_lowercase().contains(text);
            found(row.id.as_str()) || row.head.reason.as_deref().is_some_and(found)
        };
        (self.status.is_empty() || self.status.contains(&row.head.status))
            && self.name.as_deref().is_none_or(|name| *name == *row.name)
            && self.created_from.is_none_or(|from| created >= from)
            && self.created_before.is_none_or(|before| created < before)
            && self.text.as_deref().is_none_or(|text| contains(&text.to_ascii_lowercase()))
    }
}

fn append(row: &mut Row, append: Append) -> Result<(), RepositoryError> {
    let refused = |why: &str| {
        let place = format!("entry {} of saga `{}`", append.seq, row.id);
        Err(RepositoryError::new(ErrorKind::Permanent, format!("{place} {why}")))
    };
    match row.journal.get(append.seq as usize) {
        Some(there) if there.body == append.entry.body => return Ok(()),
        Some(_) => return refused("is there already and says something else"),
        None if append.seq as usize > row.journal.len() => return refused("would leave a gap"),
        None => {}
    }
    row.journal.push(append.entry);
    row.head = append.head;
    if !row.head.status.is_open() {
        row.owner = None;
    }
    Ok(())
}

impl Repository for MemoryRepository {
    fn create(&self, saga: NewSaga) -> Pending<'_, Created> {
        let created = self.with(|data, owner| {
            if data.keys.contains_key(&saga.id) {
                return Created::Existing;
            }
            data.last_key += 1;
            let key = data.last_key;
            let NewSaga { id, name, plan, input, head, entry } = saga;
            data.keys.insert(id.clone(), key);
            let owner = head.status.is_open().then_some(owner);
            let journal = vec![entry];
            data.rows.insert(key, Row { id, name, plan, input, head, owner, journal });
            Created::New(SagaKey(key))
        });
        Box::pin(async move { Ok(created) })
    }

    fn append(&self, entry: Append) -> Pending<'_, ()> {
        let done = self.with(|data, owner| {
            let row = match data.owned(entry.key, owner) {
                Ok(row) => row,
                // Written before, with the end of ownership: repeating it is harmless.
                Err(error) => {
                    let row = data.rows.get(&entry.key.0).filter(|row| row.owner.is_none());
                    let there = row.and_then(|row| row.journal.get(entry.seq as usize));
                    return match there {
                        Some(there) if there.body == entry.entry.body => Ok(()),
                        _ => Err(error),
                    };
                }
            };
            append(row, entry)
        });
        Box::pin(async move { done })
    }

    fn park(&self, key: SagaKey, reason: String) -> Pending<'_, ()> {
        let done = self.with(|data, owner| {
            let row = data.owned(key, owner)?;
            row.head = Head { status: Status::Stuck, reason: Some(reason) };
            row.owner = None;
            Ok(())
        });
        Box::pin(async move { done })
    }

    fn release(&self, keys: Vec<SagaKey>) -> Pending<'_, ()> {
        self.with(|data, owner| {
            for key in keys {
                if let Ok(row) = data.owned(key, owner) {
                    row.owner = None;
                }
            }
        });
        Box::pin(async { Ok(()) })
    }

    fn recover(&self) -> Pending<'_, u64> {
        let waiting = self.with(|data, _| {
            let alive = data.alive.clone();
            let mut waiting = 0;
            for row in data.rows.values_mut() {
                row.owner = row.owner.filter(|owner| alive.contains(owner));
                waiting += u64::from(row.owner.is_none() && row.head.status.is_open());
            }
            waiting
        });
        Box::pin(async move { Ok(waiting) })
    }

    fn claim(&self, limit: usize) -> Pending<'_, Vec<StoredSaga>> {
        let claimed = self.with(|data, owner| {
            let runnable = |row: &Row| row.owner.is_none() && row.head.status.is_open();
            let free = data.rows.iter().filter(|(_, row)| runnable(row)).map(|(&key, _)| key);
            let keys: Vec<_> = free.take(limit).collect();
            keys.into_iter().filter_map(|key| data.take(key, owner)).collect()
        });
        Box::pin(async move { Ok(claimed) })
    }

    fn acquire(&self, id: &SagaId) -> Pending<'_, Acquired> {
        let acquired = self.with(|data, owner| {
            let Some(&key) = data.keys.get(id) else { return Acquired::Absent };
            let holder = data.rows.get(&key).filter(|row| !data.is_free(row));
            match holder.and_then(|row| row.owner) {
                Some(holder) if holder != owner => Acquired::Held(format!("owner {holder}")),
                _ => data.take(key, owner).map_or(Acquired::Absent, Acquired::Owned),
            }
        });
        Box::pin(async move { Ok(acquired) })
    }

    fn load(&self, id: &SagaId) -> Pending<'_, Option<StoredSaga>> {
        let saga = self.with(|data, _| data.stored(*data.keys.get(id)?));
        Box::pin(async move { Ok(saga) })
    }

    fn load_all(&self, ids: Vec<SagaId>) -> Pending<'_, Vec<StoredSaga>> {
        let sagas = self.with(|data, _| {
            let keys = ids.iter().filter_map(|id| data.keys.get(id));
            keys.filter_map(|&key| data.stored(key)).collect()
        });
        Box::pin(async move { Ok(sagas) })
    }

    fn list(&self, query: Query) -> Pending<'_, Page> {
        let page = self.with(|data, _| {
            let limit = if query.limit == 0 { PAGE } else { query.limit };
            let found: Vec<_> = if query.oldest_first {
                let after = query.after.map_or(0, |key| key.0.saturating_add(1));
                let rows = data.rows.range(after..).filter(|(_, row)| query.wants(row));
                rows.take(limit).collect()
            } else {
                let before = query.after.map_or(i64::MAX, |key| key.0);
                let rows = data.rows.range(..before).rev().filter(|(_, row)| query.wants(row));
                rows.take(limit).collect()
            };
            let next = (found.len() == limit).then(|| found.last()).flatten();
            Page {
                next: next.map(|(key, _)| SagaKey(**key)),
                sagas: found.into_iter().map(|(_, row)| data.summary(row)).collect(),
            }
        });
        Box::pin(async move { Ok(page) })
    }

    fn counts(&self) -> Pending<'_, Counts> {
        let counts = self.with(|data, _| {
            let mut counts = Counts::default();
            for row in data.rows.values() {
                let status = row.head.status;
                counts.set(status, counts.get(status) + 1);
            }
            counts
        });
        Box::pin(async move { Ok(counts) })
    }

    fn purge(&self, before: Timestamp, limit: usize) -> Pending<'_, u64> {
        let purged = self.with(|data, _| {
            let old = |row: &Row| {
                row.head.status.is_final() && row.journal.last().is_none_or(|last| last.at < before)
            };
            let keys = data.rows.iter().filter(|(_, row)| old(row)).map(|(&key, _)| key);
            let keys: Vec<_> = keys.take(limit).collect();
            for key in &keys {
                if let Some(row) = data.rows.remove(key) {
                    data.keys.remove(&row.id);
                }
            }
            data.letters.retain(|posting| data.rows.contains_key(&posting.saga));
            keys.len() as u64
        });
        Box::pin(async move { Ok(purged) })
    }
    fn post(&self, letter: Letter) -> Pending<'_, Posted> {
        let posted = self.with(|data, _| data.post(letter));
        self.mail.notify_waiters();
        Box::pin(async move { Ok(posted) })
    }

    fn inbox(&self, limit: usize) -> Pending<'_, Vec<Letter>> {
        let letters = self.with(|data, owner| data.inbox(owner, limit));
        Box::pin(async move { Ok(letters) })
    }

    fn take(&self, key: &str) -> Pending<'_, bool> {
        let taken = self.with(|data, _| {
            let posting = data.letter(key).filter(|posting| posting.answer.is_none());
            posting.map(|posting| posting.taken = true).is_some()
        });
        Box::pin(async move { Ok(taken) })
    }

    fn answer(&self, key: &str, answer: String) -> Pending<'_, ()> {
        self.with(|data, _| {
            if let Some(posting) = data.letter(key) {
                posting.answer.get_or_insert(answer);
            }
        });
        self.mail.notify_waiters();
        Box::pin(async { Ok(()) })
    }

    fn reply(&self, key: &str) -> Pending<'_, Reply> {
        let reply = self.with(|data, _| data.letter(key).map_or(Reply::Absent, |it| it.reply()));
        Box::pin(async move { Ok(reply) })
    }

    fn withdraw(&self, key: &str) -> Pending<'_, bool> {
        let forgotten = self.with(|data, _| {
            let is_held = |it: &Posting| it.taken && it.answer.is_none();
            data.letters.retain(|it| it.letter.key != key || is_held(it));
            data.letter(key).is_none()
        });
        Box::pin(async move { Ok(forgotten) })
    }

    fn changed(&self) -> Pending<'static, ()> {
        // Told of what comes from here on, also before its first poll.
        let told = self.mail.clone().notified_owned();
        Box::pin(async move {
            told.await;
            Ok(())
        })
    }
}
