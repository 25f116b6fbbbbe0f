//! Chores of this repository that need more than a shell. `cargo xtask tidy` checks the rules that neither
//! the compiler nor clippy knows; they are listed in `CONTRIBUTING.md`.

mod problem;
mod repo;
mod rust;
mod table;
mod tidy;

use std::{env, path::PathBuf, process::ExitCode};

const USAGE: &str = "usage: cargo xtask tidy";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy(),
        ["help" | "--help" | "-h"] => {
            say(USAGE);
            ExitCode::SUCCESS
        }
        _ => {
            complain(USAGE);
            ExitCode::from(2)
        }
    }
}

fn tidy() -> ExitCode {
    let checked = root().and_then(|root| tidy::run(&root));
    match checked {
        Ok((files, problems)) if problems.is_empty() => {
            say(&format!("tidy: {files} files, no problem"));
            ExitCode::SUCCESS
        }
        Ok((files, problems)) => {
            for problem in &problems {
                complain(&problem.to_string());
            }
            complain(&format!("tidy: {files} files, {} problems", problems.len()));
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(&format!("tidy could not look: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The repository's root: the directory above this package.
fn root() -> Result<PathBuf, String> {
    let package = env::var("CARGO_MANIFEST_DIR")
        .map_err(|_| "CARGO_MANIFEST_DIR is not set: run it with `cargo xtask`".to_owned())?;
    let root = PathBuf::from(package).parent().map(PathBuf::from);
    root.ok_or_else(|| "this package has no directory above it".to_owned())
}

#[allow(clippy::print_stdout, reason = "a command line's way to answer")]
fn say(text: &str) {
    println!("{text}");
}

#[allow(clippy::print_stderr, reason = "a command line's way to complain")]
fn complain(text: &str) {
    eprintln!("{text}");
}
