//! Processes that are killed in the middle of their writing.
//!
//! The program that runs the suite is started once more, with the store's place in a variable: that process
//! writes sagas and prints what the store acknowledged, until it is killed.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
};

use compensation::{
    Status,
    repository::{Acquired, Query, Repository},
};

use super::kit::{Kit, append, create, id};
use crate::suite::tests;

tests![
    what_a_killed_process_acknowledged_is_there,
    what_a_killed_process_had_not_acknowledged_is_there_whole_or_not_at_all,
    the_sagas_of_a_killed_process_are_taken_over,
    the_sagas_of_a_living_process_are_not_taken_over,
];

/// Tells the process to be killed where the store is.
const PLACE: &str = "COMPENSATION_CONFORMANCE_STORE";

/// Sagas that the process writes side by side.
const SIDE_BY_SIDE: usize = 8;

/// Where the store is, in the process to be killed.
pub(super) fn place() -> Option<OsString> {
    env::var_os(PLACE)
}

/// The process to be killed: one saga after the other, of three entries each, until nobody listens.
pub(super) fn write(store: Arc<dyn Repository>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let writers: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move { while_heard(&*store, writer).await })
            })
            .collect();
        for writer in writers {
            writer.await.expect("no panic");
        }
    });
}

async fn while_heard(store: &dyn Repository, writer: usize) {
    for number in 0.. {
        let text = format!("{writer}-{number}");
        let key = create(store, &text).await;
        let mut heard = say(&text, 1);
        for seq in 1..3 {
            let status =
                if number % 2 == 0 && seq == 2 { Status::Completed } else { Status::Running };
            store.append(append(key, seq, status)).await.expect("an entry");
            heard = heard && say(&text, seq + 1);
        }
        if !heard {
            return;
        }
    }
}

/// Prints what is acknowledged. Returns whether anybody hears it.
fn say(saga: &str, entries: u32) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{saga} {entries}").and_then(|()| out.flush()).is_ok()
}

/// A process that writes to the store.
struct Writing {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// How many entries of which saga it has said to be acknowledged.
    said: HashMap<String, usize>,
}

impl Writing {
    fn start(kit: &Kit) -> Self {
        let program = env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.env(PLACE, kit.fixture.place()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines, said: HashMap::new() }
    }

    /// Hears so much more, or all that is left. Returns how much it heard.
    fn hear(&mut self, limit: usize) -> usize {
        for heard in 0..limit {
            let Some(Ok(line)) = self.lines.next() else { return heard };
            let (saga, entries) = line.split_once(' ').expect("a saga and a number");
            self.said.insert(saga.to_owned(), entries.parse().expect("a number"));
        }
        limit
    }

    /// Kills it. What it had said before counts as well.
    fn kill(mut self) -> HashMap<String, usize> {
        self.child.kill().expect("a kill");
        self.hear(usize::MAX);
        self.child.wait().expect("an end");
        std::mem::take(&mut self.said)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // It is dead already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the store has noticed a death, which a server may do a moment later. Returns how many sagas wait
/// for somebody then.
async fn noticed(store: &dyn Repository) -> u64 {
    loop {
        match store.recover().await.expect("a recovery") {
            0 => tokio::task::yield_now().await,
            waiting => return waiting,
        }
    }
}

async fn what_a_killed_process_acknowledged_is_there(kit: Kit) {
    for round in 1..=3 {
        let mut writing = Writing::start(&kit);
        assert_eq!(writing.hear(150 * round), 150 * round, "it writes until it is killed");
        let said = writing.kill();
        for (saga, entries) in &said {
            let found = kit.store.load(&id(saga)).await.expect("a load");
            let found = found.unwrap_or_else(|| panic!("`{saga}` is lost"));
            assert!(found.journal.len() >= *entries, "entries of `{saga}` are lost");
        }
        // The next one begins with the same names.
        while kit.store.recover().await.expect("a recovery") > 0 {
            for saga in kit.store.claim(100).await.expect("a claim") {
                let seq = saga.journal.len() as u32;
                kit.store.append(append(saga.key, seq, Status::Completed)).await.expect("an end");
            }
        }
        let newest = kit.create(&format!("newest-{round}")).await;
        kit.store.append(append(newest, 1, Status::Stuck)).await.expect("an end");
        kit.store
            .purge(compensation::Timestamp::from_millis(i64::MAX), 100_000)
            .await
            .expect("a purge");
    }
}

async fn what_a_killed_process_had_not_acknowledged_is_there_whole_or_not_at_all(kit: Kit) {
    let mut writing = Writing::start(&kit);
    writing.hear(200);
    writing.kill();
    let page = kit.store.list(Query { limit: 1_000_000, ..Query::default() }).await;
    let sagas = page.expect("a page").sagas;
    for saga in &sagas {
        let found = kit.store.load(&saga.id).await.expect("a load").expect("a saga");
        let bodies: Vec<_> = found.journal.iter().map(|entry| entry.body.as_str()).collect();
        assert_eq!(bodies, ["[0]", "[1]", "[2]"][..bodies.len()]);
        assert!(saga.head.status.is_open() || bodies.len() == 3, "{saga:?}");
    }
    let counts = kit.store.counts().await.expect("counts");
    for status in Status::ALL {
        let listed = sagas.iter().filter(|saga| saga.head.status == status).count();
        assert_eq!(counts.get(status), listed as u64, "{status}");
    }
}

async fn the_sagas_of_a_killed_process_are_taken_over(kit: Kit) {
    let mut writing = Writing::start(&kit);
    writing.hear(30);
    writing.kill();
    let waiting = noticed(&*kit.store).await;
    let claimed = kit.store.claim(1_000_000).await.expect("a claim");
    assert_eq!(claimed.len() as u64, waiting);
    for saga in claimed {
        let seq = saga.journal.len() as u32;
        kit.store.append(append(saga.key, seq, Status::Compensating)).await.expect("its own now");
    }
}

async fn the_sagas_of_a_living_process_are_not_taken_over(kit: Kit) {
    let mut writing = Writing::start(&kit);
    writing.hear(30);
    assert_eq!(kit.store.recover().await.expect("a recovery"), 0, "its owner lives");
    assert!(kit.store.claim(10).await.expect("a claim").is_empty());
    let acquired = kit.store.acquire(&id("1-1")).await.expect("an answer");
    let Acquired::Held(who) = acquired else { panic!("{acquired:?}") };
    assert!(!who.is_empty());
    assert!(writing.hear(30) == 30, "and it goes on");
}
