//! Rows as records, and back. Used by the writer and by readers.

use std::{collections::BTreeMap, error::Error, time::Duration};

use compensation::{
    CompensationStatus, Timestamp,
    records::{RecordId, UndoRecord},
};
use rusqlite::{Connection, OptionalExtension as _, Row, types::Type};

/// A status as it is stored. Stored numbers never change their meaning.
pub(super) fn code(status: CompensationStatus) -> i64 {
    match status {
        CompensationStatus::Pending => 0,
        CompensationStatus::Running => 1,
        CompensationStatus::Completed => 2,
        CompensationStatus::Failed => 3,
        CompensationStatus::Skipped => 4,
    }
}

/// The status that a stored number means.
pub(super) fn status(column: usize, stored: i64) -> rusqlite::Result<CompensationStatus> {
    let known = CompensationStatus::ALL.into_iter().find(|&status| code(status) == stored);
    known.ok_or(rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

/// What [`record`] reads, in this order.
macro_rules! columns {
    () => {
        "SELECT id, revision, workflow, run, activity, status, retries, updated, started, completed, \
         duration, error, reason, data, metadata FROM record "
    };
}
pub(super) use columns;

/// A row of [`columns!`] as a record.
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<UndoRecord> {
    let id = RecordId::from_bytes(row.get(0)?).map_err(|error| bad(0, Type::Blob, error))?;
    let (workflow, activity): (String, String) = (row.get(2)?, row.get(4)?);
    let mut record = UndoRecord::with_id(id, workflow, activity);
    let moment = |column| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
    };
    record.revision = row.get::<_, i64>(1)?.unsigned_abs();
    record.run_id = row.get(3)?;
    record.status = status(5, row.get(5)?)?;
    record.retries = row.get(6)?;
    record.updated_at = Timestamp::from_millis(row.get(7)?);
    record.started_at = moment(8)?;
    record.completed_at = moment(9)?;
    let nanos: Option<i64> = row.get(10)?;
    record.duration = nanos.map(|nanos| Duration::from_nanos(nanos.unsigned_abs()));
    record.error = row.get(11)?;
    record.reason = row.get(12)?;
    if let Some(data) = row.get::<_, Option<String>>(13)? {
        record.compensation_data =
            serde_json::from_str(&data).map_err(|error| bad(13, Type::Text, error))?;
    }
    if let Some(metadata) = row.get::<_, Option<String>>(14)? {
        record.metadata =
            serde_json::from_str(&metadata).map_err(|error| bad(14, Type::Text, error))?;
    }
    Ok(record)
}

fn bad(column: usize, found: Type, error: impl Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, found, Box::new(error))
}

/// The record of that id.
pub(super) fn find(db: &Connection, id: RecordId) -> rusqlite::Result<Option<UndoRecord>> {
    let mut find = db.prepare_cached(concat!(columns!(), "WHERE id = ?1"))?;
    find.query_row([id.to_bytes()], record).optional()
}

/// Writes a record, over the one of its id if there is one.
pub(super) fn write(db: &Connection, record: &UndoRecord) -> rusqlite::Result<()> {
    let millis = |moment: Option<Timestamp>| moment.map(Timestamp::as_millis);
    let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    let data = &record.compensation_data;
    let text = if record.revision == 1 {
        "INSERT INTO record (id, revision, status, retries, updated, started, completed, duration, error,
            reason, data, metadata, workflow, run, activity, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
    } else {
        "UPDATE record SET revision = ?2, status = ?3, retries = ?4, updated = ?5, started = ?6,
            completed = ?7, duration = ?8, error = ?9, reason = ?10, data = ?11, metadata = ?12
         WHERE id = ?1 AND workflow = ?13 AND run IS ?14 AND activity = ?15 AND created = ?16"
    };
    let mut write = db.prepare_cached(text)?;
    let written = write.execute((
        record.id.to_bytes(),
        record.revision.cast_signed(),
        code(record.status),
        record.retries,
        record.updated_at.as_millis(),
        millis(record.started_at),
        millis(record.completed_at),
        record.duration.map(nanos),
        &record.error,
        &record.reason,
        (!data.is_null()).then(|| data.to_string()),
        text_of(&record.metadata),
        &record.workflow_id,
        &record.run_id,
        &record.activity_name,
        record.created_at().as_millis(),
    ))?;
    if written == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(written)) }
}

fn text_of(metadata: &BTreeMap<String, String>) -> Option<String> {
    // Texts by texts can be written down whatever they say.
    (!metadata.is_empty()).then(|| serde_json::to_string(metadata).unwrap_or_default())
}
