//! Which crates of the workspace each crate may depend on. The table in `ARCHITECTURE.md` and the manifests
//! say the same.

use std::collections::BTreeSet;

use crate::{
    problem::Problem,
    repo::{File, Repo},
    table::{self, DOCUMENT},
};

/// Where the workspace's members are.
const MANIFESTS: [&str; 4] =
    ["crates/*/Cargo.toml", "xtask/Cargo.toml", "benches/Cargo.toml", "docs/Cargo.toml"];

struct Manifest<'a> {
    file: &'a File,
    name: &'a str,
    /// The name and line of each dependency.
    normal: Vec<(&'a str, usize)>,
    tests: Vec<(&'a str, usize)>,
}

pub(super) fn check(repo: &Repo) -> Result<Vec<Problem>, String> {
    let rows = table::read(repo, "crates")?;
    let manifests: Vec<_> =
        MANIFESTS.iter().flat_map(|glob| repo.matching(glob)).filter_map(manifest).collect();
    let members: BTreeSet<_> = manifests.iter().map(|manifest| manifest.name).collect();
    let mut problems = Vec::new();
    for row in rows.iter().filter(|row| !members.contains(row.cell(0).trim_matches('`'))) {
        problems.push(Problem::new(
            DOCUMENT,
            row.line,
            format!("there is no crate {}", row.cell(0)),
            "take the row out, or correct it",
        ));
    }
    for manifest in &manifests {
        let Some(row) = rows.iter().find(|row| row.cell(0).trim_matches('`') == manifest.name)
        else {
            problems.push(Problem::new(
                &manifest.file.path,
                1,
                format!("`{}` is not in the table of crates", manifest.name),
                format!("give it a row in {DOCUMENT}"),
            ));
            continue;
        };
        for (kind, column, dependencies) in
            [("", 1, &manifest.normal), (" in tests", 2, &manifest.tests)]
        {
            let allowed = row.codes(column);
            let named = dependencies.iter().filter(|(name, _)| members.contains(name));
            for (name, line) in named.clone().filter(|(name, _)| !allowed.contains(name)) {
                problems.push(Problem::new(
                    &manifest.file.path,
                    *line,
                    format!("`{}` may not depend on `{name}`{kind}", manifest.name),
                    format!("do without it, or change the table of crates in {DOCUMENT}"),
                ));
            }
            for name in allowed.iter().filter(|name| !named.clone().any(|(used, _)| used == *name))
            {
                problems.push(Problem::new(
                    DOCUMENT,
                    row.line,
                    format!("`{}` may depend on `{name}`{kind} and does not", manifest.name),
                    "take it out of the row",
                ));
            }
        }
    }
    Ok(problems)
}

/// What a manifest says, as far as it matters here: the name, and the keys of the dependency sections.
fn manifest(file: &File) -> Option<Manifest<'_>> {
    let mut manifest = Manifest { file, name: "", normal: Vec::new(), tests: Vec::new() };
    let mut section = "";
    for (line, number) in file.text.lines().map(str::trim).zip(1..) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(|c| c == '[' || c == ']');
            // `[dependencies.name]`
            if let Some((kind, name)) = section.rsplit_once("dependencies.") {
                manifest.add(kind, name, number);
            }
        } else if section == "package" && line.starts_with("name") {
            manifest.name = line.split('"').nth(1).unwrap_or_default();
        } else if let Some(kind) = section.strip_suffix("dependencies") {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') {
                manifest.add(kind, name, number);
            }
        }
    }
    (!manifest.name.is_empty()).then_some(manifest)
}

impl<'a> Manifest<'a> {
    fn add(&mut self, kind: &str, name: &'a str, line: usize) {
        if kind.ends_with("dev-") { &mut self.tests } else { &mut self.normal }.push((name, line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::texts;

    const TABLE: &str = "\
<!-- crates -->
| crate | may depend on | in tests also on |
|---|---|---|
| `core` | – | `kit` |
| `kit` | `core` | – |
<!-- /crates -->
";
    const KIT: &str = "[package]\nname = \"kit\"\n[dependencies]\ncore.workspace = true\n";
    const CORE: &str = "[package]\nname = \"core\"\n[dependencies]\nserde = \"1\"\n\
                        [dev-dependencies]\nkit = { path = \"../kit\" }\n";

    fn problems(core: &str) -> Vec<String> {
        let repo = Repo::of(&[
            (DOCUMENT, TABLE),
            ("crates/core/Cargo.toml", core),
            ("crates/kit/Cargo.toml", KIT),
        ]);
        texts(&check(&repo).expect("the table is there"))
    }

    #[test]
    fn manifests_that_say_what_the_table_says_are_no_problem() {
        assert!(problems(CORE).is_empty());
    }

    #[test]
    fn a_dependency_that_the_table_lacks_is_a_problem() {
        let found = problems(&CORE.replace("serde = \"1\"", "kit.workspace = true"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("crates/core/Cargo.toml:4: `core` may not depend on `kit`: "),
            "{found:?}"
        );
    }

    #[test]
    fn a_dependency_for_one_target_counts_too() {
        let core = format!("{CORE}[target.'cfg(unix)'.dependencies.kit]\npath = \"../kit\"\n");
        assert_eq!(problems(&core).len(), 1);
    }

    #[test]
    fn an_allowance_that_nobody_uses_is_a_problem() {
        let found = problems("[package]\nname = \"core\"\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("`core` may depend on `kit` in tests and does not"));
    }
}
