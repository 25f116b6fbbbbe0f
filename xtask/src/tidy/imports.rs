//! The import table: which layer of the crate `compensation` may name which others. Tests may name anything.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;
use crate::{
    problem::Problem,
    repo::{Repo, fits},
    rust::{Path, paths},
    table::{self, DOCUMENT},
};

/// Where the layers are.
const ROOT: &str = "crates/compensation/src/";

struct Layer<'a> {
    line: usize,
    name: &'a str,
    globs: Vec<&'a str>,
    may: Vec<&'a str>,
}

/// The modules of the crate, and the layer of each.
struct Modules<'a> {
    /// Layer by the module's path; the root's is empty.
    layers: BTreeMap<Vec<String>, &'a Layer<'a>>,
}

pub(super) fn check(repo: &Repo, sources: &[Source<'_>]) -> Result<Vec<Problem>, String> {
    let rows = table::read(repo, "imports")?;
    let layers: Vec<_> = rows
        .iter()
        .map(|row| Layer {
            line: row.line,
            name: row.cell(0),
            globs: row.codes(1),
            may: row.words(2),
        })
        .collect();
    let sources: Vec<_> =
        sources.iter().filter(|source| source.file.path.starts_with(ROOT)).collect();
    let mut problems = check_table(&layers, &sources);
    let modules = place(&layers, &sources, &mut problems);
    let mut used = BTreeSet::new();
    for source in &sources {
        check_source(&modules, source, &mut used, &mut problems);
    }
    for layer in &layers {
        for may in layer.may.iter().filter(|&&may| !used.contains(&(layer.name, may))) {
            problems.push(Problem::new(
                DOCUMENT,
                layer.line,
                format!("layer `{}` may use `{may}` and does not", layer.name),
                "take it out of the row, so that the table stays as narrow as the code",
            ));
        }
    }
    Ok(problems)
}

fn check_table(layers: &[Layer<'_>], sources: &[&Source<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (place, layer) in layers.iter().enumerate() {
        for may in &layer.may {
            if !layers[..place].iter().any(|above| above.name == *may) {
                problems.push(Problem::new(
                    DOCUMENT,
                    layer.line,
                    format!("layer `{}` may use `{may}`, which is no layer above it", layer.name),
                    "name layers of rows further up only",
                ));
            }
        }
        for glob in &layer.globs {
            if !sources.iter().any(|source| fits(glob, &source.file.path)) {
                problems.push(Problem::new(
                    DOCUMENT,
                    layer.line,
                    format!("layer `{}` names `{glob}`, and there is no such file", layer.name),
                    "take it out of the row, or correct it",
                ));
            }
        }
    }
    problems
}

fn place<'a>(
    layers: &'a [Layer<'a>],
    sources: &[&Source<'_>],
    problems: &mut Vec<Problem>,
) -> Modules<'a> {
    let mut modules = Modules { layers: BTreeMap::new() };
    for source in sources {
        let path = &source.file.path;
        let its: Vec<_> =
            layers.iter().filter(|layer| layer.globs.iter().any(|glob| fits(glob, path))).collect();
        if let [layer] = its[..] {
            modules.layers.insert(module(path), layer);
            continue;
        }
        let names: Vec<_> = its.iter().map(|layer| layer.name).collect();
        let what = match names[..] {
            [] => "the file belongs to no layer".to_owned(),
            _ => format!("the file belongs to several layers ({})", names.join(", ")),
        };
        let mend = format!("give it one row of the import table in {DOCUMENT}");
        problems.push(Problem::new(path, 1, what, mend));
    }
    modules
}

fn check_source<'a>(
    modules: &Modules<'a>,
    source: &Source<'_>,
    used: &mut BTreeSet<(&'a str, &'a str)>,
    problems: &mut Vec<Problem>,
) {
    let path = &source.file.path;
    let own = module(path);
    let Some(layer) = modules.layers.get(&own) else { return };
    for named in paths(&source.code.shipped) {
        let Some(other) = modules.layer_of(&own, &named) else { continue };
        if other.name == layer.name {
            continue;
        }
        used.insert((layer.name, other.name));
        if !layer.may.contains(&other.name) {
            problems.push(Problem::new(
                path,
                named.line,
                format!(
                    "`{}` belongs to layer `{}`, which layer `{}` may not use",
                    named.parts.join("::"),
                    other.name,
                    layer.name
                ),
                format!(
                    "move what is needed to a layer that it may use, or name its own module; the \
                     table is in {DOCUMENT}"
                ),
            ));
        }
    }
}

