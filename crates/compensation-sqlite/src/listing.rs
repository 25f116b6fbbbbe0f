//! Pages of a listing, fast however many sagas there are: the query is split into lanes, each of which an index
//! has in order, and the lanes are merged.

use compensation::{
    Status,
    repository::{Page, Query, SagaKey},
};
use rusqlite::{Connection, params_from_iter, types::Value};

use crate::{
    read::Readers,
    rows::{self, SUMMARY},
};

/// Sagas on a page, where the query says nothing.
const PAGE: usize = 50;

/// Sagas that are looked at for a text, for one page; the next one goes on from there.
const SCAN: usize = 10_000;

/// Most lanes of a query. A definition of which there are more versions is looked for in all of them at once.
const LANES: usize = 64;

/// Of a status with at most so many sagas, its own index is the shortest way to those of one definition.
const FEW: i64 = 20_000;

/// How far the moments at which sagas were started may lie from the order of their keys: clocks of several processes
/// differ, and are set. In milliseconds: an hour.
const DISORDER: i64 = 60 * 60 * 1_000;

/// One order of sagas that an index has.
#[derive(Clone, Copy)]
struct Lane {
    status: Option<i64>,
    plan: Option<i64>,
}

/// What a lane has: keys in order, and where it was left if it goes on.
struct Found {
    keys: Vec<i64>,
    left: Option<i64>,
}

pub(crate) fn list(
    connection: &Connection,
    readers: &Readers,
    query: &Query,
) -> rusqlite::Result<Page> {
    let limit = if query.limit == 0 { PAGE } else { query.limit };
    let lanes = lanes(connection, query)?;
    let range = range(connection, query)?;
    let mut keys = Vec::new();
    let mut left = Vec::new();
    for lane in &lanes {
        let found = look(connection, (query, *lane, range), limit, SCAN / lanes.len().max(1))?;
        keys.extend(found.keys);
        left.extend(found.left);
    }
    let order = |key: &i64| if query.oldest_first { *key } else { -*key };
    keys.sort_unstable_by_key(order);
    // Beyond where the first lane was left nobody knows what it has.
    let frontier = left.into_iter().min_by_key(order);
    if let Some(frontier) = &frontier {
        keys.retain(|key| order(key) <= order(frontier));
    }
    let cut = keys.len() > limit;
    keys.truncate(limit);
    let next = if cut { keys.last().copied() } else { frontier };
    let mut page = Page { next: next.map(SagaKey), ..Page::default() };
    let mut alive = readers.alive();
    let mut select = connection.prepare_cached(&format!("SELECT {SUMMARY} WHERE saga.key = ?1"))?;
    for key in keys {
        let (_, summary) = select.query_row([key], |row| rows::summary(row, &mut alive))?;
        page.sagas.push(summary);
    }
    Ok(page)
}

fn lanes(connection: &Connection, query: &Query) -> rusqlite::Result<Vec<Lane>> {
    let mut statuses: Vec<_> =
        query.status.iter().map(|&status| Some(rows::code(status))).collect();
    statuses.sort_unstable();
    statuses.dedup();
    if statuses.is_empty() || statuses.len() == Status::ALL.len() {
        statuses = vec![None];
    }
    let plans = match &query.name {
        None => vec![None],
        Some(name) => {
            let mut all = connection.prepare_cached("SELECT id FROM plan WHERE name = ?1")?;
            let plans = all.query_map([name], |row| row.get(0).map(Some))?;
            let plans: Vec<_> = plans.collect::<rusqlite::Result<_>>()?;
            if plans.len() * statuses.len() > LANES { vec![None] } else { plans }
        }
    };
    let lanes =
        statuses.iter().flat_map(|&status| plans.iter().map(move |&plan| Lane { status, plan }));
    Ok(lanes.collect())
}

