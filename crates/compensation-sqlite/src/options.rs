//! What may be chosen when a store is opened.

use std::{path::Path, time::Duration};

use compensation::repository::RepositoryError;

use crate::{SqliteRecords, SqliteRepository};

/// How long a foreign lock on the file is waited for, where nothing is said.
const BUSY: Duration = Duration::from_secs(5);

/// Most writes in one transaction, where nothing is said. More gain little: the sync is shared by then.
const BATCH: usize = 256;

/// How a [`SqliteRepository`] is opened.
///
/// ```
/// use compensation_sqlite::SqliteOptions;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("sagas.db");
/// let store = SqliteOptions::new().max_bytes(64 * 1024 * 1024).open(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a store is opened with them"]
pub struct SqliteOptions {
    pub(crate) busy_timeout: Duration,
    pub(crate) max_batch: usize,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) create: bool,
    pub(crate) vfs: Option<String>,
}

impl SqliteOptions {
    /// The defaults: 5 s for foreign locks, 256 writes in a transaction, no limit of size, and a file that
    /// is not there is created.
    pub fn new() -> Self {
        Self { busy_timeout: BUSY, max_batch: BATCH, max_bytes: None, create: true, vfs: None }
    }

    /// How long a write waits while another program has the file locked. After that it fails as
    /// temporary, and an engine tries again. Default: 5 s.
    pub fn busy_timeout(mut self, span: Duration) -> Self {
        self.busy_timeout = span;
        self
    }

    /// Most writes that share one transaction and its sync; 0 counts as 1. Default: 256.
    pub fn max_batch(mut self, writes: usize) -> Self {
        self.max_batch = writes.max(1);
        self
    }

    /// The size that the database may grow to, in bytes, rounded up to whole pages of 4 KiB; beyond it
    /// writes fail as on a full disk. (The write-ahead log beside it takes up to some 16 MiB more.)
    /// Default: no limit.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Whether a file that is not there is created. Default: yes.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Reads and writes the file through the SQLite VFS that was registered under that name, for example one that
    /// encrypts. Default: SQLite's own for the system. Lock files of owners do not go through it.
    pub fn vfs(mut self, name: impl Into<String>) -> Self {
        self.vfs = Some(name.into());
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As [`SqliteRepository::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<SqliteRepository, RepositoryError> {
        SqliteRepository::with(path.as_ref(), self)
    }

    /// Opens the records in that file.
    ///
    /// ```
    /// use compensation_sqlite::SqliteOptions;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("records.db");
    /// let records = SqliteOptions::new().max_bytes(64 * 1024 * 1024).open_records(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`SqliteRepository::open`].
    pub fn open_records(self, path: impl AsRef<Path>) -> Result<SqliteRecords, RepositoryError> {
        SqliteRecords::with(path.as_ref(), self)
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self::new()
    }
}
