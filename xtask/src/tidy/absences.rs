//! What must stay absent from where: words, signs and paths that some files never name. The table is in
//! `ARCHITECTURE.md`; what is compiled for tests only is free of it, except below `tests` directories.

use super::Source;
use crate::{
    problem::Problem,
    repo::{Repo, fits},
    rust::{Path, Token, paths, tokens},
    table::{self, DOCUMENT, Row},
};

pub(super) fn check(repo: &Repo, sources: &[Source<'_>]) -> Result<Vec<Problem>, String> {
    let rows = table::read(repo, "absences")?;
    let mut problems = Vec::new();
    for row in &rows {
        check_row(row, sources, &mut problems);
    }
    Ok(problems)
}

fn check_row(row: &Row, sources: &[Source<'_>], problems: &mut Vec<Problem>) {
    let patterns: Vec<_> = row.codes(0).into_iter().map(Pattern::of).collect();
    let (places, exceptions, because) = (row.codes(1), row.codes(2), row.cell(3));
    let mut needed = vec![false; exceptions.len()];
    let mut seen = false;
    for source in sources {
        let path = &source.file.path;
        if !places.iter().any(|glob| fits(glob, path)) {
            continue;
        }
        seen = true;
        let excepted = exceptions.iter().position(|glob| fits(glob, path));
        for (line, pattern) in named(source, &patterns) {
            match excepted {
                Some(exception) => needed[exception] = true,
                None => problems.push(Problem::new(
                    path,
                    line,
                    format!("`{pattern}` must not occur here ({because})"),
                    format!("do without it, or change the table of absences in {DOCUMENT}"),
                )),
            }
        }
    }
    if !seen {
        problems.push(Problem::new(
            DOCUMENT,
            row.line,
            "this absence is about no file",
            "correct its second column, or take the row out",
        ));
    }
    for (exception, _) in exceptions.iter().zip(needed).filter(|(_, needed)| !needed) {
        problems.push(Problem::new(
            DOCUMENT,
            row.line,
            format!("the exception `{exception}` excuses nothing"),
            "take it out of the row",
        ));
    }
}

fn named<'a>(source: &Source<'_>, patterns: &[Pattern<'a>]) -> Vec<(usize, &'a str)> {
    let code = &source.code;
    let tokens = if code.shipped.is_empty() { &code.tests } else { &code.shipped };
    let paths = paths(tokens);
    let mut found = Vec::new();
    for pattern in patterns {
        found.extend(pattern.lines(tokens, &paths).into_iter().map(|line| (line, pattern.text)));
    }
    found
}

struct Pattern<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl<'a> Pattern<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, tokens: tokens(text) }
    }

    /// The lines that name it. A path is also found where `use` takes it apart.
    fn lines(&self, tokens: &[Token], paths: &[Path]) -> Vec<usize> {
        let in_row = tokens.windows(self.tokens.len()).filter(|window| {
            window.iter().zip(&self.tokens).all(|(token, wanted)| token.text == wanted.text)
        });
        let mut lines: Vec<_> = in_row.map(|window| window[0].line).collect();
        let is_path =
            self.tokens.len() > 1 && self.tokens.iter().all(|t| t.is("::") || t.is_word());
        if is_path && self.tokens.iter().any(|token| token.is("::")) {
            let wanted: Vec<_> = self.text.split("::").collect();
            let holds = |path: &&Path| path.parts.windows(wanted.len()).any(|part| part == wanted);
            lines.extend(paths.iter().filter(holds).map(|path| path.line));
        }
        lines.sort_unstable();
        lines.dedup();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{problem::texts, tidy::sources};

    fn problems(patterns: &str, code: &str) -> Vec<String> {
        let document = format!(
            "<!-- absences -->\n| never | in | except | because |\n|---|---|---|---|\n\
             | {patterns} | `src/*.rs` | `src/free.rs` | order |\n<!-- /absences -->\n"
        );
        let repo = Repo::of(&[
            (DOCUMENT, &document),
            ("src/a.rs", code),
            // The exception is needed.
            ("src/free.rs", "std::time::now(); async {}.await; println!(); let a: dyn Fn();"),
        ]);
        texts(&check(&repo, &sources(&repo)).expect("the table is there"))
    }

    #[test]
    fn a_forbidden_path_is_found_where_use_takes_it_apart() {
        let found = problems("`std::time`", "use std::{\n    fmt,\n    time::Instant,\n};");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/a.rs:3: `std::time` must not occur here (order): "));
    }

    #[test]
    fn a_forbidden_sign_is_found() {
        assert_eq!(problems("`.await` `println!` `dyn Fn`", "a.await;\nprintln!();").len(), 2);
    }

    #[test]
    fn texts_comments_and_tests_are_free() {
        let code = "// async\nconst A: &str = \"async\";\n#[cfg(test)]\nmod t { async fn a() {} }";
        assert!(problems("`async`", code).is_empty());
    }

    #[test]
    fn an_exception_that_excuses_nothing_is_a_problem() {
        let found = problems("`rand`", "");
        assert!(found[0].contains("the exception `src/free.rs` excuses nothing"), "{found:?}");
    }
}
