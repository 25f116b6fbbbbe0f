//! Readers beside the writer: a few connections, each call on a snapshot of the tables.

use std::sync::Arc;

use compensation::{
    SagaId, Timestamp,
    repository::{Counts, Page, Query, Reply, RepositoryError, SagaKey, StoredSaga},
};
use deadpool_postgres::{Object, Pool};
use tokio_postgres::{Error, types::ToSql};

use crate::{
    connection::pooled,
    error::{classify, poisons},
    rows::{self, Plans, alive, summary_columns},
};

/// Sagas on a page, where the query says nothing.
const PAGE: usize = 50;

/// How far the moments at which sagas were started may lie from the order of their keys: clocks of several processes
/// differ, and are set. In milliseconds: an hour.
const DISORDER: i64 = 60 * 60 * 1_000;

/// Connections for reading.
#[derive(Debug)]
pub(crate) struct Readers {
    pool: Pool,
    place: String,
    pub(crate) plans: Arc<Plans>,
}

impl Readers {
    pub(crate) fn new(pool: Pool, place: &str, plans: Arc<Plans>) -> Self {
        Self { pool, place: place.to_owned(), plans }
    }

    /// Asks something. A connection that was lost while nobody used it is made anew, once.
    pub(crate) async fn read<A: Ask>(&self, ask: A) -> Result<A::Found, RepositoryError> {
        let mut tries = 0;
        loop {
            let client = pooled(&self.pool, &self.place).await?;
            let error = match ask.ask(&client, &self.plans).await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            drop(client);
            if tries > 0 || !poisons(&error) {
                return Err(classify("read", &self.place, error));
            }
            tries += 1;
            // What one connection met has met the others as well.
            self.pool.retain(|_, _| false);
        }
    }
}

/// A question, which may be asked again.
pub(crate) trait Ask: Send + Sync + 'static {
    /// What it finds.
    type Found: Send + 'static;

    fn ask(
        &self,
        client: &Object,
        plans: &Plans,
    ) -> impl Future<Output = Result<Self::Found, Error>> + Send;
}

/// Sagas by their ids, in that order.
pub(crate) struct Load(pub(crate) Vec<SagaId>);

impl Ask for Load {
    type Found = Vec<StoredSaga>;

    async fn ask(&self, client: &Object, plans: &Plans) -> Result<Self::Found, Error> {
        let find = client.prepare_cached(rows::BY_ID).await?;
        let ids: Vec<&str> = self.0.iter().map(SagaId::as_str).collect();
        let found = client.query(&find, &[&ids]).await?;
        plans.sagas(client, &found).await
    }
}

/// How many sagas stand how.
pub(crate) struct Count;

impl Ask for Count {
    type Found = Counts;

    async fn ask(&self, client: &Object, _: &Plans) -> Result<Counts, Error> {
        let all = "SELECT status, count(*) FROM saga GROUP BY status";
        let all = client.prepare_cached(all).await?;
        let mut counts = Counts::default();
        for row in client.query(&all, &[]).await? {
            counts.set(rows::status(row.try_get(0)?), row.try_get::<_, i64>(1)?.unsigned_abs());
        }
        Ok(counts)
    }
}

/// Whether any letter waits for an answer.
pub(crate) struct AnyLetter;

impl Ask for AnyLetter {
    type Found = bool;

    async fn ask(&self, client: &Object, _: &Plans) -> Result<bool, Error> {
        let find = "SELECT FROM letter WHERE answer IS NULL LIMIT 1";
        let find = client.prepare_cached(find).await?;
        Ok(client.query_opt(&find, &[]).await?.is_some())
    }
}

/// What has become of a letter.
pub(crate) struct ReplyTo(pub(crate) String);

impl Ask for ReplyTo {
    type Found = Reply;

    async fn ask(&self, client: &Object, _: &Plans) -> Result<Reply, Error> {
        let find = "SELECT taken, answer FROM letter WHERE key = $1";
        let find = client.prepare_cached(find).await?;
        let Some(row) = client.query_opt(&find, &[&rows::text(&self.0)]).await? else {
            return Ok(Reply::Absent);
        };
        Ok(match (row.try_get(0)?, rows::maybe(&row, 1)?) {
            (_, Some(answer)) => Reply::Answered(answer),
            (true, None) => Reply::Taken,
            (false, None) => Reply::Waits,
        })
    }
}

/// A page of sagas.
pub(crate) struct List(pub(crate) Query);

impl Ask for List {
    type Found = Page;

    async fn ask(&self, client: &Object, _: &Plans) -> Result<Page, Error> {
        list(client, &self.0).await
    }
}

