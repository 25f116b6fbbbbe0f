//! The barrier in the caller's own transaction: an action or an undo has its effect once.

use std::time::Duration;

use compensation::{
    barrier::{Act, Undo},
    repository::RepositoryError,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::{GenericClient, Transaction};

use crate::{SCHEMA, connection::check_schema, rows::text};

/// A table in which actions and undos leave a row under their key, in the transaction of their effect.
///
/// It makes a step of a saga exactly-once: its effect and its output are committed together, so that an attempt
/// that is repeated, after a crash too, finds the output and has no effect again. And it makes a participant's
/// call safe that may come twice, or whose undo may come first; see [`compensation::barrier`].
///
/// ```no_run
/// use compensation::{StepContext, StepError, UndoContext, barrier::{Act, Undo}};
/// use compensation_postgres::Barrier;
///
/// async fn reserve(cx: StepContext<i32>, mut shop: tokio_postgres::Client) -> Result<i32, StepError> {
///     let (barrier, key) = (Barrier::new(), cx.idempotency_key());
///     let tx = shop.transaction().await?;
///     match barrier.act(&tx, &key).await? {
///         Act::Now => {}
///         Act::Before(room) => return room.ok_or_else(|| StepError::unknown("no room was kept")),
///         Act::TooLate => return Err(StepError::not_done("it has been undone").terminal()),
///     }
///     let take = "UPDATE room SET guest = $1 WHERE number =
///         (SELECT number FROM room WHERE guest IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING number";
///     let room: i32 = tx.query_one(take, &[cx.input()]).await?.get(0);
///     barrier.keep(&tx, &key, &room).await?;
///     tx.commit().await?; // the effect, and that it was had: both or neither
///     Ok(room)
/// }
///
/// async fn free(cx: UndoContext<i32>, mut shop: tokio_postgres::Client) -> Result<(), StepError> {
///     let tx = shop.transaction().await?;
///     if let Undo::Now(Some(room)) = Barrier::new().undo::<i32>(&tx, &cx.idempotency_key()).await? {
///         tx.execute("UPDATE room SET guest = NULL WHERE number = $1", &[&room]).await?;
///     }
///     Ok(tx.commit().await?)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Barrier {
    table: String,
}

/// Why a barrier did not answer. The transaction has failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BarrierError {
    /// The server refused.
    #[error("the barrier of `{key}`: {error}")]
    Server {
        /// Whose barrier.
        key: String,
        /// What the server says.
        #[source]
        error: tokio_postgres::Error,
    },
    /// The output can't be written down, or read back.
    #[error("the output kept at the barrier of `{key}`: {error}")]
    Output {
        /// Whose barrier.
        key: String,
        /// What is wrong with it.
        #[source]
        error: serde_json::Error,
    },
}

/// Whose row.
const ACTION: i16 = 0;
const UNDO: i16 = 1;

impl Barrier {
    /// The table that a [`PostgresRepository`](crate::PostgresRepository) makes in its schema, `compensation`.
    #[must_use]
    pub fn new() -> Self {
        Self { table: format!("\"{SCHEMA}\".barrier") }
    }

    /// The table in that schema: a store's, or one that [`make_table`](Self::make_table) made in a participant's
    /// database.
    ///
    /// # Errors
    /// Where that is no name for a schema here; see [`PostgresOptions::schema`](crate::PostgresOptions::schema).
    pub fn in_schema(schema: &str) -> Result<Self, RepositoryError> {
        check_schema(schema)?;
        Ok(Self { table: format!("\"{schema}\".barrier") })
    }

    /// Makes the table where there is none, in a schema that is there.
    ///
    /// # Errors
    /// As the server tells.
    pub async fn make_table(&self, client: &impl GenericClient) -> Result<(), BarrierError> {
        let make = include_str!("tables/barrier.sql")
            .replace("CREATE TABLE barrier", &format!("CREATE TABLE IF NOT EXISTS {}", self.table));
        client.batch_execute(&make).await.map_err(|error| server("(table)", error))
    }

