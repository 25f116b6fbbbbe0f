//! What was stored is read for ever: the journals that are recorded in `tests/journals` are read, and the open
//! ones are ended, by every later version. How to record new ones is said in `tests/journals/README.md`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cases;
#[path = "../durable/mod.rs"]
mod durable;
mod text;

use std::{collections::BTreeSet, fs, path::PathBuf};

use cases::{cases, start};
use compensation::repository::{MemoryRepository, Repository};
use durable::{World, id, life};
use text::{Recorded, tell};

/// The format that is written today: the directory that new journals are recorded in.
const TODAY: &str = "v1";

/// Where the journals of every format are.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/journals")
}

/// Every recorded journal, with its place.
fn recorded() -> Vec<(PathBuf, Recorded)> {
    let list = |folder: PathBuf| {
        let entries = fs::read_dir(&folder).expect("a directory");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    let formats = list(folder()).into_iter().filter(|path| path.is_dir());
    let files = formats.flat_map(list);
    files
        .map(|path| (path.clone(), Recorded::read(&fs::read_to_string(path).expect("a text"))))
        .collect()
}

/// What a report says of it, and how an engine ends it.
fn judge(recorded: &Recorded) -> (String, String) {
    let (data, world) = (MemoryRepository::new(), World::default());
    let told = life(async {
        recorded.restore(&data).await;
        let engine = on_looker(&data).await;
        tell(&engine.report(&id(&recorded.id)).await.expect("a record that can be read"))
    });
    if !recorded.is_open() {
        return (told, String::new());
    }
    let ended = life(async {
        let engine = start(&data, &world).await;
        let outcome = engine.wait(&id(&recorded.id)).await.expect("an end");
        let report = engine.report(&id(&recorded.id)).await.expect("a record");
        assert_eq!(report.status(), outcome.report().status());
        format!("{}ran: {}\n", tell(&report), world.trace().join(" "))
    });
    (told, ended)
}

/// An engine that only looks.
async fn on_looker(data: &MemoryRepository) -> compensation::Engine {
    durable::on(data).without_recovery().start().await.expect("a start")
}

#[test]
fn what_was_ever_recorded_is_told_and_ended_as_it_was_then() {
    let all = recorded();
    assert!(!all.is_empty());
    for (path, recorded) in all {
        let (told, ended) = judge(&recorded);
        assert_eq!(told, recorded.told, "{}", path.display());
        assert_eq!(ended, recorded.ended, "{}", path.display());
    }
}

#[test]
fn recorded_journals_hold_every_word() {
    let all: String = recorded().iter().map(|(_, recorded)| recorded.write()).collect();
    let words = include_str!("../../../../ARCHITECTURE.md");
    let (_, table) = words.split_once("<!-- journal -->").expect("a table");
    let (table, _) = table.split_once("<!-- /journal -->").expect("its end");
    let words = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let missing: Vec<_> =
        words.filter(|word| !all.contains(&format!("\"e\":\"{word}\""))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn every_case_is_recorded_and_what_is_recorded_is_never_written_again() {
    let record = std::env::var_os("RECORD_JOURNALS").is_some();
    let mut unrecorded = BTreeSet::new();
    for case in cases() {
        let path = folder().join(TODAY).join(format!("{}.txt", case.name));
        if path.exists() {
            continue;
        }
        unrecorded.insert(case.name);
        if record {
            let data = case.play();
            let saga = life(data.load(&id("1"))).expect("a store").expect("a saga");
            let unjudged = Recorded::of(&saga, String::new(), String::new());
            let (told, ended) = judge(&unjudged);
            fs::write(&path, Recorded::of(&saga, told, ended).write()).expect("a file");
        }
    }
    assert!(
        unrecorded.is_empty() || record,
        "not recorded yet: {unrecorded:?}: see tests/journals/README.md"
    );
}
