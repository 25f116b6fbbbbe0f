//! A complete repository of records in memory: for tests, examples, and records that may die with their
//! process.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Mark, RecordError, RecordFilter, RecordId, RecordPage, RecordRepository, RecordSummary,
    Recording, UndoRecord, page_size,
};
use crate::{clock::Timestamp, compensation_status::CompensationStatus};

/// Records in memory. Clones share them.
///
/// ```
/// use compensation::records::{MemoryRecords, RecordRepository, UndoRecord};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let records = MemoryRecords::new();
/// let saved = records.save(UndoRecord::new("trip-1", "reserve-seat")).await?;
/// assert_eq!(records.clone().get(saved.id).await?, Some(saved));
/// # Ok::<(), compensation::records::RecordError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryRecords(Arc<Mutex<Data>>);

#[derive(Default)]
struct Data {
    records: BTreeMap<RecordId, UndoRecord>,
    workflows: HashMap<String, BTreeSet<RecordId>>,
}

impl MemoryRecords {
    /// No records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        // Every change is made in one go, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, id: RecordId, mark: &Mark) -> Recording<'static, UndoRecord> {
        let marked = self.data().mark(id, mark);
        Box::pin(ready(marked))
    }
}

impl fmt::Debug for MemoryRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.data().records.len();
        f.debug_struct("MemoryRecords").field("records", &records).finish_non_exhaustive()
    }
}

impl Data {
    fn save(&mut self, record: UndoRecord) -> Result<UndoRecord, RecordError> {
        let stored = self.records.get(&record.id);
        let saved = record.saved(stored, Timestamp::now())?;
        self.workflows.entry(saved.workflow_id.clone()).or_default().insert(saved.id);
        self.records.insert(saved.id, saved.clone());
        Ok(saved)
    }

    fn mark(&mut self, id: RecordId, mark: &Mark) -> Result<UndoRecord, RecordError> {
        let record = self.records.get_mut(&id).ok_or(RecordError::NotFound(id))?;
        *record = record.clone().marked(mark, Timestamp::now())?;
        Ok(record.clone())
    }

    fn history(&self, workflow_id: &str) -> impl Iterator<Item = &UndoRecord> {
        let ids = self.workflows.get(workflow_id).into_iter().flatten();
        ids.filter_map(|id| self.records.get(id))
    }

    fn list(&self, filter: &RecordFilter) -> RecordPage {
        let size = page_size(filter.limit);
        let Some(ids) = filter.ids() else { return RecordPage::default() };
        let fits = |record: &&UndoRecord| filter.fits(record);
        let found: Vec<_> = match &filter.workflow_id {
            Some(workflow_id) => {
                let in_range = |record: &&UndoRecord| ids.contains(&record.id);
                let mut found: Vec<_> =
                    self.history(workflow_id).filter(in_range).filter(fits).collect();
                found.reverse();
                found.into_iter().take(size + 1).cloned().collect()
            }
            None => {
                let newest = self.records.range(ids).rev().map(|(_, record)| record);
                newest.filter(fits).take(size + 1).cloned().collect()
            }
        };
        RecordPage::of(found, size)
    }

    fn pending_retry(&self, max_retries: u32, limit: usize) -> Vec<UndoRecord> {
        let due = |record: &&UndoRecord| {
            record.status == CompensationStatus::Failed && record.retries < max_retries
        };
        let mut found: Vec<_> = self.records.values().filter(due).collect();
        found.sort_by_key(|record| (record.retries, record.id));
        found.into_iter().take(page_size(limit)).cloned().collect()
    }

    fn delete(&mut self, ids: &[RecordId]) -> u64 {
        let gone: Vec<_> = ids.iter().filter_map(|id| self.records.remove(id)).collect();
        for record in &gone {
            if let Some(left) = self.workflows.get_mut(&record.workflow_id) {
                left.remove(&record.id);
                if left.is_empty() {
                    self.workflows.remove(&record.workflow_id);
                }
            }
        }
        gone.len() as u64
    }

    fn purge(&mut self, moment: Timestamp, limit: usize) -> u64 {
        let old = |record: &&UndoRecord| {
            record.status.is_final()
                && record.created_at() < moment
                && record.completed_at.is_some_and(|over| over < moment)
        };
        let ids = self.records.values().filter(old).map(|record| record.id);
        let ids: Vec<_> = ids.take(limit).collect();
        self.delete(&ids)
    }
}

impl RecordRepository for MemoryRecords {
    fn save(&self, record: UndoRecord) -> Recording<'_, UndoRecord> {
        let saved = self.data().save(record);
        Box::pin(ready(saved))
    }

    fn get(&self, id: RecordId) -> Recording<'_, Option<UndoRecord>> {
        let found = self.data().records.get(&id).cloned();
        Box::pin(ready(Ok(found)))
    }

    fn history(&self, workflow_id: &str) -> Recording<'_, Vec<UndoRecord>> {
        let found = self.data().history(workflow_id).cloned().collect();
        Box::pin(ready(Ok(found)))
    }

    fn list(&self, filter: RecordFilter) -> Recording<'_, RecordPage> {
        let page = self.data().list(&filter);
        Box::pin(ready(Ok(page)))
    }

    fn mark_started(&self, id: RecordId) -> Recording<'_, UndoRecord> {
        self.mark(id, &Mark::Started)
    }

    fn mark_completed(&self, id: RecordId) -> Recording<'_, UndoRecord> {
        self.mark(id, &Mark::Completed)
    }

    fn mark_failed(&self, id: RecordId, error: String) -> Recording<'_, UndoRecord> {
        self.mark(id, &Mark::Failed(error))
    }

    fn mark_skipped(&self, id: RecordId, reason: String) -> Recording<'_, UndoRecord> {
        self.mark(id, &Mark::Skipped(reason))
    }

    fn increment_retries(&self, id: RecordId) -> Recording<'_, UndoRecord> {
        self.mark(id, &Mark::Retried)
    }

    fn summary(&self, workflow_id: &str) -> Recording<'_, RecordSummary> {
        let summary = self.data().history(workflow_id).map(|record| record.status).collect();
        Box::pin(ready(Ok(summary)))
    }

    fn pending_retry(&self, max_retries: u32, limit: usize) -> Recording<'_, Vec<UndoRecord>> {
        let found = self.data().pending_retry(max_retries, limit);
        Box::pin(ready(Ok(found)))
    }

    fn delete_history(&self, workflow_id: &str) -> Recording<'_, u64> {
        let mut data = self.data();
        let ids: Vec<_> = data.history(workflow_id).map(|record| record.id).collect();
        let deleted = data.delete(&ids);
        Box::pin(ready(Ok(deleted)))
    }

    fn purge_older_than(&self, moment: Timestamp, limit: usize) -> Recording<'_, u64> {
        let purged = self.data().purge(moment, limit);
        Box::pin(ready(Ok(purged)))
    }
}
