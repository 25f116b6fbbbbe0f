//! Pages of a listing, fast however many sagas there are: the query is split into lanes, each of which an index
//! has in order, and the lanes are merged.

use compensation::{
    Status,
    repository::{Page, Query, SagaKey},
};
use rusqlite::{Connection, params_from_iter, types::Value};

use crate::{
    read::Readers,
    rows::{self, Alive, SUMMARY},
};

/// Sagas on a page, where the query says nothing.
const PAGE: usize = 50;

/// Sagas that are looked at for a text, for one page; the next one goes on from there.
const SCAN: usize = 10_000;

/// Most lanes of a query. A definition of which there are more versions is looked for in all of them at once.
const LANES: usize = 64;

/// Of a status with at most so many sagas, its own index is the shortest way to those of one definition.
const FEW: i64 = 20_000;

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
    let mut keys = Vec::new();
    let mut left = Vec::new();
    for lane in &lanes {
        let found = look(connection, query, *lane, limit, SCAN / lanes.len().max(1))?;
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
    let mut alive = Alive::new(readers.path(), readers.own());
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

fn look(
    connection: &Connection,
    query: &Query,
    lane: Lane,
    limit: usize,
    scan: usize,
) -> rusqlite::Result<Found> {
    let (beyond, first, order) =
        if query.oldest_first { (">", 0, "ASC") } else { ("<", i64::MAX, "DESC") };
    let (hit, mut values) = match &query.text {
        None => ("1", Vec::new()),
        Some(text) => (
            "instr(lower(id), lower(?)) OR instr(lower(reason), lower(?))",
            vec![Value::from(text.clone()), text.clone().into()],
        ),
    };
    let index = index(connection, lane)?;
    let mut wanted = format!("SELECT key, {hit} FROM saga {index} WHERE key {beyond} ?");
    values.push(query.after.map_or(first, |key| key.0).into());
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
    let most = if query.text.is_some() { scan.max(limit) } else { limit };
    wanted.push_str(&format!(" ORDER BY key {order} LIMIT ?"));
    values.push(i64::try_from(most).unwrap_or(i64::MAX).into());
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
