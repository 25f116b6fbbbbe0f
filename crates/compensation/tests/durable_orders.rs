//! What a person may order, and what the record says of it.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod durable;

use compensation::{
    Applied, Edit, EngineError, MAX_BY_BYTES, MAX_WHY_BYTES, Order, Outcome, Saga, Status,
    StepError, UndoContext, machine::Phase, repository::MemoryRepository,
};
use durable::{Does, Gate, World, id, journal, life, on};
use serde_json::value::RawValue;

fn order() -> Order {
    Order::new("Ada", "the customer called")
}

/// A saga that is stuck because the undo of `a` fails.
async fn stuck(data: &MemoryRepository, world: &World) -> compensation::Engine {
    world.tell("b", Does::Refuses);
    world.tell("^a", Does::Fails);
    let engine = on(data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
    let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
    assert!(matches!(outcome, Outcome::Stuck(_)));
    assert_eq!(
        outcome.report().reason().expect("a reason"),
        "step `a` needs a person: its undo failed and has no attempts left (^a failed)"
    );
    world.trace();
    engine
}

#[test]
fn a_running_saga_that_is_cancelled_is_undone_once_its_step_has_settled() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b", "c"])).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        engine.cancel(&id("1"), order()).await.expect("cancelled");
        assert_eq!(world.trace(), ["a", "b"], "an action in flight is not raced by its undo");
        gate.open();
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["^b", "^a"]);
        let said = journal(&data, "1").await.join("\n");
        assert!(said.contains(r#""by":"Ada","why":"the customer called""#), "{said}");
    });
}

#[test]
fn a_completed_saga_can_be_undone() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine =
            on(&data).register(world.chain("trip", &["a", "b"])).start().await.expect("start");
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        engine.cancel(&id("1"), order()).await.expect("cancelled");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["a", "b", "^b", "^a"]);
    });
}

#[test]
fn after_its_pivot_a_saga_can_not_be_undone() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    trip.step("a", world.action("a")).undo(world.undo("a")).add();
    trip.step("b", world.action("b")).no_undo("it is the point of no return").pivot().add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        assert!(engine.run("trip", id("1"), &1).await.expect("an outcome").is_completed());
        let error = engine.cancel(&id("1"), order()).await.expect_err("too late");
        assert!(matches!(error, EngineError::Refused { .. }), "{error}");
        assert!(error.to_string().contains("it is past its pivot"), "{error}");
        assert_eq!(world.trace(), ["a", "b"]);
        // Asking changed nothing, and nobody holds it.
        let found = engine.list(Default::default()).await.expect("a list").sagas.remove(0);
        assert_eq!((found.head.status, found.owned), (Status::Completed, false));
    });
}

#[test]
fn an_order_says_who_gives_it_and_why_at_no_greater_length_than_is_kept() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let long = |bytes| "x".repeat(bytes);
    life(async {
        let engine = stuck(&data, &world).await;
        let bad = [
            (Order::new(" ", "why"), "an order needs the name of whoever gives it"),
            (Order::new("Ada", "\n"), "an order needs a reason, which the record keeps"),
            (
                Order::new(long(201), "why"),
                "the name of the order has 201 bytes: at most 200 are kept",
            ),
            (
                Order::new("Ada", long(2_001)),
                "the reason of the order has 2001 bytes: at most 2000 are kept",
            ),
        ];
        for (order, told) in bad {
            for error in [
                engine.skip(&id("1"), "a", order.clone()).await.expect_err("a bad order"),
                engine.resume_by(&id("1"), order).await.expect_err("a bad order"),
            ] {
                assert!(matches!(error, EngineError::BadOrder(_)), "{error}");
                assert_eq!(error.to_string(), told);
            }
        }
        let fits = Order::new(long(MAX_BY_BYTES), long(MAX_WHY_BYTES));
        assert_eq!(engine.skip(&id("1"), "a", fits).await.expect("ordered"), Applied::Changed);
    });
}

#[test]
fn a_parked_undo_can_be_ordered_again() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        world.heal("^a");
        engine.retry(&id("1"), "a", order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["^a"]);
    });
}

#[test]
fn a_parked_undo_that_fails_again_is_stuck_again() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        engine.retry(&id("1"), "a", order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        assert_eq!(outcome.report().failures().len(), 3);
    });
}

#[test]
fn a_parked_undo_can_be_skipped() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        engine.skip(&id("1"), "a", order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(outcome.report().phase("a"), Some(Phase::UndoSkipped));
        assert_eq!(world.trace(), Vec::<String>::new());
    });
}

#[test]
fn a_parked_undo_can_be_declared_done() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        engine.mark_undone(&id("1"), "a", order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), Vec::<String>::new());
    });
}

#[test]
fn an_action_declared_done_once_its_undo_is_parked_is_refused_and_the_undo_stays_owed() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        let error = engine.mark_done(&id("1"), "a", None, order()).await.expect_err("too late");
        assert!(error.to_string().contains("it is its undo that is parked"), "{error}");
        let report = engine.report(&id("1")).await.expect("a report");
        assert!(matches!(report.phase("a"), Some(Phase::UndoParked(_))));
    });
}

