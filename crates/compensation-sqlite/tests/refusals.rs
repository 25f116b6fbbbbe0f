//! What can't be a store is refused with one clear sentence, and nothing of it is changed.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use compensation::repository::{ErrorKind, RepositoryError};
use compensation_sqlite::{SqliteOptions, SqliteRepository};
use rusqlite::Connection;
use tempfile::tempdir;

fn refused(path: &Path) -> RepositoryError {
    let error = SqliteRepository::open(path).expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Permanent, "{error}");
    error
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("notes.txt");
    let text = "not a database\n".repeat(100);
    fs::write(&path, &text).expect("a file");
    let error = refused(&path);
    assert!(
        error.to_string().ends_with("it is not a SQLite database: choose another file"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).expect("a file"), text);
    assert_eq!(
        fs::read_dir(folder.path()).expect("a directory").count(),
        1,
        "nothing is left beside"
    );
}

#[test]
fn another_programs_database_is_refused_and_left_as_it_is() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).expect("a database");
    other.execute_batch("CREATE TABLE mine (x)").expect("a table");
    drop(other);
    let before = fs::read(&path).expect("a file");
    let error = refused(&path);
    assert!(error.to_string().contains("it is another program's SQLite database"), "{error}");
    assert_eq!(fs::read(&path).expect("a file"), before);
}

#[test]
fn the_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    drop(SqliteRepository::open(&path).expect("a store"));
    let newer = Connection::open(&path).expect("a database");
    newer.pragma_update(None, "user_version", 4).expect("a version");
    drop(newer);
    let error = refused(&path);
    let said = error.to_string();
    assert!(
        said.contains("a newer version of this program wrote it (schema 4, and this one knows 3)"),
        "{said}"
    );
    let version: i64 = Connection::open(&path)
        .expect("a database")
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .expect("a version");
    assert_eq!(version, 4);
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let folder = tempdir().expect("a directory");
    let error = refused(&folder.path().join("none/sagas.db"));
    assert!(error.to_string().contains("none` can't be used: No such file"), "{error}");
}

#[test]
fn a_directory_in_place_of_a_file_is_refused() {
    let folder = tempdir().expect("a directory");
    let error = refused(folder.path());
    assert!(error.to_string().ends_with("it is a directory: name a file in it"), "{error}");
}

#[test]
fn a_store_that_must_exist_is_not_created() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let error = SqliteRepository::open_existing(&path).expect_err("a refusal");
    assert!(error.to_string().starts_with("there is no store at"), "{error}");
    assert!(!path.exists());
}

/// A directory in which nobody may write, root included, as whom tests may run.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_may_not_be_written_is_refused() {
    let error = refused(Path::new("/proc/sagas.db"));
    assert!(error.to_string().contains("check the path and its permissions"), "{error}");
}

#[test]
fn options_and_a_link_lead_to_the_same_store() {
    let folder = tempdir().expect("a directory");
    let path = folder.path().join("sagas.db");
    let one = SqliteOptions::new().max_batch(0).open(&path).expect("a store");
    #[cfg(unix)]
    {
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        let two = SqliteRepository::open(&link).expect("the same store");
        assert_eq!(one.path(), two.path());
    }
    assert!(one.path().is_absolute());
}
