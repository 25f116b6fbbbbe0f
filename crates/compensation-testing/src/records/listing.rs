//! Listings: filters and pages.

use compensation::{
    CompensationStatus,
    records::{RecordFilter, RecordId, UndoRecord},
};

use super::kit::{Kit, activities, at, made_at};
use crate::suite::tests;

tests![
    a_listing_is_newest_first,
    a_listing_comes_in_pages_without_overlap,
    the_last_page_says_that_it_is_the_last,
    a_page_holds_fifty_records_where_nothing_is_said,
    pages_stay_where_they_are_while_records_are_added,
    a_listing_can_be_of_a_span_of_time,
    a_span_without_time_is_empty,
    a_status_named_twice_is_listed_once,
    a_changed_record_is_listed_as_it_is_now,
    every_filter_lists_what_fits_it_on_every_page,
];

async fn page(kit: &Kit, filter: RecordFilter) -> (Vec<UndoRecord>, Option<RecordId>) {
    let page = kit.records.list(filter).await.expect("a page");
    (page.records, page.next)
}

/// All pages, one after the other.
async fn pages(kit: &Kit, mut filter: RecordFilter) -> Vec<UndoRecord> {
    let mut all = Vec::new();
    loop {
        let (records, next) = page(kit, filter.clone()).await;
        assert!(records.len() <= filter.limit);
        assert!(next.is_none() || records.len() == filter.limit);
        assert!(next.is_none() || next == records.last().map(|last| last.id));
        all.extend(records);
        if next.is_none() {
            return all;
        }
        filter.after = next;
    }
}

async fn a_listing_is_newest_first(kit: Kit) {
    kit.save(made_at(2_000, "order-1", "b")).await;
    kit.save(made_at(3_000, "order-2", "c")).await;
    kit.save(made_at(1_000, "order-3", "a")).await;
    let (records, next) = page(&kit, RecordFilter::default()).await;
    assert_eq!((activities(&records), next), (vec!["c", "b", "a"], None));
}

async fn a_listing_comes_in_pages_without_overlap(kit: Kit) {
    let mut saved = Vec::new();
    for _ in 0..7 {
        saved.push(kit.standing(CompensationStatus::Pending).await);
    }
    saved.reverse();
    let filter = RecordFilter { limit: 3, ..RecordFilter::default() };
    assert_eq!(pages(&kit, filter).await, saved);
}

async fn the_last_page_says_that_it_is_the_last(kit: Kit) {
    for _ in 0..4 {
        kit.standing(CompensationStatus::Pending).await;
    }
    let limit = |limit| RecordFilter { limit, ..RecordFilter::default() };
    assert_eq!(page(&kit, limit(4)).await.1, None);
    let (records, next) = page(&kit, limit(3)).await;
    assert_eq!(next, Some(records[2].id));
    let (records, next) = page(&kit, RecordFilter { after: next, ..limit(1) }).await;
    assert_eq!((records.len(), next), (1, None));
}

async fn a_page_holds_fifty_records_where_nothing_is_said(kit: Kit) {
    for _ in 0..51 {
        kit.standing(CompensationStatus::Pending).await;
    }
    let (records, next) = page(&kit, RecordFilter::default()).await;
    assert_eq!(records.len(), 50);
    assert!(next.is_some());
}

async fn pages_stay_where_they_are_while_records_are_added(kit: Kit) {
    for millis in 1_000..1_006 {
        kit.save(made_at(millis, "order", &millis.to_string())).await;
    }
    let limit = RecordFilter { limit: 3, ..RecordFilter::default() };
    let (_, next) = page(&kit, limit.clone()).await;
    kit.save(made_at(2_000, "order", "new")).await;
    let (records, _) = page(&kit, RecordFilter { after: next, ..limit }).await;
    assert_eq!(activities(&records), ["1002", "1001", "1000"]);
}

async fn a_listing_can_be_of_a_span_of_time(kit: Kit) {
    for millis in [1_000, 2_000, 3_000] {
        kit.save(made_at(millis, "order", &millis.to_string())).await;
    }
    let span = |from: Option<i64>, before: Option<i64>| RecordFilter {
        created_from: from.map(at),
        created_before: before.map(at),
        ..RecordFilter::default()
    };
    let (records, _) = page(&kit, span(Some(2_000), None)).await;
    assert_eq!(activities(&records), ["3000", "2000"], "its start is part of it");
    let (records, _) = page(&kit, span(None, Some(2_000))).await;
    assert_eq!(activities(&records), ["1000"], "its end is not");
    let (records, _) = page(&kit, span(Some(1_001), Some(2_999))).await;
    assert_eq!(activities(&records), ["2000"]);
}

async fn a_span_without_time_is_empty(kit: Kit) {
    let saved = kit.standing(CompensationStatus::Pending).await;
    let now = saved.created_at();
    for (from, before) in [(now, now), (now, at(1_000))] {
        let span = RecordFilter {
            created_from: Some(from),
            created_before: Some(before),
            ..RecordFilter::default()
        };
        assert_eq!(page(&kit, span).await, (Vec::new(), None));
    }
}

async fn a_status_named_twice_is_listed_once(kit: Kit) {
    let saved = kit.standing(CompensationStatus::Failed).await;
    let statuses = vec![CompensationStatus::Failed; 2];
    let filter = RecordFilter { statuses, ..RecordFilter::default() };
    assert_eq!(page(&kit, filter).await, (vec![saved], None));
}

async fn a_changed_record_is_listed_as_it_is_now(kit: Kit) {
    let id = kit.standing(CompensationStatus::Pending).await.id;
    let of = |status| RecordFilter { statuses: vec![status], ..RecordFilter::default() };
    let running = kit.mark(id, CompensationStatus::Running).await.expect("a mark");
    assert_eq!(page(&kit, of(CompensationStatus::Pending)).await.0, []);
    assert_eq!(page(&kit, of(CompensationStatus::Running)).await.0, [running]);
}

/// Every combination of filters, against the plain account of them.
async fn every_filter_lists_what_fits_it_on_every_page(kit: Kit) {
    let mut all = Vec::new();
    for number in 0..90_i64 {
        let workflow = format!("order-{}", number % 3);
        let activity = format!("activity-{}", number % 2);
        let mut record = made_at(1_000 + number / 2, &workflow, &activity);
        let statuses = CompensationStatus::ALL;
        record.status = statuses[(number / 7) as usize % statuses.len()];
        all.push(kit.save(record).await);
    }
    all.sort_by_key(|record| record.id);
    all.reverse();
    let statuses = [
        vec![],
        vec![CompensationStatus::Failed],
        vec![CompensationStatus::Skipped, CompensationStatus::Pending],
    ];
    let spans = [(None, None), (Some(1_010), Some(1_030))];
    for workflow_id in [None, Some("order-1"), Some("order-9")] {
        for activity_name in [None, Some("activity-0")] {
            for statuses in &statuses {
                for (from, before) in spans {
                    let filter = RecordFilter {
                        workflow_id: workflow_id.map(str::to_owned),
                        activity_name: activity_name.map(str::to_owned),
                        statuses: statuses.clone(),
                        created_from: from.map(at),
                        created_before: before.map(at),
                        after: None,
                        limit: 4,
                    };
                    let fitting: Vec<_> =
                        all.iter().filter(|record| filter.fits(record)).cloned().collect();
                    assert_eq!(pages(&kit, filter.clone()).await, fitting, "{filter:?}");
                }
            }
        }
    }
}