#[test]
fn a_saga_that_turns_back_while_a_person_does_its_parked_action_by_hand_still_owes_the_undo() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Fails);
    let mut trip = Saga::builder("trip");
    trip.step("a", world.action("a"))
        .undo(world.undo("a"))
        .unknown(compensation::machine::UnknownPolicy::Park)
        .add();
    let held = gate.clone();
    trip.step("b", move |_| {
        let held = held.clone();
        async move {
            held.pass().await;
            Err::<(), _>(StepError::not_done("b refused").terminal())
        }
    })
    .independent()
    .no_undo("it never succeeds")
    .add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        while !matches!(phase_of_a(&engine).await, Phase::Parked(_)) {
            tokio::task::yield_now().await;
        }
        // A person sees that `a` is parked, and does it by hand. Meanwhile `b` turns the saga back.
        gate.open();
        let _ = engine.wait(&id("1")).await.expect("it is stuck");
        let late = engine.mark_done(&id("1"), "a", None, order()).await.expect_err("too late");
        assert!(late.to_string().contains("it is its undo that is parked"), "{late}");
        world.trace();
        engine.retry(&id("1"), "a", order()).await.expect("the undo is still owed");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
        assert_eq!(world.trace(), ["^a"]);
    });
}

async fn phase_of_a(engine: &compensation::Engine) -> Phase {
    engine.report(&id("1")).await.expect("a report").phase("a").expect("a step")
}

#[test]
fn a_stuck_saga_can_be_abandoned_by_name() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        engine.abandon(&id("1"), order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        let Outcome::Abandoned(report) = outcome else { panic!("{outcome:?}") };
        assert_eq!(report.abandoned(), Some(&order()));
        assert_eq!(report.reason().as_deref(), Some("by Ada: the customer called"));
        let error = engine.retry(&id("1"), "a", order()).await.expect_err("it is over");
        assert!(matches!(error, EngineError::Refused { .. }));
    });
}

#[test]
fn an_output_that_a_person_gives_is_read_by_later_steps() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    let a = trip
        .step("a", world.action("a"))
        .undo(world.undo("a"))
        .unknown(compensation::machine::UnknownPolicy::Park)
        .add();
    trip.step("b", move |cx| async move {
        Ok::<_, compensation::OutputMissing>(cx.output(&a)?.clone())
    })
    .no_undo("it only reads")
    .add();
    let trip = trip.build().expect("a sound saga");
    world.tell("a", Does::Fails);
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        let output = serde_json::value::RawValue::from_string(r#""by hand""#.to_owned());
        let output = output.expect("JSON");
        engine.mark_done(&id("1"), "a", Some(output), order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(outcome.is_completed(), "{outcome:?}");
        let read = engine.report(&id("1")).await.expect("a report");
        assert_eq!(read.stored_output("b").expect("an output").get(), r#""by hand""#);
    });
}

#[test]
fn an_output_of_another_type_than_the_step_has_is_refused() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::builder("trip");
    trip.step("a", world.action("a"))
        .undo(world.undo("a"))
        .unknown(compensation::machine::UnknownPolicy::Park)
        .add();
    let trip = trip.build().expect("a sound saga");
    world.tell("a", Does::Fails);
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let _ = engine.run("trip", id("1"), &1).await.expect("an outcome");
        let output = serde_json::value::RawValue::from_string("17".to_owned()).expect("JSON");
        let error = engine.mark_done(&id("1"), "a", Some(output), order()).await;
        let error = error.expect_err("a string is wanted");
        assert!(error.to_string().contains("invalid type: integer `17`"), "{error}");
        assert_eq!(engine.report(&id("1")).await.expect("a report").status(), Status::Stuck);
        engine.mark_done(&id("1"), "a", None, order()).await.expect("it can still be mended");
    });
}

#[test]
fn an_order_for_a_step_that_is_not_there_names_those_that_are() {
    let (data, world) = (MemoryRepository::new(), World::default());
    life(async {
        let engine = stuck(&data, &world).await;
        let error = engine.retry(&id("1"), "c", order()).await.expect_err("no such step");
        assert_eq!(error.to_string(), "saga `1` has no step `c`: its steps are `a`, `b`");
        let error = engine.retry(&id("2"), "a", order()).await.expect_err("no such saga");
        assert_eq!(error.to_string(), "there is no saga `2` in this store");
    });
}

#[test]
fn an_order_reaches_a_saga_of_another_living_process() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let trip = world.chain("trip", &["a"]);
        let one = on(&data).register(trip.clone()).start().await.expect("start");
        let two = on(&data).register(trip).start().await.expect("start");
        one.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        assert_eq!(two.cancel(&id("1"), order()).await.expect("ordered"), Applied::Changed);
        gate.open();
        let outcome = two.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["a", "^a"]);
        let said = journal(&data, "1").await.join("\n");
        assert!(said.contains(r#""by":"Ada","why":"the customer called","letter":""#), "{said}");
    });
}

