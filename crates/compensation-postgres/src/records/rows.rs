//! Rows as records, and back. Used by the writer and by readers.

use std::{borrow::Cow, error::Error as StdError, time::Duration};

use compensation::{
    CompensationStatus, Timestamp,
    records::{RecordId, UndoRecord},
};
use tokio_postgres::Row;

use crate::rows::{column, maybe, text};

/// A status as it is stored. Stored numbers never change their meaning.
pub(super) fn code(status: CompensationStatus) -> i16 {
    match status {
        CompensationStatus::Pending => 0,
        CompensationStatus::Running => 1,
        CompensationStatus::Completed => 2,
        CompensationStatus::Failed => 3,
        CompensationStatus::Skipped => 4,
    }
}

/// The status that a stored number means.
pub(super) fn status(stored: i16) -> Result<CompensationStatus, String> {
    let known = CompensationStatus::ALL.into_iter().find(|&status| code(status) == stored);
    known.ok_or_else(|| format!("a record has the status {stored}, which nobody knows"))
}

/// What [`record`] reads, in this order.
macro_rules! columns {
    () => {
        "id::text, revision, workflow, run, activity, status, retries, updated, started, completed, \
         duration, error, reason, data, metadata"
    };
}
pub(super) use columns;

/// Why a row is no record.
pub(super) type Damage = Box<dyn StdError + Send + Sync>;

/// A row of [`columns!`] as a record.
pub(super) fn record(row: &Row) -> Result<UndoRecord, Damage> {
    let id: RecordId = row.try_get::<_, String>(0)?.parse()?;
    let (workflow, activity) = (column(row, 2)?, column(row, 4)?);
    let mut record = UndoRecord::with_id(id, workflow, activity);
    let moment = |place: usize| -> Result<Option<Timestamp>, tokio_postgres::Error> {
        Ok(row.try_get::<_, Option<i64>>(place)?.map(Timestamp::from_millis))
    };
    record.revision = row.try_get::<_, i64>(1)?.unsigned_abs();
    record.run_id = maybe(row, 3)?;
    record.status = status(row.try_get(5)?)?;
    record.retries = u32::try_from(row.try_get::<_, i64>(6)?)?;
    record.updated_at = Timestamp::from_millis(row.try_get(7)?);
    record.started_at = moment(8)?;
    record.completed_at = moment(9)?;
    let nanos: Option<i64> = row.try_get(10)?;
    record.duration = nanos.map(|nanos| Duration::from_nanos(nanos.unsigned_abs()));
    record.error = maybe(row, 11)?;
    record.reason = maybe(row, 12)?;
    if let Some(data) = row.try_get::<_, Option<String>>(13)? {
        record.compensation_data = serde_json::from_str(&data)?;
    }
    if let Some(metadata) = row.try_get::<_, Option<String>>(14)? {
        record.metadata = serde_json::from_str(&metadata)?;
    }
    Ok(record)
}

/// Records column by column, in the order of [`columns!`].
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub(super) ids: Vec<String>,
    pub(super) revisions: Vec<i64>,
    pub(super) workflows: Vec<Cow<'a, str>>,
    pub(super) runs: Vec<Option<Cow<'a, str>>>,
    pub(super) activities: Vec<Cow<'a, str>>,
    pub(super) statuses: Vec<i16>,
    pub(super) retries: Vec<i64>,
    pub(super) updated: Vec<i64>,
    pub(super) started: Vec<Option<i64>>,
    pub(super) completed: Vec<Option<i64>>,
    pub(super) durations: Vec<Option<i64>>,
    pub(super) errors: Vec<Option<Cow<'a, str>>>,
    pub(super) reasons: Vec<Option<Cow<'a, str>>>,
    pub(super) data: Vec<Option<String>>,
    pub(super) metadata: Vec<Option<String>>,
}

impl<'a> Columns<'a> {
    pub(super) fn add(&mut self, record: &'a UndoRecord) {
        let millis = |moment: Option<Timestamp>| moment.map(Timestamp::as_millis);
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        let (data, metadata) = (&record.compensation_data, &record.metadata);
        self.ids.push(record.id.to_string());
        self.revisions.push(record.revision.cast_signed());
        self.workflows.push(text(&record.workflow_id));
        self.runs.push(record.run_id.as_deref().map(text));
        self.activities.push(text(&record.activity_name));
        self.statuses.push(code(record.status));
        self.retries.push(record.retries.into());
        self.updated.push(record.updated_at.as_millis());
        self.started.push(millis(record.started_at));
        self.completed.push(millis(record.completed_at));
        self.durations.push(record.duration.map(nanos));
        self.errors.push(record.error.as_deref().map(text));
        self.reasons.push(record.reason.as_deref().map(text));
        self.data.push((!data.is_null()).then(|| data.to_string()));
        // Texts by texts can be written down whatever they say.
        let written = || serde_json::to_string(metadata).unwrap_or_default();
        self.metadata.push((!metadata.is_empty()).then(written));
    }
}
