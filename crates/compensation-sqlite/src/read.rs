//! Reading beside the writer: a few connections of their own, on tokio's blocking threads.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use compensation::{
    SagaId,
    repository::{Counts, ErrorKind, Letter, Page, Query, RepositoryError, SagaKey, StoredSaga},
};
use rusqlite::{Connection, params_from_iter, types::Value};
use tokio::sync::Semaphore;

use crate::{
    connection,
    error::classify,
    mail,
    options::SqliteOptions,
    rows::{self, Alive, SUMMARY},
};

/// Reads side by side. More would only fight for the cores.
const READERS: usize = 4;

/// Sagas on a page, where the query says nothing.
const PAGE: usize = 50;

#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    options: SqliteOptions,
    own: i64,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, options: SqliteOptions, own: i64) -> Self {
        let places = Semaphore::new(READERS);
        Self { path, options, own, idle: Mutex::default(), places }
    }

    /// Runs one read on a snapshot of the file.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection, &Self) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, RepositoryError> {
        // Never closed, so there is always a place.
        let _place = self.places.acquire().await;
        let readers = self.clone();
        let done = tokio::task::spawn_blocking(move || readers.read_here(read)).await;
        done.unwrap_or_else(|error| {
            let message = format!("reading the store did not end: {error}");
            Err(RepositoryError::new(ErrorKind::Temporary, message))
        })
    }

    fn read_here<T>(
        &self,
        read: impl FnOnce(&Connection, &Self) -> rusqlite::Result<T>,
    ) -> Result<T, RepositoryError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connection::reader(&self.path, &self.options)?,
        };
        let failed = |error| classify("read", &self.path, error);
        let snapshot = connection.unchecked_transaction().map_err(failed)?;
        let found = read(&snapshot, self).map_err(failed)?;
        snapshot.finish().map_err(failed)?;
        // Only a connection without an error comes back.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(found)
    }

    pub(crate) async fn load(
        self: &Arc<Self>,
        id: SagaId,
    ) -> Result<Option<StoredSaga>, RepositoryError> {
        self.read(move |connection, readers| {
            let Some(key) = rows::key(connection, &id)? else { return Ok(None) };
            let mut alive = Alive::new(&readers.path, readers.own);
            rows::stored(connection, key, &mut alive, rows::plan_text)
        })
        .await
    }

    pub(crate) async fn list(self: &Arc<Self>, query: Query) -> Result<Page, RepositoryError> {
        self.read(move |connection, readers| list(connection, readers, &query)).await
    }

    pub(crate) async fn inbox(
        self: &Arc<Self>,
        limit: usize,
    ) -> Result<Vec<Letter>, RepositoryError> {
        self.read(move |connection, readers| {
            let mut alive = Alive::new(&readers.path, readers.own);
            mail::inbox(connection, &mut alive, limit)
        })
        .await
    }

    pub(crate) async fn counts(self: &Arc<Self>) -> Result<Counts, RepositoryError> {
        self.read(|connection, _| {
            let mut counts = Counts::default();
            let mut all = connection.prepare_cached("SELECT status, sagas FROM counts")?;
            let mut found = all.query(())?;
            while let Some(row) = found.next()? {
                let sagas: i64 = row.get(1)?;
                counts.set(rows::status(0, row.get(0)?)?, sagas.unsigned_abs());
            }
            Ok(counts)
        })
        .await
    }
}

fn list(connection: &Connection, readers: &Readers, query: &Query) -> rusqlite::Result<Page> {
    let limit = if query.limit == 0 { PAGE } else { query.limit };
    let (beyond, first, order) =
        if query.oldest_first { (">", 0, "ASC") } else { ("<", i64::MAX, "DESC") };
    let mut wanted = format!("SELECT {SUMMARY} WHERE saga.key {beyond} ?");
    let mut values = vec![Value::from(query.after.map_or(first, |key| key.0))];
    if !query.status.is_empty() {
        let marks = vec!["?"; query.status.len()].join(", ");
        wanted.push_str(&format!(" AND saga.status IN ({marks})"));
        let codes: Vec<_> = query.status.iter().map(|&status| rows::code(status)).collect();
        // In these words, so that SQLite knows that its index of failed sagas will do.
        if codes.iter().all(|&code| code > 2) {
            wanted.push_str(" AND saga.status > 2");
        }
        values.extend(codes.into_iter().map(Value::from));
    }
    if let Some(name) = &query.name {
        wanted.push_str(" AND saga.plan IN (SELECT plan.id FROM plan WHERE plan.name = ?)");
        values.push(name.clone().into());
    }
    if let Some(text) = &query.text {
        wanted.push_str(
            " AND (instr(lower(saga.id), lower(?)) OR instr(lower(saga.reason), lower(?)))",
        );
        values.extend([Value::from(text.clone()), text.clone().into()]);
    }
    for (moment, than) in [(query.created_from, ">="), (query.created_before, "<")] {
        if let Some(moment) = moment {
            wanted.push_str(&format!(" AND saga.created {than} ?"));
            values.push(moment.as_millis().into());
        }
    }
    wanted.push_str(&format!(" ORDER BY saga.key {order} LIMIT ?"));
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let mut alive = Alive::new(&readers.path, readers.own);
    let mut select = connection.prepare_cached(&wanted)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut page = Page::default();
    let mut last: Option<SagaKey> = None;
    while let Some(row) = rows.next()? {
        let (key, summary) = rows::summary(row, &mut alive)?;
        last = Some(key);
        page.sagas.push(summary);
    }
    page.next = last.filter(|_| page.sagas.len() == limit);
    Ok(page)
}
