//! What a repository of records is asked for, and what it answers: filters, pages, summaries.

use std::ops::Range;

use super::{RecordId, UndoRecord};
use crate::{clock::Timestamp, compensation_status::CompensationStatus};

/// Records on a page, where the caller says nothing.
const PAGE: usize = 50;

/// Most records on one page.
pub const MAX_PAGE: usize = 1_000;

/// How many records a page of that limit holds: 0 means 50, and more than [`MAX_PAGE`] means that.
///
/// ```
/// use compensation::records::{MAX_PAGE, page_size};
///
/// assert_eq!([page_size(0), page_size(7), page_size(usize::MAX)], [50, 7, MAX_PAGE]);
/// ```
#[must_use]
pub fn page_size(limit: usize) -> usize {
    if limit == 0 { PAGE } else { limit.min(MAX_PAGE) }
}

/// Which records to list. The default lists all of them.
///
/// ```
/// use compensation::{CompensationStatus, records::{RecordFilter, UndoRecord}};
///
/// let failed = RecordFilter {
///     activity_name: Some("charge-card".to_owned()),
///     statuses: vec![CompensationStatus::Failed],
///     limit: 20,
///     ..RecordFilter::default()
/// };
/// assert!(!failed.fits(&UndoRecord::new("order-4711", "charge-card")));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// Only records of this workflow or saga.
    pub workflow_id: Option<String>,
    /// Only records of this activity.
    pub activity_name: Option<String>,
    /// Only records that stand so; empty means any.
    pub statuses: Vec<CompensationStatus>,
    /// Only records made at this moment or later.
    pub created_from: Option<Timestamp>,
    /// Only records made before this moment.
    pub created_before: Option<Timestamp>,
    /// Only records listed after this one: [`RecordPage::next`] of the page before.
    pub after: Option<RecordId>,
    /// At most so many; see [`page_size`].
    pub limit: usize,
}

impl RecordFilter {
    /// Whether a record is listed, on whichever page.
    #[must_use]
    pub fn fits(&self, record: &UndoRecord) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        is(&self.workflow_id, &record.workflow_id)
            && is(&self.activity_name, &record.activity_name)
            && (self.statuses.is_empty() || self.statuses.contains(&record.status))
            && self.created_from.is_none_or(|from| record.created_at() >= from)
            && self.created_before.is_none_or(|before| record.created_at() < before)
    }

    /// The ids among which this page is; `None` where it must be empty. A moment of making is a range of
    /// ids, so that a store needs no further index for it.
    ///
    /// ```
    /// use compensation::records::{RecordFilter, RecordId};
    ///
    /// let last = RecordId::now();
    /// let page = RecordFilter { after: Some(last), ..RecordFilter::default() };
    /// assert_eq!(page.ids().map(|ids| ids.end), Some(last));
    /// ```
    #[must_use]
    pub fn ids(&self) -> Option<Range<RecordId>> {
        let from = RecordId::first_of(self.created_from.unwrap_or(Timestamp::from_millis(0)));
        let before = self.created_before.map_or(RecordId::LAST, RecordId::first_of);
        let end = self.after.map_or(before, |after| after.min(before));
        (from < end).then_some(from..end)
    }
}

/// One page of a listing, newest first.
///
/// ```
/// use compensation::records::{MemoryRecords, RecordFilter, RecordRepository, UndoRecord};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let records = MemoryRecords::new();
/// for activity in ["reserve-car", "book-hotel", "charge-card"] {
///     records.save(UndoRecord::new("trip-1", activity)).await?;
/// }
/// let mut wanted = RecordFilter { limit: 2, ..RecordFilter::default() };
/// let mut listed = Vec::new();
/// loop {
///     let page = records.list(wanted.clone()).await?;
///     listed.extend(page.records.into_iter().map(|record| record.activity_name));
///     let Some(next) = page.next else { break };
///     wanted.after = Some(next);
/// }
/// assert_eq!(listed, ["charge-card", "book-hotel", "reserve-car"]);
/// # Ok::<(), compensation::records::RecordError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordPage {
    /// The records.
    pub records: Vec<UndoRecord>,
    /// After which record the next page starts, if there is one.
    pub next: Option<RecordId>,
}

impl RecordPage {
    /// The page of so many records; `found` may hold more, which then are on later ones.
    #[must_use]
    pub fn of(mut found: Vec<UndoRecord>, size: usize) -> Self {
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|last| last.id);
        Self { records: found, next }
    }
}

/// How many records stand how.
///
/// ```
/// use compensation::{CompensationStatus::{Failed, Pending}, records::RecordSummary};
///
/// let summary: RecordSummary = [Pending, Failed, Pending].into_iter().collect();
/// assert_eq!((summary.get(Pending), summary.total()), (2, 3));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordSummary([u64; CompensationStatus::ALL.len()]);

impl RecordSummary {
    /// How many stand so.
    #[must_use]
    pub fn get(&self, status: CompensationStatus) -> u64 {
        self.0[status as usize]
    }

    /// Sets how many stand so.
    pub fn set(&mut self, status: CompensationStatus, count: u64) {
        self.0[status as usize] = count;
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl FromIterator<CompensationStatus> for RecordSummary {
    fn from_iter<I: IntoIterator<Item = CompensationStatus>>(statuses: I) -> Self {
        let mut summary = Self::default();
        for status in statuses {
            summary.0[status as usize] += 1;
        }
        summary
    }
}
