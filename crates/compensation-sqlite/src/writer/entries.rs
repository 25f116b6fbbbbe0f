//! Writing to sagas: their start, each further entry, and letting them go.

use compensation::{
    Status,
    repository::{Append, Created, ErrorKind, Head, NewSaga, RepositoryError, SagaKey},
};
use rusqlite::OptionalExtension as _;

use super::{ledger::Held, work::Session};
use crate::rows;

impl Session<'_> {
    pub(super) fn create(&mut self, saga: &NewSaga) -> rusqlite::Result<Created> {
        let plan = self.ledger.plan(self.db, &saga.name, &saga.plan)?;
        let Head { status, reason } = &saga.head;
        let owner = status.is_open().then_some(self.owner);
        let at = saga.entry.at.as_millis();
        let written = self
            .db
            .prepare_cached(
                "INSERT INTO saga (id, plan, status, owner, created, updated, reason, input, start)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
            )?
            .execute((
                saga.id.as_str(),
                plan,
                rows::code(*status),
                owner,
                at,
                reason,
                &saga.input,
                &saga.entry.body,
            ))?;
        if written == 0 {
            return Ok(Created::Existing);
        }
        let key = self.db.last_insert_rowid();
        self.ledger.count(None, Some(*status));
        if owner.is_some() {
            self.ledger.own(key, Held { entries: 1, head: saga.head.clone() });
        }
        Ok(Created::New(SagaKey(key)))
    }

    pub(super) fn append(
        &mut self,
        append: &Append,
    ) -> rusqlite::Result<Result<(), RepositoryError>> {
        let key = append.key.0;
        let entries = self.ledger.owned.get(&key).map(|held| held.entries);
        match entries {
            Some(entries) if append.seq == entries => self.write(append).map(Ok),
            Some(entries) if append.seq > entries => Ok(Err(refused(append, "would leave a gap"))),
            Some(_) => Ok(match self.body(append)? {
                Some(there) if there == append.entry.body => Ok(()),
                _ => Err(refused(append, "is there already and says something else")),
            }),
            // Written before, with the end of ownership: repeating it is harmless.
            None => {
                let is_there = self.body(append)?.is_some_and(|there| there == append.entry.body);
                let free = self.owner_of(append.key)? == Some(None);
                Ok(if is_there && free { Ok(()) } else { Err(not_owner(append.key)) })
            }
        }
    }

    fn write(&mut self, append: &Append) -> rusqlite::Result<()> {
        let Append { key, seq, entry, head } = append;
        let at = entry.at.as_millis();
        self.db
            .prepare_cached("INSERT INTO journal (saga, seq, at, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute((key.0, seq, at, &entry.body))?;
        let Some(held) = self.ledger.owned.get_mut(&key.0) else { return Ok(()) };
        held.entries += 1;
        if held.head == *head {
            return Ok(());
        }
        let before = std::mem::replace(&mut held.head, head.clone()).status;
        let owner = head.status.is_open().then_some(self.owner);
        self.db
            .prepare_cached(
                "UPDATE saga SET status = ?2, reason = ?3, updated = ?4, owner = ?5 WHERE key = ?1",
            )?
            .execute((key.0, rows::code(head.status), &head.reason, at, owner))?;
        self.ledger.count(Some(before), Some(head.status));
        if owner.is_none() {
            self.ledger.owned.remove(&key.0);
        }
        Ok(())
    }

    pub(super) fn park(
        &mut self,
        key: SagaKey,
        reason: &str,
    ) -> rusqlite::Result<Result<(), RepositoryError>> {
        let Some(held) = self.ledger.owned.remove(&key.0) else { return Ok(Err(not_owner(key))) };
        self.db
            .prepare_cached(
                "UPDATE saga SET status = ?2, reason = ?3, owner = NULL WHERE key = ?1",
            )?
            .execute((key.0, rows::code(Status::Stuck), reason))?;
        self.ledger.count(Some(held.head.status), Some(Status::Stuck));
        Ok(Ok(()))
    }

    pub(super) fn release(&mut self, keys: &[SagaKey]) -> rusqlite::Result<()> {
        let keys: Vec<_> = keys.iter().map(|key| key.0).collect();
        self.release_all(&keys)
    }

    pub(super) fn release_all(&mut self, keys: &[i64]) -> rusqlite::Result<()> {
        for &key in keys {
            if self.ledger.owned.remove(&key).is_some() {
                self.db
                    .prepare_cached("UPDATE saga SET owner = NULL WHERE key = ?1")?
                    .execute([key])?;
            }
        }
        Ok(())
    }

    /// The body of the entry of that number, if there is one.
    fn body(&self, append: &Append) -> rusqlite::Result<Option<String>> {
        let text = match append.seq {
            0 => "SELECT start FROM saga WHERE key = ?1 AND ?2 = 0",
            _ => "SELECT body FROM journal WHERE saga = ?1 AND seq = ?2",
        };
        let mut find = self.db.prepare_cached(text)?;
        find.query_row((append.key.0, append.seq), |row| row.get(0)).optional()
    }

    /// `None`: no such saga. `Some(None)`: it belongs to nobody.
    fn owner_of(&self, key: SagaKey) -> rusqlite::Result<Option<Option<i64>>> {
        let mut find = self.db.prepare_cached("SELECT owner FROM saga WHERE key = ?1")?;
        find.query_row([key.0], |row| row.get(0)).optional()
    }
}

fn refused(append: &Append, why: &str) -> RepositoryError {
    let Append { key, seq, .. } = append;
    let message = format!("entry {seq} of saga number {} {why}", key.0);
    RepositoryError::new(ErrorKind::Permanent, message)
}

fn not_owner(key: SagaKey) -> RepositoryError {
    let message = format!("saga number {} belongs to another owner, or to none", key.0);
    RepositoryError::new(ErrorKind::NotOwner, message)
}
