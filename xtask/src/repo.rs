//! The repository's files, read once, and the patterns that name some of them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Directories that hold nothing of ours.
const SKIPPED: [&str; 4] = [".git", ".venv", "target", "node_modules"];

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path from the root, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All files of the repository.
#[derive(Debug, Default)]
pub(crate) struct Repo {
    /// Those that hold text, in the order of their paths.
    pub(crate) files: Vec<File>,
    /// All of them, and all directories.
    pub(crate) paths: BTreeSet<String>,
}

impl Repo {
    /// Reads the files below a directory.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let mut repo = Self::default();
        let mut left = vec![root.to_owned()];
        while let Some(directory) = left.pop() {
            let unread = |error| format!("{} can't be read: {error}", directory.display());
            for entry in fs::read_dir(&directory).map_err(unread)? {
                repo.take(root, &entry.map_err(unread)?.path(), &mut left)?;
            }
        }
        repo.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(repo)
    }

    fn take(&mut self, root: &Path, found: &Path, left: &mut Vec<PathBuf>) -> Result<(), String> {
        let relative = found.strip_prefix(root).unwrap_or(found);
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        let path = parts.join("/");
        if parts.last().is_some_and(|name| SKIPPED.contains(&&**name)) {
            return Ok(());
        }
        self.paths.insert(path.clone());
        // What a symbolic link leads to is judged where it is, if it is ours.
        if found.is_symlink() {
            return Ok(());
        }
        if found.is_dir() {
            left.push(found.to_owned());
        } else if found.is_file() {
            let bytes =
                fs::read(found).map_err(|error| format!("{path} can't be read: {error}"))?;
            // What is not text has no rules.
            if let Ok(text) = String::from_utf8(bytes) {
                self.files.push(File { path, text });
            }
        }
        Ok(())
    }

    /// A repository of these files, for tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut repo = Self::default();
        for &(path, text) in files {
            for (end, _) in path.match_indices('/') {
                repo.paths.insert(path[..end].to_owned());
            }
            repo.paths.insert(path.to_owned());
            repo.files.push(File { path: path.to_owned(), text: text.to_owned() });
        }
        repo
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The files whose path fits a pattern.
    pub(crate) fn matching<'a>(&'a self, glob: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| fits(glob, &file.path))
    }
}

/// Whether a path fits a pattern, in which `*` stands for any part of one name and `**` for any number of
/// directories.
pub(crate) fn fits(glob: &str, path: &str) -> bool {
    let glob: Vec<_> = glob.split('/').collect();
    let path: Vec<_> = path.split('/').collect();
    fits_parts(&glob, &path)
}

fn fits_parts(glob: &[&str], path: &[&str]) -> bool {
    match (glob.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            (0..=path.len()).any(|skipped| fits_parts(rest, &path[skipped..]))
                && (!rest.is_empty() || !path.is_empty())
        }
        (Some((part, rest)), Some((name, names))) => {
            fits_name(part, name) && fits_parts(rest, names)
        }
        _ => false,
    }
}

fn fits_name(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        None => glob == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|&at| rest.is_char_boundary(at))
                .any(|at| fits_name(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_one_name() {
        assert!(fits("crates/*/src/lib.rs", "crates/a/src/lib.rs"));
        assert!(fits("src/*.rs", "src/a.rs"));
        assert!(!fits("src/*.rs", "src/a/b.rs"));
    }

    #[test]
    fn two_stars_cross_directories() {
        assert!(fits("src/**", "src/a/b.rs"));
        assert!(fits("**/*.rs", "a.rs"));
        assert!(fits("**/*.rs", "a/b/c.rs"));
        assert!(!fits("src/**", "tests/a.rs"));
    }
}
