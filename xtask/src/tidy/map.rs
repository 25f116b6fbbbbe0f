//! The map in `ARCHITECTURE.md` shows every source file of the crates: by a link to it, or to a directory
//! above it that is not the whole of a crate.

use super::{Source, links};
use crate::{
    problem::Problem,
    repo::{Repo, fits},
    table::DOCUMENT,
};

const SHOWN: &str = "crates/*/src/**";

pub(super) fn check(repo: &Repo, sources: &[Source<'_>]) -> Vec<Problem> {
    let document = repo.file(DOCUMENT).map_or("", |file| file.text.as_str());
    let links: Vec<_> = links::links(document)
        .into_iter()
        .map(|(target, _)| target.trim_end_matches('/').to_owned())
        .filter(|target| fits(SHOWN, target))
        .collect();
    let is_shown = |path: &str| {
        links.iter().any(|link| {
            path.strip_prefix(link.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        })
    };
    sources
        .iter()
        .map(|source| source.file.path.as_str())
        .filter(|path| fits(SHOWN, path) && !is_shown(path))
        .map(|path| {
            let what = format!("the map in {DOCUMENT} does not show the file");
            Problem::new(path, 1, what, "say there in half a line what it is for, with a link")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{problem::texts, tidy::sources};

    fn problems(document: &str) -> Vec<String> {
        let repo = Repo::of(&[
            (DOCUMENT, document),
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/b/mod.rs", ""),
            ("xtask/src/main.rs", ""),
        ]);
        texts(&check(&repo, &sources(&repo)))
    }

    #[test]
    fn files_are_shown_by_themselves_or_by_their_directory() {
        assert!(problems("[lib](crates/a/src/lib.rs) [b](crates/a/src/b/)").is_empty());
    }

    #[test]
    fn a_file_that_the_map_does_not_show_is_a_problem() {
        let found = problems("[lib](crates/a/src/lib.rs)");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/a/src/b/mod.rs:1: the map in ARCHITECTURE.md"));
    }

    #[test]
    fn a_link_to_the_whole_of_a_crate_shows_nothing() {
        assert_eq!(problems("[a](crates/a/src) [b](crates/a/src/)").len(), 2);
    }
}
