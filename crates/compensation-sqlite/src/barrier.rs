//! The barrier in the caller's own transaction: an action or an undo has its effect once.

use std::time::Duration;

use compensation::{
    Timestamp,
    barrier::{Act, Undo},
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params, types::Type};
use serde::{Serialize, de::DeserializeOwned};

/// A table in which actions and undos leave a row under their key, in the transaction of their effect.
///
/// It makes a step of a saga exactly-once: its effect and its output are committed together, so that an attempt
/// that is repeated, after a crash too, finds the output and has no effect again. And it makes a participant's
/// call safe that may come twice, or whose undo may come first; see [`compensation::barrier`].
///
/// The table is called `compensation_barrier` and lies beside the effects, in the program's own database: SQLite
/// commits to one file at a time. Errors are `rusqlite`'s, for the transaction is.
///
/// ```
/// use compensation::barrier::{Act, Undo};
/// use compensation_sqlite::Barrier;
/// use rusqlite::{Connection, TransactionBehavior};
///
/// # fn main() -> rusqlite::Result<()> {
/// let mut shop = Connection::open_in_memory()?;
/// shop.execute_batch("CREATE TABLE account (balance INTEGER); INSERT INTO account VALUES (100)")?;
/// Barrier::make_table(&shop)?;
///
/// for _ in 0..2 {
///     let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
///     if Barrier::act::<i64>(&tx, "trip:1:pay")? == Act::Now {
///         tx.execute("UPDATE account SET balance = balance - 30", ())?;
///         Barrier::keep(&tx, "trip:1:pay", &30)?;
///     }
///     tx.commit()?; // the effect, and that it was had: both or neither
/// }
/// let balance = |shop: &Connection| shop.query_row("SELECT balance FROM account", (), |row| row.get(0));
/// assert_eq!(balance(&shop), Ok(70));
///
/// let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
/// if let Undo::Now(Some(taken)) = Barrier::undo::<i64>(&tx, "trip:1:pay")? {
///     tx.execute("UPDATE account SET balance = balance + ?1", [taken])?;
/// }
/// tx.commit()?;
/// assert_eq!(balance(&shop), Ok(100));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Barrier;

/// Whose row.
const ACTION: i64 = 0;
const UNDO: i64 = 1;

impl Barrier {
    /// Makes the table where there is none.
    ///
    /// # Errors
    /// As SQLite tells.
    pub fn make_table(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS compensation_barrier (
                key TEXT NOT NULL,
                part INTEGER NOT NULL,
                since INTEGER NOT NULL,
                output TEXT,
                PRIMARY KEY (key, part)
            ) STRICT, WITHOUT ROWID",
        )
    }

    /// An action asks whether it is to have its effect, and leaves its row. Begin the transaction as
    /// `IMMEDIATE`: another one that writes is waited for then, and not collided with.
    ///
    /// # Errors
    /// As SQLite tells, or where the output that was kept is no `T`.
    pub fn act<T: DeserializeOwned>(
        transaction: &Transaction<'_>,
        key: &str,
    ) -> rusqlite::Result<Act<T>> {
        if put(transaction, key, ACTION)? {
            return Ok(Act::Now);
        }
        let undone = "SELECT 1 FROM compensation_barrier WHERE key = ?1 AND part = ?2";
        let is_undone = transaction.prepare_cached(undone)?.exists(params![key, UNDO])?;
        Ok(Act::found(false, is_undone, output(transaction, key)?))
    }

    /// Keeps an action's output with its row, for attempts that find it, and for its undo.
    ///
    /// # Errors
    /// As SQLite tells, or where the output can't be written as JSON.
    pub fn keep<T: Serialize>(
        transaction: &Transaction<'_>,
        key: &str,
        output: &T,
    ) -> rusqlite::Result<()> {
        let written = serde_json::to_string(output)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        transaction
            .prepare_cached(
                "UPDATE compensation_barrier SET output = ?3 WHERE key = ?1 AND part = ?2",
            )?
            .execute(params![key, ACTION, written])
            .map(drop)
    }

    /// An undo asks whether there is something to undo, and leaves both rows.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub fn undo<T: DeserializeOwned>(
        transaction: &Transaction<'_>,
        key: &str,
    ) -> rusqlite::Result<Undo<T>> {
        let has_acted = !put(transaction, key, ACTION)?;
        let is_first = put(transaction, key, UNDO)?;
        Ok(Undo::found(has_acted, is_first, output(transaction, key)?))
    }

    /// Forgets what was left longer ago than that, at most so many rows. A call that is still on its way after
    /// that finds nothing: choose a span longer than any. Nothing of a key is forgotten while
    /// anything of it is younger. Returns how many rows were forgotten.
    ///
    /// # Errors
    /// As SQLite tells.
    pub fn forget(
        connection: &Connection,
        older_than: Duration,
        limit: u32,
    ) -> rusqlite::Result<u64> {
        let before = Timestamp::now().earlier_by(older_than).as_millis();
        let forget = "DELETE FROM compensation_barrier WHERE (key, part) IN
            (SELECT key, part FROM compensation_barrier AS old WHERE since < ?1 AND NOT EXISTS
                (SELECT 1 FROM compensation_barrier AS young WHERE young.key = old.key AND young.since >= ?1)
             LIMIT ?2)";
        Ok(connection.prepare_cached(forget)?.execute(params![before, limit])? as u64)
    }
}

/// Leaves a row. Returns whether it is the first.
fn put(transaction: &Transaction<'_>, key: &str, part: i64) -> rusqlite::Result<bool> {
    let put = "INSERT INTO compensation_barrier (key, part, since) VALUES (?1, ?2, ?3)
        ON CONFLICT (key, part) DO NOTHING";
    let now = Timestamp::now().as_millis();
    Ok(transaction.prepare_cached(put)?.execute(params![key, part, now])? == 1)
}

/// The output that an action has kept.
fn output<T: DeserializeOwned>(
    transaction: &Transaction<'_>,
    key: &str,
) -> rusqlite::Result<Option<T>> {
    let find = "SELECT output FROM compensation_barrier WHERE key = ?1 AND part = ?2";
    let kept: Option<Option<String>> = transaction
        .prepare_cached(find)?
        .query_row(params![key, ACTION], |row| row.get(0))
        .optional()?;
    let read = kept.flatten().map(|kept| serde_json::from_str(&kept)).transpose();
    read.map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
}
