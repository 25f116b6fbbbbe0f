//! Taking sagas over from the dead, and deleting finished ones. Marks and hands out; runs nothing.

use std::sync::OnceLock;

use compensation::{
    SagaId, Timestamp,
    repository::{Acquired, StoredSaga},
};

use super::{ledger::Held, work::Session};
use crate::{
    owner,
    rows::{self, Alive},
};

impl Session<'_> {
    pub(super) fn recover(&mut self) -> rusqlite::Result<u64> {
        let dead = owner::bury_dead(self.db, self.path, self.owner)?;
        self.ledger.dead.extend(dead);
        let waiting: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM saga WHERE owner IS NULL AND status < 2")?
            .query_row((), |row| row.get(0))?;
        Ok(waiting.unsigned_abs())
    }

    pub(super) fn claim(&mut self, limit: usize) -> rusqlite::Result<Vec<StoredSaga>> {
        let keys: Vec<i64> = self
            .db
            .prepare_cached(
                "SELECT key FROM saga WHERE owner IS NULL AND status < 2 ORDER BY key LIMIT ?1",
            )?
            .query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut claimed = Vec::with_capacity(keys.len());
        for key in keys {
            claimed.extend(self.take(key)?);
        }
        Ok(claimed)
    }

    pub(super) fn acquire(&mut self, id: &SagaId) -> rusqlite::Result<Acquired> {
        let Some(key) = rows::key(self.db, id)? else { return Ok(Acquired::Absent) };
        let holder: Option<i64> = self
            .db
            .prepare_cached("SELECT owner FROM saga WHERE key = ?1")?
            .query_row([key], |row| row.get(0))?;
        if let Some(holder) = holder.filter(|&holder| holder != self.owner)
            && let Some(holder) = owner::holder(self.db, self.path, holder)?
        {
            return Ok(Acquired::Held(format!("process {}", holder.pid)));
        }
        Ok(self.take(key)?.map_or(Acquired::Absent, Acquired::Owned))
    }

    fn take(&mut self, key: i64) -> rusqlite::Result<Option<StoredSaga>> {
        self.db
            .prepare_cached("UPDATE saga SET owner = ?2 WHERE key = ?1")?
            .execute((key, self.owner))?;
        let own = OnceLock::from(self.owner);
        let mut alive = Alive::new(self.path, &own);
        let taken = rows::stored(self.db, key, &mut alive, &mut self.ledger.texts)?;
        if let Some(saga) = &taken {
            let entries = u32::try_from(saga.journal.len()).unwrap_or(u32::MAX);
            let held = Held { entries, head: saga.summary.head.clone() };
            self.ledger.own(key, held);
        }
        Ok(taken)
    }

    /// Deletes old finished sagas. Rows lie in the order of their start, so the search ends at the first
    /// that was started too late. The newest saga always stays, so that no key is given out twice.
    pub(super) fn purge(&mut self, before: Timestamp, limit: usize) -> rusqlite::Result<u64> {
        let before = before.as_millis();
        let mut old = Vec::new();
        {
            let mut oldest = self.db.prepare_cached(
                "SELECT key, status, created, updated, owner FROM saga
                 WHERE key < (SELECT max(key) FROM saga) ORDER BY key",
            )?;
            let mut rows = oldest.query(())?;
            while let Some(row) = rows.next()? {
                if old.len() >= limit || row.get::<_, i64>(2)? >= before {
                    break;
                }
                let status = rows::status(row.get(1)?);
                let owner: Option<i64> = row.get(4)?;
                if status.is_final() && owner.is_none() && row.get::<_, i64>(3)? < before {
                    old.push((row.get::<_, i64>(0)?, status));
                }
            }
        }
        for &(key, status) in &old {
            self.db.prepare_cached("DELETE FROM journal WHERE saga = ?1")?.execute([key])?;
            self.db.prepare_cached("DELETE FROM letter WHERE saga = ?1")?.execute([key])?;
            self.db.prepare_cached("DELETE FROM saga WHERE key = ?1")?.execute([key])?;
            self.ledger.count(Some(status), None);
        }
        Ok(old.len() as u64)
    }
}
