//! Rows as the values of the repository, and back. Used by the writer and by readers.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use compensation::{
    SagaId, Status, Timestamp,
    repository::{Entry, Head, SagaKey, StoredSaga, Summary},
};
use tokio_postgres::{Client, Error, Row};

/// Plans kept at hand. A program has few; a front end that makes one for each saga must not fill memory.
const PLANS: usize = 256;

/// A status as it is stored. Stored numbers never change their meaning.
pub(crate) fn code(status: Status) -> i16 {
    match status {
        Status::Running => 0,
        Status::Compensating => 1,
        Status::Completed => 2,
        Status::Compensated => 3,
        Status::Stuck => 4,
        Status::Abandoned => 5,
    }
}

/// The status that a stored number means. One that nobody knows is for a person to look at.
pub(crate) fn status(stored: i16) -> Status {
    let known = Status::ALL.into_iter().find(|&status| code(status) == stored);
    known.unwrap_or(Status::Stuck)
}

/// Goes before what stands for a character that the server has no place for. Texts that are JSON hold neither.
const ESCAPE: char = '\u{1A}';

/// A text as the server takes it. PostgreSQL has no place for the character zero.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return text.into();
    }
    text.replace(ESCAPE, "\u{1A}1").replace('\0', "\u{1A}0").into()
}

/// A text as it was given, by how the server has it.
pub(crate) fn given(stored: String) -> String {
    if !stored.contains(ESCAPE) {
        return stored;
    }
    stored.replace("\u{1A}0", "\0").replace("\u{1A}1", "\u{1A}")
}

/// The text of a column.
pub(crate) fn column(row: &Row, place: usize) -> Result<String, Error> {
    row.try_get(place).map(given)
}

/// The text of a column, if there is one.
pub(crate) fn maybe(row: &Row, place: usize) -> Result<Option<String>, Error> {
    Ok(row.try_get::<_, Option<String>>(place)?.map(given))
}

/// The owners whose sessions hold their locks. Goes before a statement that reads [`summary_columns!`].
macro_rules! alive {
    () => {
        "alive AS MATERIALIZED (SELECT objid::int8::int4 AS id FROM pg_locks
            WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                AND classid = 'owner'::regclass
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    };
}
pub(crate) use alive;

/// The columns that [`summary`] reads.
macro_rules! summary_columns {
    () => {
        "saga.key, saga.id, plan.name, saga.status, saga.reason, saga.created,
            coalesce((SELECT journal.at FROM journal WHERE journal.saga = saga.key
                ORDER BY seq DESC LIMIT 1), saga.created),
            saga.owner IS NOT NULL AND EXISTS (SELECT FROM alive WHERE alive.id = saga.owner)"
    };
}
pub(crate) use summary_columns;

/// The columns that [`stored`] reads.
macro_rules! stored_columns {
    () => {
        concat!(
            $crate::rows::summary_columns!(),
            ", saga.plan, saga.input, saga.start,
            ARRAY(SELECT seq FROM journal WHERE journal.saga = saga.key ORDER BY seq),
            ARRAY(SELECT at FROM journal WHERE journal.saga = saga.key ORDER BY seq),
            ARRAY(SELECT body FROM journal WHERE journal.saga = saga.key ORDER BY seq)"
        )
    };
}

/// Sagas by their numbers, oldest first.
pub(crate) const BY_KEY: &str = concat!(
    "WITH ",
    alive!(),
    "SELECT ",
    stored_columns!(),
    " FROM saga LEFT JOIN plan ON plan.id = saga.plan WHERE saga.key = ANY ($1) ORDER BY saga.key"
);

/// Sagas by their ids, in that order.
pub(crate) const BY_ID: &str = concat!(
    "WITH ",
    alive!(),
    "SELECT ",
    stored_columns!(),
    " FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
        JOIN saga ON saga.id = wanted.id COLLATE \"C\" LEFT JOIN plan ON plan.id = saga.plan
    ORDER BY wanted.place"
);

pub(crate) fn summary(row: &Row) -> Result<(SagaKey, Summary), Error> {
    let key: i64 = row.try_get(0)?;
    // An id that is none can't have been given out: it stands for itself, and the saga parks by its key.
    let id = SagaId::new(row.try_get::<_, String>(1)?)
        .or_else(|_| SagaId::new(format!("damaged-{key}")))
        .unwrap_or_else(|_| SagaId::random());
    let name = maybe(row, 2)?;
    let summary = Summary {
        id,
        name: name.unwrap_or_default().into(),
        head: Head { status: status(row.try_get(3)?), reason: maybe(row, 4)? },
        created: Timestamp::from_millis(row.try_get(5)?),
        updated: Timestamp::from_millis(row.try_get(6)?),
        owned: row.try_get(7)?,
    };
    Ok((SagaKey(key), summary))
}

