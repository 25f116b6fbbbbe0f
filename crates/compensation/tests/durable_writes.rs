//! What the engine writes, when, and how often.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use compensation::{Outcome, Saga, StepContext, StepError, repository::MemoryRepository};
use durable::{Does, World, id, journal, life, on};

#[test]
fn a_saga_of_three_steps_waits_for_four_writes() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b", "c"])).start().await.expect("start");
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(outcome.is_completed());
        assert_eq!(world.trace(), ["a", "b", "c"]);
        let journal = journal(&data, "1").await;
        assert_eq!(
            journal,
            [
                r#"[{"e":"action_started","s":0}]"#,
                r#"[{"e":"action_done","s":0,"output":"made by a"},{"e":"action_started","s":1}]"#,
                r#"[{"e":"action_done","s":1,"output":"made by b"},{"e":"action_started","s":2}]"#,
                r#"[{"e":"action_done","s":2,"output":"made by c"}]"#,
            ]
        );
    });
}

#[test]
fn two_undos_add_two_writes() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("c", Does::Refuses);
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b", "c"])).start().await.expect("start");
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
        assert_eq!(world.trace(), ["a", "b", "c", "^b", "^a"]);
        let journal = journal(&data, "1").await;
        assert_eq!(journal.len(), 6);
        assert!(journal[3].contains("action_failed") && journal[3].contains("undo_started"));
        assert_eq!(journal[4], r#"[{"e":"undo_done","s":1},{"e":"undo_started","s":0}]"#);
    });
}

#[test]
fn no_step_starts_before_its_start_is_durable() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let other = data.another_owner();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut trip = Saga::<u32>::builder("trip");
    for name in ["a", "b"] {
        let (other, seen) = (other.another_owner(), seen.clone());
        let other = std::sync::Arc::new(other);
        trip.step(name, move |_: StepContext<u32>| {
            let (other, seen) = (other.clone(), seen.clone());
            async move {
                let last = journal(&other, "1").await.pop();
                seen.lock().expect("no panic").extend(last);
                Ok::<_, StepError>(())
            }
        })
        .no_undo("it only looks")
        .add();
    }
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        engine
            .run("trip", id("1"), &1)
            .await
            .expect("an outcome")
            .into_completed()
            .expect("completed");
    });
    let seen = seen.lock().expect("no panic");
    assert!(seen[0].contains(r#""e":"action_started","s":0"#), "{seen:?}");
    assert!(seen[1].contains(r#""e":"action_started","s":1"#), "{seen:?}");
    drop(world);
}

#[test]
fn a_report_from_the_store_says_what_the_run_said() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Refuses);
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        let told = engine.report(&id("1")).await.expect("a report");
        let live = outcome.report();
        assert_eq!(told.status(), live.status());
        assert_eq!(told.reason(), live.reason());
        assert_eq!(told.steps().collect::<Vec<_>>(), live.steps().collect::<Vec<_>>());
        let failures = |report: &compensation::Report| {
            report.failures().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(failures(&told), failures(live));
        assert_eq!(failures(live), ["step `b` failed: b refused"]);
        assert_eq!(told.stored_output("a").expect("an output").get(), r#""made by a""#);
    });
}

#[test]
fn an_output_over_the_limit_is_a_failure_and_undone() {
    let (data, undone) = (MemoryRepository::new(), std::sync::Arc::new(std::sync::Mutex::new(0)));
    let mut trip = Saga::<u32>::builder("trip");
    let count = undone.clone();
    trip.step("big", |_: StepContext<u32>| async {
        Ok::<_, StepError>("x".repeat(compensation::MAX_OUTPUT_BYTES))
    })
    .undo(move |_, output| {
        assert_eq!(output, None);
        *count.lock().expect("no panic") += 1;
        async { Ok::<_, StepError>(()) }
    })
    .add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        let said = outcome.report().failures()[0].to_string();
        assert!(said.contains("1048578 bytes of JSON: at most 1048576 are kept"), "{said}");
    });
    assert_eq!(*undone.lock().expect("no panic"), 1);
}

#[test]
fn an_input_over_the_limit_is_refused_before_anything_is_stored() {
    let data = MemoryRepository::new();
    let mut trip = Saga::<String>::builder("trip");
    trip.step("a", |_: StepContext<String>| async { Ok::<_, StepError>(()) })
        .no_undo("nothing")
        .add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let input = "x".repeat(compensation::MAX_INPUT_BYTES);
        let error = engine.run("trip", id("1"), &input).await.expect_err("too much");
        assert_eq!(error.to_string(), "the input has 1048578 bytes: at most 1048576 are kept");
        assert!(engine.list(Default::default()).await.expect("a list").sagas.is_empty());
    });
}