/// The module that a file is.
fn module(path: &str) -> Vec<String> {
    let inner = path.strip_prefix(ROOT).unwrap_or(path);
    let inner = inner.strip_suffix(".rs").unwrap_or(inner);
    let mut parts: Vec<_> = inner.split('/').map(str::to_owned).collect();
    if parts == ["lib"] || parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

impl<'a> Modules<'a> {
    /// The layer of what a module names by a path; `None` for another crate.
    fn layer_of(&self, own: &[String], named: &Path) -> Option<&'a Layer<'a>> {
        let mut full = self.resolve(own, named)?;
        loop {
            if let Some(layer) = self.layers.get(&full) {
                return Some(layer);
            }
            full.pop()?;
        }
    }

    fn resolve(&self, own: &[String], named: &Path) -> Option<Vec<String>> {
        let parts = &named.parts;
        let first = parts.first()?;
        let supers = parts.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match first.as_str() {
            "crate" => (&[][..], &parts[1..]),
            "self" => (own, &parts[1..]),
            // Inline modules come off first.
            "super" => {
                let left = own.len().saturating_sub(supers.saturating_sub(named.depth));
                (&own[..left], &parts[supers..])
            }
            _ => (own, &parts[..]),
        };
        let full: Vec<_> = base.iter().chain(rest).cloned().collect();
        let is_path = matches!(first.as_str(), "crate" | "self" | "super");
        let child = &full[..full.len().min(own.len() + 1)];
        (is_path || self.layers.contains_key(child)).then_some(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{problem::texts, tidy::sources};

    const TABLE: &str = "\
<!-- imports -->
| layer | files | may use |
|---|---|---|
| data | `crates/compensation/src/data.rs` | – |
| machine | `crates/compensation/src/machine/**` | data |
| surface | `crates/compensation/src/lib.rs` | machine |
<!-- /imports -->
";

    fn problems(data: &str, machine: &str) -> Vec<String> {
        let repo = Repo::of(&[
            (DOCUMENT, TABLE),
            ("crates/compensation/src/data.rs", data),
            ("crates/compensation/src/lib.rs", "mod data; mod machine;\npub use machine::*;"),
            ("crates/compensation/src/machine/mod.rs", machine),
            ("crates/compensation/src/machine/bits.rs", "use super::M;\nuse std::fmt;"),
        ]);
        texts(&check(&repo, &sources(&repo)).expect("the table is there"))
    }

    #[test]
    fn an_import_that_the_table_allows_is_no_problem() {
        assert!(problems("", "mod bits;\nuse crate::data::D;\nuse bits::B;").is_empty());
    }

    #[test]
    fn an_import_of_a_layer_above_is_a_problem() {
        let found = problems("use crate::machine::M;", "use crate::data::D;");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(
            "crates/compensation/src/data.rs:1: `crate::machine::M` belongs to layer `machine`, \
             which layer `data` may not use: "
        ));
    }

    #[test]
    fn a_path_in_passing_and_one_by_super_count_too() {
        let found = problems("fn a() {\n super::machine::b()\n}", "use crate::data::D;");
        assert!(found[0].starts_with("crates/compensation/src/data.rs:2: "), "{found:?}");
    }

    #[test]
    fn a_way_through_the_root_is_a_problem() {
        let found = problems("", "use crate::{data::D, Thing};");
        assert!(found[0].contains("`crate::Thing` belongs to layer `surface`"), "{found:?}");
    }

    #[test]
    fn an_allowance_that_nobody_uses_is_a_problem() {
        let found = problems("", "");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("layer `machine` may use `data` and does not"), "{found:?}");
    }

    #[test]
    fn a_file_without_a_layer_is_a_problem() {
        let repo = Repo::of(&[(DOCUMENT, TABLE), ("crates/compensation/src/new.rs", "")]);
        let found = texts(&check(&repo, &sources(&repo)).expect("the table is there"));
        let lost = "crates/compensation/src/new.rs:1: the file belongs to no layer: ";
        assert!(found.iter().any(|problem| problem.starts_with(lost)), "{found:?}");
    }
}
