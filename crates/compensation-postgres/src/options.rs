//! What may be chosen when a store is opened.

use std::{fmt, time::Duration};

use compensation::repository::RepositoryError;

use crate::{PostgresRecords, PostgresRepository};

/// Most writes that share one statement, where nothing is said. More gain little: the sync is shared by then.
const BATCH: usize = 256;

/// Connections for reading, where nothing is said.
const READERS: usize = 4;

/// How long a living connection may be silent, where nothing is said.
const SILENCE: Duration = Duration::from_secs(15);

/// How a [`PostgresRepository`] is opened.
///
/// ```no_run
/// use compensation_postgres::PostgresOptions;
///
/// # async fn example() -> Result<(), compensation::repository::RepositoryError> {
/// let store = PostgresOptions::new().schema("sagas").open("postgres://shop@db/shop").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until a store is opened with them"]
pub struct PostgresOptions {
    pub(crate) schema: Option<String>,
    pub(crate) create: bool,
    pub(crate) max_batch: usize,
    pub(crate) readers: usize,
    pub(crate) silence: Duration,
    pub(crate) password: Option<String>,
    pub(crate) application: String,
}

impl PostgresOptions {
    /// The defaults, which each option tells.
    pub fn new() -> Self {
        Self {
            schema: None,
            create: true,
            max_batch: BATCH,
            readers: READERS,
            silence: SILENCE,
            password: None,
            application: "compensation".to_owned(),
        }
    }

    /// The schema that the tables are in, which must hold nothing else: at most 40 small letters, digits and
    /// underscores. Default: what the address says as `schema=`, else `compensation`.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = Some(name.into());
        self
    }

    /// Whether schema and tables that are not there are made, and older ones brought up to date. Where not, a
    /// role that may do no more than read and write rows is enough. Default: yes.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Most writes that share one statement and its sync; 0 counts as 1. Default: 256. Beyond 16 MiB of inputs and
    /// journal entries they share none.
    pub fn max_batch(mut self, writes: usize) -> Self {
        self.max_batch = writes.max(1);
        self
    }

    /// Most connections for reading, beside the one that writes; 0 counts as 1. Default: 4.
    pub fn readers(mut self, connections: usize) -> Self {
        self.readers = connections.max(1);
        self
    }

    /// How long this store's connection may be silent before others take its sagas, for it may belong to a
    /// process that is stopped or can't be reached. Its thread says something five times as often. A connection
    /// that has *ended* is not waited for. At least 1 s. Default: 15 s.
    pub fn silence(mut self, span: Duration) -> Self {
        self.silence = span.max(Duration::from_secs(1));
        self
    }

    /// The password, where the address has none.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// How the connections are called in `pg_stat_activity`, unless the address says it. Default:
    /// `compensation`.
    pub fn application(mut self, name: impl Into<String>) -> Self {
        self.application = name.into();
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As [`PostgresRepository::open`].
    pub async fn open(self, url: &str) -> Result<PostgresRepository, RepositoryError> {
        PostgresRepository::with(url, self).await
    }

    /// Opens the records in that database.
    ///
    /// # Errors
    /// As [`PostgresRepository::open`].
    pub async fn open_records(self, url: &str) -> Result<PostgresRecords, RepositoryError> {
        PostgresRecords::with(url, self).await
    }
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("schema", &self.schema)
            .field("create", &self.create)
            .field("max_batch", &self.max_batch)
            .field("readers", &self.readers)
            .field("silence", &self.silence)
            .field("application", &self.application)
            .finish_non_exhaustive()
    }
}
