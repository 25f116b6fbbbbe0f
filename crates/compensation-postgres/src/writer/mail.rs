//! Letters to sagas: how orders of other processes wait, and are answered. Whoever may be waiting is called.

use compensation::{
    SagaId, Timestamp,
    repository::{KEEP_ANSWERS, Letter, Posted},
};
use tokio_postgres::{Error, Row};

use super::{Failed, Pen};
use crate::rows::{alive, column, text};

const POST: &str = "WITH known AS (SELECT key FROM saga WHERE id = $2), old AS (
        DELETE FROM letter WHERE answer IS NOT NULL AND at < $3
    ), put AS (
        INSERT INTO letter (key, saga, at, body) SELECT $1, known.key, $4, $5 FROM known
        ON CONFLICT (key) DO NOTHING
    )
    SELECT pg_notify($6, '') FROM known";

const INBOX: &str = concat!(
    "WITH ",
    alive!(),
    "SELECT letter.key, saga.id, letter.at, letter.body FROM letter
        JOIN saga ON saga.key = letter.saga
        WHERE letter.answer IS NULL AND (saga.owner IS NULL OR saga.owner = $1
            OR NOT EXISTS (SELECT FROM alive WHERE alive.id = saga.owner))
        ORDER BY letter.number LIMIT $2"
);

/// Locks the letter: another one who is withdrawing it comes before or after.
const TAKE: &str =
    "UPDATE letter SET taken = true WHERE key = $1 AND answer IS NULL RETURNING number";

const ANSWER: &str = "UPDATE letter SET answer = $2 WHERE key = $1 AND answer IS NULL
    RETURNING pg_notify($3, '')";

const WITHDRAW: &str = "DELETE FROM letter WHERE key = $1 AND (NOT taken OR answer IS NOT NULL)";

const IS_THERE: &str = "SELECT FROM letter WHERE key = $1";

impl Pen<'_> {
    pub(super) async fn post(&mut self, letter: &Letter) -> Result<Posted, Failed> {
        let (old, at) = (letter.at.earlier_by(KEEP_ANSWERS).as_millis(), letter.at.as_millis());
        let (key, saga, body) = (text(&letter.key), letter.saga.as_str(), text(&letter.body));
        let known =
            self.session.query(POST, &[&key, &saga, &old, &at, &body, &self.channel]).await?;
        Ok(if known.is_empty() { Posted::Absent } else { Posted::Waits })
    }

    pub(super) async fn inbox(&mut self, limit: usize) -> Result<Vec<Letter>, Failed> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.session.query(INBOX, &[&self.owner, &limit]).await?;
        Ok(rows.iter().map(letter).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    pub(super) async fn take(&mut self, key: &str) -> Result<bool, Failed> {
        Ok(!self.session.query(TAKE, &[&text(key)]).await?.is_empty())
    }

    pub(super) async fn answer(&mut self, key: &str, answer: &str) -> Result<(), Failed> {
        self.session.query(ANSWER, &[&text(key), &text(answer), &self.channel]).await?;
        Ok(())
    }

    pub(super) async fn withdraw(&mut self, key: &str) -> Result<bool, Failed> {
        let key = text(key);
        self.session.query(WITHDRAW, &[&key]).await?;
        Ok(self.session.query(IS_THERE, &[&key]).await?.is_empty())
    }
}

/// A letter; none where its saga's id is damaged, for nobody could act on it.
fn letter(row: &Row) -> Result<Option<Letter>, Error> {
    let Ok(saga) = SagaId::new(row.try_get::<_, String>(1)?) else { return Ok(None) };
    let at = Timestamp::from_millis(row.try_get(2)?);
    Ok(Some(Letter { key: column(row, 0)?, saga, at, body: column(row, 3)? }))
}
