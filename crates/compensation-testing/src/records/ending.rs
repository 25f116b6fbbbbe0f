//! Deleting: a workflow's history, and what is over for long.

use compensation::{
    CompensationStatus,
    records::{RecordFilter, UndoRecord},
};

use super::kit::{Kit, at, made_at, over_at};
use crate::suite::tests;

tests![
    a_history_is_deleted_however_it_stands,
    deleting_what_is_not_there_does_nothing,
    a_deleted_history_is_gone_from_everywhere,
    purging_deletes_only_what_is_over_and_old,
    purging_is_bounded,
    what_was_skipped_lately_is_not_old,
];

async fn left(kit: &Kit) -> Vec<String> {
    let page = kit.records.list(RecordFilter::default()).await.expect("a page");
    page.records.into_iter().map(|record| record.workflow_id).collect()
}

async fn a_history_is_deleted_however_it_stands(kit: Kit) {
    for status in CompensationStatus::ALL {
        kit.standing(status).await;
    }
    kit.save(UndoRecord::new("another", "charge")).await;
    assert_eq!(kit.records.delete_history("order").await.expect("a deletion"), 5);
    assert_eq!(left(&kit).await, ["another"]);
}

async fn deleting_what_is_not_there_does_nothing(kit: Kit) {
    kit.standing(CompensationStatus::Pending).await;
    assert_eq!(kit.records.delete_history("another").await.expect("a deletion"), 0);
    assert_eq!(left(&kit).await, ["order"]);
}

async fn a_deleted_history_is_gone_from_everywhere(kit: Kit) {
    let id = kit.standing(CompensationStatus::Failed).await.id;
    kit.records.delete_history("order").await.expect("a deletion");
    assert_eq!(kit.records.get(id).await.expect("an answer"), None);
    assert_eq!(kit.records.history("order").await.expect("a history"), []);
    assert_eq!(kit.records.summary("order").await.expect("a summary").total(), 0);
    assert_eq!(kit.records.pending_retry(9, 9).await.expect("a list"), []);
    assert_eq!(kit.records.delete_history("order").await.expect("a deletion"), 0);
}

async fn purging_deletes_only_what_is_over_and_old(kit: Kit) {
    kit.save(over_at(2_000, "completed", CompensationStatus::Completed)).await;
    kit.save(over_at(2_001, "skipped", CompensationStatus::Skipped)).await;
    kit.save(over_at(2_002, "failed", CompensationStatus::Failed)).await;
    kit.save(over_at(3_000, "young", CompensationStatus::Completed)).await;
    kit.save(made_at(2_003, "pending", "charge")).await;
    let mut running = made_at(2_004, "running", "charge");
    running.status = CompensationStatus::Running;
    kit.save(running).await;
    assert_eq!(kit.records.purge_older_than(at(3_000), 100).await.expect("a purge"), 2);
    assert_eq!(left(&kit).await, ["young", "running", "pending", "failed"]);
}

async fn purging_is_bounded(kit: Kit) {
    for number in 0..5 {
        let status = [CompensationStatus::Completed, CompensationStatus::Skipped][number % 2];
        kit.save(over_at(2_000, "order", status)).await;
    }
    let purge = |limit| kit.records.purge_older_than(at(3_000), limit);
    assert_eq!(purge(0).await.expect("a purge"), 0);
    assert_eq!(purge(3).await.expect("a purge"), 3);
    assert_eq!(purge(3).await.expect("a purge"), 2);
    assert_eq!(purge(3).await.expect("a purge"), 0);
}

async fn what_was_skipped_lately_is_not_old(kit: Kit) {
    let failed = kit.save(over_at(2_000, "order", CompensationStatus::Failed)).await;
    kit.mark(failed.id, CompensationStatus::Skipped).await.expect("a mark");
    assert_eq!(kit.records.purge_older_than(at(3_000), 100).await.expect("a purge"), 0);
}
