//! Saga files: the input is the file.

use std::{fs, path::PathBuf, sync::OnceLock};

use tempfile::TempDir;

use crate::file;

/// Where the file of this process stands.
fn place() -> &'static PathBuf {
    static PLACE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = PLACE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a directory for a file");
        let path = folder.path().join("saga.yaml");
        (folder, path)
    });
    path
}

/// Reads a saga file and, where it is good, the definition that is made again from its plan.
pub fn saga_file(data: &[u8]) {
    let path = place();
    fs::write(path, data).expect("a file can be written");
    match file::load(path, &Default::default()) {
        Ok(read) => {
            let plan = read.saga.plan();
            let text = serde_json::to_string(plan).expect("a plan is plain data");
            let stored = serde_json::from_str(&text).expect("a plan that was written can be read");
            assert!(file::stored(&stored).is_some(), "the file is stored with its plan");
            let made_again = file::remake(&stored, &Default::default());
            assert!(made_again.is_some(), "a definition is made again from its plan");
        }
        // What is said of it is part of it, and there is something to say.
        Err(problems) => {
            assert!(!problems.is_empty());
            problems.iter().for_each(|problem| drop(problem.to_string()));
        }
    }
}
