//! The one statement that writes to sagas, and the sheet of columns that many of its writes share.
//!
//! Every part of the statement begins with the owner's own row, locked: where somebody has found this owner
//! dead, nothing of it comes to pass.

use std::{borrow::Cow, collections::HashMap};

use compensation::repository::{Head, NewSaga};
use tokio_postgres::{Error, Row, types::ToSql};

use crate::{
    rows::{code, text},
    session::Session,
};

/// Begins a statement that writes as an owner.
macro_rules! me {
    () => {
        "WITH me AS MATERIALIZED (SELECT id FROM owner WHERE id = $1 AND NOT dead FOR SHARE), "
    };
}
pub(super) use me;

/// `IS NOT DISTINCT FROM`, which no index serves: while the tables are young and the server has no statistics of them, it
/// would else look for this owner's sagas in `saga_driven`, among all that it ever owned, and not for the few by key.
const WRITE: &str = concat!(
    me!(),
    "started AS (
        INSERT INTO saga (id, plan, status, owner, created, updated, reason, input, start)
        SELECT new.id, new.plan, new.status, CASE WHEN new.status < 2 THEN me.id END,
            new.at, new.at, new.reason, new.input, new.start
        FROM me, unnest($2::text[], $3::int4[], $4::int2[], $5::int8[], $6::text[], $7::text[], $8::text[])
            AS new (id, plan, status, at, reason, input, start)
        ON CONFLICT (id) DO NOTHING RETURNING saga.key, saga.id
    ), entries AS (
        INSERT INTO journal (saga, seq, at, owner, body)
        SELECT new.saga, new.seq, new.at, me.id, new.body
        FROM me, unnest($9::int8[], $10::int4[], $11::int8[], $12::text[]) AS new (saga, seq, at, body)
    ), heads AS (
        UPDATE saga SET status = coalesce(new.status, saga.status),
            reason = CASE WHEN new.status IS NULL THEN saga.reason ELSE new.reason END,
            updated = coalesce(new.at, saga.updated),
            owner = CASE WHEN new.status < 2 THEN saga.owner END
        FROM me, unnest($13::int8[], $14::int2[], $15::int8[], $16::text[]) AS new (key, status, at, reason)
        WHERE saga.key = new.key AND saga.owner IS NOT DISTINCT FROM me.id
    )
    SELECT key, id FROM started UNION ALL SELECT NULL, NULL FROM me"
);

/// Values of many writes, column by column.
#[derive(Default)]
pub(super) struct Sheet<'a> {
    ids: Vec<&'a str>,
    plans: Vec<i32>,
    statuses: Vec<i16>,
    starts_at: Vec<i64>,
    reasons: Vec<Option<Cow<'a, str>>>,
    inputs: Vec<Cow<'a, str>>,
    starts: Vec<Cow<'a, str>>,
    sagas: Vec<i64>,
    seqs: Vec<i32>,
    moments: Vec<i64>,
    bodies: Vec<Cow<'a, str>>,
    keys: Vec<i64>,
    new_statuses: Vec<Option<i16>>,
    new_moments: Vec<Option<i64>>,
    new_reasons: Vec<Option<Cow<'a, str>>>,
}

impl<'a> Sheet<'a> {
    pub(super) fn start(&mut self, saga: &'a NewSaga, plan: i32) {
        self.ids.push(saga.id.as_str());
        self.plans.push(plan);
        self.statuses.push(code(saga.head.status));
        self.starts_at.push(saga.entry.at.as_millis());
        self.reasons.push(saga.head.reason.as_deref().map(text));
        self.inputs.push(text(&saga.input));
        self.starts.push(text(&saga.entry.body));
    }

    pub(super) fn entry(&mut self, saga: i64, seq: i32, at: i64, body: &'a str) {
        self.sagas.push(saga);
        self.seqs.push(seq);
        self.moments.push(at);
        self.bodies.push(text(body));
    }

    pub(super) fn head(&mut self, key: i64, head: &'a Head, at: Option<i64>) {
        self.keys.push(key);
        self.new_statuses.push(Some(code(head.status)));
        self.new_moments.push(at);
        self.new_reasons.push(head.reason.as_deref().map(text));
    }

    pub(super) fn park(&mut self, key: i64, status: i16, reason: &'a str) {
        self.keys.push(key);
        self.new_statuses.push(Some(status));
        self.new_moments.push(None);
        self.new_reasons.push(Some(text(reason)));
    }

    pub(super) fn release(&mut self, key: i64) {
        self.keys.push(key);
        self.new_statuses.push(None);
        self.new_moments.push(None);
        self.new_reasons.push(None);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.sagas.is_empty() && self.keys.is_empty()
    }

    /// Writes it all, or nothing. Returns the numbers of the sagas that are new, by their ids; `None` where
    /// this owner has been found dead.
    pub(super) async fn write(
        &self,
        session: &mut Session,
        owner: i32,
    ) -> Result<Option<HashMap<String, i64>>, Error> {
        let values: [&(dyn ToSql + Sync); 16] = [
            &owner,
            &self.ids,
            &self.plans,
            &self.statuses,
            &self.starts_at,
            &self.reasons,
            &self.inputs,
            &self.starts,
            &self.sagas,
            &self.seqs,
            &self.moments,
            &self.bodies,
            &self.keys,
            &self.new_statuses,
            &self.new_moments,
            &self.new_reasons,
        ];
        of_owner(&session.query(WRITE, &values).await?, |row| {
            Ok((row.try_get(1)?, row.try_get(0)?))
        })
    }
}

/// Reads the answer to a statement that begins with [`me!`] and ends with a row of nothing for it.
pub(super) fn of_owner<T, C: FromIterator<T>>(
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Option<C>, Error> {
    let mut alive = false;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        match row.try_get::<_, Option<i64>>(0)? {
            Some(_) => found.push(read(row)?),
            None => alive = true,
        }
    }
    Ok(alive.then(|| found.into_iter().collect()))
}
