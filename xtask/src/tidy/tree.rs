//! What the crate `compensation` brings into a program that uses it: few crates, and none of the heavy ones.

use std::collections::BTreeSet;

use crate::{problem::Problem, repo::Repo};

/// The tree that is judged. One target, so that the number is the same on every machine.
pub(super) const ARGUMENTS: &[&str] = &[
    "--package=compensation",
    "--edges=normal",
    "--prefix=depth",
    "--target=x86_64-unknown-linux-gnu",
    "--locked",
];

const MANIFEST: &str = "crates/compensation/Cargo.toml";

/// All direct dependencies. One more is a decision: write its reason into `ARCHITECTURE.md`.
const DIRECT: [&str; 8] =
    ["backon", "jiff", "serde", "serde_json", "thiserror", "tokio", "tracing", "uuid"];

/// Crates that would make the core heavy, or tie it to a database, a server or a clock of its own.
const HEAVY: [&str; 14] = [
    "axum",
    "chrono",
    "clap",
    "hyper",
    "libsqlite3-sys",
    "openssl-sys",
    "prost",
    "rand",
    "regex",
    "reqwest",
    "rusqlite",
    "sqlx",
    "time",
    "tonic",
];

/// The same, whole families.
const HEAVY_FAMILIES: [&str; 3] = ["futures", "mongodb", "temporalio"];

/// Most crates in all. They were 27 when this was written; the rest is room for a dependency that splits a
/// part of itself off, not for a new one.
const MAX: usize = 28;

/// Judges the output of `cargo tree`.
pub(super) fn check(repo: &Repo, tree: &str) -> Vec<Problem> {
    let (mut direct, mut all) = (BTreeSet::new(), BTreeSet::new());
    for line in tree.lines() {
        let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (depth, package) = line.split_at(digits);
        let name = package.split(' ').next().unwrap_or_default();
        match depth {
            "" | "0" => continue,
            "1" => drop(direct.insert(name)),
            _ => {}
        }
        all.insert(name);
    }
    let manifest = repo.file(MANIFEST).map_or("", |file| file.text.as_str());
    let line_of = |name: &str| {
        let place = manifest.lines().position(|line| line.starts_with(name));
        place.map_or(1, |place| place + 1)
    };
    let mut problems = Vec::new();
    let mut report = |name: &str, what: String, mend: &str| {
        problems.push(Problem::new(MANIFEST, line_of(name), what, mend));
    };
    for name in direct.iter().filter(|name| !DIRECT.contains(name)) {
        let what = format!("`{name}` is a new direct dependency");
        report(name, what, "do without it, or allow it in xtask/src/tidy/tree.rs and say why");
    }
    for name in DIRECT.iter().filter(|name| !direct.contains(*name)) {
        let what = format!("`{name}` is allowed as a dependency and is none");
        report(name, what, "take it out of the list in xtask/src/tidy/tree.rs");
    }
    for name in all.iter().filter(|name| is_heavy(name)) {
        let what = format!("`{name}` is in the tree of dependencies");
        report(name, what, "find who brings it (`cargo tree -i`), and turn that feature off");
    }
    if all.len() > MAX {
        let what = format!("the tree has {} crates, and {MAX} are the limit", all.len());
        report(
            "[dependencies]",
            what,
            "find what grew with `cargo tree -p compensation -e normal`",
        );
    }
    problems
}

fn is_heavy(name: &str) -> bool {
    HEAVY.contains(&name) || HEAVY_FAMILIES.iter().any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::texts;

    fn problems(more: &str) -> Vec<String> {
        let direct: String = DIRECT.iter().map(|name| format!("1{name} v1.0.0\n")).collect();
        let tree = format!("0compensation v0.1.0 (/a path)\n{direct}2libc v0.2.1\n{more}");
        let manifest = "[dependencies]\nserde = \"1\"\nrusqlite = \"1\"\n";
        texts(&check(&Repo::of(&[(MANIFEST, manifest)]), &tree))
    }

    #[test]
    fn the_known_dependencies_are_no_problem() {
        assert!(problems("2serde v1.0.0 (*)\n").is_empty());
    }

    #[test]
    fn a_new_direct_dependency_is_a_problem() {
        let found = problems("1itertools v0.1.0\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("`itertools` is a new direct dependency"), "{found:?}");
    }

    #[test]
    fn a_heavy_crate_is_a_problem_however_deep() {
        let found = problems("3rusqlite v0.43.0\n3temporalio-sdk v0.1.0\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("crates/compensation/Cargo.toml:3: `rusqlite` is in the tree")
        );
    }

    #[test]
    fn a_tree_beyond_the_limit_is_a_problem() {
        let more: String = (0..MAX).map(|number| format!("2crate{number} v1.0.0\n")).collect();
        assert!(problems(&more)[0].contains("are the limit"));
    }
}
