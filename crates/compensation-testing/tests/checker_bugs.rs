//! The checker finds a bug of each common kind, and has nothing to say of the saga without it.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::{Arc, Mutex};

use compensation::*;
use compensation_testing::checker::{Check, Line};

#[derive(Clone)]
struct World {
    line: Line,
    keys: Arc<Mutex<Vec<String>>>,
    barred: Arc<Mutex<Vec<String>>>,
}

#[test]
fn five_steps() {
    let coverage = Check::new(
        |line| World { line: line.clone(), keys: Arc::default(), barred: Arc::default() },
        |world: &World| {
            let mut saga = Saga::<u32>::builder("five");
            for step in ["a", "b", "c", "d", "e"] {
                let (act, undo) = (world.clone(), world.clone());
                saga.step(step, move |cx: StepContext<u32>| {
                    let key = cx.idempotency_key();
                    if !act.keys.lock().unwrap().contains(&key)
                        && !act.barred.lock().unwrap().contains(&key)
                    {
                        act.keys.lock().unwrap().push(key);
                    }
                    async { Ok::<_, StepError>(7) }
                })
                .undo(move |cx: UndoContext<u32>, _| {
                    let key = cx.idempotency_key();
                    undo.keys.lock().unwrap().retain(|k| *k != key);
                    undo.barred.lock().unwrap().push(key);
                    async { Ok::<_, StepError>(()) }
                })
                .add();
            }
            saga.build().expect("sound")
        },
        1,
    )
    .effect("a", |w| w.keys.lock().unwrap().iter().filter(|k| k.ends_with("a")).count() as i64)
    .effect("c", |w| w.keys.lock().unwrap().iter().filter(|k| k.ends_with("c")).count() as i64)
    .effect("e", |w| w.keys.lock().unwrap().iter().filter(|k| k.ends_with("e")).count() as i64)
    .run();
    println!("{coverage}");
}
