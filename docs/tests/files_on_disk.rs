//! Recipe: changing several files, or none.
//!
//! Before a file is overwritten its old content is set aside; the undo puts it back. Undos look at what is there and
//! not at what was done, so they may run twice, and before their action as well.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io,
    path::{Path, PathBuf},
};

use compensation::{ResourceCleanup, StepError, TransactionalSaga};

/// Writes a file inside a saga.
async fn write(saga: &TransactionalSaga, path: &Path, text: &str) -> io::Result<()> {
    let cleanup = ResourceCleanup::new().absent_is_success(|error| {
        let error = error.source().downcast_ref::<io::Error>();
        error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
    });
    let name = path.to_string_lossy();
    // Registered before anything happens: whatever comes, its undo is known.
    match tokio::fs::read_to_string(path).await {
        Ok(before) => saga.add(cleanup.revert_state("file", &name, before, |path, before| {
            tokio::fs::write(PathBuf::from(path), before)
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            saga.add(cleanup.delete_resource("file", &name, tokio::fs::remove_file));
        }
        Err(error) => return Err(error),
    }
    tokio::fs::write(path, text).await
}

#[tokio::test]
async fn files_are_as_they_were_when_a_later_one_fails() {
    let folder = tempfile::tempdir().expect("a directory");
    let (old, new) = (folder.path().join("old.conf"), folder.path().join("new.conf"));
    std::fs::write(&old, "before").expect("a file");
    let missing = folder.path().join("none/other.conf");
    let written = TransactionalSaga::new()
        .scope(|saga| {
            let (old, new, missing) = (old.clone(), new.clone(), missing.clone());
            async move {
                write(&saga, &old, "after").await?;
                write(&saga, &new, "after").await?;
                write(&saga, &missing, "after").await
            }
        })
        .await;
    assert!(written.expect_err("no such directory").rollback().is_none());
    assert_eq!(std::fs::read_to_string(&old).expect("a file"), "before");
    assert!(!new.exists());
}

#[tokio::test]
async fn files_stay_changed_when_all_is_well() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("new.conf");
    let target = path.clone();
    TransactionalSaga::new()
        .scope(|saga| async move {
            write(&saga, &target, "after").await?;
            Ok::<_, StepError>(())
        })
        .await
        .expect("done");
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "after");
}
