//! What the writer knows without asking the file: how its own sagas stand, plans seen before, and
//! changes of the counts that are written once a transaction.
//!
//! Only this process writes to sagas that it owns, so its knowledge of them is as good as the file's.

use std::{collections::HashMap, sync::Arc};

use compensation::{Status, repository::Head};
use rusqlite::{Connection, OptionalExtension as _};

use crate::rows::{self, PLANS, Texts};

#[derive(Default)]
pub(super) struct Ledger {
    /// The sagas that this owner owns.
    pub(super) owned: HashMap<i64, Held>,
    /// Owners found dead in this transaction.
    pub(super) dead: Vec<i64>,
    /// Sagas that became this owner's in this transaction.
    pub(super) taken: Vec<i64>,
    plans: HashMap<Arc<str>, i64>,
    pub(super) texts: Texts,
    counts: [i64; Status::ALL.len()],
}

/// A saga that this owner owns.
pub(super) struct Held {
    pub(super) entries: u32,
    pub(super) head: Head,
}

impl Ledger {
    /// Reads back what this owner owns.
    pub(super) fn read(db: &Connection, owner: i64) -> rusqlite::Result<Self> {
        let mut ledger = Self::default();
        let mut all = db.prepare_cached(
            "SELECT key, status, reason, (SELECT count(*) FROM journal WHERE saga = saga.key) + 1
             FROM saga WHERE owner IS NOT NULL AND owner = ?1",
        )?;
        let mut rows = all.query([owner])?;
        while let Some(row) = rows.next()? {
            let head = Head { status: rows::status(row.get(1)?), reason: row.get(2)? };
            ledger.owned.insert(row.get(0)?, Held { entries: row.get(3)?, head });
        }
        drop(rows);
        drop(all);
        Ok(ledger)
    }

    /// A saga is this owner's from now on.
    pub(super) fn own(&mut self, key: i64, held: Held) {
        if self.owned.insert(key, held).is_none() {
            self.taken.push(key);
        }
    }

    /// A saga stands otherwise: `None` before it is there and after it is deleted.
    pub(super) fn count(&mut self, before: Option<Status>, after: Option<Status>) {
        if let Some(before) = before {
            self.counts[rows::code(before) as usize] -= 1;
        }
        if let Some(after) = after {
            self.counts[rows::code(after) as usize] += 1;
        }
    }

    pub(super) fn write_counts(&mut self, db: &Connection) -> rusqlite::Result<()> {
        for (code, change) in std::mem::take(&mut self.counts).into_iter().enumerate() {
            if change != 0 {
                db.prepare_cached("UPDATE counts SET sagas = sagas + ?2 WHERE status = ?1")?
                    .execute((code as i64, change))?;
            }
        }
        Ok(())
    }

    /// The number of a plan, which is stored once.
    pub(super) fn plan(
        &mut self,
        db: &Connection,
        name: &str,
        text: &Arc<str>,
    ) -> rusqlite::Result<i64> {
        if let Some(&known) = self.plans.get(text) {
            return Ok(known);
        }
        let hash = hash(text);
        let id = db
            .prepare_cached("SELECT id FROM plan WHERE hash = ?1 AND body = ?2 AND name = ?3")?
            .query_row((hash, &**text, name), |row| row.get(0))
            .optional()?;
        let id = match id {
            Some(id) => id,
            None => db
                .prepare_cached("INSERT INTO plan (name, hash, body) VALUES (?1, ?2, ?3)")?
                .insert((name, hash, &**text))?,
        };
        if self.plans.len() >= PLANS {
            self.plans.clear();
        }
        self.plans.insert(text.clone(), id);
        Ok(id)
    }
}

/// FNV-1a, 64 bit: stored, so it must be the same for ever. A clash costs a comparison, no more.
fn hash(text: &str) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for &byte in text.as_bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash.cast_signed()
}
