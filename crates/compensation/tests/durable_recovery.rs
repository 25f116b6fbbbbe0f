//! What a dead process left is ended by the next one.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use compensation::{
    EngineError, Outcome, RetryPolicy, Saga, Status,
    machine::{Phase, UnknownPolicy},
    repository::{MemoryRepository, Repository},
};
use durable::{Does, Gate, World, id, journal, life, on};

/// A process that dies while `function` of the saga waits.
fn die_in(data: &MemoryRepository, world: &World, saga: Saga<u32>, function: &str) {
    let gate = Gate::new();
    world.tell(function, Does::Waits(gate.clone()));
    life(async {
        let engine = on(data).register(saga).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
    });
    world.heal(function);
}

/// The next process takes it over and ends it.
fn next(data: &MemoryRepository, saga: Saga<u32>) -> Outcome {
    life(async {
        let engine = on(data).register(saga).start().await.expect("start");
        engine.wait(&id("1")).await.expect("an outcome")
    })
}

#[test]
fn a_saga_cut_off_in_an_action_is_completed_by_the_next_process() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a", "b", "c"]);
    die_in(&data, &world, trip.clone(), "b");
    assert_eq!(world.trace(), ["a", "b"]);
    assert!(next(&data, trip).is_completed());
    assert_eq!(world.trace(), ["b", "c"], "what is recorded as done does not run again");
}

#[test]
fn a_saga_cut_off_in_an_undo_is_undone_by_the_next_process() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a", "b", "c"]);
    world.tell("c", Does::Refuses);
    die_in(&data, &world, trip.clone(), "^b");
    assert_eq!(world.trace(), ["a", "b", "c", "^b"]);
    world.heal("c");
    assert!(matches!(next(&data, trip), Outcome::Compensated(_)));
    assert_eq!(world.trace(), ["^b", "^a"], "a rollback never turns forward again");
}

#[test]
fn an_attempt_after_a_crash_has_the_next_number_and_the_same_key() {
    let (data, seen, gate) = (
        MemoryRepository::new(),
        std::sync::Arc::new(std::sync::Mutex::new(Vec::new())),
        Gate::new(),
    );
    let trip = |waits: bool| {
        let (seen, gate) = (seen.clone(), gate.clone());
        let mut trip = Saga::<u32>::builder("trip");
        trip.step("a", move |cx| {
            let (seen, gate) = (seen.clone(), gate.clone());
            async move {
                let told = (cx.attempt(), cx.idempotency_key());
                seen.lock().expect("no panic").push(told);
                if waits {
                    gate.reached(2).await;
                }
                Ok::<_, compensation::StepError>(())
            }
        })
        .no_undo("it only looks")
        .add();
        trip.build().expect("a sound saga")
    };
    life(async {
        let engine = on(&data).register(trip(true)).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        while seen.lock().expect("no panic").is_empty() {
            tokio::task::yield_now().await;
        }
    });
    assert!(next(&data, trip(false)).is_completed());
    let seen = seen.lock().expect("no panic");
    assert_eq!(*seen, [(1, "trip:1:a".to_owned()), (2, "trip:1:a".to_owned())]);
}

#[test]
fn a_step_that_is_not_idempotent_is_not_attempted_again_after_a_crash() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    trip.step("a", world.action("a")).undo(world.undo("a")).add();
    trip.step("b", world.action("b")).undo(world.undo("b")).not_idempotent().add();
    let trip = trip.build().expect("a sound saga");
    die_in(&data, &world, trip.clone(), "b");
    assert_eq!(world.trace(), ["a", "b"]);
    let outcome = next(&data, trip);
    assert!(matches!(outcome, Outcome::Stuck(_)));
    assert_eq!(outcome.report().parked().count(), 1);
    assert!(outcome.report().reason().expect("a reason").contains("step `b` needs a person"));
    assert_eq!(world.trace(), Vec::<String>::new());
}

#[test]
fn a_step_that_declares_undo_for_the_unknown_is_undone_after_a_crash() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    trip.step("a", world.action("a")).undo(world.undo("a")).add();
    trip.step("b", world.action("b"))
        .undo(world.undo("b"))
        .not_idempotent()
        .unknown(UnknownPolicy::Undo)
        .add();
    let trip = trip.build().expect("a sound saga");
    die_in(&data, &world, trip.clone(), "b");
    world.trace();
    assert!(matches!(next(&data, trip), Outcome::Compensated(_)));
    assert_eq!(world.trace(), ["^b", "^a"]);
}

