//! Taking sagas over from the dead, and deleting finished ones. Marks and hands out; runs nothing.
//!
//! An owner is dead once its session has ended, or has been silent for longer than it said it would be. It is
//! first marked dead, which waits for the statement that it may have in flight and stops every later one; only
//! what can be seen after that is let go. So nothing that it wrote is missed, and nothing more is written.

use compensation::{
    SagaId, Timestamp,
    repository::{Acquired, StoredSaga},
};
use tokio_postgres::Error;

use super::{
    Failed, Pen,
    ledger::Held,
    sheet::{me, of_owner},
};
use crate::{
    rows::{self, alive},
    session::Session,
};

/// A restart of the server ends the sessions of the living too: who was there before it may take as long to come back as
/// they may be silent, before their attempts are taken for cut off. And a stopped process does not read what
/// it is sent either, so that its session may hang while it answers.
const MARK: &str = concat!(
    "WITH ",
    alive!(),
    "UPDATE owner SET dead = true WHERE id <> $1 AND NOT dead
        AND (NOT EXISTS (SELECT FROM alive WHERE alive.id = owner.id)
                AND (owner.backend_since > pg_postmaster_start_time()
                    OR pg_postmaster_start_time() < clock_timestamp() - owner.silence)
            OR EXISTS (SELECT FROM pg_stat_activity AS activity
                WHERE activity.pid = owner.backend AND activity.backend_start = owner.backend_since
                    AND (activity.state <> 'active' OR activity.wait_event = 'ClientWrite')
                    AND activity.state_change < clock_timestamp() - owner.silence))"
);

const DEAD: &str = "SELECT id FROM owner WHERE dead";

const LET_GO: &str =
    "UPDATE saga SET owner = NULL FROM owner WHERE owner.dead AND saga.owner = owner.id";

const BURY: &str = "DELETE FROM owner WHERE dead AND id = ANY ($1) RETURNING pg_notify($2, '')";

const WAITING: &str = "SELECT count(*) FROM saga WHERE owner IS NULL AND status < 2";

/// No more than one's share of what waits, so that it spreads over the processes that ask at once; oldest first.
const CLAIM: &str = concat!(
    me!(),
    "waits AS (
        SELECT count(*) AS sagas FROM (
            SELECT FROM saga WHERE owner IS NULL AND status < 2
            LIMIT $2::int8 * (SELECT count(*) FROM owner WHERE NOT dead)
        ) AS waiting
    ), free AS MATERIALIZED (
        SELECT saga.key FROM saga WHERE owner IS NULL AND status < 2 AND EXISTS (SELECT FROM me)
        ORDER BY saga.key
        LIMIT least($2::int8, (SELECT (waits.sagas + owners - 1) / greatest(owners, 1)
            FROM waits, (SELECT count(*) AS owners FROM owner WHERE NOT dead) AS living))
        FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE saga SET owner = me.id FROM me, free WHERE saga.key = free.key RETURNING saga.key
    )
    SELECT key FROM taken UNION ALL SELECT NULL FROM me"
);

const ACQUIRE: &str = concat!(
    me!(),
    "taken AS (
        UPDATE saga SET owner = me.id FROM me
        WHERE saga.id = $2 AND (saga.owner IS NULL OR saga.owner = me.id) RETURNING saga.key
    )
    SELECT key FROM taken UNION ALL SELECT NULL FROM me"
);

const HOLDER: &str = concat!(
    "WITH ",
    alive!(),
    "SELECT owner.process FROM saga
        LEFT JOIN owner ON owner.id = saga.owner AND NOT owner.dead
            AND EXISTS (SELECT FROM alive WHERE alive.id = owner.id)
    WHERE saga.id = $1"
);

/// Numbers rise with the moments of creation, but for the clocks of several machines, so the search ends at the
/// first that was started too late. The newest saga always stays.
const PURGE: &str = "WITH old AS MATERIALIZED (
        SELECT key FROM saga
        WHERE key < coalesce((SELECT key FROM saga WHERE created >= $1 ORDER BY key LIMIT 1),
                (SELECT max(key) FROM saga))
            AND status IN (2, 3, 5) AND updated < $1 AND owner IS NULL
        ORDER BY key LIMIT $2 FOR UPDATE SKIP LOCKED
    ), entries AS (
        DELETE FROM journal USING old WHERE journal.saga = old.key
    ), letters AS (
        DELETE FROM letter USING old WHERE letter.saga = old.key
    ), sagas AS (
        DELETE FROM saga USING old WHERE saga.key = old.key
    )
    SELECT count(*) FROM old";