/// The keys, first and last, of sagas that the query may find: what lies before the cursor, or was started long
/// before or after, is not even looked at.
fn range(connection: &Connection, query: &Query) -> rusqlite::Result<(i64, i64)> {
    let (mut first, mut last) = (1, i64::MAX);
    if let Some(from) = query.created_from {
        first = started(connection, from.as_millis().saturating_sub(DISORDER))?;
    }
    if let Some(before) = query.created_before {
        last = started(connection, before.as_millis().saturating_add(DISORDER))?;
    }
    match query.after {
        Some(key) if query.oldest_first => first = first.max(key.0.saturating_add(1)),
        Some(key) => last = last.min(key.0.saturating_sub(1)),
        None => {}
    }
    Ok((first, last))
}

/// The key from which on sagas were started at that moment or later, by bisection: keys rise with time.
fn started(connection: &Connection, moment: i64) -> rusqlite::Result<i64> {
    let newest: Option<i64> =
        connection.query_row("SELECT max(key) FROM saga", (), |row| row.get(0))?;
    let (mut low, mut high) = (1, newest.unwrap_or(0).saturating_add(1));
    let mut next = connection
        .prepare_cached("SELECT key, created FROM saga WHERE key >= ?1 ORDER BY key LIMIT 1")?;
    while low < high {
        let middle = low + (high - low) / 2;
        let (key, created): (i64, i64) =
            next.query_row([middle], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if created < moment {
            low = key + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn look(
    connection: &Connection,
    (query, lane, range): (&Query, Lane, (i64, i64)),
    limit: usize,
    scan: usize,
) -> rusqlite::Result<Found> {
    let most = if query.text.is_some() { scan.max(limit) } else { limit };
    let (wanted, values) = wanted(connection, query, lane, range, most)?;
    let mut select = connection.prepare_cached(&wanted)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut found = Found { keys: Vec::new(), left: None };
    let mut looked = 0;
    while let Some(row) = rows.next()? {
        let key = row.get(0)?;
        looked += 1;
        if row.get::<_, Option<i64>>(1)?.unwrap_or(0) != 0 {
            found.keys.push(key);
        }
        if found.keys.len() == limit || looked == most {
            found.left = Some(key);
            break;
        }
    }
    Ok(found)
}

/// What is asked of a lane, and the values in it.
fn wanted(
    connection: &Connection,
    query: &Query,
    lane: Lane,
    (first, last): (i64, i64),
    most: usize,
) -> rusqlite::Result<(String, Vec<Value>)> {
    let order = if query.oldest_first { "ASC" } else { "DESC" };
    let (hit, mut values) = match &query.text {
        None => ("1", Vec::new()),
        Some(text) => (
            "instr(lower(id), lower(?)) OR instr(lower(reason), lower(?))",
            vec![Value::from(text.clone()), text.clone().into()],
        ),
    };
    let index = index(connection, lane)?;
    let mut wanted = format!("SELECT key, {hit} FROM saga {index} WHERE key BETWEEN ? AND ?");
    values.extend([first.into(), last.into()]);
    if let Some(status) = lane.status {
        // In these words, so that SQLite knows that the partial index will do.
        let part = if status < 2 { "status < 2" } else { "status > 1" };
        wanted.push_str(&format!(" AND status = ? AND {part}"));
        values.push(status.into());
    }
    match (lane.plan, &query.name) {
        (Some(plan), _) => {
            wanted.push_str(" AND plan = ?");
            values.push(plan.into());
        }
        (None, Some(name)) => {
            wanted.push_str(" AND plan IN (SELECT plan.id FROM plan WHERE plan.name = ?)");
            values.push(name.clone().into());
        }
        (None, None) => {}
    }
    for (moment, than) in [(query.created_from, ">="), (query.created_before, "<")] {
        if let Some(moment) = moment {
            wanted.push_str(&format!(" AND created {than} ?"));
            values.push(moment.as_millis().into());
        }
    }
    wanted.push_str(&format!(" ORDER BY key {order} LIMIT ?"));
    values.push(i64::try_from(most).unwrap_or(i64::MAX).into());
    Ok((wanted, values))
}

/// The index that has a lane in order, or nearly so.
fn index(connection: &Connection, lane: Lane) -> rusqlite::Result<&'static str> {
    Ok(match lane {
        Lane { status: Some(0 | 1), .. } => "INDEXED BY saga_driven",
        Lane { status: Some(_), plan: None } => "INDEXED BY saga_ended",
        Lane { status: Some(status), plan: Some(_) } => {
            let mut count =
                connection.prepare_cached("SELECT sagas FROM counts WHERE status = ?1")?;
            let few = count.query_row([status], |row| row.get::<_, i64>(0))? <= FEW;
            if few { "INDEXED BY saga_ended" } else { "INDEXED BY saga_plan" }
        }
        Lane { status: None, plan: Some(_) } => "INDEXED BY saga_plan",
        Lane { status: None, plan: None } => "NOT INDEXED",
    })
}

#[cfg(test)]
mod tests {
    use compensation::Timestamp;

    use super::*;

    /// Sagas of which one is started each hour, of all statuses in turn.
    fn hourly(sagas: i64) -> Connection {
        let mut db = Connection::open_in_memory().expect("a database");
        crate::schema::tables(&mut db);
        db.execute("INSERT INTO plan VALUES (1, 'trip', 0, '{}')", ()).expect("a plan");
        for key in 1..=sagas {
            db.execute(
                "INSERT INTO saga (key, id, plan, status, created, updated, input, start)
                 VALUES (?1, 's' || ?1, 1, ?1 % 6, ?1 * 3600000, 0, '', '')",
                [key],
            )
            .expect("a saga");
        }
        db
    }

    fn at_hour(hour: i64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(hour * DISORDER))
    }

    #[test]
    fn sagas_that_were_started_long_before_or_after_are_not_looked_at() {
        let db = hourly(1_000);
        let query =
            Query { created_from: at_hour(500), created_before: at_hour(600), ..Query::default() };
        assert_eq!(range(&db, &query).expect("a range"), (499, 601), "an hour of disorder");
        let never = Query { created_before: at_hour(-5), ..Query::default() };
        assert_eq!(range(&db, &never).expect("a range"), (1, 1));
        db.execute("DELETE FROM saga WHERE key BETWEEN 300 AND 700", ()).expect("a gap");
        assert_eq!(range(&db, &query).expect("a range"), (300, 300), "keys that are gone");
        db.execute("DELETE FROM saga", ()).expect("none");
        assert_eq!(range(&db, &query).expect("a range"), (1, 1));
    }

    #[test]
    fn every_lane_is_a_search_of_an_index_in_the_order_of_the_list() {
        let db = hourly(10);
        let statuses = [None, Some(0), Some(2), Some(4)];
        for lane in
            statuses.iter().flat_map(|&status| [None, Some(1)].map(|plan| Lane { status, plan }))
        {
            for oldest_first in [false, true] {
                let created_from = at_hour(1);
                let query = Query { oldest_first, created_from, ..Query::default() };
                let (text, values) = wanted(&db, &query, lane, (1, 9), 5).expect("a query");
                let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {text}")).expect("a plan");
                let steps: Vec<String> = plan
                    .query_map(params_from_iter(values), |row| row.get(3))
                    .expect("a plan")
                    .collect::<Result<_, _>>()
                    .expect("a plan");
                // Open sagas are few: they may be sorted.
                let is_open = lane.status == Some(0);
                assert!(is_open || steps.len() == 1, "{text}: {steps:?}");
                assert!(is_open || steps[0].starts_with("SEARCH saga USING"), "{text}: {steps:?}");
                assert!(is_open || steps[0].contains("rowid>"), "{text}: {steps:?}");
            }
        }
    }
}
