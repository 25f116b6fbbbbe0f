//! Records of undos: a page of a listing among a million, first or last, beside the same page among ten
//! thousand; and how fast records are saved, beside a raw log.

use std::{path::Path, sync::Arc, time::Instant};

use compensation::{
    CompensationStatus,
    records::{RecordFilter, RecordId, RecordRepository, UndoRecord},
};
use compensation_sqlite::SqliteRecords;

use crate::{
    Plan,
    raw_log::RawLog,
    table::{Table, median, number, quantile},
};

const MANY: u64 = 1_000_000;
const FEW: u64 = 10_000;
const IN_FLIGHT: u64 = 256;
const ROUNDS: usize = 101;
const PAGE: usize = 50;

/// A workflow that has a tenth of all records; the others have some five each.
const LARGE: &str = "nightly";

pub(crate) fn measure(plan: &Plan) -> Table {
    let mut table = Table::new("Records of undos", &["what", "figure", "yardstick", "ratio"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = plan.folder();
    runtime.block_on(async {
        let (many, few) = (plan.scale(MANY), plan.scale(FEW));
        let start = Instant::now();
        let large = File::fill(&folder.path().join("many.db"), many).await;
        let rate = many as f64 / start.elapsed().as_secs_f64();
        let raw = appends(&folder.path().join("raw.log"), many.div_ceil(10)).await;
        table.row([
            format!("saves/s of {}, {IN_FLIGHT} at once", number(many as f64)),
            number(rate),
            format!("{} appends/s to a raw log", number(raw)),
            format!("{:.2}", rate / raw),
        ]);
        let small = File::fill(&folder.path().join("few.db"), few).await;
        for (name, filter) in filters(&large) {
            let mut yardstick = filter.clone();
            if filter.created_from.is_some() {
                // The same tenth of it.
                let middle = small.middle();
                (yardstick.created_from, yardstick.created_before) =
                    (middle.created_from, middle.created_before);
            }
            for last in [false, true] {
                let place = if last { "last" } else { "first" };
                let (of_many, of_few) = (large.page(&filter, last), small.page(&yardstick, last));
                let (mut slow, mut fast) = (Vec::new(), Vec::new());
                for _ in 0..ROUNDS {
                    slow.push(large.time(&of_many).await);
                    fast.push(small.time(&of_few).await);
                }
                row(&mut table, format!("{place} page of {name}, ms"), slow, fast);
            }
        }
        let (mut slow, mut fast) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            slow.push(large.time_retries().await);
            fast.push(small.time_retries().await);
        }
        row(&mut table, "50 that may be retried, ms".to_owned(), slow, fast);
    });
    table
}

fn row(table: &mut Table, what: String, mut slow: Vec<f64>, mut fast: Vec<f64>) {
    slow.sort_by(f64::total_cmp);
    fast.sort_by(f64::total_cmp);
    let ratio = median(slow.clone()) / median(fast.clone());
    let cell =
        |times: &[f64]| format!("{:.2} (p99 {:.2})", quantile(times, 0.5), quantile(times, 0.99));
    table.row([what, cell(&slow), format!("{} among few", cell(&fast)), format!("{ratio:.2}")]);
}

fn filters(file: &File) -> Vec<(String, RecordFilter)> {
    use CompensationStatus::{Completed, Failed, Running, Skipped};
    let any = RecordFilter { limit: PAGE, ..RecordFilter::default() };
    let workflow = || Some(LARGE.to_owned());
    let activity = || Some(activity(7));
    let of = |statuses: &[CompensationStatus]| statuses.to_vec();
    let mut filters = vec![
        ("all".to_owned(), any.clone()),
        ("failed ones".to_owned(), RecordFilter { statuses: of(&[Failed]), ..any.clone() }),
        (
            "those not completed".to_owned(),
            RecordFilter { statuses: of(&[Failed, Running, Skipped]), ..any.clone() },
        ),
        ("one activity".to_owned(), RecordFilter { activity_name: activity(), ..any.clone() }),
        (
            "one activity, failed".to_owned(),
            RecordFilter { activity_name: activity(), statuses: of(&[Failed]), ..any.clone() },
        ),
        (
            "one activity, completed".to_owned(),
            RecordFilter { activity_name: activity(), statuses: of(&[Completed]), ..any.clone() },
        ),
        ("a large workflow".to_owned(), RecordFilter { workflow_id: workflow(), ..any.clone() }),
        (
            "a large workflow, failed".to_owned(),
            RecordFilter { workflow_id: workflow(), statuses: of(&[Failed]), ..any.clone() },
        ),
        (
            "a small workflow, one activity".to_owned(),
            RecordFilter { workflow_id: Some(small_workflow(3)), activity_name: activity(), ..any },
        ),
    ];
    let middle = file.middle();
    filters.push(("a tenth of the time".to_owned(), middle.clone()));
    filters.push((
        "a tenth of the time, one activity, failed".to_owned(),
        RecordFilter { activity_name: activity(), statuses: of(&[Failed]), ..middle },
    ));
    filters
}

fn activity(number: u64) -> String {
    format!("activity-{number}")
}

fn small_workflow(number: u64) -> String {
    format!("order-{number}")
}

/// One record of every ten belongs to the large workflow; most are completed, one in a hundred failed.
fn record(id: RecordId, number: u64, count: u64) -> UndoRecord {
    // Spreads what is near over everything, and is the same each time.
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    let workflow = if spread.is_multiple_of(10) {
        LARGE.to_owned()
    } else {
        small_workflow(spread % (count / 5).max(1))
    };
    let mut record = UndoRecord::with_id(id, workflow, activity(spread / 10 % 20));
    record.status = match spread / 200 % 100 {
        0 => CompensationStatus::Failed,
        1 => CompensationStatus::Running,
        2..5 => CompensationStatus::Pending,
        5..10 => CompensationStatus::Skipped,
        _ => CompensationStatus::Completed,
    };
    record.compensation_data = format!("charge-{number}").into();
    record
}

/// A file of records, and what is in it.
struct File {
    records: Arc<SqliteRecords>,
    /// Ids and numbers, oldest first.
    index: Vec<(RecordId, u64)>,
    count: u64,
}

impl File {
    async fn fill(path: &Path, count: u64) -> Self {
        let records = Arc::new(SqliteRecords::open(path).expect("records"));
        let tasks: Vec<_> = (0..IN_FLIGHT)
            .map(|task| {
                let records = records.clone();
                tokio::spawn(async move {
                    let mut saved = Vec::new();
                    for number in (task..count).step_by(IN_FLIGHT as usize) {
                        let record = record(RecordId::now(), number, count);
                        saved.push((records.save(record).await.expect("a save").id, number));
                    }
                    saved
                })
            })
            .collect();
        let mut index = Vec::new();
        for task in tasks {
            index.extend(task.await.expect("no panic"));
        }
        index.sort_unstable();
        Self { records, index, count }
    }

    /// The tenth of the time in the middle.
    fn middle(&self) -> RecordFilter {
        let at = |share: usize| self.index[self.index.len() * share / 100].0.created_at();
        RecordFilter {
            created_from: Some(at(45)),
            created_before: Some(at(55)),
            limit: PAGE,
            ..RecordFilter::default()
        }
    }

    /// The first or the last page of what fits, by its cursor.
    fn page(&self, filter: &RecordFilter, last: bool) -> RecordFilter {
        let fits = |&&(id, number): &&(RecordId, u64)| filter.fits(&record(id, number, self.count));
        let after = if last { self.index.iter().filter(fits).nth(PAGE) } else { None };
        RecordFilter { after: after.map(|&(id, _)| id), ..filter.clone() }
    }

    async fn time(&self, filter: &RecordFilter) -> f64 {
        let filter = filter.clone();
        let start = Instant::now();
        let page = self.records.list(filter).await.expect("a page");
        let taken = start.elapsed().as_secs_f64() * 1_000.0;
        assert!(page.records.len() <= PAGE);
        taken
    }

    async fn time_retries(&self) -> f64 {
        let start = Instant::now();
        self.records.pending_retry(3, PAGE).await.expect("a list");
        start.elapsed().as_secs_f64() * 1_000.0
    }
}

/// Appends to a raw log, as many at once; how many a second.
async fn appends(path: &Path, count: u64) -> f64 {
    let log = Arc::new(RawLog::create(path));
    let start = Instant::now();
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|task| {
            let log = log.clone();
            tokio::spawn(async move {
                for _ in (task..count).step_by(IN_FLIGHT as usize) {
                    log.append().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    count as f64 / start.elapsed().as_secs_f64()
}
