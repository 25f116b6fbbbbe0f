//! Every source file says at its top what it is for, belongs to its package, and is not too long to read in
//! one sitting.

use super::Source;
use crate::{problem::Problem, repo::fits};

/// Files that nobody declares: they are the roots of programs and libraries.
const ROOTS: [&str; 3] = ["**/src/lib.rs", "**/src/main.rs", "**/src/bin/*.rs"];

/// Most lines of a source file. Longer ones have more than one reason to change.
const MAX_LINES: usize = 500;

pub(super) fn check(sources: &[Source<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for source in sources {
        let (path, text) = (&source.file.path, &source.file.text);
        let header = text.lines().next().and_then(|line| line.strip_prefix("//!"));
        if header.is_none_or(|header| header.trim().is_empty()) {
            problems.push(Problem::new(
                path,
                1,
                "the file does not begin with a header",
                "say in a sentence or two, after `//!`, what it is for",
            ));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            problems.push(Problem::new(
                path,
                MAX_LINES + 1,
                format!("the file has {lines} lines, and {MAX_LINES} are the limit"),
                "split it by what makes its parts change",
            ));
        }
        let is_root = !fits("**/src/**", path) || ROOTS.iter().any(|root| fits(root, path));
        if !is_root && !is_declared(path, sources) {
            problems.push(Problem::new(
                path,
                1,
                "no module declares the file, so nobody compiles it",
                "declare it with `mod`, or delete it",
            ));
        }
    }
    problems
}

/// Whether a file above declares this one as its module.
fn is_declared(path: &str, sources: &[Source<'_>]) -> bool {
    let module = path.strip_suffix("/mod.rs").or(path.strip_suffix(".rs")).unwrap_or(path);
    let Some((directory, name)) = module.rsplit_once('/') else { return false };
    let above = ["/lib.rs", "/main.rs", "/mod.rs", ".rs"].map(|end| format!("{directory}{end}"));
    sources.iter().filter(|source| above.contains(&source.file.path)).any(|source| {
        [&source.code.shipped, &source.code.tests].into_iter().any(|tokens| {
            tokens.windows(3).any(|w| w[0].is("mod") && w[1].is(name) && w[2].is(";"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{problem::texts, repo::Repo, tidy::sources};

    fn problems(code: &str) -> Vec<String> {
        texts(&check(&sources(&Repo::of(&[("tests/a.rs", code)]))))
    }

    #[test]
    fn a_file_without_a_header_is_a_problem() {
        assert_eq!(problems("//! What for.\nfn a() {}").len(), 0);
        assert!(problems("fn a() {}")[0].starts_with("tests/a.rs:1: the file does not begin"));
        assert_eq!(problems("//!\nfn a() {}").len(), 1);
        assert_eq!(problems("").len(), 1);
    }

    #[test]
    fn a_file_of_more_than_the_limit_is_a_problem() {
        let header = "//! What for.\n";
        assert_eq!(problems(&format!("{header}{}", "\n".repeat(MAX_LINES - 1))).len(), 0);
        let found = problems(&format!("{header}{}", "\n".repeat(MAX_LINES)));
        assert!(found[0].starts_with("tests/a.rs:501: the file has 501 lines"), "{found:?}");
    }

    #[test]
    fn a_file_that_no_module_declares_is_a_problem() {
        let repo = Repo::of(&[
            ("a/src/main.rs", "//! Root.\nmod b;\n#[cfg(test)]\nmod d;"),
            ("a/src/b/mod.rs", "//! Declares `c`.\nmod c;"),
            ("a/src/b/c.rs", "//! Declared."),
            ("a/src/d.rs", "//! Declared for tests."),
            ("a/src/b/lost.rs", "//! Lost."),
        ]);
        let found = texts(&check(&sources(&repo)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("a/src/b/lost.rs:1: no module declares the file"));
    }
}
