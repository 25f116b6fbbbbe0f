//! Every crate that is built, for whatever target, has a licence that `deny.toml` allows. The list is read
//! from there, so that this check and cargo-deny agree.

use crate::{problem::Problem, repo::Repo};

/// Every package and its licence, for all targets.
pub(super) const ARGUMENTS: &[&str] = &[
    "--workspace",
    "--target=all",
    "--edges=normal,build,dev",
    "--prefix=none",
    "--format={p}|{l}",
    "--locked",
];

const RULES: &str = "deny.toml";
const LOCK: &str = "Cargo.lock";

/// Judges the output of `cargo tree`.
pub(super) fn check(repo: &Repo, tree: &str) -> Result<Vec<Problem>, String> {
    let rules = repo.file(RULES).ok_or_else(|| format!("there is no {RULES}"))?;
    let allowed = allowed(&rules.text)
        .ok_or_else(|| format!("{RULES} has no list `allow` in its section `[licenses]`"))?;
    let lock = repo.file(LOCK).map_or("", |file| file.text.as_str());
    let mut problems = Vec::new();
    for line in tree.lines() {
        let Some((package, licence)) = line.split_once('|') else { continue };
        let name = package.split(' ').next().unwrap_or_default();
        // Packages that came before are marked behind their licence.
        let licence = licence.trim_end_matches(" (*)").trim();
        let what = match permitted(licence, &allowed) {
            Some(true) => continue,
            Some(false) => format!("`{name}` has the licence `{licence}`, which is not allowed"),
            None if licence.is_empty() => format!("`{name}` states no licence"),
            None => format!("`{name}` has a licence that can't be read: `{licence}`"),
        };
        let entry = format!("name = \"{name}\"");
        let place = lock.lines().position(|line| line == entry).map_or(1, |place| place + 1);
        let mend = format!("do without the crate, or allow the licence in {RULES}");
        problems.push(Problem::new(LOCK, place, what, mend));
    }
    Ok(problems)
}

/// The list `allow` of the section `[licenses]`.
fn allowed(rules: &str) -> Option<Vec<&str>> {
    let mut lines = rules.lines().skip_while(|line| line.trim() != "[licenses]").skip(1);
    let own: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with('[')).collect();
    let start = own.iter().position(|line| line.trim_start().starts_with("allow = ["))?;
    let mut found = Vec::new();
    for line in &own[start..] {
        let line = line.split('#').next().unwrap_or_default();
        found.extend(line.split('"').skip(1).step_by(2));
        if line.contains(']') {
            return Some(found);
        }
    }
    None
}

/// Whether an SPDX expression can be met by what is allowed; `None` where it is no expression.
fn permitted(expression: &str, allowed: &[&str]) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut left = &words[..];
    let met = any(&mut left, allowed)?;
    left.is_empty().then_some(met)
}

fn any(left: &mut &[&str], allowed: &[&str]) -> Option<bool> {
    let mut met = all(left, allowed)?;
    while let Some((&"OR", rest)) = left.split_first() {
        *left = rest;
        met |= all(left, allowed)?;
    }
    Some(met)
}

fn all(left: &mut &[&str], allowed: &[&str]) -> Option<bool> {
    let mut met = one(left, allowed)?;
    while let Some((&"AND", rest)) = left.split_first() {
        *left = rest;
        met &= one(left, allowed)?;
    }
    Some(met)
}

fn one(left: &mut &[&str], allowed: &[&str]) -> Option<bool> {
    let (&first, rest) = left.split_first()?;
    *left = rest;
    match first {
        "(" => {
            let met = any(left, allowed)?;
            let (&close, rest) = left.split_first()?;
            *left = rest;
            (close == ")").then_some(met)
        }
        ")" | "OR" | "AND" | "WITH" => None,
        id => match left {
            ["WITH", exception, rest @ ..] => {
                let whole = format!("{id} WITH {exception}");
                *left = rest;
                Some(allowed.contains(&whole.as_str()))
            }
            _ => Some(allowed.contains(&id)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::texts;

    const DENY: &str = "[bans]\nallow = [\"x\"]\n[licenses]\nallow = [\n  \"MIT\", # a \"note\"\n  \
                        \"Unicode-3.0\",\n]\n[sources]\n";

    #[test]
    fn one_of_several_choices_is_enough_and_all_of_several_duties_are_needed() {
        let allowed = ["MIT", "Unicode-3.0"];
        let met = |expression| permitted(expression, &allowed);
        assert_eq!(met("GPL-3.0 OR MIT"), Some(true));
        assert_eq!(met("MIT/Apache-2.0"), Some(true));
        assert_eq!(met("(MIT OR Apache-2.0) AND Unicode-3.0"), Some(true));
        assert_eq!(met("MIT AND OpenSSL"), Some(false));
        assert_eq!(met("Apache-2.0 WITH LLVM-exception OR MIT"), Some(true));
        assert_eq!(met("MIT WITH Something"), Some(false));
    }

    #[test]
    fn what_is_no_expression_is_not_met() {
        assert_eq!(permitted("", &["MIT"]), None);
        assert_eq!(permitted("MIT OR", &["MIT"]), None);
        assert_eq!(permitted("(MIT", &["MIT"]), None);
        assert_eq!(permitted("MIT MIT", &["MIT"]), None);
    }

    #[test]
    fn the_list_is_read_from_its_own_section() {
        assert_eq!(allowed(DENY), Some(vec!["MIT", "Unicode-3.0"]));
        assert_eq!(allowed("[licenses]\n"), None);
    }

    #[test]
    fn a_licence_that_is_not_allowed_is_a_problem_in_the_lock_file() {
        let lock = "[[package]]\nname = \"good\"\n\n[[package]]\nname = \"bad\"\n";
        let repo = Repo::of(&[(RULES, DENY), (LOCK, lock)]);
        let tree = "good v1.0.0|MIT\nbad v1.0.0 (proc-macro)|GPL-3.0-only\ngood v1.0.0|MIT (*)\n";
        let found = texts(&check(&repo, tree).expect("the rules are there"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("Cargo.lock:5: `bad` has the licence `GPL-3.0-only`"));
    }

    #[test]
    fn a_crate_without_a_licence_is_a_problem() {
        let repo = Repo::of(&[(RULES, DENY)]);
        let found = texts(&check(&repo, "bare v1.0.0|\n").expect("the rules are there"));
        assert!(found[0].starts_with("Cargo.lock:1: `bare` states no licence"), "{found:?}");
    }
}
