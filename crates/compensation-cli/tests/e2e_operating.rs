//! Every command in docs/operating.md is run, and says what stands there.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod program;

use std::{env, path::Path, process::Command};

use program::Place;

const PAGE: &str = include_str!("../../../docs/operating.md");

/// A command of the page, the exit code it is to end with, and what it is to say.
#[derive(Debug)]
struct Step<'a> {
    command: &'a str,
    exit: i32,
    says: Vec<&'a str>,
}

/// The blocks of that kind, in order.
fn blocks<'a>(kind: &str) -> impl Iterator<Item = &'a str> {
    let fence = format!("```{kind}\n");
    let found: Vec<_> = PAGE.split(&*fence).skip(1).collect();
    found.into_iter().filter_map(|rest| rest.split("```").next())
}

fn steps<'a>() -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for line in blocks("console").flat_map(str::lines) {
        if let Some(command) = line.strip_prefix("$ ") {
            let (command, exit) = command.split_once(" # exit ").unwrap_or((command, "0"));
            steps.push(Step { command, exit: exit.parse().expect("a code"), says: Vec::new() });
        } else {
            steps.last_mut().expect("a command comes first").says.push(line);
        }
    }
    steps
}

/// Runs of blanks count as one, as columns are as wide as they need to be.
fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line is as the page has it, where `…` stands for any text.
fn fits(line: &str, wanted: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// Lines stand in this order; a lone `…` passes over any number of them, and the end must be told.
fn agree(said: &[String], wanted: &[String]) -> bool {
    match (wanted.split_first(), said.split_first()) {
        (None, None) => true,
        (Some((skip, rest)), _) if skip == "…" => {
            (0..=said.len()).any(|passed| agree(&said[passed..], rest))
        }
        (Some((wanted, wanted_rest)), Some((line, rest))) => {
            fits(line, wanted) && agree(rest, wanted_rest)
        }
        _ => false,
    }
}

#[test]
fn the_page_is_run_from_its_first_command_to_its_last() {
    let place = Place::new();
    place.write("ship.yaml", blocks("yaml").next().expect("the file"));
    let program = Path::new(env!("CARGO_BIN_EXE_compensation"));
    let folder = program.parent().expect("a directory").to_owned();
    let rest = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(folder).chain(env::split_paths(&rest)));
    let path = path.expect("a path");
    let steps = steps();
    assert!(steps.len() > 15, "the page has commands");
    for Step { command, exit, says } in steps {
        let ended = Command::new("/bin/sh")
            .args(["-c", &format!("{{ {command}\n}} 2>&1")])
            .current_dir(place.path())
            .env("PATH", &path)
            .env("USER", "ada")
            .env_remove("COMPENSATION_DB")
            .output()
            .expect("sh is there");
        let said = String::from_utf8(ended.stdout).expect("UTF-8");
        assert_eq!(ended.status.code(), Some(exit), "`{command}` says {said}");
        let lines: Vec<_> = said.lines().map(plain).filter(|line| !line.is_empty()).collect();
        let wanted: Vec<_> = says.into_iter().map(plain).filter(|line| !line.is_empty()).collect();
        assert!(agree(&lines, &wanted), "`{command}` says\n{said}\nand not\n{}", wanted.join("\n"));
        assert!(!said.contains("4711-0815") && !said.contains("paid-"), "a secret: {said}");
    }
}
