//! What the suite's tests share: a repository at hand, and short words for records.

use std::sync::Arc;

use compensation::{
    CompensationStatus, Timestamp,
    records::{RecordError, RecordId, RecordRepository, UndoRecord},
};

use super::Fixture;

/// One test's repository.
pub(super) struct Kit {
    fixture: Box<dyn Fixture>,
    pub(super) records: Arc<dyn RecordRepository>,
}

impl Kit {
    pub(super) fn new(fixture: impl Fixture) -> Self {
        let records = fixture.open();
        Self { fixture: Box::new(fixture), records }
    }

    pub(super) fn another(&self) -> Arc<dyn RecordRepository> {
        self.fixture.open()
    }

    /// Lets the repository go, and opens it again.
    pub(super) fn reopened(self) -> Self {
        let Self { fixture, records } = self;
        drop(records);
        let records = fixture.open();
        Self { fixture, records }
    }

    pub(super) async fn save(&self, record: UndoRecord) -> UndoRecord {
        self.records.save(record).await.expect("a save")
    }

    /// A new record of workflow `order` that stands so.
    pub(super) async fn standing(&self, status: CompensationStatus) -> UndoRecord {
        let mut record = UndoRecord::new("order", "charge");
        record.status = status;
        self.save(record).await
    }

    /// The record as it is stored.
    pub(super) async fn stored(&self, id: RecordId) -> UndoRecord {
        self.records.get(id).await.expect("an answer").expect("a record")
    }

    /// What is stored is that, still.
    pub(super) async fn is_unchanged(&self, record: &UndoRecord) {
        assert_eq!(self.stored(record.id).await, *record);
    }

    pub(super) async fn mark(
        &self,
        id: RecordId,
        to: CompensationStatus,
    ) -> Result<UndoRecord, RecordError> {
        mark(&*self.records, id, to).await
    }
}

/// Marks a record so. (Nothing can be marked pending.)
pub(super) async fn mark(
    records: &dyn RecordRepository,
    id: RecordId,
    to: CompensationStatus,
) -> Result<UndoRecord, RecordError> {
    match to {
        CompensationStatus::Pending => panic!("there is no mark for it"),
        CompensationStatus::Running => records.mark_started(id).await,
        CompensationStatus::Completed => records.mark_completed(id).await,
        CompensationStatus::Failed => records.mark_failed(id, "declined".to_owned()).await,
        CompensationStatus::Skipped => records.mark_skipped(id, "by hand".to_owned()).await,
    }
}

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A record made at that moment, which has not been saved.
pub(super) fn made_at(millis: i64, workflow: &str, activity: &str) -> UndoRecord {
    UndoRecord::with_id(RecordId::at(at(millis)), workflow, activity)
}

/// One that was over at that moment.
pub(super) fn over_at(millis: i64, workflow: &str, status: CompensationStatus) -> UndoRecord {
    let mut record = made_at(millis - 1, workflow, "charge");
    record.status = status;
    record.completed_at = Some(at(millis));
    record
}

pub(super) fn activities(records: &[UndoRecord]) -> Vec<&str> {
    records.iter().map(|record| record.activity_name.as_str()).collect()
}