/// A saga with its whole journal, and the number of its plan.
fn stored(row: &Row) -> Result<(i32, StoredSaga), Error> {
    let (key, summary) = summary(row)?;
    let mut journal = vec![Entry { at: summary.created, body: column(row, 10)? }];
    let (seqs, moments): (Vec<i32>, Vec<i64>) = (row.try_get(11)?, row.try_get(12)?);
    let bodies: Vec<String> = row.try_get(13)?;
    for ((seq, at), body) in seqs.into_iter().zip(moments).zip(bodies) {
        // A missing entry must be noticed: what came after it would be read as something else.
        if usize::try_from(seq) != Ok(journal.len()) {
            let body = format!("entry {} is missing from the store", journal.len());
            journal.push(Entry { at: summary.updated, body });
            break;
        }
        journal.push(Entry { at: Timestamp::from_millis(at), body: given(body) });
    }
    let (plan, input) = (row.try_get(8)?, column(row, 9)?);
    Ok((plan, StoredSaga { key, summary, plan: "".into(), input, journal }))
}

const FIND_PLAN: &str =
    "SELECT id FROM plan WHERE name = $1 AND digest = sha256(convert_to($2, 'UTF8'))";

const ADD_PLAN: &str =
    "INSERT INTO plan (name, digest, body) VALUES ($1, sha256(convert_to($2, 'UTF8')), $2)
    ON CONFLICT (name, digest) DO NOTHING RETURNING id";

/// A plan's number, and the name that goes with it.
type Known = (Arc<str>, i32);

/// Plans at hand: sagas that share a plan share its text.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    texts: Mutex<HashMap<i32, Arc<str>>>,
    ids: Mutex<HashMap<Arc<str>, Known>>,
}

impl Plans {
    /// The sagas of those rows.
    pub(crate) async fn sagas(
        &self,
        client: &Client,
        rows: &[Row],
    ) -> Result<Vec<StoredSaga>, Error> {
        let mut sagas = Vec::with_capacity(rows.len());
        for row in rows {
            let (plan, mut saga) = stored(row)?;
            saga.plan = self.text(client, plan).await?;
            sagas.push(saga);
        }
        Ok(sagas)
    }

    async fn text(&self, client: &Client, id: i32) -> Result<Arc<str>, Error> {
        let known = self.texts.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let Some(row) = client.query_opt("SELECT body FROM plan WHERE id = $1", &[&id]).await?
        else {
            // No JSON, so that saga parks alone.
            return Ok("missing from the store".into());
        };
        let text: Arc<str> = column(&row, 0)?.into();
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.len() >= PLANS {
            texts.clear();
        }
        texts.insert(id, text.clone());
        Ok(text)
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The number of a plan, if it is known here.
    pub(crate) fn id(&self, name: &str, text: &str) -> Option<i32> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.get(text).filter(|(known, _)| **known == *name).map(|(_, id)| *id)
    }

    /// The number of a plan, which is stored once.
    pub(crate) async fn store(
        &self,
        client: &Client,
        name: &Arc<str>,
        text: &Arc<str>,
    ) -> Result<i32, Error> {
        let id = store_plan(client, name, text).await?;
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() >= PLANS {
            ids.clear();
        }
        ids.insert(text.clone(), (name.clone(), id));
        Ok(id)
    }
}

async fn store_plan(client: &Client, name: &str, plan: &str) -> Result<i32, Error> {
    let (name, plan) = (text(name), text(plan));
    loop {
        for sql in [FIND_PLAN, ADD_PLAN] {
            if let Some(row) = client.query_opt(sql, &[&name, &plan]).await? {
                return row.try_get(0);
            }
        }
        // Somebody else was faster, and is found now.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_as_it_was() {
        for one in ["", "plain", "\0", "\u{1A}", "\u{1A}0\0\u{1A}1", "a\0b\u{1A}\u{1A}c"] {
            let stored = text(one).into_owned();
            assert!(!stored.contains('\0'));
            assert_eq!(given(stored), one);
        }
    }
}
