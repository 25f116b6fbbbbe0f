//! Lints are excused with a reason, and nothing that can happen is unwrapped: `unwrap` and `expect` stand
//! only under an excuse that says why they hold.

use super::Source;
use crate::{
    problem::Problem,
    repo::fits,
    rust::{Attribute, Token},
};

/// Where unwrapping needs an excuse.
const SHIPPED: &str = "crates/*/src/**";

pub(super) fn check(sources: &[Source<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for source in sources {
        let path = &source.file.path;
        for tokens in [&source.code.shipped, &source.code.tests] {
            reasons(path, tokens, &mut problems);
        }
        if fits(SHIPPED, path) {
            let above: Vec<_> =
                sources.iter().filter(|other| is_above(&other.file.path, path)).collect();
            let excused = |lint: &str| above.iter().any(|other| excuses_all(other, lint));
            unwraps(path, &source.code.shipped, excused, &mut problems);
        }
    }
    problems
}

/// Whether a file's module holds another file's.
fn is_above(path: &str, other: &str) -> bool {
    let inner = ["lib.rs", "main.rs", "mod.rs"].iter().find_map(|name| path.strip_suffix(name));
    match inner.or(path.strip_suffix(".rs")) {
        Some(directory) if directory.ends_with('/') => other.starts_with(directory),
        Some(module) => other.strip_prefix(module).is_some_and(|rest| rest.starts_with('/')),
        None => false,
    }
}

/// Whether a file excuses a lint at its top, and so in all modules below its own.
fn excuses_all(source: &Source<'_>, lint: &str) -> bool {
    let tokens = &source.code.shipped;
    let whole = 0..tokens.len();
    Attribute::all(tokens).iter().any(|a| a.inner && a.covers == whole && excuses(a, tokens, lint))
}

fn excuses(attribute: &Attribute, tokens: &[Token], lint: &str) -> bool {
    attribute.says(tokens, "allow", lint) || attribute.says(tokens, "expect", lint)
}

fn reasons(path: &str, tokens: &[Token], problems: &mut Vec<Problem>) {
    for attribute in Attribute::all(tokens) {
        let own = &tokens[attribute.tokens.clone()];
        let excuse = own.first().is_some_and(|name| name.is("allow") || name.is("expect"));
        if excuse && !own.iter().any(|token| token.is("reason")) {
            problems.push(Problem::new(
                path,
                own[0].line,
                format!("`{}` without a reason", own[0].text),
                "add `reason = \"…\"`, or mend what the lint complains of",
            ));
        }
    }
}

fn unwraps(
    path: &str,
    tokens: &[Token],
    excused_above: impl Fn(&str) -> bool,
    problems: &mut Vec<Problem>,
) {
    let attributes = Attribute::all(tokens);
    for (at, window) in tokens.windows(3).enumerate() {
        let lint = match window {
            [dot, name, open] if dot.is(".") && open.is("(") => match name.text.as_str() {
                "unwrap" | "unwrap_err" => "unwrap_used",
                "expect" | "expect_err" => "expect_used",
                _ => continue,
            },
            _ => continue,
        };
        let mut own = attributes.iter().filter(|attribute| attribute.covers.contains(&at));
        let excused = own.any(|attribute| excuses(attribute, tokens, lint)) || excused_above(lint);
        if !excused {
            problems.push(Problem::new(
                path,
                window[1].line,
                format!("`{}` in shipped code", window[1].text),
                format!("return an error, or say why it holds in `#[allow(clippy::{lint}, …)]`"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{problem::texts, repo::Repo, tidy::sources};

    fn problems(path: &str, code: &str) -> Vec<String> {
        texts(&check(&sources(&Repo::of(&[(path, code)]))))
    }

    #[test]
    fn an_excuse_without_a_reason_is_a_problem() {
        let found = problems("tests/a.rs", "#![allow(dead_code)]");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("tests/a.rs:1: `allow` without a reason: "));
    }

    #[test]
    fn an_unwrap_in_shipped_code_is_a_problem() {
        let found = problems("crates/a/src/lib.rs", "fn a() {\n    b().unwrap();\n}");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/a/src/lib.rs:2: `unwrap` in shipped code: "));
    }

    #[test]
    fn an_excuse_covers_its_own_item_only() {
        let excuse = "#[allow(clippy::expect_used, reason = \"it holds\")]\n";
        let code =
            format!("{excuse}fn a() {{ b().expect(\"c\"); }}\nfn d() {{ e().expect(\"f\"); }}");
        let found = problems("crates/a/src/lib.rs", &code);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/a/src/lib.rs:3: "));
    }

    #[test]
    fn a_test_may_unwrap() {
        let code = "#[cfg(test)]\nmod tests { fn a() { b().unwrap(); } }";
        assert!(problems("crates/a/src/lib.rs", code).is_empty());
    }

    #[test]
    fn an_excuse_at_the_top_of_a_module_covers_the_modules_below() {
        let excuse = "#![allow(clippy::unwrap_used, reason = \"it holds\")]";
        let code = "fn a() { b().unwrap(); }";
        let count = |files: &[(&str, &str)]| check(&sources(&Repo::of(files))).len();
        assert_eq!(count(&[("crates/a/src/lib.rs", excuse), ("crates/a/src/b/c.rs", code)]), 0);
        assert_eq!(count(&[("crates/a/src/b.rs", excuse), ("crates/a/src/b/c.rs", code)]), 0);
        assert_eq!(count(&[("crates/a/src/b/mod.rs", excuse), ("crates/a/src/c.rs", code)]), 1);
        assert_eq!(count(&[("crates/a/src/b.rs", excuse), ("crates/a/src/bc.rs", code)]), 1);
    }
}
