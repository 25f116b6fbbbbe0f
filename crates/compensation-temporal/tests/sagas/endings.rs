//! Sagas that end by themselves: in success, or undone because a step failed.

use compensation::{Certainty, Outcome, Saga, SagaId, Status, StepContext, StepError};
use compensation_temporal::Started;

use crate::{
    harness::{Stage, hosting, phases, sagas},
    town::{Does, diamond, pivoted, stubborn, trip, versioned},
};

#[tokio::test]
async fn a_saga_without_trouble_completes_and_gives_its_outputs() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    stage.start(&trip()).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Completed");
    assert!(outcome.is_completed(), "{outcome:?}");
    assert_eq!(phases(outcome.report()), ["car done", "hotel done", "flight done"]);
    let output = outcome.report().stored_output("hotel").map(|output| output.get().to_owned());
    assert_eq!(output.as_deref(), Some(r#""hotel""#));
    assert_eq!(stage.ledger(), ["+car", "+hotel", "+flight"]);
}

#[tokio::test]
async fn typed_outputs_are_read_by_the_handles_of_the_definition() {
    let mut sum = Saga::<u32>::builder("sum");
    let first = sum
        .step("first", |cx: StepContext<u32>| async move { Ok::<_, StepError>(cx.input() + 1) })
        .no_undo("a sum")
        .add();
    let second = sum
        .step("second", move |cx: StepContext<u32>| async move {
            Ok::<_, StepError>(cx.output(&first)? + 1)
        })
        .no_undo("a sum")
        .add();
    let sum = sum.build().expect("a sound saga");
    let id = SagaId::random();
    let _worker = hosting(id.as_str(), [sum.clone().into()]);
    let outcome = sagas(id.as_str()).await.run(sum, &id, &40).await.expect("it runs");
    assert_eq!(outcome.output(&second), Some(42));
}

#[tokio::test]
async fn numbers_that_a_tree_of_json_has_no_room_for_come_out_as_they_were() {
    let mut saga = Saga::<u128>::builder("large");
    let same = saga
        .step("same", |cx: StepContext<u128>| async move { Ok::<_, StepError>(*cx.input()) })
        .no_undo("a number")
        .add();
    let saga = saga.build().expect("a sound saga");
    let id = SagaId::random();
    let _worker = hosting(id.as_str(), [saga.clone().into()]);
    let outcome = sagas(id.as_str()).await.run(saga, &id, &u128::MAX).await.expect("it runs");
    assert_eq!(outcome.output(&same), Some(u128::MAX));
}

#[tokio::test]
async fn a_failure_at_each_step_undoes_what_came_before_it() {
    let cases: [(&str, &[&str], &[&str]); 3] = [
        ("car", &[], &["car failed", "hotel waiting", "flight waiting"]),
        ("hotel", &["+car", "-car(car)"], &["car undone", "hotel failed", "flight waiting"]),
        (
            "flight",
            &["+car", "+hotel", "-hotel(hotel)", "-car(car)"],
            &["car undone", "hotel undone", "flight failed"],
        ),
    ];
    for (step, ledger, expected) in cases {
        let stage = Stage::new().await.does(&format!("+{step}"), Does::Refuses);
        let _worker = stage.worker();
        stage.start(&trip()).await;
        let (closed, outcome) = stage.ends().await;
        assert_eq!(closed, "Failed");
        assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
        let report = outcome.report();
        let reason = format!("step `{step}` failed: +{step} is refused");
        assert_eq!(report.reason(), Some(reason));
        assert_eq!(phases(report), expected);
        assert_eq!(stage.ledger(), ledger);
    }
}

#[tokio::test]
async fn a_step_of_unknown_outcome_is_undone_without_an_output() {
    let stage = Stage::new().await.does("+hotel", Does::LosesItsReply);
    let _worker = stage.worker();
    stage.start(&trip()).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Failed");
    assert_eq!(phases(outcome.report()), ["car undone", "hotel undone", "flight waiting"]);
    assert_eq!(outcome.report().failures()[0].failure().certainty(), Certainty::Unknown);
    assert_eq!(stage.ledger(), ["+car", "+hotel", "-hotel", "-car(car)"]);
}

#[tokio::test]
async fn an_undo_that_fails_twice_succeeds_and_the_server_makes_its_attempts() {
    let stage =
        Stage::new().await.does("+flight", Does::Refuses).does("-hotel", Does::FailsFirst(2));
    let _worker = stage.worker();
    stage.start(&trip()).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Failed");
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    let ledger = stage.ledger();
    assert_eq!(ledger, ["+car", "+hotel", "!-hotel", "!-hotel", "-hotel(hotel)", "-car(car)"]);
}

#[tokio::test]
async fn a_step_that_fails_twice_is_attempted_by_the_server() {
    let stage = Stage::new().await.does("+car", Does::FailsFirst(2));
    let _worker = stage.worker();
    stage.start(&stubborn()).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!((closed.as_str(), outcome.is_completed()), ("Completed", true));
    assert_eq!(stage.ledger(), ["!+car", "!+car", "+car"]);
}

#[tokio::test]
async fn attempts_that_all_knew_that_nothing_happened_leave_nothing_to_undo() {
    let stage = Stage::new().await.does("+car", Does::FailsForever);
    let _worker = stage.worker();
    stage.start(&stubborn()).await;
    let (_, outcome) = stage.ends().await;
    assert_eq!(phases(outcome.report()), ["car failed"]);
    assert_eq!(stage.ledger(), ["!+car", "!+car", "!+car"]);
}

#[tokio::test]
async fn a_refusal_after_an_attempt_of_unknown_outcome_is_undone() {
    let stage = Stage::new().await.does("+car", Does::EffectThenRefuses);
    let _worker = stage.worker();
    stage.start(&stubborn()).await;
    let (_, outcome) = stage.ends().await;
    assert_eq!(phases(outcome.report()), ["car undone"]);
    assert_eq!(stage.ledger(), ["+car", "-car"]);
}

#[tokio::test]
async fn a_diamond_is_undone_in_the_reverse_of_its_order() {
    let stage = Stage::new().await.does("+bottom", Does::Refuses);
    let _worker = stage.worker();
    stage.start(&diamond()).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Failed");
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    let ledger = stage.ledger();
    assert_eq!((ledger[0].as_str(), ledger[5].as_str()), ("+top", "-top(top)"));
    let middle = |range: std::ops::Range<usize>| {
        let mut lines = ledger[range].to_vec();
        lines.sort_unstable();
        lines
    };
    assert_eq!(middle(1..3), ["+left", "+right"]);
    assert_eq!(middle(3..5), ["-left(left)", "-right(right)"]);
}

#[tokio::test]
async fn a_step_after_the_pivot_is_attempted_again_and_nothing_is_undone() {
    let stage = Stage::new().await.does("+mail", Does::FailsFirst(2));
    let _worker = stage.worker();
    stage.start(&pivoted()).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!((closed.as_str(), outcome.is_completed()), ("Completed", true));
    assert_eq!(stage.ledger(), ["+car", "+pay", "!+mail", "!+mail", "+mail"]);
}

#[tokio::test]
async fn a_workflow_that_no_worker_keeps_at_hand_goes_the_same_way() {
    let stage =
        Stage::new().await.does("+flight", Does::Refuses).does("-hotel", Does::FailsFirst(2));
    let _worker = stage.forgetful_worker();
    stage.start(&trip()).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Failed");
    assert_eq!(phases(outcome.report()), ["car undone", "hotel undone", "flight failed"]);
    let ledger = stage.ledger();
    assert_eq!(ledger, ["+car", "+hotel", "!-hotel", "!-hotel", "-hotel(hotel)", "-car(car)"]);
}

#[tokio::test]
async fn the_same_id_is_the_same_saga_also_after_its_end() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    stage.start(&trip()).await;
    let again = stage.sagas.start(trip(), &stage.id, &stage.town).await.expect("the same");
    assert_eq!(again, Started::Before);
    let _ = stage.ends().await;
    let outcome = stage.sagas.run(trip(), &stage.id, &stage.town).await.expect("the same");
    assert!(outcome.is_completed());
    assert_eq!(stage.ledger(), ["+car", "+hotel", "+flight"]);
}

