//! Letters to sagas: how orders of other processes wait, and are answered.

use compensation::{
    SagaId, Timestamp,
    repository::{KEEP_ANSWERS, Letter, Posted, Reply},
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::rows::{self, Alive};

/// `letter_open` finds what is to be answered, and is empty nearly always; `letter_saga` what goes with a saga
/// that is purged.
pub(crate) const TABLES: &str = "
CREATE TABLE letter (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    saga INTEGER NOT NULL,
    at INTEGER NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    answer TEXT
) STRICT;
CREATE INDEX letter_open ON letter (number) WHERE answer IS NULL;
CREATE INDEX letter_saga ON letter (saga);
";

pub(crate) fn post(db: &Connection, letter: &Letter) -> rusqlite::Result<Posted> {
    let Some(saga) = rows::key(db, &letter.saga)? else { return Ok(Posted::Absent) };
    let old = letter.at.earlier_by(KEEP_ANSWERS);
    db.prepare_cached("DELETE FROM letter WHERE answer IS NOT NULL AND at < ?1")?
        .execute([old.as_millis()])?;
    db.prepare_cached(
        "INSERT INTO letter (key, saga, at, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (key) DO NOTHING",
    )?
    .execute((&letter.key, saga, letter.at.as_millis(), &letter.body))?;
    Ok(Posted::Waits)
}

/// Letters to sagas of this owner, or of nobody who lives.
pub(crate) fn inbox(
    db: &Connection,
    alive: &mut Alive<'_>,
    limit: usize,
) -> rusqlite::Result<Vec<Letter>> {
    let mut letters = Vec::new();
    let mut open = db.prepare_cached(
        "SELECT letter.key, saga.id, letter.at, letter.body, saga.owner
         FROM letter JOIN saga ON saga.key = letter.saga
         WHERE letter.answer IS NULL ORDER BY letter.number",
    )?;
    let mut found = open.query(())?;
    while letters.len() < limit
        && let Some(row) = found.next()?
    {
        let owner = row.get(4)?;
        if alive.is_own(owner) || !alive.owns(owner) {
            letters.extend(letter(row)?);
        }
    }
    Ok(letters)
}

pub(crate) fn take(db: &Connection, key: &str) -> rusqlite::Result<bool> {
    let taken = db
        .prepare_cached("UPDATE letter SET taken = 1 WHERE key = ?1 AND answer IS NULL")?
        .execute([key])?;
    Ok(taken > 0)
}

/// A letter; none where its saga's id is damaged, for nobody could act on it.
fn letter(row: &Row<'_>) -> rusqlite::Result<Option<Letter>> {
    let Ok(saga) = SagaId::new(rows::text(row, 1)?) else { return Ok(None) };
    let at = Timestamp::from_millis(row.get(2)?);
    Ok(Some(Letter { key: rows::text(row, 0)?, saga, at, body: rows::text(row, 3)? }))
}

pub(crate) fn answer(db: &Connection, key: &str, answer: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE letter SET answer = ?2 WHERE key = ?1 AND answer IS NULL")?
        .execute((key, answer))?;
    Ok(())
}

pub(crate) fn reply(db: &Connection, key: &str) -> rusqlite::Result<Reply> {
    let mut find = db.prepare_cached("SELECT taken, answer FROM letter WHERE key = ?1")?;
    let found = find
        .query_row([key], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, Option<String>>(1)?)))
        .optional()?;
    Ok(match found {
        None => Reply::Absent,
        Some((_, Some(answer))) => Reply::Answered(answer),
        Some((true, None)) => Reply::Taken,
        Some((false, None)) => Reply::Waits,
    })
}

pub(crate) fn withdraw(db: &Connection, key: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("DELETE FROM letter WHERE key = ?1 AND (taken = 0 OR answer IS NOT NULL)")?
        .execute([key])?;
    Ok(!db.prepare_cached("SELECT 1 FROM letter WHERE key = ?1")?.exists([key])?)
}
