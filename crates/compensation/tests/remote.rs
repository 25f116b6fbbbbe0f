//! Sagas that somebody else's machinery runs: one attempt of one function, and the course that steers them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{future::pending, time::Duration};

use compensation::{
    AnySaga, Certainty, MAX_OUTPUT_BYTES, Order, Probed, Saga, SagaId, Status, StepContext,
    StepError, UndoContext,
    machine::{Change, Effect, Phase, Task, UnknownPolicy},
    remote::{Call, Course, Ended},
};
use serde_json::value::{RawValue, to_raw_value};

/// A step that says all that it was told, and an undo that does.
fn trip(version: u32) -> AnySaga {
    let mut trip = Saga::<String>::builder("trip");
    trip.version(version);
    let car = trip
        .step("car", |cx: StepContext<String>| async move {
            Ok::<_, StepError>(format!("{} #{} {}", cx.idempotency_key(), cx.attempt(), cx.input()))
        })
        .undo(|_: UndoContext<String>, _| async { Ok::<_, StepError>(()) })
        .add();
    trip.step("hotel", move |cx: StepContext<String>| async move {
        Ok::<_, StepError>(cx.output(&car)?.len())
    })
    .undo(move |cx: UndoContext<String>, room: Option<usize>| async move {
        let car = cx.output(&car).ok().cloned();
        Err::<(), _>(StepError::not_done(format!("{room:?} {car:?} {:?}", cx.effect())))
    })
    .add();
    AnySaga::from(trip.build().expect("a sound saga"))
}

