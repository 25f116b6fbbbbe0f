//! What an unknown outcome means, by each policy.

use compensation::{Outcome, machine::UnknownPolicy};

use crate::{
    harness::{Stage, phases},
    town::{Does, unknown},
};

#[tokio::test]
async fn undo_undoes_it() {
    let stage = Stage::new().await.does("+hotel", Does::LosesItsReply);
    let _worker = stage.worker();
    stage.start(&unknown(UnknownPolicy::Undo)).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Failed");
    assert_eq!(phases(outcome.report()), ["car undone", "hotel undone"]);
    assert_eq!(stage.ledger(), ["+car", "+hotel", "-hotel", "-car(car)"]);
}

#[tokio::test]
async fn retry_attempts_it_until_its_budget_is_spent_and_parks() {
    let stage = Stage::new().await.does("+hotel", Does::LosesItsReply);
    let _worker = stage.worker();
    stage.start(&unknown(UnknownPolicy::Retry)).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Running");
    assert_eq!(phases(outcome.report()), ["car done", "hotel parked"]);
    assert_eq!(stage.ledger(), ["+car", "+hotel", "+hotel"]);
}

#[tokio::test]
async fn a_probe_that_finds_the_effect_makes_it_done() {
    let stage = Stage::new().await.does("+hotel", Does::LosesItsReply);
    let _worker = stage.worker();
    stage.start(&unknown(UnknownPolicy::Probe)).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!((closed.as_str(), outcome.is_completed()), ("Completed", true));
    let output = outcome.report().stored_output("hotel").map(|output| output.get().to_owned());
    assert_eq!(output.as_deref(), Some(r#""hotel""#));
    assert_eq!(stage.ledger(), ["+car", "+hotel"]);
}

#[tokio::test]
async fn a_probe_that_finds_nothing_lets_the_machine_attempt_it_again() {
    let stage =
        Stage::new().await.does("+hotel", Does::LosesItsReply).does("~hotel", Does::FailsFirst(0));
    let _worker = stage.worker();
    stage.start(&unknown(UnknownPolicy::Probe)).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Failed");
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    // The whole budget; the last probe says that nothing was done, so there is nothing to undo.
    let ledger = ["+car", "+hotel", "~hotel", "+hotel", "~hotel", "-car(car)"];
    assert_eq!(stage.ledger(), ledger);
}

#[tokio::test]
async fn a_probe_that_fails_for_good_parks_the_step() {
    let stage =
        Stage::new().await.does("+hotel", Does::LosesItsReply).does("~hotel", Does::FailsForever);
    let _worker = stage.worker();
    stage.start(&unknown(UnknownPolicy::Probe)).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Running");
    assert_eq!(phases(outcome.report()), ["car done", "hotel parked"]);
    assert_eq!(stage.ledger(), ["+car", "+hotel", "!~hotel", "!~hotel", "!~hotel"]);
}

#[tokio::test]
async fn park_waits_for_a_person() {
    let stage = Stage::new().await.does("+hotel", Does::LosesItsReply);
    let _worker = stage.worker();
    stage.start(&unknown(UnknownPolicy::Park)).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Running");
    assert_eq!(phases(outcome.report()), ["car done", "hotel parked"]);
    assert_eq!(stage.ledger(), ["+car", "+hotel"]);
}
