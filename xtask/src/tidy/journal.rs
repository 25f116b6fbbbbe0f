//! The journal's words in the code and in the document are the same, so that nobody adds or renames one in
//! passing: what a released version wrote is read for ever.

use super::Source;
use crate::{
    problem::Problem,
    repo::Repo,
    table::{self, DOCUMENT},
};

/// Where the words are, and the type that lists them.
const FILE: &str = "crates/compensation/src/event.rs";
const TYPE: &str = "Word";

pub(super) fn check(repo: &Repo, sources: &[Source<'_>]) -> Result<Vec<Problem>, String> {
    let rows = table::read(repo, "journal")?;
    let words = sources.iter().find(|source| source.file.path == FILE).map(words);
    let words = words.ok_or_else(|| format!("there is no {FILE} with the journal's words"))?;
    let mut problems = Vec::new();
    let listed = |word: &str| rows.iter().any(|row| row.codes(0).contains(&word));
    for (word, line) in words.iter().filter(|(word, _)| !listed(word)) {
        problems.push(Problem::new(
            FILE,
            *line,
            format!("the journal's word `{word}` is not in the table of {DOCUMENT}"),
            "add a row that says what it means; it keeps that meaning for ever",
        ));
    }
    for row in &rows {
        for listed in row.codes(0) {
            if !words.iter().any(|(word, _)| word == listed) {
                problems.push(Problem::new(
                    DOCUMENT,
                    row.line,
                    format!("the journal has no word `{listed}`"),
                    "a released word stays: put it back, or take the row out if it never was one",
                ));
            }
        }
    }
    Ok(problems)
}

/// The variants of the type, as they are stored.
fn words(source: &Source<'_>) -> Vec<(String, usize)> {
    let tokens = &source.code.shipped;
    let head = ["enum", TYPE, "{"];
    let start = tokens.windows(3).position(|w| w.iter().zip(head).all(|(token, h)| token.is(h)));
    let Some(start) = start else { return Vec::new() };
    let body = tokens[start + 3..].iter().take_while(|token| !token.is("}"));
    body.filter(|token| token.is_word()).map(|token| (snake(&token.text), token.line)).collect()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{problem::texts, tidy::sources};

    fn problems(words: &str) -> Vec<String> {
        let document = "<!-- journal -->\n| word | meaning |\n|---|---|\n| `action_done` | x |\n\
                        <!-- /journal -->\n";
        let code = format!("enum Word {{\n{words}\n}}\n");
        let repo = Repo::of(&[(DOCUMENT, document), (FILE, &code)]);
        texts(&check(&repo, &sources(&repo)).expect("the table and the words are there"))
    }

    #[test]
    fn a_word_that_the_table_has_is_no_problem() {
        assert!(problems("ActionDone,").is_empty());
    }

    #[test]
    fn a_word_that_the_table_lacks_is_a_problem() {
        let found = problems("ActionDone,\nActionLost,");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("event.rs:3: the journal's word `action_lost`"), "{found:?}");
    }

    #[test]
    fn a_word_that_the_code_has_lost_is_a_problem() {
        let found = problems("ActionEnded,");
        assert!(found.iter().any(|p| p.contains("the journal has no word `action_done`")));
    }
}
