//! What a person gives a step in place of what is recorded: kept by the record and carried by letters, whatever it is.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod durable;

use std::sync::{Arc, Mutex};

use compensation::{
    Applied, Edit, Order, Outcome, OutputMissing, Saga, StepContext, StepError, UndoContext,
    machine::UnknownPolicy, repository::MemoryRepository,
};
use durable::{Does, Gate, World, id, life, on};
use serde_json::value::RawValue;

type Seen = Arc<Mutex<Vec<String>>>;

fn order() -> Order {
    Order::new("Ada", "the customer called")
}

fn null() -> Option<Box<RawValue>> {
    Some(RawValue::from_string("null".to_owned()).expect("JSON"))
}

/// A saga of one step that may be given no room, and waits at a gate once it is.
fn booking(seen: &Seen, gate: &Gate) -> Saga<Option<u32>> {
    let (seen, gate) = (seen.clone(), gate.clone());
    let mut booking = Saga::<Option<u32>>::builder("booking");
    booking
        .step("a", move |cx: StepContext<Option<u32>>| {
            let (seen, gate, room) = (seen.clone(), gate.clone(), *cx.input());
            async move {
                seen.lock().expect("no panic").push(format!("{room:?}"));
                match room {
                    Some(_) => Err(StepError::unknown("no such room")),
                    None => {
                        gate.pass().await;
                        Ok(())
                    }
                }
            }
        })
        .no_undo("it only looks")
        .unknown(UnknownPolicy::Park)
        .add();
    booking.build().expect("a sound saga")
}

#[test]
fn an_input_of_null_outlives_the_process_that_was_given_it() {
    let (data, seen, gate) = (MemoryRepository::new(), Seen::default(), Gate::new());
    let booking = booking(&seen, &gate);
    life(async {
        let engine = on(&data).register(booking.clone()).start().await.expect("start");
        let outcome = engine.run("booking", id("1"), &Some(7)).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        let edit = Edit { input: null(), ..Edit::default() };
        engine.retry_with(&id("1"), "a", edit, order()).await.expect("ordered");
        gate.reached(1).await;
    });
    gate.open();
    life(async {
        let engine = on(&data).register(booking).start().await.expect("another process");
        assert!(engine.wait(&id("1")).await.expect("an outcome").is_completed());
    });
    assert_eq!(*seen.lock().expect("no panic"), ["Some(7)", "None", "None"]);
}

#[test]
fn an_input_of_null_reaches_another_process() {
    let (data, seen, gate) = (MemoryRepository::new(), Seen::default(), Gate::new());
    gate.open();
    life(async {
        let one = on(&data).register(booking(&seen, &gate)).start().await.expect("one");
        let outcome = one.run("booking", id("1"), &Some(7)).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        let two = on(&data).without_recovery().start().await.expect("two, which knows no saga");
        let edit = Edit { input: null(), ..Edit::default() };
        let given = two.retry_with(&id("1"), "a", edit, order()).await.expect("ordered");
        assert_eq!(given, Applied::Changed);
        assert!(one.wait(&id("1")).await.expect("an outcome").is_completed());
    });
    assert_eq!(*seen.lock().expect("no panic"), ["Some(7)", "None"]);
}

/// A saga whose undo of `a` is content with no output only, and waits at a gate then.
fn returns(world: &World, gate: &Gate) -> Saga<u32> {
    let gate = gate.clone();
    let mut returns = Saga::<u32>::builder("returns");
    returns
        .step("a", |_: StepContext<u32>| async { Ok::<_, StepError>(Some(7)) })
        .undo(move |_: UndoContext<u32>, output: Option<Option<u32>>| {
            let gate = gate.clone();
            async move {
                match output {
                    Some(None) => {
                        gate.pass().await;
                        Ok(())
                    }
                    other => Err(StepError::unknown(format!("{other:?}"))),
                }
            }
        })
        .undo_retry(compensation::RetryPolicy::none())
        .add();
    returns.step("b", world.action("b")).no_undo("it only refuses").add();
    returns.build().expect("a sound saga")
}

#[test]
fn an_output_of_null_for_an_undo_outlives_the_process_that_was_given_it() {
    let (data, world, gate) = (MemoryRepository::new(), World::default(), Gate::new());
    world.tell("b", Does::Refuses);
    let returns = returns(&world, &gate);
    life(async {
        let engine = on(&data).register(returns.clone()).start().await.expect("start");
        let outcome = engine.run("returns", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        let edit = Edit { output: null(), ..Edit::default() };
        engine.retry_with(&id("1"), "a", edit, order()).await.expect("ordered");
        gate.reached(1).await;
    });
    gate.open();
    life(async {
        let engine = on(&data).register(returns).start().await.expect("another process");
        let outcome = engine.wait(&id("1")).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    });
}

#[test]
fn an_output_of_null_reaches_another_process_and_is_read_by_later_steps() {
    let data = MemoryRepository::new();
    let mut trip = Saga::<u32>::builder("trip");
    let a = trip
        .step("a", |_: StepContext<u32>| async {
            Err::<Option<u32>, _>(StepError::unknown("no answer"))
        })
        .no_undo("it only looks")
        .unknown(UnknownPolicy::Park)
        .add();
    trip.step("b", move |cx: StepContext<u32>| async move {
        Ok::<_, OutputMissing>(format!("{:?}", cx.output(&a)?))
    })
    .no_undo("it only reads")
    .add();
    let trip = trip.build().expect("a sound saga");
    life(async {
        let one = on(&data).register(trip).start().await.expect("one");
        let outcome = one.run("trip", id("1"), &1).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Stuck(_)));
        let two = on(&data).without_recovery().start().await.expect("two, which knows no saga");
        two.mark_done(&id("1"), "a", null(), order()).await.expect("ordered");
        let outcome = one.wait(&id("1")).await.expect("an outcome");
        assert!(outcome.is_completed(), "{outcome:?}");
    });
}

#[test]
fn a_saga_with_an_input_by_hand_can_be_given_up_by_a_program_that_does_not_have_it() {
    let (data, seen, gate) = (MemoryRepository::new(), Seen::default(), Gate::new());
    let booking = booking(&seen, &gate);
    life(async {
        let engine = on(&data).register(booking).start().await.expect("start");
        let _ = engine.run("booking", id("1"), &Some(7)).await.expect("an outcome");
        let input = Some(RawValue::from_string("8".to_owned()).expect("JSON"));
        let edit = Edit { input, ..Edit::default() };
        engine.retry_with(&id("1"), "a", edit, order()).await.expect("ordered");
        assert!(matches!(engine.wait(&id("1")).await, Ok(Outcome::Stuck(_))));
    });
    life(async {
        let engine = on(&data).without_recovery().start().await.expect("one that knows no saga");
        engine.abandon(&id("1"), order()).await.expect("nothing of it need be run");
        assert!(matches!(engine.wait(&id("1")).await, Ok(Outcome::Abandoned(_))));
    });
}
