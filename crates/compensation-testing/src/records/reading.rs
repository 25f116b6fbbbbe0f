//! Histories, summaries, and what may be retried.

use compensation::{
    CompensationStatus,
    records::{RecordId, UndoRecord},
};

use super::kit::{Kit, activities, made_at};
use crate::suite::tests;

tests![
    what_is_not_there_is_not_found,
    a_history_is_oldest_first,
    a_history_is_of_one_workflow,
    what_was_made_earlier_comes_first_whenever_it_was_saved,
    a_summary_counts_by_status,
    a_summary_follows_every_change,
    failed_records_below_the_limit_may_be_retried,
    those_with_the_fewest_retries_come_first,
    what_may_be_retried_comes_in_a_bounded_list,
];

async fn what_is_not_there_is_not_found(kit: Kit) {
    kit.standing(CompensationStatus::Pending).await;
    assert_eq!(kit.records.get(RecordId::now()).await.expect("an answer"), None);
    assert_eq!(kit.records.history("other").await.expect("a history"), []);
    assert_eq!(kit.records.summary("other").await.expect("a summary").total(), 0);
}

async fn a_history_is_oldest_first(kit: Kit) {
    for activity in ["a", "b", "c"] {
        kit.save(UndoRecord::new("order", activity)).await;
    }
    let history = kit.records.history("order").await.expect("a history");
    assert_eq!(activities(&history), ["a", "b", "c"]);
    kit.mark(history[0].id, CompensationStatus::Skipped).await.expect("a mark");
    let history = kit.records.history("order").await.expect("a history");
    assert_eq!(activities(&history), ["a", "b", "c"], "a change moves nothing");
}

async fn a_history_is_of_one_workflow(kit: Kit) {
    let mine = kit.save(UndoRecord::new("order-1", "a")).await;
    kit.save(UndoRecord::new("order-10", "a")).await;
    kit.save(UndoRecord::new("ORDER-1", "a")).await;
    assert_eq!(kit.records.history("order-1").await.expect("a history"), [mine]);
}

async fn what_was_made_earlier_comes_first_whenever_it_was_saved(kit: Kit) {
    kit.save(made_at(3_000, "order", "third")).await;
    kit.save(made_at(1_000, "order", "first")).await;
    kit.save(made_at(2_000, "order", "second")).await;
    let history = kit.records.history("order").await.expect("a history");
    assert_eq!(activities(&history), ["first", "second", "third"]);
}

async fn a_summary_counts_by_status(kit: Kit) {
    for (status, count) in CompensationStatus::ALL.into_iter().zip(1..) {
        for _ in 0..count {
            kit.standing(status).await;
        }
    }
    kit.save(UndoRecord::new("another", "a")).await;
    let summary = kit.records.summary("order").await.expect("a summary");
    let counts = CompensationStatus::ALL.map(|status| summary.get(status));
    assert_eq!((counts, summary.total()), ([1, 2, 3, 4, 5], 15));
}

async fn a_summary_follows_every_change(kit: Kit) {
    let id = kit.standing(CompensationStatus::Pending).await.id;
    let running = CompensationStatus::Running;
    for status in [running, CompensationStatus::Failed, running, CompensationStatus::Completed] {
        kit.mark(id, status).await.expect("a mark");
        let summary = kit.records.summary("order").await.expect("a summary");
        assert_eq!((summary.get(status), summary.total()), (1, 1));
    }
}

async fn failed(kit: &Kit, millis: i64, retries: u32) -> UndoRecord {
    let mut record = made_at(millis, "order", "charge");
    (record.status, record.retries) = (CompensationStatus::Failed, retries);
    kit.save(record).await
}

async fn ids(kit: &Kit, max_retries: u32, limit: usize) -> Vec<RecordId> {
    let due = kit.records.pending_retry(max_retries, limit).await.expect("a list");
    due.iter().map(|record| record.id).collect()
}

async fn failed_records_below_the_limit_may_be_retried(kit: Kit) {
    for status in CompensationStatus::ALL {
        if status != CompensationStatus::Failed {
            kit.standing(status).await;
        }
    }
    failed(&kit, 1_000, 3).await;
    let due = failed(&kit, 2_000, 2).await.id;
    assert_eq!(ids(&kit, 3, 10).await, [due]);
    assert_eq!(ids(&kit, 2, 10).await, []);
    kit.mark(due, CompensationStatus::Running).await.expect("a mark");
    assert_eq!(ids(&kit, 3, 10).await, [], "it is being retried");
    kit.mark(due, CompensationStatus::Failed).await.expect("a mark");
    assert_eq!(ids(&kit, 3, 10).await, [], "the retry was counted");
}

async fn those_with_the_fewest_retries_come_first(kit: Kit) {
    let (last, third) = (failed(&kit, 1_000, 2).await.id, failed(&kit, 4_000, 1).await.id);
    let (second, first) = (failed(&kit, 3_000, 1).await.id, failed(&kit, 5_000, 0).await.id);
    assert_eq!(ids(&kit, 9, 10).await, [first, second, third, last]);
}

async fn what_may_be_retried_comes_in_a_bounded_list(kit: Kit) {
    let mut all = Vec::new();
    for number in 0..60 {
        all.push(failed(&kit, 1_000 + number, 0).await.id);
    }
    assert_eq!(ids(&kit, 1, 7).await, all[..7]);
    assert_eq!(ids(&kit, 1, 0).await, all[..50]);
}