    /// An action asks whether it is to have its effect, and leaves its row. Waits for another transaction that
    /// has just asked under the same key.
    ///
    /// # Errors
    /// [`BarrierError`]. Where the transaction is serializable or repeatable, another one that has just left the
    /// row is a serialization failure: try the transaction again.
    ///
    /// # Cancel safety
    /// What becomes of it is up to the transaction.
    pub async fn act<T: DeserializeOwned>(
        &self,
        transaction: &Transaction<'_>,
        key: &str,
    ) -> Result<Act<T>, BarrierError> {
        if self.put(transaction, key, ACTION).await? {
            return Ok(Act::Now);
        }
        let table = &self.table;
        let find = format!(
            "SELECT output, EXISTS (SELECT FROM {table} WHERE key = $1 AND part = {UNDO})
             FROM {table} WHERE key = $1 AND part = {ACTION}"
        );
        let row = transaction.query_opt(&find, &[&text(key)]).await;
        let row = row.map_err(|error| server(key, error))?;
        let (output, is_undone) = match &row {
            Some(row) => (row.get::<_, Option<String>>(0), row.get(1)),
            None => (None, false),
        };
        Ok(Act::found(false, is_undone, read(key, output)?))
    }

    /// Keeps an action's output with its row, for attempts that find it, and for its undo.
    ///
    /// # Errors
    /// [`BarrierError`].
    pub async fn keep<T: Serialize + Sync>(
        &self,
        transaction: &Transaction<'_>,
        key: &str,
        output: &T,
    ) -> Result<(), BarrierError> {
        let written = serde_json::to_string(output)
            .map_err(|error| BarrierError::Output { key: key.to_owned(), error })?;
        let keep =
            format!("UPDATE {} SET output = $2 WHERE key = $1 AND part = {ACTION}", self.table);
        let kept = transaction.execute(&keep, &[&text(key), &written]).await;
        kept.map(drop).map_err(|error| server(key, error))
    }

    /// An undo asks whether there is something to undo, and leaves both rows.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    ///
    /// # Cancel safety
    /// As [`act`](Self::act).
    pub async fn undo<T: DeserializeOwned>(
        &self,
        transaction: &Transaction<'_>,
        key: &str,
    ) -> Result<Undo<T>, BarrierError> {
        let has_acted = !self.put(transaction, key, ACTION).await?;
        let is_first = self.put(transaction, key, UNDO).await?;
        let find = format!("SELECT output FROM {} WHERE key = $1 AND part = {ACTION}", self.table);
        let row = transaction.query_opt(&find, &[&text(key)]).await;
        let row = row.map_err(|error| server(key, error))?;
        let output = row.and_then(|row| row.get(0));
        Ok(Undo::found(has_acted, is_first, read(key, output)?))
    }

    /// Forgets what was left longer ago than that, at most so many rows. A call that is still on its way after
    /// that finds nothing: choose a span longer than any. Nothing of a key is forgotten while anything of it is
    /// younger. Returns how many rows were forgotten.
    ///
    /// # Errors
    /// [`BarrierError`].
    pub async fn forget(
        &self,
        client: &impl GenericClient,
        older_than: Duration,
        limit: u32,
    ) -> Result<u64, BarrierError> {
        let table = &self.table;
        let forget = format!(
            "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} AS old
                WHERE since < now() - make_interval(secs => $1) AND NOT EXISTS (SELECT FROM {table} AS young
                    WHERE young.key = old.key AND young.since >= now() - make_interval(secs => $1))
                LIMIT $2))"
        );
        let values = (older_than.as_secs_f64(), i64::from(limit));
        let forgotten = client.execute(&forget, &[&values.0, &values.1]).await;
        forgotten.map_err(|error| server("(all)", error))
    }

    /// Leaves a row. Returns whether it is the first.
    async fn put(
        &self,
        transaction: &Transaction<'_>,
        key: &str,
        part: i16,
    ) -> Result<bool, BarrierError> {
        let put = format!(
            "INSERT INTO {} (key, part) VALUES ($1, $2) ON CONFLICT (key, part) DO NOTHING",
            self.table
        );
        let put = transaction.execute(&put, &[&text(key), &part]).await;
        Ok(put.map_err(|error| server(key, error))? == 1)
    }
}

impl Default for Barrier {
    fn default() -> Self {
        Self::new()
    }
}

fn read<T: DeserializeOwned>(key: &str, output: Option<String>) -> Result<Option<T>, BarrierError> {
    let read = output.map(|output| serde_json::from_str(&output)).transpose();
    read.map_err(|error| BarrierError::Output { key: key.to_owned(), error })
}

fn server(key: &str, error: tokio_postgres::Error) -> BarrierError {
    BarrierError::Server { key: key.to_owned(), error }
}