#[test]
fn retries_go_on_from_where_the_dead_process_was() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = {
        let mut trip = Saga::builder("trip");
        let retry = RetryPolicy::new(3);
        trip.step("a", world.action("a")).undo(world.undo("a")).retry(retry).add();
        trip.build().expect("a sound saga")
    };
    world.tell("a", Does::Refuses);
    life(async {
        let engine = on(&data).register(trip.clone()).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        while journal(&data, "1").await.len() < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
    assert!(world.trace().len() <= 2);
    assert!(matches!(next(&data, trip), Outcome::Compensated(_)));
    assert!(world.trace().len() <= 2, "three attempts in all, and one cut off");
}

#[test]
fn every_prefix_of_a_journal_ends_right() {
    // The journal of a saga that is undone, cut off after each of its entries.
    let (whole, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a", "b", "c"]);
    world.tell("c", Does::Refuses);
    life(async {
        let engine = on(&whole).register(trip.clone()).start().await.expect("start");
        let _ = engine.run("trip", id("1"), &1).await.expect("an outcome");
    });
    let story = life(async { whole.load(&id("1")).await.expect("a store").expect("a saga") });
    world.trace();
    for length in 1..story.journal.len() {
        let data = MemoryRepository::new();
        life(async {
            let dead = data.another_owner();
            let head = |status| compensation::repository::Head { status, reason: None };
            let created = dead
                .create(compensation::repository::NewSaga {
                    id: id("1"),
                    name: story.summary.name.clone(),
                    plan: story.plan.clone(),
                    input: story.input.clone(),
                    head: head(Status::Running),
                    entry: story.journal[0].clone(),
                })
                .await
                .expect("a start");
            let compensation::repository::Created::New(key) = created else { panic!("new") };
            for (seq, entry) in (1..).zip(&story.journal[1..length]) {
                let append = compensation::repository::Append {
                    key,
                    seq,
                    entry: entry.clone(),
                    head: head(Status::Running),
                };
                dead.append(append).await.expect("an entry");
            }
        });
        assert!(matches!(next(&data, trip.clone()), Outcome::Compensated(_)), "after {length}");
        let trace = world.trace();
        let undos: Vec<_> = trace.iter().filter(|done| done.starts_with('^')).collect();
        // Cut off in `c`, whose second attempt refuses: the first may still have had its effect.
        let owed = match length {
            1 | 2 => 2,
            3 => 3,
            4 => 2,
            _ => 1,
        };
        assert_eq!(undos.len(), owed, "after {length}: {trace:?}");
    }
}

#[test]
fn a_saga_whose_definition_is_missing_parks_alone() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let gate = Gate::new();
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let engine = on(&data)
            .register(world.chain("trip", &["a"]))
            .register(world.chain("gone", &["a"]))
            .start()
            .await
            .expect("start");
        engine.start("gone", id("g"), &1).await.expect("started");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(2).await;
    });
    world.heal("a");
    life(async {
        let engine = on(&data).register(world.chain("trip", &["a"])).start().await.expect("start");
        engine.idle().await.expect("idle");
        let other = engine.wait(&id("1")).await.expect("an outcome");
        assert!(other.is_completed());
        let report = engine.report(&id("g")).await.expect("a report");
        assert_eq!(report.status(), Status::Stuck);
        assert_eq!(
            report.reason().expect("a reason"),
            "this program does not have the saga `gone`: the program that made it, or another one that registers it, \
             must be running"
        );
    });
    // A program that has the definition goes on with it.
    life(async {
        let engine = on(&data).register(world.chain("gone", &["a"])).start().await.expect("start");
        engine.resume(&id("g")).await.expect("resumed");
        assert!(engine.wait(&id("g")).await.expect("an outcome").is_completed());
    });
}

