//! Marking how an undo gets on, also by many at once.

use std::sync::Arc;

use compensation::{
    CompensationStatus,
    records::{RecordError, RecordId, UndoRecord},
};

use super::kit::{Kit, mark};
use crate::suite::tests;

tests![
    every_legal_mark_is_made,
    every_other_mark_is_refused_and_changes_nothing,
    a_mark_of_what_is_not_there_is_refused,
    a_mark_tells_when,
    another_attempt_is_counted_and_keeps_the_first_start,
    an_error_stays_until_the_undo_has_succeeded,
    a_skip_tells_why_and_keeps_the_error,
    retries_are_counted_while_it_is_running,
    retries_are_counted_only_while_it_is_running,
    no_retry_is_lost_among_many,
    of_many_who_start_it_one_wins,
    of_many_who_end_it_one_wins,
];

const MARKS: [CompensationStatus; 4] = [
    CompensationStatus::Running,
    CompensationStatus::Completed,
    CompensationStatus::Failed,
    CompensationStatus::Skipped,
];

async fn every_legal_mark_is_made(kit: Kit) {
    for from in CompensationStatus::ALL {
        for to in MARKS.into_iter().filter(|&to| from.may_become(to)) {
            let record = kit.standing(from).await;
            let marked = kit.mark(record.id, to).await.expect("a mark");
            assert_eq!((marked.status, marked.revision), (to, 2));
            kit.is_unchanged(&marked).await;
        }
    }
}

async fn every_other_mark_is_refused_and_changes_nothing(kit: Kit) {
    for from in CompensationStatus::ALL {
        for to in MARKS.into_iter().filter(|&to| !from.may_become(to)) {
            let record = kit.standing(from).await;
            let error = kit.mark(record.id, to).await.expect_err("a refusal");
            let told = matches!(
                error,
                RecordError::IllegalTransition { id, from: was, to: wanted }
                    if (id, was, wanted) == (record.id, from, to)
            );
            assert!(told, "{error:?}");
            kit.is_unchanged(&record).await;
        }
    }
}

async fn a_mark_of_what_is_not_there_is_refused(kit: Kit) {
    let id = RecordId::now();
    for to in MARKS {
        let error = kit.mark(id, to).await.expect_err("a refusal");
        assert!(matches!(error, RecordError::NotFound(missing) if missing == id), "{error:?}");
    }
    let error = kit.records.increment_retries(id).await.expect_err("a refusal");
    assert!(matches!(error, RecordError::NotFound(missing) if missing == id), "{error:?}");
}

async fn a_mark_tells_when(kit: Kit) {
    let made = kit.standing(CompensationStatus::Pending).await;
    assert_eq!((made.started_at, made.completed_at, made.duration), (None, None, None));
    let started = kit.mark(made.id, CompensationStatus::Running).await.expect("a mark");
    assert_eq!(started.started_at, Some(started.updated_at));
    assert_eq!((started.completed_at, started.duration), (None, None));
    let completed = kit.mark(made.id, CompensationStatus::Completed).await.expect("a mark");
    assert_eq!(completed.started_at, started.started_at);
    assert_eq!(completed.completed_at, Some(completed.updated_at));
    assert!(completed.duration.is_some());
}

async fn another_attempt_is_counted_and_keeps_the_first_start(kit: Kit) {
    let id = kit.standing(CompensationStatus::Pending).await.id;
    let first = kit.mark(id, CompensationStatus::Running).await.expect("a mark");
    let failed = kit.mark(id, CompensationStatus::Failed).await.expect("a mark");
    assert_eq!((failed.retries, failed.error.as_deref()), (0, Some("declined")));
    assert!(failed.completed_at.is_some() && failed.duration.is_some());
    let again = kit.mark(id, CompensationStatus::Running).await.expect("a mark");
    assert_eq!((again.retries, again.started_at), (1, first.started_at));
    assert_eq!((again.completed_at, again.duration), (None, None));
}