/// A saga with one step.
fn one<T, F, Fut>(act: F) -> AnySaga
where
    T: compensation::Value,
    F: Fn(StepContext<String>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, StepError>> + Send + 'static,
{
    let mut one = Saga::<String>::builder("one");
    one.step("a", act).no_undo("a test").add();
    AnySaga::from(one.build().expect("a sound saga"))
}

fn call(saga: &AnySaga, step: &str, task: Task) -> Call {
    Call {
        saga_id: SagaId::new("7").expect("an id"),
        fingerprint: saga.plan().fingerprint(),
        step: step.to_owned(),
        task,
        attempt: 1,
        limit: None,
        input: raw("Ada"),
        outputs: Vec::new(),
    }
}

fn raw(value: impl serde::Serialize) -> Box<RawValue> {
    to_raw_value(&value).expect("plain data")
}

fn done(ended: Ended) -> String {
    match ended {
        Ended::Done(output) => output.get().to_owned(),
        other => panic!("not done: {other:?}"),
    }
}

fn failed(ended: Ended) -> (String, Certainty, bool) {
    match ended {
        Ended::Failed(failure) => {
            (failure.message().to_owned(), failure.certainty(), failure.is_retryable())
        }
        other => panic!("not failed: {other:?}"),
    }
}

#[tokio::test]
async fn an_action_is_told_its_key_its_attempt_and_its_input() {
    let trip = trip(0);
    let ended = trip.attempt(Call { attempt: 3, ..call(&trip, "car", Task::Act) }).await;
    assert_eq!(done(ended), r##""trip:7:car #3 Ada""##);
}

#[tokio::test]
async fn an_action_reads_the_outputs_of_earlier_steps() {
    let trip = trip(0);
    let outputs = vec![("car".to_owned(), raw("four"))];
    let ended = trip.attempt(Call { outputs, ..call(&trip, "hotel", Task::Act) }).await;
    assert_eq!(done(ended), "4");
}

#[tokio::test]
async fn an_undo_is_told_its_steps_output_and_how_sure_the_effect_is() {
    let trip = trip(0);
    let outputs = vec![("car".to_owned(), raw("four")), ("hotel".to_owned(), raw(4))];
    let task = Task::Undo(Effect::Sure);
    let ended = trip.attempt(Call { outputs, ..call(&trip, "hotel", task) }).await;
    assert_eq!(failed(ended).0, r#"Some(4) Some("four") Sure"#);
    let ended = trip.attempt(call(&trip, "car", Task::Undo(Effect::Maybe))).await;
    assert!(matches!(ended, Ended::Undone), "{ended:?}");
}

#[tokio::test]
async fn a_probe_tells_whether_the_action_had_its_effect() {
    let mut saga = Saga::<String>::builder("probed");
    saga.step("a", |_: StepContext<String>| async { Ok::<_, StepError>(1) })
        .probe(|cx: StepContext<String>| async move {
            Ok::<_, StepError>(match cx.input().as_str() {
                "Ada" => Probed::Done(2),
                _ => Probed::NotDone,
            })
        })
        .unknown(UnknownPolicy::Probe)
        .no_undo("a test")
        .add();
    let saga = AnySaga::from(saga.build().expect("a sound saga"));
    assert_eq!(done(saga.attempt(call(&saga, "a", Task::Probe)).await), "2");
    let input = raw("Bob");
    let ended = saga.attempt(Call { input, ..call(&saga, "a", Task::Probe) }).await;
    assert!(matches!(ended, Ended::NotDone), "{ended:?}");
}

#[tokio::test]
async fn a_panic_is_the_attempts_failure_and_its_outcome_unknown() {
    let saga = one(|_| async { if true { panic!("oh") } else { Ok(()) } });
    let ended = saga.attempt(call(&saga, "a", Task::Act)).await;
    assert_eq!(failed(ended), ("panicked: oh".to_owned(), Certainty::Unknown, true));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_ends_at_its_time_limit() {
    let saga = one(|_| pending::<Result<(), _>>());
    let limit = Some(Duration::from_secs(3));
    let ended = saga.attempt(Call { limit, ..call(&saga, "a", Task::Act) }).await;
    assert_eq!(failed(ended), ("no answer within 3s".to_owned(), Certainty::Unknown, true));
}

#[tokio::test]
async fn an_output_over_the_limit_is_refused_for_good() {
    let saga = one(|_| async { Ok("x".repeat(MAX_OUTPUT_BYTES)) });
    let (message, certainty, retryable) = failed(saga.attempt(call(&saga, "a", Task::Act)).await);
    assert!(message.contains("at most 1048576 are kept"), "{message}");
    assert_eq!((certainty, retryable), (Certainty::Unknown, false));
}

#[tokio::test]
async fn an_attempt_sees_that_its_saga_is_being_undone() {
    let saga = one(|cx| async move {
        cx.cancelled().await;
        Err::<(), _>(StepError::not_done("stopped in time"))
    });
    let attempt = saga.attempt(call(&saga, "a", Task::Act));
    let canceller = attempt.canceller();
    let (ended, ()) = tokio::join!(attempt, async { canceller.cancel() });
    assert_eq!(failed(ended), ("stopped in time".to_owned(), Certainty::NotDone, true));
}

#[tokio::test]
async fn another_definition_undoes_by_name_and_does_nothing_forward() {
    let (old, new) = (trip(1), trip(2));
    let ended = new.attempt(call(&old, "car", Task::Act)).await;
    let (message, certainty, retryable) = failed(ended);
    assert!(message.starts_with("the definition of `trip` has changed"), "{message}");
    assert_eq!((certainty, retryable), (Certainty::NotDone, false));

    let outputs = vec![("car".to_owned(), raw("four")), ("hotel".to_owned(), raw(4))];
    let task = Task::Undo(Effect::Sure);
    let ended = new.attempt(Call { outputs, ..call(&old, "hotel", task) }).await;
    assert_eq!(failed(ended).0, "Some(4) None Sure", "handles are not to read by index");
}

#[tokio::test]
async fn what_makes_no_sense_here_is_refused_without_an_effect() {
    let trip = trip(0);
    let calls = [
        (call(&trip, "boat", Task::Act), "has no step `boat`"),
        (call(&trip, "car", Task::Probe), "has no probe for step `car`"),
        (
            Call { input: raw(1), ..call(&trip, "car", Task::Act) },
            "the saga's input is not what the definition takes",
        ),
        (
            Call { outputs: vec![("car".to_owned(), raw(1))], ..call(&trip, "hotel", Task::Act) },
            "the output of step `car` can't be read",
        ),
    ];
    for (call, expected) in calls {
        let (message, certainty, retryable) = failed(trip.attempt(call).await);
        assert!(message.contains(expected), "{message}");
        assert_eq!((certainty, retryable), (Certainty::NotDone, false));
    }
}

fn order() -> Order {
    Order::new("ops", "a test")
}

/// Runs a course as far as it goes by itself.
async fn go(course: &mut Course, saga: &AnySaga) {
    let input = raw("Ada");
    while let Some(command) = course.next() {
        course.start(command).expect("it was given out");
        let ended = saga.attempt(course.call(command, &input)).await;
        course.end(command, ended).expect("it was in flight");
    }
}

fn course(saga: &AnySaga) -> Course {
    Course::new(saga.plan().clone(), SagaId::new("7").expect("an id")).expect("a sound plan")
}

#[tokio::test]
async fn a_course_leads_through_a_saga_and_its_rollback() {
    let trip = trip(0);
    let mut course = course(&trip);
    go(&mut course, &trip).await;
    assert_eq!(course.machine().status(), Status::Completed);
    assert_eq!(course.report().stored_output("hotel").map(RawValue::get), Some("17"));
    assert_eq!(course.report().id().map(SagaId::as_str), Some("7"));

    course.order(Change::CancelRequested, order(), None).expect("it has no pivot");
    go(&mut course, &trip).await;
    let report = course.report();
    assert_eq!(report.status(), Status::Stuck);
    assert_eq!(report.phase("car"), Some(Phase::Undone));
    assert_eq!(report.failures().len(), 5, "the undo's whole budget");
}

#[tokio::test]
async fn a_course_read_back_is_the_same() {
    let trip = trip(0);
    let mut first = course(&trip);
    go(&mut first, &trip).await;
    first.order(Change::CancelRequested, order(), None).expect("no pivot");
    go(&mut first, &trip).await;
    first.order(Change::Abandoned, order(), None).expect("it is stuck");

    let back = Course::read(trip.plan().clone(), first.id().clone(), &first.journal());
    let back = back.expect("just written");
    assert_eq!(back.machine(), first.machine());
    assert_eq!(back.journal(), first.journal());
    assert_eq!(format!("{:?}", back.report()), format!("{:?}", first.report()));
    assert_eq!(back.report().abandoned(), Some(&order()));
}

#[tokio::test]
async fn an_output_that_a_person_declares_is_read_by_later_steps() {
    let mut saga = Saga::<String>::builder("parks");
    let lost = |_: StepContext<String>| async { Err::<String, _>(StepError::unknown("lost")) };
    let first = saga.step("a", lost).unknown(UnknownPolicy::Park).no_undo("a test").add();
    saga.step("b", move |cx: StepContext<String>| async move {
        Ok::<_, StepError>(cx.output(&first)?.clone())
    })
    .no_undo("a test")
    .add();
    let saga = AnySaga::from(saga.build().expect("a sound saga"));
    let mut course = course(&saga);
    go(&mut course, &saga).await;
    assert_eq!(course.machine().status(), Status::Stuck);
    course.order(Change::DoneDeclared(0), order(), Some(raw("by hand"))).expect("it is parked");
    go(&mut course, &saga).await;
    let report = course.report();
    assert_eq!(report.stored_output("b").map(RawValue::get), Some(r#""by hand""#));
}

#[test]
fn what_is_no_order_is_refused_and_changes_nothing() {
    let mut course = course(&trip(0));
    let illegal = course.order(Change::ActionStarted(0), order(), None).expect_err("no order");
    assert_eq!(illegal.change, Change::ActionStarted(0));
    assert_eq!(course.journal(), "[]");
}

#[test]
fn a_journal_that_does_not_fit_its_plan_is_refused() {
    let plan = trip(0).plan().clone();
    let id = SagaId::new("7").expect("an id");
    for journal in ["nonsense", r#"[{"e":"action_done","s":0}]"#, r#"[{"e":"reborn"}]"#] {
        let error = Course::read(plan.clone(), id.clone(), journal).expect_err(journal);
        assert!(error.to_string().starts_with("the record of saga `7` can't be read"), "{error}");
    }
}