#[tokio::test]
async fn a_saga_whose_definition_has_changed_does_nothing_forward_and_is_undone_by_name() {
    let stage = Stage::new().await.does("+hotel", Does::WaitsDeaf);
    let old = stage.worker();
    stage.start(&trip()).await;
    stage.sees("?+hotel", 1).await;
    stage.open("+hotel");
    stage.sees("+hotel", 1).await;
    drop(old);
    let _new = hosting(stage.id.as_str(), [versioned(1).into()]);
    let (_, outcome) = stage.ends().await;
    // The old worker may have got as far as the last step before it stopped.
    if let Outcome::Compensated(report) = outcome {
        let why = report.reason().unwrap_or_default();
        assert!(why.contains("the definition of `trip` has changed"), "{why}");
        let undone = ["-hotel(hotel)", "-car(car)"];
        assert_eq!(stage.ledger()[stage.ledger().len() - 2..], undone);
    }
}

#[tokio::test]
async fn a_report_of_a_saga_under_way_tells_how_its_steps_stand() {
    let stage = Stage::new().await.does("+hotel", Does::WaitsDeaf);
    let _worker = stage.worker();
    stage.start(&trip()).await;
    stage.sees("?+hotel", 1).await;
    let report = stage.sagas.report(&stage.id).await.expect("a worker answers");
    assert_eq!(report.status(), Status::Running);
    assert_eq!(phases(&report), ["car done", "hotel acting", "flight waiting"]);
    assert_eq!(report.id(), Some(&stage.id));
    stage.open("+hotel");
    assert_eq!(stage.ends().await.0, "Completed");
}
