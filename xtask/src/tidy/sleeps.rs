//! Tests do not wait for real time to pass: they sleep on a paused clock, or not at all. Exceptions, with
//! reasons, stand in a table in `ARCHITECTURE.md`.
//!
//! A clock is paused by the attribute of a test, in a function that makes a paused runtime, and between the
//! brackets of its calls. Where no clock of a file is real, it may sleep anywhere.

use std::ops::Range;

use super::Source;
use crate::{
    problem::Problem,
    repo::Repo,
    rust::{Attribute, Token, closing, paths},
    table::{self, DOCUMENT},
};

pub(super) fn check(repo: &Repo, sources: &[Source<'_>]) -> Result<Vec<Problem>, String> {
    let rows = table::read(repo, "sleeps")?;
    let mut problems = Vec::new();
    let mut needed = vec![false; rows.len()];
    for source in sources {
        let path = &source.file.path;
        let pausers: Vec<_> = sources
            .iter()
            .filter(|other| package(&other.file.path) == package(path))
            .flat_map(|other| pausers(&other.code.tests))
            .collect();
        let found = sleeps(&source.code.tests, &pausers);
        let excuse = rows.iter().position(|row| row.codes(0).contains(&path.as_str()));
        if let Some(excuse) = excuse {
            needed[excuse] = !found.is_empty();
            continue;
        }
        for line in found {
            problems.push(Problem::new(
                path,
                line,
                "a test sleeps in real time",
                "wait for an event, or run it with `#[tokio::test(start_paused = true)]`",
            ));
        }
    }
    for (row, _) in rows.iter().zip(needed).filter(|(_, needed)| !needed) {
        problems.push(Problem::new(
            DOCUMENT,
            row.line,
            format!("{} does not sleep in real time", row.cell(0)),
            "take the row out",
        ));
    }
    Ok(problems)
}

/// The package that a file belongs to: what comes before `src` or `tests`.
fn package(path: &str) -> &str {
    let end = ["src/", "tests/"].iter().filter_map(|part| path.find(part)).min();
    &path[..end.unwrap_or(0)]
}

/// The functions that make a paused runtime.
fn pausers(tokens: &[Token]) -> Vec<&str> {
    let functions = runtimes(tokens).into_iter().filter(|range| pauses(&tokens[range.clone()]));
    functions.map(|range| tokens[range.start + 1].text.as_str()).collect()
}

/// The functions that make a runtime, from `fn` to the closing brace.
fn runtimes(tokens: &[Token]) -> Vec<Range<usize>> {
    let made = ["new_current_thread", "new_multi_thread", "Runtime"];
    let places = (0..tokens.len()).filter(|&at| {
        made.iter().any(|name| tokens[at].is(name))
            && tokens[at..].iter().take(4).any(|token| token.is("("))
    });
    places.filter_map(|at| function(tokens, at)).collect()
}

/// The function that a place stands in.
fn function(tokens: &[Token], at: usize) -> Option<Range<usize>> {
    let mut heads = (0..at).rev().filter(|&head| tokens[head].is("fn"));
    heads.find_map(|head| {
        let open = head + tokens[head..].iter().position(|token| token.is("{"))?;
        Some(head..closing(tokens, open)).filter(|range| range.contains(&at))
    })
}

fn pauses(tokens: &[Token]) -> bool {
    let pause = ["start_paused", "(", "true"];
    tokens.windows(3).any(|window| window.iter().zip(pause).all(|(token, text)| token.is(text)))
}

/// Where the calls of such functions are, their arguments included.
fn calls<'a>(tokens: &'a [Token], names: &'a [&str]) -> impl Iterator<Item = Range<usize>> + 'a {
    tokens.windows(2).enumerate().filter_map(move |(at, window)| {
        let call = names.contains(&window[0].text.as_str()) && window[1].is("(");
        call.then(|| at..closing(tokens, at + 1))
    })
}

/// Where the clock is paused, and whether all clocks are.
fn clocks(tokens: &[Token], pausers: &[&str]) -> (Vec<Range<usize>>, bool) {
    let mut paused: Vec<_> = calls(tokens, pausers).collect();
    let mut real = false;
    for attribute in Attribute::all(tokens) {
        let own = &tokens[attribute.tokens.clone()];
        if own.iter().zip(["tokio", "::", "test"]).filter(|(token, text)| token.is(text)).count()
            < 3
        {
            continue;
        }
        if own.iter().any(|token| token.is("start_paused")) {
            paused.push(attribute.covers);
        } else {
            real = true;
        }
    }
    for function in runtimes(tokens) {
        if pauses(&tokens[function.clone()]) {
            paused.push(function);
        } else {
            real = true;
        }
    }
    let all = !real && !paused.is_empty();
    (paused, all)
}

/// The lines that sleep in real time.
fn sleeps(tokens: &[Token], pausers: &[&str]) -> Vec<usize> {
    let (paused, all_paused) = clocks(tokens, pausers);
    let mut lines = Vec::new();
    for (at, window) in tokens.windows(2).enumerate() {
        let names = |name: &str| window[0].is(name) && window[1].is("(");
        if !(names("sleep") || names("sleep_until")) {
            continue;
        }
        let before = |back: usize| at.checked_sub(back).map(|at| tokens[at].text.as_str());
        if matches!(before(1), Some("." | "fn")) {
            continue;
        }
        let by_thread = before(1) == Some("::") && before(2) == Some("thread");
        if by_thread || !(all_paused || paused.iter().any(|range| range.contains(&at))) {
            lines.push(window[0].line);
        }
    }
    // Called by its last name it would pass for the other.
    let imported = paths(tokens).into_iter().filter(|path| path.parts.ends_with(&thread_sleep()));
    lines.extend(imported.map(|path| path.line));
    lines.sort_unstable();
    lines.dedup();
    lines
}

fn thread_sleep() -> [String; 2] {
    ["thread".to_owned(), "sleep".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{problem::texts, tidy::sources};

    const PAUSED: &str = "#[tokio::test(start_paused = true)]\nasync fn a() { sleep(x).await; }\n";
    const UNPAUSED: &str = "#[tokio::test]\nasync fn b() { tokio::time::sleep(x).await; }\n";

    fn problems(excused: &str, code: &str) -> Vec<String> {
        let document = format!(
            "<!-- sleeps -->\n| file | because |\n|---|---|\n| {excused} | x |\n<!-- /sleeps -->\n"
        );
        let other = "fn a() { std::thread::sleep(b) }";
        let repo = Repo::of(&[
            (DOCUMENT, &document),
            ("crates/a/tests/a.rs", code),
            ("crates/a/tests/excused.rs", other),
        ]);
        texts(&check(&repo, &sources(&repo)).expect("the table is there"))
    }

    const EXCUSED: &str = "`crates/a/tests/excused.rs`";

    #[test]
    fn a_test_may_sleep_on_a_paused_clock() {
        assert!(problems(EXCUSED, PAUSED).is_empty());
    }

    #[test]
    fn what_paused_tests_share_may_sleep_too() {
        assert!(
            problems(EXCUSED, &format!("{PAUSED}async fn c() {{ sleep(d).await; }}")).is_empty()
        );
    }

    #[test]
    fn a_test_that_sleeps_in_real_time_is_a_problem() {
        let found = problems(EXCUSED, &format!("{PAUSED}{UNPAUSED}"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/a/tests/a.rs:4: a test sleeps in real time: "));
    }

    #[test]
    fn what_is_given_to_a_paused_runtime_may_sleep() {
        let runtime =
            "fn life(f: F) { new_current_thread().start_paused(true).build().block_on(f) }\n";
        let code = "#[test]\nfn a() {\n life(async { sleep(b).await });\n}\n";
        assert!(
            problems(EXCUSED, &format!("{runtime}{code}async fn c() {{ sleep(d).await }}"))
                .is_empty()
        );
        let found = problems(EXCUSED, &format!("{runtime}{code}{UNPAUSED}"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/a/tests/a.rs:7: "), "{found:?}");
    }

    #[test]
    fn a_runtime_that_is_not_paused_makes_sleeping_a_problem() {
        let code = "#[test]\nfn a() {\n Runtime::new().block_on(async { sleep(b).await });\n}\n";
        assert_eq!(problems(EXCUSED, &format!("{PAUSED}{code}")).len(), 1);
    }

    #[test]
    fn a_thread_that_sleeps_is_a_problem_on_any_clock() {
        let code = format!("{PAUSED}fn c() {{ thread::sleep(d) }}");
        assert_eq!(problems(EXCUSED, &code).len(), 1);
        assert_eq!(problems(EXCUSED, &format!("use std::thread::sleep;\n{PAUSED}")).len(), 1);
    }

    #[test]
    fn an_excuse_for_a_file_that_does_not_sleep_is_a_problem() {
        let found = problems("`crates/a/tests/gone.rs`", "");
        assert!(found.iter().any(|problem| problem.contains("does not sleep")), "{found:?}");
    }
}
