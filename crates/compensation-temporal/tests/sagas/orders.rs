//! Stuck sagas, and what a person may order.

use compensation::{Order, Outcome, machine::UnknownPolicy};
use serde_json::value::to_raw_value;

use crate::{
    harness::{Stage, order, phases},
    town::{Does, pivoted, trip, unknown},
    workers::events,
};

/// A saga that can't undo its hotel, until it is opened.
async fn stuck() -> Stage {
    let stage =
        Stage::new().await.does("+flight", Does::Refuses).does("-hotel", Does::FailsFirst(3));
    stage.start(&trip()).await;
    stage
}

#[tokio::test]
async fn an_undo_that_fails_for_good_waits_for_a_person_whose_retry_mends_it() {
    let stage = stuck().await;
    let _worker = stage.worker();
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Running");
    assert!(matches!(outcome, Outcome::Stuck(_)), "{outcome:?}");
    assert_eq!(phases(outcome.report()), ["car undone", "hotel undo parked", "flight failed"]);
    let why = outcome.report().reason().unwrap_or_default();
    assert!(why.starts_with("step `hotel` needs a person"), "{why}");

    stage.sagas.retry(&stage.id, "hotel", order()).await.expect("it is parked");
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Failed");
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    let ledger = ["+car", "+hotel", "!-hotel", "!-hotel", "!-hotel", "-car(car)", "-hotel(hotel)"];
    assert_eq!(stage.ledger(), ledger);
}

#[tokio::test]
async fn an_undo_may_be_skipped_or_declared_done_by_hand() {
    for (skips, expected) in [(true, "hotel undo skipped"), (false, "hotel undone")] {
        let stage = stuck().await;
        let _worker = stage.worker();
        let _ = stage.ends().await;
        match skips {
            true => stage.sagas.skip(&stage.id, "hotel", order()).await.expect("parked"),
            false => {
                let wrong = stage.sagas.mark_done(&stage.id, "hotel", None, order()).await;
                let wrong = wrong.expect_err("it is the undo that is parked");
                assert!(wrong.to_string().contains("it is its undo that is parked"), "{wrong}");
                stage.sagas.mark_undone(&stage.id, "hotel", order()).await.expect("parked");
            }
        }
        let (closed, outcome) = stage.ends().await;
        assert_eq!(closed, "Failed");
        assert_eq!(phases(outcome.report())[1], expected);
    }
}

#[tokio::test]
async fn a_saga_that_is_given_up_says_who_did_it_and_why() {
    let stage = stuck().await;
    let _worker = stage.worker();
    let _ = stage.ends().await;
    let order = Order::new("Ada", "the hotel has burnt down");
    stage.sagas.abandon(&stage.id, order.clone()).await.expect("nothing is in flight");
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Failed");
    assert!(matches!(outcome, Outcome::Abandoned(_)), "{outcome:?}");
    assert_eq!(outcome.report().abandoned(), Some(&order));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason_and_changes_nothing() {
    let stage = stuck().await;
    let _worker = stage.worker();
    let _ = stage.ends().await;
    let before = events(&stage.handle()).await;
    let refused = stage.sagas.retry(&stage.id, "car", order()).await.expect_err("it is undone");
    assert!(refused.to_string().contains("only a step or an undo that is parked"), "{refused}");
    let refused = stage.sagas.skip(&stage.id, "boat", order()).await.expect_err("no such step");
    let known = "there is no step `boat`: the steps are `car`, `hotel`, `flight`";
    assert_eq!(refused.to_string(), format!("saga `{}`: {known}", stage.id));
    let refused = stage.sagas.cancel(&stage.id, order()).await.expect_err("it is undone already");
    assert!(refused.to_string().contains("it has been turned back already"), "{refused}");
    assert_eq!(events(&stage.handle()).await, before, "a refusal leaves no trace");
}

#[tokio::test]
async fn a_step_after_the_pivot_that_fails_for_good_waits_and_may_be_skipped() {
    let stage = Stage::new().await.does("+mail", Does::FailsForever);
    let _worker = stage.worker();
    stage.start(&pivoted()).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!((closed.as_str(), &*phases(outcome.report())[2]), ("Running", "mail parked"));
    stage.sagas.skip(&stage.id, "mail", order()).await.expect("it is parked");
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Completed");
    assert_eq!(phases(outcome.report()), ["car done", "pay done", "mail skipped"]);
}

#[tokio::test]
async fn a_step_that_was_done_by_hand_has_the_output_that_the_person_gave() {
    let stage = Stage::new().await.does("+hotel", Does::LosesItsReply);
    let _worker = stage.worker();
    stage.start(&unknown(UnknownPolicy::Park)).await;
    let _ = stage.ends().await;
    let output = to_raw_value("by hand").expect("a text");
    stage.sagas.mark_done(&stage.id, "hotel", Some(output), order()).await.expect("parked");
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Completed");
    let output = outcome.report().stored_output("hotel").map(|output| output.get().to_owned());
    assert_eq!(output.as_deref(), Some(r#""by hand""#));
}
