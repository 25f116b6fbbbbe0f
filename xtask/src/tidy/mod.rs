//! The rules of the house, one module each. A rule that is a list stands as a table in `ARCHITECTURE.md`.

mod absences;
mod crates;
mod excuses;
mod imports;
mod journal;
mod licences;
mod links;
mod map;
mod shape;
mod sleeps;
mod tree;
mod words;

use std::{path::Path, process::Command};

use crate::{
    problem::Problem,
    repo::{File, Repo},
    rust::Code,
};

/// A Rust source file.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a File,
    pub(crate) code: Code,
}

/// Checks everything below a directory. Returns how many files there are, and every problem in order.
pub(crate) fn run(root: &Path) -> Result<(usize, Vec<Problem>), String> {
    let repo = Repo::read(root)?;
    let sources = sources(&repo);
    let mut problems = Vec::new();
    problems.extend(imports::check(&repo, &sources)?);
    problems.extend(absences::check(&repo, &sources)?);
    problems.extend(excuses::check(&sources));
    problems.extend(sleeps::check(&repo, &sources)?);
    problems.extend(shape::check(&sources));
    problems.extend(words::check(&repo));
    problems.extend(journal::check(&repo, &sources)?);
    problems.extend(crates::check(&repo)?);
    problems.extend(links::check(&repo));
    problems.extend(map::check(&repo, &sources));
    problems.extend(tree::check(&repo, &cargo_tree(root, tree::ARGUMENTS)?));
    problems.extend(licences::check(&repo, &cargo_tree(root, licences::ARGUMENTS)?)?);
    problems.sort();
    problems.dedup();
    Ok((repo.files.len(), problems))
}

fn sources(repo: &Repo) -> Vec<Source<'_>> {
    let rust = repo.matching("**/*.rs");
    rust.map(|file| Source { file, code: Code::of(&file.path, &file.text) }).collect()
}

fn cargo_tree(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ran = Command::new(cargo).arg("tree").args(arguments).current_dir(root).output();
    let output = ran.map_err(|error| format!("`cargo tree` can't be run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`cargo tree {}` failed: {}", arguments.join(" "), said.trim()));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("`cargo tree` is no text: {error}"))
}
