//! The commands of `docs/postgres.md`, as they stand there, in one shell.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod program;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use loopback_postgres::{SUPERUSER, Shared};

/// What stands between "```sh" and "```".
fn commands(page: &str) -> String {
    let blocks = page.split("\n```sh\n").skip(1);
    blocks.filter_map(|rest| rest.split("\n```").next()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_page_leads_from_an_empty_database_to_three_copies_with_one_killed() {
    let server = Shared::find().unwrap_or_else(|why| panic!("{why}"));
    server.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)").expect("none of an earlier run");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/postgres.md")).expect("the page");
    let folder = tempfile::tempdir().expect("a directory");
    let program = Path::new(program::PROGRAM).parent().expect("a directory");
    let server_programs: PathBuf = server.programs().expect("the server's programs");
    let path = std::env::var("PATH").unwrap_or_default();
    // The logs of the copies are not for the repository, and `cargo run` finds it by its manifest.
    let manifest = root.join("Cargo.toml");
    let script = commands(&page)
        .replace("cargo run", &format!("cargo run --manifest-path '{}'", manifest.display()));
    let ended = Command::new("bash")
        .args(["-euc", &script])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{}:{path}", program.display(), server_programs.display()))
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", server.port().to_string())
        .env("PGUSER", SUPERUSER)
        .env_remove("COMPENSATION_DB")
        .output()
        .expect("a shell");
    let (said, errors) = (
        String::from_utf8_lossy(&ended.stdout).into_owned(),
        String::from_utf8_lossy(&ended.stderr).into_owned(),
    );
    assert!(ended.status.success(), "{said}\n{errors}");
    assert!(said.starts_with("150 trips are ordered\nID"), "{said}");
    for line in [" compensated |    15\n", " completed   |   135\n", "   135 |   135\n"] {
        assert!(said.contains(line), "{line}: {said}");
        assert!(page.contains(line), "the page says so: {line}");
    }
    for copy in 1..=3 {
        let log = std::fs::read_to_string(folder.path().join(format!("copy-{copy}.log")));
        assert!(log.expect("a log").contains("process "), "copy {copy} had work");
    }
    let _ = server.execute("DROP DATABASE shop WITH (FORCE)");
}
