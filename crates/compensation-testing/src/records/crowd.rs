//! Many writers at once, a repository that is opened again, and texts of every size.

use compensation::{
    CompensationStatus,
    records::{MAX_DATA_BYTES, RecordError, RecordFilter, UndoRecord},
};

use super::kit::{Kit, mark};
use crate::suite::tests;

tests![
    thirty_two_writers_by_four_openings_lose_nothing,
    what_was_written_is_there_when_it_is_opened_again,
    the_largest_data_is_kept_and_so_is_none,
];

fn may_pass(error: &RecordError) {
    assert!(matches!(error, RecordError::Store(error) if error.kind().may_pass()), "{error}");
}

async fn thirty_two_writers_by_four_openings_lose_nothing(kit: Kit) {
    let openings: Vec<_> = (0..4).map(|_| kit.another()).collect();
    let writers: Vec<_> = (0..32)
        .map(|writer| {
            let records = openings[writer % 4].clone();
            tokio::spawn(async move {
                let record = UndoRecord::new("order", format!("activity-{writer}"));
                let mut ask = record.clone();
                // Stores may be busy: what may pass is tried again.
                let id = loop {
                    match records.save(ask).await {
                        Ok(saved) => break saved.id,
                        Err(error) => may_pass(&error),
                    }
                    ask = record.clone();
                };
                for to in [CompensationStatus::Running, CompensationStatus::Completed] {
                    while let Err(error) = mark(&*records, id, to).await {
                        may_pass(&error);
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    let summary = kit.records.summary("order").await.expect("a summary");
    assert_eq!(summary.get(CompensationStatus::Completed), 32);
    assert_eq!(kit.records.history("order").await.expect("a history").len(), 32);
}

async fn what_was_written_is_there_when_it_is_opened_again(kit: Kit) {
    let mut record = UndoRecord::new("order", "charge");
    record.compensation_data = vec![1, 2, 3].into();
    record.metadata.insert("region".to_owned(), "north".to_owned());
    let saved = kit.save(record).await;
    kit.mark(saved.id, CompensationStatus::Running).await.expect("a mark");
    let failed = kit.mark(saved.id, CompensationStatus::Failed).await.expect("a mark");
    let kit = kit.reopened();
    kit.is_unchanged(&failed).await;
    let page = kit.records.list(RecordFilter::default()).await.expect("a page");
    assert_eq!(page.records, [failed]);
}

async fn the_largest_data_is_kept_and_so_is_none(kit: Kit) {
    let mut large = UndoRecord::new("order", "large");
    large.compensation_data = "x".repeat(MAX_DATA_BYTES - 2).into();
    let large = kit.save(large).await;
    let mut empty = UndoRecord::new("order", "empty");
    empty.compensation_data = "".into();
    empty.metadata.insert(String::new(), String::new());
    let empty = kit.save(empty).await;
    let kit = kit.reopened();
    assert!(kit.stored(large.id).await == large);
    kit.is_unchanged(&empty).await;
}