#[test]
fn a_record_that_can_not_be_read_parks_alone() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    let plan = serde_json::to_string(trip.plan()).expect("a plan");
    let bad = [
        ("no-plan", "{", "[]", "its plan can't be read"),
        ("no-json", &*plan, "[{", "entry 0 of its journal can't be read"),
        ("no-word", &*plan, r#"[{"e":"reborn","s":0}]"#, "entry 0 of its journal can't be read"),
        (
            "no-sense",
            &*plan,
            r#"[{"e":"undo_done","s":0}]"#,
            "entry 0 of its journal makes no sense",
        ),
        ("no-step", &*plan, r#"[{"e":"action_started","s":9}]"#, "makes no sense"),
    ];
    life(async {
        let dead = data.another_owner();
        for (name, plan, entry, _) in bad {
            let saga = compensation::repository::NewSaga {
                id: id(name),
                name: "trip".into(),
                plan: plan.into(),
                input: "1".to_owned(),
                head: compensation::repository::Head { status: Status::Running, reason: None },
                entry: compensation::repository::Entry {
                    at: compensation::Timestamp::from_millis(1),
                    body: entry.to_owned(),
                },
            };
            dead.create(saga).await.expect("a start");
        }
    });
    die_in(&data, &world, trip.clone(), "a");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        engine.idle().await.expect("idle");
        assert_eq!(engine.counts().await.expect("counts").get(Status::Stuck), 5);
        for (name, _, _, why) in bad {
            let stored = data.load(&id(name)).await.expect("a store").expect("a saga");
            let reason = stored.summary.head.reason.expect("a reason");
            assert!(reason.contains(why), "{name}: {reason}");
            let error = engine.wait(&id(name)).await.map(drop).or_else(|error| match error {
                EngineError::Held { .. } => Ok(()),
                error => Err(error),
            });
            error.expect("held, and said so");
        }
    });
}

#[test]
fn a_changed_definition_is_undone_by_the_plan_that_it_was_started_with() {
    let (data, world) = (MemoryRepository::new(), World::default());
    die_in(&data, &world, world.chain("trip", &["a", "b", "c"]), "b");
    world.trace();
    // `c` has gone, and `x` is new.
    let outcome = next(&data, world.chain("trip", &["x", "b", "a"]));
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    assert_eq!(world.trace(), ["^b", "^a"]);
    let journal = life(journal(&data, "1"));
    assert!(journal.iter().any(|entry| entry.contains("its definition has changed")));
}

#[test]
fn a_changed_definition_that_lost_an_undo_parks_with_a_reason() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let old = world.chain("trip", &["a", "b"]);
    die_in(&data, &world, old.clone(), "b");
    world.trace();
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["b", "c"])).start().await.expect("start");
        engine.idle().await.expect("idle");
        let reason = engine.report(&id("1")).await.expect("a report").reason();
        let reason = reason.expect("a reason");
        assert!(reason.contains("no undo for step `a`"), "{reason}");
        assert_eq!(world.trace(), Vec::<String>::new());
    });
    // With the definition that it was started with, it goes on.
    life(async {
        let engine = on(&data).register(old).start().await.expect("start");
        engine.resume(&id("1")).await.expect("resumed");
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
    });
    assert_eq!(world.trace(), ["b"]);
}

#[test]
fn an_older_version_beside_the_newer_one_still_runs_its_sagas() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let old = world.chain("trip", &["a", "b"]);
    die_in(&data, &world, old.clone(), "b");
    world.trace();
    life(async {
        let engine = on(&data)
            .register(old)
            .register(world.chain("trip", &["c"]))
            .start()
            .await
            .expect("start");
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        let _ = engine.run("trip", id("2"), &1).await.expect("an outcome");
    });
    assert_eq!(world.trace(), ["b", "c"]);
}

#[test]
fn other_budgets_are_no_other_definition() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = |attempts| {
        let mut trip = Saga::builder("trip");
        let retry = RetryPolicy::new(attempts);
        trip.step("a", world.action("a")).undo(world.undo("a")).retry(retry).add();
        trip.build().expect("a sound saga")
    };
    die_in(&data, &world, trip(2), "a");
    assert!(next(&data, trip(5)).is_completed());
}

#[test]
fn the_undo_of_a_crashed_rollback_gets_the_output_from_the_store() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a", "b"]);
    world.tell("b", Does::Refuses);
    die_in(&data, &world, trip.clone(), "^a");
    let outcome = next(&data, trip);
    // The undo itself checks what it is given; see `World::undo`.
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    assert_eq!(outcome.report().phase("a"), Some(Phase::Undone));
}

#[test]
fn an_engine_without_recovery_leaves_what_others_left() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let trip = world.chain("trip", &["a"]);
    die_in(&data, &world, trip.clone(), "a");
    world.trace();
    life(async {
        let engine = on(&data).register(trip).without_recovery().start().await.expect("start");
        engine.idle().await.expect("idle");
        assert_eq!(world.trace(), Vec::<String>::new());
        engine.resume(&id("1")).await.expect("resumed");
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
    });
}
