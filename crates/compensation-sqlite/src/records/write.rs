//! What is changed in the records, inside a transaction of the writer.

use compensation::{
    CompensationStatus, Timestamp,
    records::{Mark, RecordError, RecordFilter, RecordId, UndoRecord},
};
use rusqlite::Connection;

use super::rows;

/// What a change answers: a typed refusal changes nothing.
pub(super) type Done<T> = rusqlite::Result<Result<T, RecordError>>;

pub(super) fn save(db: &Connection, record: &UndoRecord) -> Done<UndoRecord> {
    let stored = rows::find(db, record.id)?;
    let saved = record.clone().saved(stored.as_ref(), Timestamp::now());
    written(db, saved)
}

pub(super) fn mark(db: &Connection, id: RecordId, mark: &Mark) -> Done<UndoRecord> {
    let Some(record) = rows::find(db, id)? else { return Ok(Err(RecordError::NotFound(id))) };
    written(db, record.marked(mark, Timestamp::now()))
}

fn written(db: &Connection, changed: Result<UndoRecord, RecordError>) -> Done<UndoRecord> {
    if let Ok(record) = &changed {
        rows::write(db, record)?;
    }
    Ok(changed)
}

pub(super) fn delete_history(db: &Connection, workflow: &str) -> Done<u64> {
    let mut delete = db.prepare_cached("DELETE FROM record WHERE workflow = ?1")?;
    Ok(Ok(delete.execute([workflow])? as u64))
}

pub(super) fn purge(db: &Connection, moment: Timestamp, limit: usize) -> Done<u64> {
    let made_before = RecordFilter { created_before: Some(moment), ..RecordFilter::default() };
    let Some(ids) = made_before.ids() else { return Ok(Ok(0)) };
    let mut left = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut purged = 0;
    for status in CompensationStatus::ALL.into_iter().filter(|status| status.is_final()) {
        let old: Vec<i64> = db
            .prepare_cached(
                "SELECT key FROM record INDEXED BY record_status
                 WHERE status = ?1 AND id < ?2 AND completed < ?3 ORDER BY id LIMIT ?4",
            )?
            .query_map((rows::code(status), ids.end.to_bytes(), moment.as_millis(), left), |row| {
                row.get(0)
            })?
            .collect::<Result<_, _>>()?;
        for key in &old {
            db.prepare_cached("DELETE FROM record WHERE key = ?1")?.execute([key])?;
        }
        left -= old.len() as i64;
        purged += old.len() as u64;
    }
    Ok(Ok(purged))
}
