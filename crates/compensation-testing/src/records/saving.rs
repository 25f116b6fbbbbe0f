//! Saving records: new ones, and over what was read.

use std::time::Duration;

use compensation::{
    CompensationStatus,
    records::{
        MAX_DATA_BYTES, MAX_METADATA_BYTES, MAX_NAME_BYTES, RecordError, RecordFilter, UndoRecord,
    },
    repository::ErrorKind,
};

use super::kit::{Kit, at, made_at};
use crate::suite::tests;

tests![
    a_record_is_read_back_as_it_was_saved,
    a_new_record_may_stand_in_any_way,
    what_one_opening_saves_another_reads,
    a_save_over_what_was_read_is_kept,
    a_save_over_what_has_changed_is_a_conflict,
    of_two_saves_of_one_revision_one_wins,
    an_id_is_given_to_one_record_only,
    a_deleted_record_does_not_come_back_by_a_save,
    what_a_record_is_about_never_changes,
    a_save_can_not_make_an_illegal_passage,
    a_save_can_make_a_legal_passage,
    a_save_that_ends_it_tells_when,
    what_is_over_may_still_be_annotated,
    a_name_that_is_empty_or_too_long_is_refused,
    what_is_too_large_is_refused,
    an_overlong_error_is_cut,
    texts_are_kept_whatever_they_say,
];

async fn a_record_is_read_back_as_it_was_saved(kit: Kit) {
    let mut record = made_at(1_000, "order-1", "charge");
    record.run_id = Some("run-2".to_owned());
    record.status = CompensationStatus::Failed;
    record.error = Some("declined".to_owned());
    record.reason = Some("noted".to_owned());
    record.started_at = Some(at(2_000));
    record.completed_at = Some(at(3_000));
    record.duration = Some(Duration::from_nanos(999_999_999));
    record.retries = 3;
    record.compensation_data = [("charge", "ch-99")].into_iter().collect();
    record.metadata = [("tenant".to_owned(), "acme".to_owned())].into();
    let saved = kit.save(record.clone()).await;
    assert_eq!(saved.revision, 1);
    (record.revision, record.updated_at) = (1, saved.updated_at);
    assert_eq!(saved, record);
    kit.is_unchanged(&record).await;
}

async fn a_new_record_may_stand_in_any_way(kit: Kit) {
    for status in CompensationStatus::ALL {
        let saved = kit.standing(status).await;
        assert_eq!(saved.status, status);
        assert_eq!(saved.started_at.is_some(), status == CompensationStatus::Running);
        let over = !matches!(status, CompensationStatus::Pending | CompensationStatus::Running);
        assert_eq!(saved.completed_at.is_some(), over);
        kit.is_unchanged(&saved).await;
    }
}

async fn what_one_opening_saves_another_reads(kit: Kit) {
    let saved = kit.standing(CompensationStatus::Pending).await;
    let found = kit.another().get(saved.id).await.expect("an answer");
    assert_eq!(found, Some(saved));
}

async fn a_save_over_what_was_read_is_kept(kit: Kit) {
    let first = kit.standing(CompensationStatus::Pending).await;
    let mut changed = first.clone();
    changed.compensation_data = 7.into();
    changed.metadata.insert("tenant".to_owned(), "acme".to_owned());
    let second = kit.save(changed).await;
    assert_eq!(second.revision, 2);
    assert_eq!((second.id, second.created_at()), (first.id, first.created_at()));
    kit.is_unchanged(&second).await;
    let listed = kit.records.list(RecordFilter::default()).await.expect("a page");
    assert_eq!(listed.records, [second]);
}