async fn an_error_stays_until_the_undo_has_succeeded(kit: Kit) {
    let id = kit.standing(CompensationStatus::Running).await.id;
    kit.mark(id, CompensationStatus::Failed).await.expect("a mark");
    let again = kit.mark(id, CompensationStatus::Running).await.expect("a mark");
    assert_eq!(again.error.as_deref(), Some("declined"));
    let completed = kit.mark(id, CompensationStatus::Completed).await.expect("a mark");
    assert_eq!(completed.error, None);
}

async fn a_skip_tells_why_and_keeps_the_error(kit: Kit) {
    let id = kit.standing(CompensationStatus::Running).await.id;
    kit.mark(id, CompensationStatus::Failed).await.expect("a mark");
    let skipped = kit.mark(id, CompensationStatus::Skipped).await.expect("a mark");
    assert_eq!(skipped.reason.as_deref(), Some("by hand"));
    assert_eq!(skipped.error.as_deref(), Some("declined"));
    assert_eq!(skipped.completed_at, Some(skipped.updated_at));
}

async fn retries_are_counted_while_it_is_running(kit: Kit) {
    let record = kit.standing(CompensationStatus::Running).await;
    kit.records.increment_retries(record.id).await.expect("a count");
    let counted = kit.records.increment_retries(record.id).await.expect("a count");
    assert_eq!((counted.retries, counted.status), (2, CompensationStatus::Running));
    assert_eq!(counted.started_at, record.started_at);
    kit.is_unchanged(&counted).await;
}

async fn retries_are_counted_only_while_it_is_running(kit: Kit) {
    let idle = CompensationStatus::ALL.into_iter();
    for status in idle.filter(|&status| status != CompensationStatus::Running) {
        let record = kit.standing(status).await;
        let error = kit.records.increment_retries(record.id).await.expect_err("a refusal");
        let told = matches!(error, RecordError::NotRunning { status: told, .. } if told == status);
        assert!(told, "{error:?}");
        kit.is_unchanged(&record).await;
    }
}

async fn no_retry_is_lost_among_many(kit: Kit) {
    let id = kit.standing(CompensationStatus::Running).await.id;
    let openings = [kit.records.clone(), kit.another()];
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let records = openings[number % 2].clone();
            tokio::spawn(async move { records.increment_retries(id).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("a count");
    }
    let counted = kit.stored(id).await;
    assert_eq!((counted.retries, counted.revision), (20, 21));
}

/// Marks one record by many at once, each so. Returns who won.
async fn race(kit: &Kit, id: RecordId, marks: Vec<CompensationStatus>) -> UndoRecord {
    let openings = [kit.records.clone(), kit.another()];
    let tasks: Vec<_> = marks
        .into_iter()
        .enumerate()
        .map(|(number, to)| {
            let records = Arc::clone(&openings[number % 2]);
            tokio::spawn(async move { (to, mark(&*records, id, to).await) })
        })
        .collect();
    let mut winners = Vec::new();
    let mut losers = Vec::new();
    for task in tasks {
        match task.await.expect("no panic") {
            (_, Ok(marked)) => winners.push(marked),
            (wanted, Err(RecordError::IllegalTransition { from, to, .. })) => {
                assert_eq!(to, wanted);
                losers.push(from);
            }
            (_, Err(error)) => panic!("{error}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    let winner = winners.remove(0);
    assert!(losers.iter().all(|&from| from == winner.status), "{losers:?}");
    kit.is_unchanged(&winner).await;
    winner
}

async fn of_many_who_start_it_one_wins(kit: Kit) {
    for _ in 0..5 {
        let id = kit.standing(CompensationStatus::Pending).await.id;
        let winner = race(&kit, id, vec![CompensationStatus::Running; 8]).await;
        assert_eq!(winner.retries, 0);
    }
}

async fn of_many_who_end_it_one_wins(kit: Kit) {
    let ends = [CompensationStatus::Completed, CompensationStatus::Skipped];
    for _ in 0..5 {
        let id = kit.standing(CompensationStatus::Running).await.id;
        race(&kit, id, ends.repeat(4)).await;
    }
}