#[test]
fn orders_outlive_the_process_that_took_them() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    let trip = world.chain("trip", &["a", "b"]);
    world.tell("b", Does::Waits(gate.clone()));
    life(async {
        let engine = on(&data).register(trip.clone()).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("started");
        gate.reached(1).await;
        engine.cancel(&id("1"), order()).await.expect("cancelled");
    });
    world.heal("b");
    world.trace();
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
        assert_eq!(world.trace(), ["^b", "^a"], "`b` may have had its effect");
    });
}

#[test]
fn a_step_that_waits_out_a_failure_is_retried_at_once() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("a", Does::RefusesTimes(1));
    let mut trip = Saga::builder("trip");
    let hour = std::time::Duration::from_secs(3_600);
    let retry = compensation::RetryPolicy::new(3).first(hour).max(hour);
    trip.step("a", world.action("a")).undo(world.undo("a")).retry(retry).add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let begun = tokio::time::Instant::now();
        engine.start("trip", id("1"), &1).await.expect("started");
        while engine.report(&id("1")).await.expect("a report").failures().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        assert_eq!(engine.retry(&id("1"), "a", order()).await.expect("now"), Applied::Changed);
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        assert!(begun.elapsed() < hour, "the clock is virtual");
        assert_eq!(world.trace(), ["a", "a"]);
    });
}

#[test]
fn an_undo_is_given_another_output_and_the_journal_keeps_it() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let trip = {
        let seen = seen.clone();
        let mut trip = Saga::<u32>::builder("trip");
        trip.step("a", world.action("a"))
            .undo(move |cx: UndoContext<u32>, output: Option<String>| {
                let output = output.unwrap_or_default();
                seen.lock().expect("no panic").push(format!("{} {output}", cx.input()));
                async move {
                    let good = output == "room 7";
                    if good { Ok(()) } else { Err(StepError::unknown("no such room")) }
                }
            })
            .undo_retry(compensation::RetryPolicy::none())
            .add();
        trip.step("b", world.action("b")).no_undo("it only refuses").add();
        trip.build().expect("a sound saga")
    };
    world.tell("b", Does::Refuses);
    let raw = |text: &str| Some(RawValue::from_string(text.to_owned()).expect("JSON"));
    life(async {
        let engine = on(&data).register(trip.clone()).start().await.expect("start");
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        let wrong = Edit { output: raw("17"), ..Edit::default() };
        let error = engine.retry_with(&id("1"), "a", wrong, order()).await.expect_err("a string");
        assert!(matches!(error, EngineError::BadOutput { .. }), "{error}");
        let wrong = Edit { input: raw("true"), ..Edit::default() };
        let error = engine.retry_with(&id("1"), "a", wrong, order()).await.expect_err("a number");
        assert!(matches!(error, EngineError::BadInput { .. }), "{error}");
        // The input alone does not mend it, and is kept for the next attempt.
        let edit = Edit { input: raw("2"), ..Edit::default() };
        engine.retry_with(&id("1"), "a", edit, order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
    });
    life(async {
        let engine = on(&data).register(trip).start().await.expect("another process");
        let edit = Edit { output: raw(r#""room 7""#), ..Edit::default() };
        engine.retry_with(&id("1"), "a", edit, order()).await.expect("ordered");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)));
    });
    assert_eq!(*seen.lock().expect("no panic"), ["1 made by a", "2 made by a", "2 room 7"]);
}

#[test]
fn an_action_is_given_another_input_and_its_own_output_stays() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let mut trip = Saga::<u32>::builder("trip");
    trip.step("a", |cx: compensation::StepContext<u32>| {
        let input = *cx.input();
        async move {
            let good = input == 2;
            if good { Ok(format!("made of {input}")) } else { Err(StepError::unknown("no good")) }
        }
    })
    .undo(world.undo("a"))
    .unknown(compensation::machine::UnknownPolicy::Park)
    .add();
    trip.step("b", |cx: compensation::StepContext<u32>| {
        let input = *cx.input();
        async move { Ok::<_, StepError>(input) }
    })
    .no_undo("it only reads")
    .add();
    let trip = trip.build().expect("a sound saga");
    let raw = |text: &str| Some(RawValue::from_string(text.to_owned()).expect("JSON"));
    life(async {
        let engine = on(&data).register(trip).start().await.expect("start");
        let outcome = engine.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        let wrong = Edit { output: raw(r#""x""#), ..Edit::default() };
        let error = engine.retry_with(&id("1"), "a", wrong, order()).await.expect_err("no undo");
        assert!(error.to_string().contains("an action makes its own"), "{error}");
        let edit = Edit { input: raw("2"), ..Edit::default() };
        engine.retry_with(&id("1"), "a", edit, order()).await.expect("ordered");
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
        let report = engine.report(&id("1")).await.expect("a report");
        let output = |step| report.stored_output(step).expect("an output").get().to_owned();
        assert_eq!(output("a"), r#""made of 2""#);
        assert_eq!(output("b"), "1", "the saga's input is what it was for other steps");
    });
}
