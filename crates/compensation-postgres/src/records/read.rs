//! What is asked of the records, each in one statement.

use compensation::{
    CompensationStatus,
    records::{RecordFilter, RecordId, RecordPage, RecordSummary, UndoRecord, page_size},
};
use deadpool_postgres::Object;
use tokio_postgres::{Error, Row, types::ToSql};

use super::rows::{self, columns};
use crate::{
    read::Ask,
    rows::{Plans, text},
};

/// Rows as records; one that is damaged is not shown, and said.
fn records(rows: &[Row]) -> Vec<UndoRecord> {
    let record = |row| match rows::record(row) {
        Ok(record) => Some(record),
        Err(error) => {
            tracing::error!(%error, "a record of an undo is damaged in the store");
            None
        }
    };
    rows.iter().filter_map(record).collect()
}

async fn ask(
    client: &Object,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let statement = client.prepare_cached(sql).await?;
    client.query(&statement, values).await
}

pub(super) struct Get(pub(super) RecordId);

impl Ask for Get {
    type Found = Option<UndoRecord>;

    async fn ask(&self, client: &Object, _: &Plans) -> Result<Option<UndoRecord>, Error> {
        let find = concat!("SELECT ", columns!(), " FROM record WHERE id = $1::text::uuid");
        Ok(records(&ask(client, find, &[&self.0.to_string()]).await?).into_iter().next())
    }
}

pub(super) struct History(pub(super) String);

impl Ask for History {
    type Found = Vec<UndoRecord>;

    async fn ask(&self, client: &Object, _: &Plans) -> Result<Vec<UndoRecord>, Error> {
        let all =
            concat!("SELECT ", columns!(), " FROM record WHERE workflow = $1 ORDER BY record.id");
        Ok(records(&ask(client, all, &[&text(&self.0)]).await?))
    }
}

pub(super) struct Summary(pub(super) String);

impl Ask for Summary {
    type Found = RecordSummary;

    async fn ask(&self, client: &Object, _: &Plans) -> Result<RecordSummary, Error> {
        let counts = "SELECT status, count(*) FROM record WHERE workflow = $1 GROUP BY status";
        let mut summary = RecordSummary::default();
        for row in ask(client, counts, &[&text(&self.0)]).await? {
            if let Ok(status) = rows::status(row.try_get(0)?) {
                summary.set(status, row.try_get::<_, i64>(1)?.unsigned_abs());
            }
        }
        Ok(summary)
    }
}

pub(super) struct PendingRetry(pub(super) u32, pub(super) usize);

impl Ask for PendingRetry {
    type Found = Vec<UndoRecord>;

    async fn ask(&self, client: &Object, _: &Plans) -> Result<Vec<UndoRecord>, Error> {
        let failed = concat!(
            "SELECT ",
            columns!(),
            " FROM record WHERE status = 3 AND retries < $1 ORDER BY retries, record.id LIMIT $2"
        );
        let (retries, limit) = (i64::from(self.0), number(page_size(self.1)));
        Ok(records(&ask(client, failed, &[&retries, &limit]).await?))
    }
}

pub(super) struct List(pub(super) RecordFilter);

impl Ask for List {
    type Found = RecordPage;

    /// A page of the newest records. Each index gives those of one status in order, so that a page of several
    /// is merged from one of each, and costs the same wherever it is.
    async fn ask(&self, client: &Object, _: &Plans) -> Result<RecordPage, Error> {
        let filter = &self.0;
        let Some(ids) = filter.ids() else { return Ok(RecordPage::default()) };
        let size = page_size(filter.limit);
        let (from, before, limit) = (ids.start.to_string(), ids.end.to_string(), number(size + 1));
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&from, &before, &limit];
        let names = [("workflow", &filter.workflow_id), ("activity", &filter.activity_name)];
        let names = names.map(|(column, name)| (column, name.as_deref().map(text)));
        let mut wanted = String::new();
        for (column, name) in &names {
            if let Some(name) = name {
                values.push(name);
                wanted.push_str(&format!(" AND {column} = ${}", values.len()));
            }
        }
        let some = |condition: &str| {
            format!(
                concat!(
                    "(SELECT ",
                    columns!(),
                    ", id AS place FROM record WHERE record.id >= $1::text::uuid \
                     AND record.id < $2::text::uuid{}{} ORDER BY record.id DESC LIMIT $3)"
                ),
                wanted, condition
            )
        };
        let parts: Vec<_> = if wanted.is_empty() && filter.statuses.is_empty() {
            vec![some("")]
        } else {
            let all = CompensationStatus::ALL.into_iter();
            all.filter(|status| filter.statuses.is_empty() || filter.statuses.contains(status))
                .map(|status| some(&format!(" AND status = {}", rows::code(status))))
                .collect()
        };
        let parts = parts.join(" UNION ALL ");
        let page = format!("SELECT * FROM ({parts}) AS found ORDER BY place DESC LIMIT $3");
        Ok(RecordPage::of(records(&ask(client, &page, &values).await?), size))
    }
}

fn number(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
