//! Workers that die, and workers that are not there.

use compensation::{Outcome, machine::Phase};

use crate::{
    harness::{Stage, hosting, order, phases},
    town::{Does, fragile, stubborn, trip},
};

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_a_step_is_replaced_and_the_step_attempted_again() {
    let stage = Stage::new().await.does("+hotel", Does::WaitsDeaf);
    let worker = stage.other_process();
    stage.start(&trip()).await;
    stage.sees("?+hotel", 1).await;
    worker.kill();
    let _worker = stage.worker();
    stage.sees("?+hotel", 2).await;
    stage.open("+hotel");
    let (closed, outcome) = stage.ends().await;
    assert_eq!((closed.as_str(), outcome.is_completed()), ("Completed", true));
    // The killed worker's question is still there: nobody but the new one acts on the answer.
    assert_eq!(stage.ledger(), ["+car", "?+hotel", "?+hotel", "+hotel", "+flight"]);
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_an_undo_is_replaced_and_the_undo_attempted_again() {
    let stage = Stage::new().await.does("+flight", Does::Refuses).does("-hotel", Does::WaitsDeaf);
    let worker = stage.other_process();
    stage.start(&trip()).await;
    stage.sees("?-hotel", 1).await;
    worker.kill();
    let _worker = stage.worker();
    stage.sees("?-hotel", 2).await;
    stage.open("-hotel");
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Failed");
    assert_eq!(phases(outcome.report()), ["car undone", "hotel undone", "flight failed"]);
    let ledger = ["+car", "+hotel", "?-hotel", "?-hotel", "-hotel(hotel)", "-car(car)"];
    assert_eq!(stage.ledger(), ledger);
}

#[tokio::test]
async fn a_step_that_must_not_be_repeated_parks_when_its_worker_dies() {
    let stage = Stage::new().await.does("+hotel", Does::WaitsDeaf);
    let worker = stage.other_process();
    stage.start(&fragile()).await;
    stage.sees("?+hotel", 1).await;
    worker.kill();
    let _worker = stage.worker();
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Running");
    assert!(matches!(outcome, Outcome::Stuck(_)), "{outcome:?}");
    assert_eq!(phases(outcome.report()), ["car done", "hotel parked"]);
    stage.sagas.cancel(&stage.id, order()).await.expect("a stuck saga may be undone");
    let (closed, _) = stage.ends().await;
    assert_eq!(closed, "Canceled");
    assert_eq!(stage.ledger(), ["+car", "?+hotel", "-hotel", "-car(car)"]);
}

#[tokio::test]
async fn a_step_with_attempts_left_is_attempted_again_by_the_server_when_its_worker_dies() {
    let stage = Stage::new().await.does("+car", Does::WaitsDeaf);
    let worker = stage.other_process();
    stage.start(&stubborn()).await;
    stage.sees("?+car", 1).await;
    worker.kill();
    let _worker = stage.worker();
    stage.sees("?+car", 2).await;
    stage.open("+car");
    assert_eq!(stage.ends().await.0, "Completed");
    assert_eq!(stage.ledger(), ["?+car", "?+car", "+car"]);
}

#[tokio::test]
async fn a_worker_that_is_stopped_gives_back_what_is_in_flight() {
    let stage = Stage::new().await.does("+hotel", Does::WaitsDeaf);
    let worker = stage.worker();
    stage.start(&trip()).await;
    stage.sees("?+hotel", 1).await;
    drop(worker);
    let _worker = stage.worker();
    stage.sees("?+hotel", 2).await;
    stage.open("+hotel");
    assert_eq!(stage.ends().await.0, "Completed");
    assert_eq!(stage.ledger(), ["+car", "?+hotel", "?+hotel", "+hotel", "+flight"]);
}

#[tokio::test]
async fn a_saga_whose_definition_no_worker_hosts_fails_without_an_effect() {
    let stage = Stage::new().await;
    // It runs workflows, and has other activities.
    let _worker = hosting(stage.id.as_str(), [stubborn().into()]);
    stage.start(&trip()).await;
    let (closed, outcome) = stage.ends().await;
    assert_eq!(closed, "Failed");
    let report = outcome.report();
    assert_eq!(report.phase("car"), Some(Phase::Failed));
    let why = report.reason().unwrap_or_default();
    assert!(why.contains("no worker there has it"), "{why}");
    assert!(stage.ledger().is_empty());
}
