//! What is asked of the records, each on a snapshot of the file.

use std::ops::Range;

use compensation::{
    CompensationStatus,
    records::{RecordFilter, RecordId, RecordPage, RecordSummary, UndoRecord, page_size},
};
use rusqlite::{Connection, params_from_iter, types::Value};

use super::rows::{self, columns};

pub(super) fn history(db: &Connection, workflow: &str) -> rusqlite::Result<Vec<UndoRecord>> {
    let mut all = db.prepare_cached(concat!(
        columns!(),
        "INDEXED BY record_workflow WHERE workflow = ?1 ORDER BY id"
    ))?;
    all.query_map([workflow], rows::record)?.collect()
}

pub(super) fn summary(db: &Connection, workflow: &str) -> rusqlite::Result<RecordSummary> {
    let mut summary = RecordSummary::default();
    let mut counts = db.prepare_cached(
        "SELECT status, count(*) FROM record INDEXED BY record_workflow WHERE workflow = ?1
         GROUP BY status",
    )?;
    let mut rows = counts.query([workflow])?;
    while let Some(row) = rows.next()? {
        summary.set(rows::status(0, row.get(0)?)?, row.get::<_, i64>(1)?.unsigned_abs());
    }
    Ok(summary)
}

pub(super) fn pending_retry(
    db: &Connection,
    max_retries: u32,
    limit: usize,
) -> rusqlite::Result<Vec<UndoRecord>> {
    let mut failed = db.prepare_cached(concat!(
        columns!(),
        "INDEXED BY record_failed WHERE status = 3 AND retries < ?1 ORDER BY retries, id LIMIT ?2"
    ))?;
    failed.query_map((max_retries, number(page_size(limit))), rows::record)?.collect()
}

/// A page of the newest records. Each index gives those of one status in order, so that a page of several is
/// merged from one of each, and costs the same wherever it is.
pub(super) fn list(db: &Connection, filter: &RecordFilter) -> rusqlite::Result<RecordPage> {
    let Some(ids) = filter.ids() else { return Ok(RecordPage::default()) };
    let size = page_size(filter.limit);
    let mut found = Found { db, ids, size: size + 1, newest: Vec::new() };
    let names = [&filter.workflow_id, &filter.activity_name].into_iter().flatten();
    let names: Vec<_> = names.map(|name| Value::Text(name.clone())).collect();
    let text = match (&filter.workflow_id, &filter.activity_name) {
        (None, None) if filter.statuses.is_empty() => {
            found.add(EVERY, Vec::new())?;
            return found.page(size);
        }
        (None, None) => OF_STATUS,
        (None, Some(_)) => OF_ACTIVITY,
        (Some(_), None) => OF_WORKFLOW,
        (Some(_), Some(_)) => OF_BOTH,
    };
    for status in CompensationStatus::ALL {
        if filter.statuses.is_empty() || filter.statuses.contains(&status) {
            let status = Value::Integer(rows::code(status));
            found.add(text, [vec![status], names.clone()].concat())?;
        }
    }
    found.page(size)
}

const EVERY: &str =
    "SELECT id, key FROM record WHERE id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
const OF_STATUS: &str = "SELECT id, key FROM record INDEXED BY record_status
    WHERE status = ?4 AND id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
const OF_ACTIVITY: &str = "SELECT id, key FROM record INDEXED BY record_activity
    WHERE activity = ?5 AND status = ?4 AND id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
const OF_WORKFLOW: &str = "SELECT id, key FROM record INDEXED BY record_workflow
    WHERE workflow = ?5 AND status = ?4 AND id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
const OF_BOTH: &str = "SELECT id, key FROM record INDEXED BY record_workflow
    WHERE workflow = ?5 AND status = ?4 AND id >= ?1 AND id < ?2 AND activity = ?6
    ORDER BY id DESC LIMIT ?3";

/// Ids and keys that may be on a page.
struct Found<'a> {
    db: &'a Connection,
    ids: Range<RecordId>,
    size: usize,
    newest: Vec<([u8; 16], i64)>,
}

impl Found<'_> {
    fn add(&mut self, text: &str, rest: Vec<Value>) -> rusqlite::Result<()> {
        let bound = |id: RecordId| Value::Blob(id.to_bytes().to_vec());
        let page = [bound(self.ids.start), bound(self.ids.end), Value::Integer(number(self.size))];
        let mut select = self.db.prepare_cached(text)?;
        let values = params_from_iter(page.into_iter().chain(rest));
        for row in select.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))? {
            self.newest.push(row?);
        }
        Ok(())
    }

    fn page(mut self, size: usize) -> rusqlite::Result<RecordPage> {
        self.newest.sort_unstable_by(|one, other| other.cmp(one));
        self.newest.truncate(self.size);
        let mut read = self.db.prepare_cached(concat!(columns!(), "WHERE key = ?1"))?;
        let records = self.newest.iter().map(|(_, key)| read.query_row([key], rows::record));
        Ok(RecordPage::of(records.collect::<Result<_, _>>()?, size))
    }
}

fn number(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_a_search_of_an_index_in_its_order() {
        let db = Connection::open_in_memory().expect("a database");
        db.execute_batch(crate::records::TABLES).expect("tables");
        for text in [EVERY, OF_STATUS, OF_ACTIVITY, OF_WORKFLOW, OF_BOTH] {
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {text}")).expect("a plan");
            let names = (0..plan.parameter_count()).map(|_| Value::Integer(1));
            let steps: Vec<String> = plan
                .query_map(params_from_iter(names), |row| row.get(3))
                .expect("a plan")
                .collect::<Result<_, _>>()
                .expect("a plan");
            assert_eq!(steps.len(), 1, "{steps:?}");
            assert!(steps[0].starts_with("SEARCH record USING"), "{steps:?}");
            assert!(text == OF_BOTH || steps[0].contains("COVERING INDEX"), "{steps:?}");
        }
    }
}
