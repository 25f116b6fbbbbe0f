//! Journals: the input is text in the form of the recorded ones (`crates/compensation/tests/journals`), of which
//! every line is believed. A store gives it to an engine, which reports it and ends it.

use std::{sync::Arc, time::Duration};

use compensation::{
    Engine, Order, RetryPolicy, Saga, SagaId, SagaRecordQuery, SagaRecords, Status, StepContext,
    StepError, Timestamp, UndoContext,
    machine::UnknownPolicy,
    repository::{Append, Created, Entry, Head, MemoryRepository, NewSaga, Repository},
};

/// How long, by a virtual clock, a saga may take. (A retry waits for a year at most, and none is needed here.)
const PATIENCE: Duration = Duration::from_secs(3_600 * 24 * 30);

/// Texts that are longer teach nothing that shorter ones do not.
const MAX_BYTES: usize = 64 * 1024;

/// Reads a record and ends its saga, then obeys orders about it.
pub fn journal(data: &[u8]) {
    if data.len() > MAX_BYTES {
        return;
    }
    let text = String::from_utf8_lossy(data);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let data = MemoryRepository::new();
        restore(&data, &text).await;
        look(&data).await;
        end(&data).await;
    });
}

fn id() -> SagaId {
    SagaId::new("1").expect("a good id")
}

/// Puts the record into a store, as a process would have that is dead by now.
async fn restore(data: &MemoryRepository, text: &str) {
    let all = |key: &'static str| text.lines().filter_map(move |line| line.strip_prefix(key));
    let first = |key| all(key).next().unwrap_or_default();
    let status = Status::parse(first("head: ")).unwrap_or(Status::Running);
    let entries: Vec<_> = all("entry: ").collect();
    let entry = |line: &str| {
        let (at, body) = line.split_once(' ').unwrap_or(("0", line));
        Entry { at: Timestamp::from_millis(at.parse().unwrap_or(0)), body: body.to_owned() }
    };
    let head = |place: usize| {
        let status = if place + 1 >= entries.len() { status } else { Status::Running };
        Head { status, reason: None }
    };
    let dead = data.another_owner();
    let saga = NewSaga {
        id: id(),
        name: Arc::from(first("saga: ")),
        plan: Arc::from(first("plan: ")),
        input: first("input: ").to_owned(),
        head: head(0),
        entry: entry(entries.first().copied().unwrap_or("0 []")),
    };
    let Ok(Created::New(key)) = dead.create(saga).await else { panic!("the store is empty") };
    for (place, line) in entries.iter().enumerate().skip(1) {
        let append = Append { key, seq: place as u32, entry: entry(line), head: head(place) };
        dead.append(append).await.expect("the entry after the last");
    }
}

/// What can be seen without running anything.
async fn look(data: &MemoryRepository) {
    let store = Arc::new(data.another_owner());
    let engine = Engine::open_shared(store.clone()).without_recovery().start().await;
    let engine = engine.expect("a store in memory works");
    if let Ok(report) = engine.report(&id()).await {
        drop(report.reason());
        assert_eq!(report.steps().count(), report.plan().steps.len());
    }
    let _ = engine.history(&id()).await;
    let records = SagaRecords::new(store);
    let _ = records.list(SagaRecordQuery::default()).await;
    let _ = records.history(&id()).await;
}

/// Ends the saga, and asks for everything that may be asked about it.
async fn end(data: &MemoryRepository) {
    let mut engine = Engine::open(data.another_owner());
    for saga in definitions() {
        engine = engine.register(saga);
    }
    let engine = engine.start().await.expect("a store in memory works");
    let waited = tokio::time::timeout(PATIENCE, engine.wait(&id())).await;
    let outcome = waited.expect("a saga ends, or parks");
    if let Ok(outcome) = outcome {
        assert!(!outcome.report().status().is_open(), "what has ended is not open");
    }
    let order = || Order::new("Ada", "to see what happens");
    let _ = engine.retry(&id(), "b", order()).await;
    let _ = engine.skip(&id(), "b", order()).await;
    let _ = engine.cancel(&id(), order()).await;
    let _ = tokio::time::timeout(PATIENCE, engine.wait(&id())).await.expect("an end");
    let _ = engine.abandon(&id(), order()).await;
    let _ = engine.report(&id()).await;
    engine.drain().await;
}

/// Some sagas of the names and steps that recorded journals have.
fn definitions() -> Vec<Saga<u32>> {
    let act = |_: StepContext<u32>| async { Ok::<_, StepError>("made".to_owned()) };
    let undo = |_: UndoContext<u32>, _: Option<String>| async { Ok::<_, StepError>(()) };
    let mut all = Vec::new();
    for name in ["trip", "halting", "patient", "once", "diamond"] {
        let mut saga = Saga::builder(name);
        for step in ["a", "b", "c"] {
            let step = saga.step(step, act).undo(undo).undo_retry(RetryPolicy::none());
            match name {
                "once" => step.not_idempotent().unknown(UnknownPolicy::Undo).add(),
                _ => step.add(),
            };
        }
        all.push(saga.build().expect("a sound saga"));
    }
    all
}