async fn list(client: &Object, query: &Query) -> Result<Page, Error> {
    let limit = if query.limit == 0 { PAGE } else { query.limit };
    let (beyond, first, order) =
        if query.oldest_first { (">", 0, "ASC") } else { ("<", i64::MAX, "DESC") };
    let mut wanted = Wanted::default();
    wanted.and(&format!("saga.key {beyond} ?"), query.after.map_or(first, |key| key.0));
    if !query.status.is_empty() {
        let codes: Vec<i16> = query.status.iter().map(|&status| rows::code(status)).collect();
        // In these words, so that the server knows which index will do.
        for (words, fits) in [
            (" AND saga.status > 2", codes.iter().all(|&code| code > 2)),
            (" AND saga.status < 2", codes.iter().all(|&code| code < 2)),
        ] {
            wanted.text.push_str(if fits { words } else { "" });
        }
        wanted.and("saga.status = ANY (?)", codes);
    }
    if let Some(name) = &query.name {
        wanted.and("saga.plan IN (SELECT id FROM plan WHERE plan.name = ?)", owned(name));
    }
    if let Some(text) = &query.text {
        wanted.and(
            "strpos(lower(saga.id), lower(? COLLATE \"C\"))
                + coalesce(strpos(lower(saga.reason COLLATE \"C\"), lower(? COLLATE \"C\")), 0) > 0",
            owned(text),
        );
    }
    let (from, before) = (query.created_from, query.created_before);
    if from.is_some() || before.is_some() {
        // What was started long before or after is not even looked at.
        let keys = keys(client).await?;
        if let Some(from) = from.map(Timestamp::as_millis) {
            wanted.and("saga.created >= ?", from);
            let first = started(client, keys, from.saturating_sub(DISORDER)).await?;
            wanted.and("saga.key >= ?", first);
        }
        if let Some(before) = before.map(Timestamp::as_millis) {
            wanted.and("saga.created < ?", before);
            let last = started(client, keys, before.saturating_add(DISORDER)).await?;
            wanted.and("saga.key <= ?", last);
        }
    }
    let end = format!(" ORDER BY saga.key {order} LIMIT ?");
    wanted.add(&end, i64::try_from(limit).unwrap_or(i64::MAX));
    let select = client.prepare_cached(&wanted.text).await?;
    let mut page = Page::default();
    let mut last: Option<SagaKey> = None;
    for row in client.query(&select, &wanted.values()).await? {
        let (key, summary) = rows::summary(&row)?;
        last = Some(key);
        page.sagas.push(summary);
    }
    page.next = last.filter(|_| page.sagas.len() == limit);
    Ok(page)
}

/// The first and the last key there is.
async fn keys(client: &Object) -> Result<(i64, i64), Error> {
    let ends = "SELECT coalesce(min(key), 0), coalesce(max(key), 0) FROM saga";
    let row = client.query_one(&client.prepare_cached(ends).await?, &[]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// The key from which on sagas were started at that moment or later, by bisection: keys rise with time.
async fn started(client: &Object, (first, last): (i64, i64), moment: i64) -> Result<i64, Error> {
    let (mut low, mut high) = (first, last.saturating_add(1));
    let next = "SELECT key, created FROM saga WHERE key >= $1 ORDER BY key LIMIT 1";
    let next = client.prepare_cached(next).await?;
    while low < high {
        let middle = low + (high - low) / 2;
        // None: they were purged meanwhile.
        let Some(row) = client.query_opt(&next, &[&middle]).await? else {
            high = middle;
            continue;
        };
        if row.try_get::<_, i64>(1)? < moment {
            low = row.try_get::<_, i64>(0)?.saturating_add(1);
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn owned(given: &str) -> String {
    rows::text(given).into_owned()
}

/// A question that is put together, with its values.
struct Wanted {
    text: String,
    values: Vec<Box<dyn ToSql + Send + Sync>>,
}

impl Default for Wanted {
    fn default() -> Self {
        let text = concat!(
            "WITH ",
            alive!(),
            "SELECT ",
            summary_columns!(),
            " FROM saga LEFT JOIN plan ON plan.id = saga.plan WHERE true"
        );
        Self { text: text.to_owned(), values: Vec::new() }
    }
}

impl Wanted {
    fn and(&mut self, condition: &str, value: impl ToSql + Send + Sync + 'static) {
        self.add(&format!(" AND {condition}"), value);
    }

    /// Adds words whose question marks stand for the value.
    fn add(&mut self, words: &str, value: impl ToSql + Send + Sync + 'static) {
        self.values.push(Box::new(value));
        self.text.push_str(&words.replace('?', &format!("${}", self.values.len())));
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}