async fn a_save_over_what_has_changed_is_a_conflict(kit: Kit) {
    let read = kit.standing(CompensationStatus::Pending).await;
    let marked = kit.mark(read.id, CompensationStatus::Running).await.expect("a mark");
    let error = kit.records.save(read).await.expect_err("a conflict");
    assert!(matches!(error, RecordError::Conflict { expected: 1, found: 2, .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Permanent);
    kit.is_unchanged(&marked).await;
}

async fn of_two_saves_of_one_revision_one_wins(kit: Kit) {
    let read = kit.standing(CompensationStatus::Pending).await;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let records = kit.another();
            let mut changed = read.clone();
            changed.compensation_data = number.into();
            tokio::spawn(async move { records.save(changed).await })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(saved) => winners.push(saved),
            Err(RecordError::Conflict { expected: 1, found: 2, .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(winners.len(), 1);
    kit.is_unchanged(&winners[0]).await;
}

async fn an_id_is_given_to_one_record_only(kit: Kit) {
    let first = kit.standing(CompensationStatus::Pending).await;
    let second = UndoRecord::with_id(first.id, "order", "charge");
    let error = kit.records.save(second).await.expect_err("a conflict");
    assert!(matches!(error, RecordError::Conflict { expected: 0, found: 1, .. }), "{error:?}");
    kit.is_unchanged(&first).await;
}

async fn a_deleted_record_does_not_come_back_by_a_save(kit: Kit) {
    let read = kit.standing(CompensationStatus::Pending).await;
    kit.records.delete_history("order").await.expect("a deletion");
    let id = read.id;
    let error = kit.records.save(read).await.expect_err("a refusal");
    assert!(matches!(error, RecordError::NotFound(gone) if gone == id), "{error:?}");
    assert_eq!(kit.records.get(id).await.expect("an answer"), None);
}

async fn what_a_record_is_about_never_changes(kit: Kit) {
    let saved = kit.standing(CompensationStatus::Pending).await;
    for name in ["workflowId", "runId", "activityName"] {
        let mut changed = saved.clone();
        let another = "another".to_owned();
        match name {
            "workflowId" => changed.workflow_id = another,
            "runId" => changed.run_id = Some(another),
            _ => changed.activity_name = another,
        }
        let error = kit.records.save(changed).await.expect_err("a refusal");
        assert!(matches!(error, RecordError::Fixed { field, .. } if field == name), "{error:?}");
        kit.is_unchanged(&saved).await;
    }
}

async fn a_save_can_not_make_an_illegal_passage(kit: Kit) {
    for from in CompensationStatus::ALL {
        for to in CompensationStatus::ALL {
            if from == to || from.may_become(to) {
                continue;
            }
            let saved = kit.standing(from).await;
            let mut changed = saved.clone();
            changed.status = to;
            let error = kit.records.save(changed).await.expect_err("a refusal");
            let told = matches!(
                error,
                RecordError::IllegalTransition { id, from: was, to: wanted }
                    if (id, was, wanted) == (saved.id, from, to)
            );
            assert!(told, "{error:?}");
            kit.is_unchanged(&saved).await;
        }
    }
}

async fn a_save_can_make_a_legal_passage(kit: Kit) {
    for from in CompensationStatus::ALL {
        for to in CompensationStatus::ALL.into_iter().filter(|&to| from.may_become(to)) {
            let mut changed = kit.standing(from).await;
            changed.status = to;
            let saved = kit.save(changed).await;
            assert_eq!(saved.status, to);
            kit.is_unchanged(&saved).await;
        }
    }
}

async fn a_save_that_ends_it_tells_when(kit: Kit) {
    let mut failed = made_at(1_000, "order", "charge");
    failed.status = CompensationStatus::Failed;
    (failed.started_at, failed.completed_at) = (Some(at(2_000)), Some(at(3_000)));
    let mut changed = kit.save(failed).await;
    assert_eq!(changed.duration, Some(Duration::from_secs(1)));
    changed.status = CompensationStatus::Skipped;
    let mut told = changed.clone();
    let skipped = kit.save(changed).await;
    assert_eq!(skipped.completed_at, Some(skipped.updated_at), "it was over only then");
    assert_eq!(skipped.duration, Some(Duration::from_secs(1)), "its attempts were not");
    // Who knows better is believed.
    (told.revision, told.completed_at) = (skipped.revision, Some(at(4_000)));
    assert_eq!(kit.save(told).await.completed_at, Some(at(4_000)));
}

async fn what_is_over_may_still_be_annotated(kit: Kit) {
    for status in [CompensationStatus::Completed, CompensationStatus::Skipped] {
        let mut record = kit.standing(status).await;
        record.metadata.insert("ticket".to_owned(), "4711".to_owned());
        let saved = kit.save(record.clone()).await;
        assert_eq!(saved.metadata, record.metadata);
        assert_eq!(saved.completed_at, record.completed_at);
    }
}

async fn refused(kit: &Kit, record: UndoRecord) {
    let id = record.id;
    let error = kit.records.save(record).await.expect_err("a refusal");
    assert!(matches!(error, RecordError::Invalid { .. }), "{error:?}");
    assert_eq!(kit.records.get(id).await.expect("an answer"), None);
}

async fn a_name_that_is_empty_or_too_long_is_refused(kit: Kit) {
    let long = "x".repeat(MAX_NAME_BYTES);
    let mut longest = UndoRecord::new(long.as_str(), long.as_str());
    longest.run_id = Some(long.clone());
    kit.save(longest).await;
    for name in [String::new(), long + "x"] {
        refused(&kit, UndoRecord::new(name.as_str(), "charge")).await;
        refused(&kit, UndoRecord::new("order", name.as_str())).await;
        let mut record = UndoRecord::new("order", "charge");
        record.run_id = Some(name);
        refused(&kit, record).await;
    }
}

async fn what_is_too_large_is_refused(kit: Kit) {
    let mut record = UndoRecord::new("order", "charge");
    // Two quotation marks are JSON too.
    record.compensation_data = "x".repeat(MAX_DATA_BYTES - 2).into();
    kit.save(record).await;
    let mut record = UndoRecord::new("order", "charge");
    record.compensation_data = "x".repeat(MAX_DATA_BYTES - 1).into();
    refused(&kit, record).await;
    let mut record = UndoRecord::new("order", "charge");
    record.metadata.insert("a".to_owned(), "x".repeat(MAX_METADATA_BYTES));
    refused(&kit, record).await;
}

async fn an_overlong_error_is_cut(kit: Kit) {
    let record = kit.standing(CompensationStatus::Running).await;
    let failed = kit.records.mark_failed(record.id, "ä".repeat(100_000)).await.expect("a mark");
    let kept = failed.error.clone().unwrap_or_default();
    assert!(kept.starts_with('ä') && kept.len() < 10_000, "{} bytes", kept.len());
    kit.is_unchanged(&failed).await;
}

async fn texts_are_kept_whatever_they_say(kit: Kit) {
    let odd = "'; DROP TABLE record; -- \"\\ \n\t % _ {} 🦀 ä\u{301}";
    let mut record = UndoRecord::new(odd, odd);
    record.run_id = Some(odd.to_owned());
    record.metadata.insert(odd.to_owned(), odd.to_owned());
    record.compensation_data = odd.into();
    let saved = kit.save(record).await;
    assert_eq!(kit.records.history(odd).await.expect("a history"), [saved]);
}