const LEAVE: &str = "UPDATE saga SET owner = NULL WHERE owner = $1";

/// Times that a saga whose owner changes is looked at again.
const LOOKS: u32 = 3;

impl Pen<'_> {
    pub(super) async fn recover(&mut self) -> Result<u64, Failed> {
        bury_dead(self.session, self.owner, self.channel).await?;
        let rows = self.session.query(WAITING, &[]).await?;
        let waiting = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose()?;
        Ok(waiting.unwrap_or_default().unsigned_abs())
    }

    pub(super) async fn claim(&mut self, limit: usize) -> Result<Vec<StoredSaga>, Failed> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX).min(1 << 32);
        let rows = self.session.query(CLAIM, &[&self.owner, &limit]).await?;
        let keys: Option<Vec<i64>> = of_owner(&rows, |row| row.try_get(0))?;
        self.taken(&keys.ok_or(Failed::Buried)?).await
    }

    pub(super) async fn acquire(&mut self, id: &SagaId) -> Result<Acquired, Failed> {
        let id = id.as_str();
        for _ in 0..LOOKS {
            let rows = self.session.query(ACQUIRE, &[&self.owner, &id]).await?;
            let keys: Option<Vec<i64>> = of_owner(&rows, |row| row.try_get(0))?;
            let taken = self.taken(&keys.ok_or(Failed::Buried)?).await?;
            if let Some(saga) = taken.into_iter().next() {
                return Ok(Acquired::Owned(saga));
            }
            let rows = self.session.query(HOLDER, &[&id]).await?;
            let Some(row) = rows.first() else { return Ok(Acquired::Absent) };
            if let Some(holder) = row.try_get::<_, Option<String>>(0)? {
                return Ok(Acquired::Held(holder));
            }
            bury_dead(self.session, self.owner, self.channel).await?;
        }
        Ok(Acquired::Held("another process".to_owned()))
    }

    /// Reads what has just become this owner's.
    async fn taken(&mut self, keys: &[i64]) -> Result<Vec<StoredSaga>, Failed> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let sagas = self.read(keys).await.map_err(Failed::Unread)?;
        for saga in &sagas {
            let entries = u32::try_from(saga.journal.len()).unwrap_or(u32::MAX);
            self.ledger.own(saga.key.0, Held { entries, head: saga.summary.head.clone() });
        }
        Ok(sagas)
    }

    async fn read(&mut self, keys: &[i64]) -> Result<Vec<StoredSaga>, Error> {
        let rows = self.session.query(rows::BY_KEY, &[&keys]).await?;
        self.plans.sagas(&self.session.client, &rows).await
    }

    pub(super) async fn purge(&mut self, before: Timestamp, limit: usize) -> Result<u64, Failed> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.session.query(PURGE, &[&before.as_millis(), &limit]).await?;
        let purged = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose()?;
        Ok(purged.unwrap_or_default().unsigned_abs())
    }
}

/// Lets go what dead owners left.
async fn bury_dead(session: &mut Session, own: i32, channel: &str) -> Result<(), Error> {
    session.query(MARK, &[&own]).await?;
    let mut dead: Vec<i32> = Vec::new();
    for row in session.query(DEAD, &[]).await? {
        dead.push(row.try_get(0)?);
    }
    if !dead.is_empty() {
        session.query(LET_GO, &[]).await?;
        session.query(BURY, &[&dead, &channel]).await?;
    }
    Ok(())
}

/// Ends as an owner.
pub(super) async fn leave(session: &mut Session, owner: i32, channel: &str) -> Result<(), Error> {
    session.query(LEAVE, &[&owner]).await?;
    session
        .query("DELETE FROM owner WHERE id = $1 RETURNING pg_notify($2, '')", &[&owner, &channel])
        .await?;
    Ok(())
}
