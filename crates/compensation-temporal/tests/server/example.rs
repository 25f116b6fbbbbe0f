//! The example, from its command line.

use std::{
    env,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// What `./server-tests` has built beside this test.
fn example() -> PathBuf {
    let this = env::current_exe().expect("a path");
    let target = this.parent().and_then(|deps| deps.parent()).expect("target/debug/deps");
    target.join("examples/book-trip")
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        drop(self.0.wait());
    }
}

fn book_trip() -> Command {
    let mut command = Command::new(example());
    let address = env::var("COMPENSATION_TEMPORAL_ADDRESS").expect("./server-tests sets it");
    command.env("TEMPORAL_ADDRESS", address);
    command
}

#[test]
fn every_trip_of_the_readme_ends_as_it_says() {
    let mut worker = book_trip();
    worker.arg("worker").stdout(Stdio::null()).stderr(Stdio::null());
    let _worker = Killed(worker.spawn().expect("it starts"));
    let trips = [
        ("ok", "booked: CAR-17, ROOM-4, SEAT-9A", ["pending", "pending", "pending"]),
        ("failing", "not booked: no seat is free", ["completed", "completed", "skipped"]),
        ("cancelled", "not booked: Workflow cancelled", ["completed", "completed", "completed"]),
        (
            "recalled",
            "not booked: it was asked to compensate: Ada is ill",
            ["completed", "completed", "completed"],
        ),
        ("stuck", "the undo of `hotel` failed (3 attempts)", ["completed", "failed", "skipped"]),
    ];
    for (variant, said, undos) in trips {
        let ended = book_trip().args(["start", variant]).output().expect("it runs");
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(
            ended.status.success(),
            "{variant}: {text}{}",
            String::from_utf8_lossy(&ended.stderr)
        );
        assert!(text.contains(said), "{variant}: {text}");
        for (name, stands) in ["car", "hotel", "flight"].into_iter().zip(undos) {
            assert!(text.contains(&format!("the undo of {name} is {stands}")), "{variant}: {text}");
        }
    }
}
