//! The mirror on a real server.

use compensation_temporal::CompensationStatus;
use temporalio_client::WorkflowQueryOptions;

use crate::{
    endings::legs,
    harness::{Stage, closed},
    trip::{Act, Records, Trip},
};

#[tokio::test]
async fn the_repository_has_in_the_end_what_the_workflow_says() {
    for forgetful in [false, true] {
        let stage = Stage::new().await;
        let _worker = if forgetful { stage.forgetful_worker() } else { stage.worker() };
        let mut legs = legs();
        legs[0].undo = Act::Refuses;
        legs[1].undo = Act::FailsFirst(1);
        legs[1].counted = true;
        legs[2].act = Act::Refuses;
        legs[2].refusals_do_nothing = true;
        let mut plan = stage.plan(legs);
        plan.mirror = Records::Here;
        let handle = stage.start(plan).await;
        assert_eq!(closed(&handle).await.0, "Failed");
        let records = stage.mirrored().await;
        let stands: Vec<_> =
            records.iter().map(|it| (it.activity_name.as_str(), it.status, it.retries)).collect();
        let expected = [
            ("car", CompensationStatus::Failed, 0),
            ("hotel", CompensationStatus::Completed, 1),
            ("flight", CompensationStatus::Skipped, 0),
        ];
        assert_eq!(stands, expected);
        assert_eq!(records[0].error.as_deref(), Some("-car(car) is refused (Refused)"));
        assert_eq!(records[2].reason.as_deref(), Some("it had no effect"));
        assert_eq!(records[0].compensation_data["word"], "-car");
        assert!(records[1].duration.is_some() && records[1].run_id.is_some());
    }
}

#[tokio::test]
async fn a_mirror_that_nobody_keeps_is_told_and_nothing_else_suffers() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let mut legs = legs();
    legs[2].act = Act::Refuses;
    let mut plan = stage.plan(legs);
    plan.mirror = Records::Nobody;
    let handle = stage.start(plan).await;
    assert_eq!(closed(&handle).await.0, "Failed");
    assert_eq!(stage.ledger(), ["+car", "+hotel", "-flight", "-hotel(hotel)", "-car(car)"]);
    let report = handle.query(Trip::report, (), WorkflowQueryOptions::default()).await;
    let report = report.expect("an answer").expect("there was a rollback");
    assert!(report.is_complete());
    assert!(report.mirror.expect("it was not written").starts_with("no answer in time"));
    assert!(stage.mirrored().await.is_empty());
}
