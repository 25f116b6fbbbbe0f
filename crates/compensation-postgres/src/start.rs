//! Starting a saga in a transaction of the caller's.

use std::sync::Arc;

use compensation::repository::{Created, ErrorKind, NewSaga, RepositoryError, SagaKey};
use tokio_postgres::Transaction;

use crate::{
    PostgresRepository,
    error::classify,
    rows::{code, text},
    session::channel,
    writer::Work,
};

impl PostgresRepository {
    /// Stores a new saga in that transaction, beside whatever else it does: once it is committed, some engine on
    /// this schema runs the saga; if it is rolled back there never was one. The transaction is of a connection
    /// to the same database, made by `tokio_postgres` and not by this store.
    ///
    /// The saga belongs to nobody until an engine claims it: those that wait are called as the transaction
    /// commits. An id that is there already is not an error, and changes nothing.
    ///
    /// ```no_run
    /// # use compensation::{Saga, SagaId, repository::Created};
    /// # use compensation_postgres::PostgresRepository;
    /// # async fn example(
    /// #     store: PostgresRepository,
    /// #     mut client: tokio_postgres::Client,
    /// #     trip: Saga<String>,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let order = client.transaction().await?;
    /// order.execute("INSERT INTO orders (number) VALUES (4711)", &[]).await?;
    /// let saga = trip.prepare(SagaId::new("order-4711")?, &"Ada".to_owned())?;
    /// assert!(matches!(store.start_in(&order, saga).await?, Created::New(_)));
    /// order.commit().await?; // the order and its saga, or neither
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As the server tells. The transaction has failed then, as after any failed statement, but where it was a new plan
    /// that could not be stored: that is done by the store's own session, which may be away or busy. Where it is
    /// serializable or repeatable, and another one has just stored the same id, that is a serialization
    /// failure: try the transaction again.
    ///
    /// # Cancel safety
    /// What becomes of it is up to the transaction.
    pub async fn start_in(
        &self,
        transaction: &Transaction<'_>,
        saga: NewSaga,
    ) -> Result<Created, RepositoryError> {
        if !saga.head.status.is_open() {
            let message = format!("saga `{}` is over before it starts", saga.id);
            return Err(RepositoryError::new(ErrorKind::Permanent, message));
        }
        let failed = |error| classify("start a saga in", self.place(), error);
        let schema = format!("\"{}\".", self.schema());
        let plan = self.plan(&saga.name, &saga.plan).await?;
        let put = format!(
            "WITH new AS (
                INSERT INTO {schema}saga (id, plan, status, created, updated, reason, input, start)
                VALUES ($1, $2, $3, $4, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING RETURNING key
            )
            SELECT key, pg_notify($8, '') FROM new"
        );
        let (status, at) = (code(saga.head.status), saga.entry.at.as_millis());
        let reason = saga.head.reason.as_deref().map(text);
        let new = transaction
            .query_opt(
                &put,
                &[
                    &saga.id.as_str(),
                    &plan,
                    &status,
                    &at,
                    &reason,
                    &text(&saga.input),
                    &text(&saga.entry.body),
                    &channel(self.schema()),
                ],
            )
            .await
            .map_err(failed)?;
        Ok(match new {
            Some(row) => Created::New(SagaKey(row.try_get(0).map_err(failed)?)),
            None => Created::Existing,
        })
    }

    /// The number of a plan. The store's own session stores a new one, and at once: in the caller's transaction every
    /// other process with sagas of that plan would wait for its end.
    async fn plan(&self, name: &Arc<str>, plan: &Arc<str>) -> Result<i32, RepositoryError> {
        match self.readers.plans.id(name, plan) {
            Some(known) => Ok(known),
            None => self.writer.ask(|to| Work::Definition(name.clone(), plan.clone(), to)).await,
        }
    }
}
