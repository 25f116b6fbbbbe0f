//! Opens the store. The only file that knows which one it is.

use std::{path::Path, sync::Arc};

use compensation::repository::{Repository, RepositoryError};
use compensation_sqlite::SqliteRepository;

/// Opens the store in that file; `create` makes it where there is none.
pub(crate) fn open(path: &Path, create: bool) -> Result<Arc<dyn Repository>, RepositoryError> {
    let store =
        if create { SqliteRepository::open(path)? } else { SqliteRepository::open_existing(path)? };
    Ok(Arc::new(store))
}
