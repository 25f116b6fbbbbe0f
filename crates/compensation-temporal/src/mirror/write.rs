//! Lines of a workflow into a repository of records: written again without harm, never backwards.

use ::compensation::{
    CompensationStatus,
    records::{RecordError, RecordRepository, UndoRecord},
};

use super::batch::Line;

/// The metadata that tells how far a record is.
const SEQUENCE: &str = "compensation.sequence";

/// How often a record is read again that somebody else writes at the same time.
const RACES: u32 = 8;

/// Which workflow the lines are of.
pub(super) struct Origin {
    pub(super) workflow_id: String,
    pub(super) run_id: Option<String>,
}

/// Writes a line, unless what is there is newer or over.
pub(super) async fn write(
    records: &dyn RecordRepository,
    origin: &Origin,
    line: &Line,
) -> Result<(), RecordError> {
    let mut races = 0;
    loop {
        match attempt(records, origin, line).await {
            Err(
                RecordError::Conflict { .. }
                | RecordError::IllegalTransition { .. }
                | RecordError::NotFound(_),
            ) if races < RACES => {
                races += 1;
            }
            ended => return ended,
        }
    }
}

async fn attempt(
    records: &dyn RecordRepository,
    origin: &Origin,
    line: &Line,
) -> Result<(), RecordError> {
    let stored = records.get(line.id).await?;
    let Some(mut record) = stored else {
        let mut record = UndoRecord::with_id(line.id, &*origin.workflow_id, &*line.activity_name);
        record.run_id.clone_from(&origin.run_id);
        fill(&mut record, line);
        return records.save(record).await.map(drop);
    };
    let known = record.metadata.get(SEQUENCE).and_then(|known| known.parse().ok());
    if known.is_some_and(|known: u64| known >= line.sequence) || record.status.is_final() {
        return Ok(());
    }
    let (from, to) = (record.status, line.status);
    // A rollback that was dropped is pending again, which no record becomes: it stays as it was.
    if from != to && to == CompensationStatus::Pending {
        return Ok(());
    }
    if from != to && !from.may_become(to) {
        // What happened in between is not told apart by the workflow: the undo has run.
        record.status = CompensationStatus::Running;
        record.started_at = record.started_at.or(line.started);
        record = records.save(record).await?;
    }
    fill(&mut record, line);
    records.save(record).await.map(drop)
}

fn fill(record: &mut UndoRecord, line: &Line) {
    record.status = line.status;
    record.retries = line.retries;
    record.started_at = line.started;
    record.completed_at = line.ended;
    record.duration = None;
    record.error.clone_from(&line.error);
    record.reason.clone_from(&line.reason);
    if let Some(input) = &line.input {
        record.compensation_data = input.clone();
    }
    record.metadata.insert(SEQUENCE.to_owned(), line.sequence.to_string());
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use ::compensation::{Timestamp, records::MemoryRecords};

    use super::*;
    use crate::mirror::batch::record_id;

    fn line(sequence: u64, status: CompensationStatus) -> Line {
        Line {
            id: record_id(UNIX_EPOCH + Duration::from_secs(1_000), "trip-1", 0),
            sequence,
            activity_name: "car".to_owned(),
            status,
            retries: 0,
            started: None,
            ended: None,
            error: None,
            reason: None,
            input: None,
        }
    }

    fn origin(run: &str) -> Origin {
        Origin { workflow_id: "trip-1".to_owned(), run_id: Some(run.to_owned()) }
    }

    async fn put(records: &MemoryRecords, line: Line) {
        write(records, &origin("run-1"), &line).await.expect("written");
    }

    async fn only(records: &MemoryRecords) -> UndoRecord {
        let mut history = records.history("trip-1").await.expect("readable");
        assert_eq!(history.len(), 1);
        history.remove(0)
    }

    #[tokio::test]
    async fn a_line_written_twice_is_one_record_written_once() {
        let records = MemoryRecords::new();
        put(&records, line(1, CompensationStatus::Pending)).await;
        put(&records, line(1, CompensationStatus::Pending)).await;
        assert_eq!(only(&records).await.revision, 1);
    }

    #[tokio::test]
    async fn states_in_between_may_be_missing_and_times_are_the_workflows() {
        let records = MemoryRecords::new();
        put(&records, line(1, CompensationStatus::Pending)).await;
        let (started, ended) =
            (Timestamp::from_millis(1_000_000), Timestamp::from_millis(1_000_250));
        let done = Line {
            started: Some(started),
            ended: Some(ended),
            retries: 2,
            ..line(5, CompensationStatus::Completed)
        };
        put(&records, done).await;
        let record = only(&records).await;
        assert_eq!((record.status, record.retries), (CompensationStatus::Completed, 2));
        assert_eq!((record.started_at, record.completed_at), (Some(started), Some(ended)));
        assert_eq!(record.duration, Some(Duration::from_millis(250)));
    }

    #[tokio::test]
    async fn a_late_writer_does_not_overwrite_what_is_newer() {
        let records = MemoryRecords::new();
        let error = Some("the bank does not answer".to_owned());
        put(&records, Line { error, ..line(4, CompensationStatus::Failed) }).await;
        put(&records, line(2, CompensationStatus::Running)).await;
        assert_eq!(only(&records).await.status, CompensationStatus::Failed);
    }

    #[tokio::test]
    async fn a_failed_undo_may_succeed_in_a_later_rollback() {
        let records = MemoryRecords::new();
        put(&records, line(4, CompensationStatus::Failed)).await;
        put(&records, line(9, CompensationStatus::Completed)).await;
        let record = only(&records).await;
        assert_eq!((record.status, record.error), (CompensationStatus::Completed, None));
    }

    #[tokio::test]
    async fn what_a_person_has_ended_stays_so() {
        let records = MemoryRecords::new();
        put(&records, line(4, CompensationStatus::Failed)).await;
        let id = only(&records).await.id;
        records.mark_skipped(id, "mended by hand".to_owned()).await.expect("it failed");
        put(&records, line(9, CompensationStatus::Completed)).await;
        let record = only(&records).await;
        assert_eq!(record.status, CompensationStatus::Skipped);
        assert_eq!(record.reason.as_deref(), Some("mended by hand"));
    }

    #[tokio::test]
    async fn a_run_that_continues_the_workflow_writes_the_same_record() {
        let records = MemoryRecords::new();
        put(&records, line(1, CompensationStatus::Pending)).await;
        let running = line(2, CompensationStatus::Running);
        write(&records, &origin("run-2"), &running).await.expect("written");
        let record = only(&records).await;
        assert_eq!(record.status, CompensationStatus::Running);
        assert_eq!(record.run_id.as_deref(), Some("run-1"));
    }

    #[tokio::test]
    async fn an_undo_that_is_pending_again_stays_as_it_was() {
        let records = MemoryRecords::new();
        put(&records, line(2, CompensationStatus::Running)).await;
        put(&records, line(3, CompensationStatus::Pending)).await;
        assert_eq!(only(&records).await.status, CompensationStatus::Running);
    }

    #[tokio::test]
    async fn an_input_that_is_not_told_again_is_kept() {
        let records = MemoryRecords::new();
        let input = Some(serde_json::json!("CAR-17"));
        put(&records, Line { input: input.clone(), ..line(1, CompensationStatus::Pending) }).await;
        put(&records, line(2, CompensationStatus::Running)).await;
        assert_eq!(Some(only(&records).await.compensation_data), input);
    }
}
