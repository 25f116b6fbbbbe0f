//! Words that no file of the repository has: marks of unfinished work, and paths of somebody's machine.

use crate::{problem::Problem, repo::Repo};

struct Ban {
    /// In two halves, so that this file does not trip over itself.
    halves: (&'static str, &'static str),
    what: &'static str,
    mend: &'static str,
}

const UNFINISHED: &str = "a mark of unfinished work";
const FINISH: &str = "finish it, or take it out";
const MACHINE: &str = "a path of one machine";
const RELATIVE: &str = "name it from the repository's root, or by a variable";

const BANS: [Ban; 6] = [
    Ban { halves: ("TO", "DO"), what: UNFINISHED, mend: FINISH },
    Ban { halves: ("FIX", "ME"), what: UNFINISHED, mend: FINISH },
    Ban { halves: ("XX", "X"), what: UNFINISHED, mend: FINISH },
    Ban { halves: ("/wo", "rk/"), what: MACHINE, mend: RELATIVE },
    Ban { halves: ("/tmp/tar", "get"), what: MACHINE, mend: RELATIVE },
    Ban { halves: ("/ro", "ot/"), what: MACHINE, mend: RELATIVE },
];

pub(super) fn check(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    for ban in &BANS {
        let word = format!("{}{}", ban.halves.0, ban.halves.1);
        for file in repo.files.iter().filter(|file| file.text.contains(&word)) {
            for (line, number) in file.text.lines().zip(1..) {
                if has(line, &word) {
                    let what = format!("`{word}`, {}", ban.what);
                    problems.push(Problem::new(&file.path, number, what, ban.mend));
                }
            }
        }
    }
    problems
}

/// Whether a line has the word by itself, not as a part of another. A path may go on behind it, but not
/// begin before it.
fn has(line: &str, word: &str) -> bool {
    let is_path = word.starts_with('/');
    let joined = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let begins_before = before.is_some_and(|c| joined(c) || is_path && ".-})".contains(c));
        let goes_on = !is_path && after.is_some_and(joined);
        !begins_before && !goes_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::texts;

    fn problems(text: &str) -> Vec<String> {
        texts(&check(&Repo::of(&[("notes.md", text)])))
    }

    #[test]
    fn a_mark_of_unfinished_work_is_a_problem_in_any_file() {
        let found = problems(concat!("fine\n// TO", "DO: the rest"));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("notes.md:2: "));
    }

    #[test]
    fn a_longer_word_is_no_mark() {
        assert!(problems(concat!("mkdtemp saga.XX", "XXXX and TO", "DOS")).is_empty());
    }

    #[test]
    fn a_path_of_one_machine_is_a_problem() {
        assert_eq!(problems(concat!("see /wo", "rk/main/notes")).len(), 1);
        assert_eq!(problems(concat!("CARGO_TARGET_DIR=/tmp/tar", "get-x")).len(), 1);
    }

    #[test]
    fn a_part_of_a_longer_path_is_not() {
        assert!(
            problems(concat!("https://example.org/wo", "rk/x and $HOME.d/ro", "ot/")).is_empty()
        );
    }
}
