//! Rows as the values of the repository, and back. Used by the writer and by readers.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, OnceLock},
};

use compensation::{
    SagaId, Status, Timestamp,
    repository::{Entry, Head, SagaKey, StoredSaga, Summary},
};
use rusqlite::{Connection, OptionalExtension as _, Row, types::Type};

use crate::owner;

/// Plans kept at hand. A program has few; a front end that makes one for each saga must not fill memory.
pub(crate) const PLANS: usize = 256;

/// A status as it is stored. Stored numbers never change their meaning.
pub(crate) fn code(status: Status) -> i64 {
    match status {
        Status::Running => 0,
        Status::Compensating => 1,
        Status::Completed => 2,
        Status::Compensated => 3,
        Status::Stuck => 4,
        Status::Abandoned => 5,
    }
}

/// The status that a stored number means. One that nobody knows is for a person to look at.
pub(crate) fn status(stored: i64) -> Status {
    let known = Status::ALL.into_iter().find(|&status| code(status) == stored);
    known.unwrap_or(Status::Stuck)
}

/// The columns that [`summary`] reads.
pub(crate) const SUMMARY: &str =
    "saga.key, saga.id, plan.name, saga.status, saga.reason, saga.created,
    coalesce((SELECT max(at) FROM journal WHERE journal.saga = saga.key AND journal.seq =
        (SELECT max(seq) FROM journal AS last WHERE last.saga = saga.key)), saga.created),
    saga.owner FROM saga LEFT JOIN plan ON plan.id = saga.plan";

/// Which owners live, asked once each.
pub(crate) struct Alive<'a> {
    database: &'a Path,
    own: &'a OnceLock<i64>,
    known: HashMap<i64, bool>,
}

impl<'a> Alive<'a> {
    /// `own` is the number of the one who asks, should it have one. It is looked at as late as can be: what a reader
    /// finds in the file may have been written since it began.
    pub(crate) fn new(database: &'a Path, own: &'a OnceLock<i64>) -> Self {
        Self { database, own, known: HashMap::new() }
    }

    /// Whether that owner is the one who asks.
    pub(crate) fn is_own(&self, owner: Option<i64>) -> bool {
        owner.is_some() && owner.as_ref() == self.own.get()
    }

    /// Whether that owner is there and lives.
    pub(crate) fn owns(&mut self, owner: Option<i64>) -> bool {
        let database = self.database;
        owner.is_some_and(|owner| {
            Some(&owner) == self.own.get()
                || *self.known.entry(owner).or_insert_with(|| owner::is_alive(database, owner))
        })
    }
}

pub(crate) fn summary(
    row: &Row<'_>,
    alive: &mut Alive<'_>,
) -> rusqlite::Result<(SagaKey, Summary)> {
    let key: i64 = row.get(0)?;
    // An id that is none can't have been given out: it stands for itself, and the saga parks by its key.
    let id = SagaId::new(text(row, 1)?).or_else(|_| SagaId::new(format!("damaged-{key}")));
    let id = id.map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error))
    })?;
    let name = text(row, 2)?;
    let summary = Summary {
        id,
        name: name.into(),
        head: Head { status: status(row.get(3)?), reason: reason(row, 4)? },
        created: Timestamp::from_millis(row.get(5)?),
        updated: Timestamp::from_millis(row.get(6)?),
        owned: alive.owns(row.get(7)?),
    };
    Ok((SagaKey(key), summary))
}

fn reason(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    let none = row.get_ref(column)? == rusqlite::types::ValueRef::Null;
    if none { Ok(None) } else { text(row, column).map(Some) }
}

/// The key of a saga.
pub(crate) fn key(connection: &Connection, id: &SagaId) -> rusqlite::Result<Option<i64>> {
    let mut find = connection.prepare_cached("SELECT key FROM saga WHERE id = ?1")?;
    find.query_row([id.as_str()], |row| row.get(0)).optional()
}

/// A saga with its plan and whole journal.
pub(crate) fn stored(
    connection: &Connection,
    key: i64,
    alive: &mut Alive<'_>,
    texts: &mut Texts,
) -> rusqlite::Result<Option<StoredSaga>> {
    let mut find = connection.prepare_cached(&format!("SELECT {SUMMARY} WHERE saga.key = ?1"))?;
    let Some((_, summary)) = find.query_row([key], |row| summary(row, alive)).optional()? else {
        return Ok(None);
    };
    let mut rest =
        connection.prepare_cached("SELECT plan, input, start FROM saga WHERE key = ?1")?;
    let (plan_id, input, start) =
        rest.query_row([key], |row| Ok((row.get(0)?, text(row, 1)?, text(row, 2)?)))?;
    let mut journal = vec![Entry { at: summary.created, body: start }];
    let mut entries = connection
        .prepare_cached("SELECT seq, at, body FROM journal WHERE saga = ?1 ORDER BY seq")?;
    let mut rows = entries.query([key])?;
    while let Some(row) = rows.next()? {
        // A missing entry must be noticed: what came after it would be read as something else.
        let seq: i64 = row.get(0)?;
        if seq != journal.len() as i64 {
            journal.push(Entry { at: summary.updated, body: missing(journal.len()) });
            break;
        }
        journal.push(Entry { at: Timestamp::from_millis(row.get(1)?), body: text(row, 2)? });
    }
    Ok(Some(StoredSaga {
        key: SagaKey(key),
        summary,
        plan: texts.get(connection, plan_id)?,
        input,
        journal,
    }))
}

/// A text; damage stands for itself, so that one bad row harms one saga.
pub(crate) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    let stored = row.get_ref(column)?.as_bytes().unwrap_or_default();
    Ok(match std::str::from_utf8(stored) {
        Ok(text) => text.to_owned(),
        // No JSON, so that no reader takes it for what it was.
        Err(error) => format!("damaged in the store: {error}"),
    })
}

/// Stands where an entry is lost; no reader of journals takes it for one.
fn missing(entry: usize) -> String {
    format!("entry {entry} is missing from the store")
}

/// Texts of plans at hand: sagas that share a plan share its text.
#[derive(Debug, Default)]
pub(crate) struct Texts(HashMap<i64, Arc<str>>);

impl Texts {
    pub(crate) fn get(&mut self, connection: &Connection, id: i64) -> rusqlite::Result<Arc<str>> {
        if let Some(known) = self.0.get(&id) {
            return Ok(known.clone());
        }
        let mut find = connection.prepare_cached("SELECT body FROM plan WHERE id = ?1")?;
        let found = find.query_row([id], |row| text(row, 0)).optional()?;
        // No JSON either: that saga parks alone.
        let found: Arc<str> = found.unwrap_or_else(|| "missing from the store".to_owned()).into();
        if self.0.len() >= PLANS {
            self.0.clear();
        }
        self.0.insert(id, found.clone());
        Ok(found)
    }
}
