//! Sagas of an engine under the loss of power: each ends, and one whose end was told has that end.

use std::path::Path;

use compensation::{
    Engine, Outcome, RetryPolicy, Saga, SagaId, Status, StepContext, StepError, UndoContext,
    repository::Query,
};
use compensation_sqlite::{SqliteOptions, SqliteRepository};
use powercut::{Disk, VFS};
use tempfile::tempdir;

use crate::{IMAGES, assert_sound, losses, runtime, seeds};

/// Sagas of a run; every other one fails at its last step.
const SAGAS: u64 = 24;

fn trip() -> Saga<u64> {
    let mut trip = Saga::builder("trip");
    for name in ["car", "hotel", "flight"] {
        trip.step(name, move |cx: StepContext<u64>| async move {
            if name == "flight" && cx.input() % 2 == 1 {
                return Err(StepError::not_done("no seat").terminal());
            }
            Ok("x".repeat(*cx.input() as usize * 40))
        })
        .undo(|_: UndoContext<u64>, _| async { Ok::<_, StepError>(()) })
        .undo_retry(RetryPolicy::none())
        .add();
    }
    trip.build().expect("a sound saga")
}

fn id(number: u64) -> SagaId {
    SagaId::new(format!("trip-{number}")).expect("an id")
}

fn expected(number: u64) -> Status {
    if number % 2 == 1 { Status::Compensated } else { Status::Completed }
}

/// How many of the sagas whose end was told have not ended so.
fn lost(folder: &Path, told: &[u64]) -> usize {
    let path = folder.join("sagas.db");
    if !path.exists() {
        return told.len();
    }
    let lost = runtime().block_on(async {
        let store = SqliteRepository::open(&path).expect("a store");
        let engine =
            Engine::open(store).register(trip()).without_recovery().start().await.expect("a start");
        let mut lost = 0;
        for number in told {
            let found = engine.report(&id(*number)).await;
            lost += usize::from(!found.is_ok_and(|report| report.status() == expected(*number)));
        }
        engine.drain().await;
        drop(engine);
        // Whatever was under way ends, and ends rightly.
        let store = SqliteRepository::open(&path).expect("a store");
        let engine = Engine::open(store).register(trip()).start().await.expect("a start");
        engine.idle().await.expect("nothing is left");
        let query = Query { limit: 1_000, ..Query::default() };
        for saga in engine.list(query).await.expect("a list").sagas {
            let number = saga.id.as_str().trim_start_matches("trip-").parse().expect("a number");
            assert_eq!(saga.head.status, expected(number), "saga {}", saga.id);
        }
        engine.drain().await;
        lost
    });
    assert_sound(&path);
    lost
}

#[test]
fn every_saga_ends_after_the_loss_of_power_as_it_was_told_or_would_have_been() {
    for seed in seeds() {
        let folder = tempdir().expect("a directory");
        let path = folder.path().join("sagas.db");
        let disk = Disk::watch(folder.path());
        runtime().block_on(async {
            let store = SqliteOptions::new().vfs(VFS).open(&path).expect("a store");
            let engine = Engine::open(store).register(trip()).start().await.expect("a start");
            let mut tasks = Vec::new();
            for number in 0..SAGAS {
                let (engine, disk) = (engine.clone(), disk.clone());
                tasks.push(tokio::spawn(async move {
                    let outcome = engine.run("trip", id(number), &number).await.expect("an end");
                    assert_eq!(matches!(outcome, Outcome::Completed(_)), number % 2 == 0);
                    disk.acknowledge(number);
                }));
            }
            for task in tasks {
                task.await.expect("no panic");
            }
            engine.drain().await;
        });
        assert_eq!(losses(&disk, seed, IMAGES / 2, lost), 0, "images with losses, in run {seed}");
    }
}
