//! The examples of this repository: each ends as it says, also when the program is killed half-way.
#![allow(clippy::expect_used, reason = "a test fails where its surroundings do")]

mod program;

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use program::{Ended, Place};

fn example(path: &str) -> String {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    examples.join(path).canonicalize().expect("it is there").to_str().expect("UTF-8").to_owned()
}

/// Runs an example's script in a new directory.
fn kill_and_resume(name: &str) {
    let place = Place::new();
    let script = example(&format!("{name}/kill-and-resume.sh"));
    let output = Command::new("/bin/sh")
        .args([&script, place.path().to_str().expect("UTF-8")])
        .env("COMPENSATION", program::PROGRAM)
        .output()
        .expect("sh is there");
    let ended = Ended::of(&output).code(0);
    assert!(ended.out.contains("\nRIGHT: "), "{ended:?}");
}

/// Runs an example's file in that place, with those inputs and its `root`.
fn run(place: &Place, file: &str, inputs: &[&str]) -> Ended {
    let (file, root) = (example(file), format!("root={}", place.path().display()));
    let mut arguments = vec!["run", &file, "--input", &root];
    arguments.extend(inputs.iter().flat_map(|input| ["--input", input]));
    place.call(&arguments)
}

#[test]
fn every_example_is_a_good_file() {
    let files = ["tenant", "release", "migration"].iter().flat_map(|name| {
        ["saga.yaml", "failing.yaml"].map(|file| example(&format!("{name}/{file}")))
    });
    let files: Vec<_> = files.collect();
    let mut arguments = vec!["check"];
    arguments.extend(files.iter().map(String::as_str));
    Place::new().call(&arguments).code(0);
}

#[test]
fn a_tenant_that_was_killed_half_way_is_completed() {
    kill_and_resume("tenant");
}

#[test]
fn a_release_that_was_killed_half_way_is_undone() {
    kill_and_resume("release");
}

#[test]
fn a_migration_that_was_killed_while_it_was_undone_is_undone() {
    kill_and_resume("migration");
}

#[test]
fn a_tenant_beyond_the_quota_leaves_nothing() {
    let place = Place::new();
    run(&place, "tenant/failing.yaml", &["tenant=acme"]).code(3);
    assert_eq!(place.left(), [""; 0]);
}

#[test]
fn a_tenants_name_that_leads_elsewhere_is_refused() {
    let place = Place::new();
    run(&place, "tenant/saga.yaml", &["tenant=../x"]).code(3);
    assert_eq!(place.left(), [""; 0]);
}

#[test]
fn a_directory_that_is_somebody_elses_is_not_undone() {
    let place = Place::new();
    std::fs::create_dir(place.file("acme")).expect("writable");
    run(&place, "tenant/saga.yaml", &["tenant=acme"]).code(3);
    assert_eq!(place.left(), ["acme"]);
}

#[test]
fn a_release_whose_tag_is_refused_leaves_nothing() {
    let place = Place::new();
    let made = Command::new("/bin/sh")
        .arg("-c")
        .arg(
            "git init -q sources && cd sources && echo x > x && git add x && \
             git -c user.name=t -c user.email=t@example.org commit -q -m x",
        )
        .current_dir(place.path())
        .status()
        .expect("sh is there");
    assert!(made.success());
    let server = Server::start(&place);
    let port = format!("port={}", server.port);
    run(&place, "release/failing.yaml", &["version=1", &port]).code(3);
    assert_eq!(place.left(), ["kept", "sources"]);
    let kept = std::fs::read_dir(place.file("kept")).expect("readable").count();
    assert_eq!(kept, 0);
}

/// The release example's own server.
struct Server {
    child: Child,
    port: String,
}

impl Server {
    fn start(place: &Place) -> Self {
        let mut child = Command::new("python3")
            .args([example("release/server.py"), place.file("kept").display().to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there");
        let mut port = String::new();
        let said = child.stdout.take().expect("piped");
        BufReader::new(said).read_line(&mut port).expect("readable");
        Self { child, port: port.trim_end().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
