//! Sagas that somebody cancels, by Temporal's means or by an order, at any time.

use compensation::Outcome;

use crate::{
    harness::{Stage, order, phases},
    town::{Does, pivoted, trip},
};

#[tokio::test]
async fn a_cancel_before_the_first_step_does_nothing_at_all() {
    let stage = Stage::new().await;
    stage.start(&trip()).await;
    stage.cancel_workflow().await;
    let _worker = stage.worker();
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Canceled");
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    assert!(stage.ledger().is_empty(), "{:?}", stage.ledger());
}

/// What is done before each step, and what undoes it.
const BEFORE: [(&str, &[&str], &[&str]); 3] = [
    ("car", &[], &[]),
    ("hotel", &["+car"], &["-car(car)"]),
    ("flight", &["+car", "+hotel"], &["-hotel(hotel)", "-car(car)"]),
];

#[tokio::test]
async fn a_cancel_during_each_step_stops_it_and_undoes_what_is_done() {
    for (step, done, undone) in BEFORE {
        let stage = Stage::new().await.does(&format!("+{step}"), Does::Waits);
        let _worker = stage.worker();
        stage.start(&trip()).await;
        stage.sees(&format!("?+{step}"), 1).await;
        stage.cancel_workflow().await;
        let (closed, outcome) = stage.ends().await;
        assert_eq!(closed, "Canceled");
        assert_eq!(outcome.report().failures().len(), 1, "{outcome:?}");
        let waited = [format!("?+{step}"), format!("x+{step}")];
        let waited: Vec<_> = waited.iter().map(String::as_str).collect();
        assert_eq!(stage.ledger(), [done, waited.as_slice(), undone].concat());
    }
}

#[tokio::test]
async fn a_step_that_goes_on_after_a_cancel_is_waited_for_and_undone() {
    for (step, done, undone) in BEFORE {
        let stage = Stage::new().await.does(&format!("+{step}"), Does::WaitsDeaf);
        let _worker = stage.worker();
        stage.start(&trip()).await;
        stage.sees(&format!("?+{step}"), 1).await;
        stage.cancel_workflow().await;
        stage.open(&format!("+{step}"));
        let (closed, outcome) = stage.ends().await;
        // Its end may come before the cancel is seen; the next step is then stopped before it starts, or undone.
        assert_eq!(closed, "Canceled", "{outcome:?}");
        let ledger = stage.ledger();
        assert_eq!(ledger[..done.len()], *done);
        assert!(ledger.ends_with(&undone.iter().map(ToString::to_string).collect::<Vec<_>>()));
        let count = |line: &str| ledger.iter().filter(|seen| *seen == line).count();
        for name in ["car", "hotel", "flight"] {
            assert_eq!(
                count(&format!("+{name}")),
                count(&format!("-{name}({name})")),
                "{ledger:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_cancel_during_the_rollback_lets_it_end() {
    for undo in ["-hotel", "-car"] {
        let stage = Stage::new().await.does("+flight", Does::Refuses).does(undo, Does::WaitsDeaf);
        let _worker = stage.worker();
        stage.start(&trip()).await;
        let question = format!("?{undo}");
        stage.sees(&question, 1).await;
        stage.cancel_workflow().await;
        stage.open(undo);
        let (closed, outcome) = stage.ends().await;
        assert_eq!(closed, "Canceled");
        assert_eq!(phases(outcome.report()), ["car undone", "hotel undone", "flight failed"]);
        let ledger: Vec<_> =
            stage.ledger().into_iter().filter(|line| !line.starts_with('?')).collect();
        assert_eq!(ledger, ["+car", "+hotel", "-hotel(hotel)", "-car(car)"]);
    }
}

#[tokio::test]
async fn a_cancel_by_order_is_kept_with_its_reason_and_closes_as_cancelled() {
    let stage = Stage::new().await.does("+hotel", Does::Waits);
    let _worker = stage.worker();
    stage.start(&trip()).await;
    stage.sees("?+hotel", 1).await;
    stage.sagas.cancel(&stage.id, order()).await.expect("it may be undone");
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Canceled");
    assert_eq!(phases(outcome.report()), ["car undone", "hotel failed", "flight waiting"]);
    let again = stage.sagas.cancel(&stage.id, order()).await.expect_err("it is over");
    assert_eq!(again.to_string(), format!("saga `{}`: it is over", stage.id));
}

#[tokio::test]
async fn a_cancel_after_the_pivot_is_refused_and_the_saga_completes() {
    let stage = Stage::new().await.does("+mail", Does::WaitsDeaf);
    let _worker = stage.worker();
    stage.start(&pivoted()).await;
    stage.sees("?+mail", 1).await;
    let refused = stage.sagas.cancel(&stage.id, order()).await.expect_err("it is past its pivot");
    assert!(refused.to_string().contains("it can't be undone"), "{refused}");
    stage.cancel_workflow().await;
    stage.open("+mail");
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Completed");
    assert!(outcome.is_completed());
    assert_eq!(stage.ledger(), ["+car", "+pay", "?+mail", "+mail"]);
}
