//! Links between the documents, and from them to files, lead somewhere. Links to the web are left alone.

use std::collections::BTreeSet;

use crate::{
    problem::Problem,
    repo::{File, Repo},
};

pub(super) fn check(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in repo.matching("**/*.md") {
        for (target, line) in links(&file.text) {
            if let Some(what) = broken(repo, file, &target) {
                let mend = "correct the link; it is relative to the document's directory";
                problems.push(Problem::new(&file.path, line, what, mend));
            }
        }
    }
    problems
}

/// What is wrong with a link, if it leads nowhere.
fn broken(repo: &Repo, file: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(p, a)| (p, Some(a)));
    let full = if path.is_empty() { Some(file.path.clone()) } else { join(&file.path, path) };
    let Some(full) = full.filter(|full| full.is_empty() || repo.paths.contains(full)) else {
        return Some(format!("the link `{target}` leads to no file"));
    };
    let anchor = anchor?;
    let found = repo.file(&full).is_some_and(|file| anchors(&file.text).contains(anchor));
    (!found).then(|| format!("the link `{target}` leads to no heading of {full}"))
}

/// A path relative to a document's directory, from the root; `None` if it leaves the repository.
fn join(document: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<_> = document.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The lines of a document that are no code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut fence: Option<&str> = None;
    text.lines().zip(1..).filter(move |(line, _)| {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => return true,
            _ => {}
        }
        false
    })
}

/// Where the links of a document lead, and their lines.
pub(super) fn links(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (line, number) in prose(text) {
        let line = without_code(line);
        let definition = line.starts_with('[').then(|| line.split_once("]: ")).flatten();
        if let Some((_, target)) = definition {
            found.push((first_word(target).to_owned(), number));
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let end = rest.find(')').unwrap_or(rest.len());
            found.push((first_word(&rest[..end]).to_owned(), number));
        }
    }
    found
}

/// A target without its title and angle brackets.
fn first_word(text: &str) -> &str {
    let word = text.split_whitespace().next().unwrap_or_default();
    word.trim_start_matches('<').trim_end_matches('>')
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// The names by which a document's headings can be linked to, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (line, _) in prose(text) {
        let level = line.len() - line.trim_start_matches('#').len();
        let Some(title) = line[level..].strip_prefix(' ').filter(|_| level > 0) else { continue };
        let name = slug(title.trim());
        let mut unique = name.clone();
        let mut copies = 0;
        while !found.insert(unique) {
            copies += 1;
            unique = format!("{name}-{copies}");
        }
    }
    found
}

fn slug(title: &str) -> String {
    let kept = title.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::texts;

    fn problems(text: &str) -> Vec<String> {
        texts(&check(&Repo::of(&[
            ("docs/a.md", text),
            ("docs/b.md", "# The `journal`: words\n## Twice\n## Twice\n"),
            ("src/lib.rs", ""),
        ])))
    }

    #[test]
    fn links_that_lead_somewhere_are_no_problem() {
        let text = "# Top\n[a](b.md) [b](../src/lib.rs) [c](#top) [d](../src)\n\
                    [e](b.md#the-journal-words) [f](b.md#twice-1) [g](https://example.org/x.md)\n\
                    [h]: b.md\n";
        assert_eq!(problems(text), Vec::<String>::new());
    }

    #[test]
    fn a_link_to_no_file_is_a_problem() {
        let found = problems("fine\n[a](c.md)\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("docs/a.md:2: the link `c.md` leads to no file: "));
        assert_eq!(problems("[x]: ../gone.md\n").len(), 1);
        assert_eq!(problems("[x](/etc/passwd)\n").len(), 1);
    }

    #[test]
    fn a_link_to_no_heading_is_a_problem() {
        let found = problems("[a](b.md#nowhere)\n");
        assert!(found[0].contains("leads to no heading of docs/b.md"), "{found:?}");
    }

    #[test]
    fn links_in_code_are_no_links() {
        assert!(problems("`[a](c.md)`\n```\n[b](c.md)\n```\n").is_empty());
    }
}
