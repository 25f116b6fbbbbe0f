//! Reading beside the writer: a few connections of their own, on tokio's blocking threads.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use compensation::{
    SagaId,
    repository::{Counts, ErrorKind, Letter, Page, Query, RepositoryError, StoredSaga},
};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{
    connection,
    error::classify,
    listing, mail,
    options::SqliteOptions,
    rows::{self, Alive},
};

/// Reads side by side. More would only fight for the cores.
const READERS: usize = 4;

#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    options: SqliteOptions,
    own: Arc<OnceLock<i64>>,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, options: SqliteOptions, own: Arc<OnceLock<i64>>) -> Self {
        let places = Semaphore::new(READERS);
        Self { path, options, own, idle: Mutex::default(), places }
    }

    pub(crate) fn alive(&self) -> Alive<'_> {
        Alive::new(&self.path, &self.own)
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
        self.load_all(vec![id]).await.map(|found| found.into_iter().next())
    }

    pub(crate) async fn load_all(
        self: &Arc<Self>,
        ids: Vec<SagaId>,
    ) -> Result<Vec<StoredSaga>, RepositoryError> {
        self.read(move |connection, readers| {
            let mut alive = readers.alive();
            let mut sagas = Vec::with_capacity(ids.len());
            let mut texts = rows::Texts::default();
            for id in ids {
                if let Some(key) = rows::key(connection, &id)? {
                    sagas.extend(rows::stored(connection, key, &mut alive, &mut texts)?);
                }
            }
            Ok(sagas)
        })
        .await
    }

    pub(crate) async fn list(self: &Arc<Self>, query: Query) -> Result<Page, RepositoryError> {
        self.read(move |connection, readers| listing::list(connection, readers, &query)).await
    }

    pub(crate) async fn inbox(
        self: &Arc<Self>,
        limit: usize,
    ) -> Result<Vec<Letter>, RepositoryError> {
        self.read(move |connection, readers| {
            let mut alive = readers.alive();
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
                counts.set(rows::status(row.get(0)?), sagas.unsigned_abs());
            }
            Ok(counts)
        })
        .await
    }
}
