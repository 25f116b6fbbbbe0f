//! What is written of sagas, on the one thread that writes: which pieces of work there are, and what their
//! owner knows without asking the file.

mod entries;
mod ledger;
mod takeover;
mod work;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use compensation::repository::RepositoryError;
use rusqlite::Connection;

use crate::{
    commit, connection,
    options::SqliteOptions,
    owner::{self, Owner},
};
use ledger::Ledger;
pub(crate) use work::Work;
use work::{Answer, Session};

/// The writer thread, as the rest sees it.
#[derive(Debug)]
pub(crate) struct Writer {
    thread: commit::Writer<Work>,
    own: Arc<OnceLock<i64>>,
}

impl Writer {
    /// Opens the file and starts the thread, which becomes an owner with its first piece of work: who only reads
    /// writes nothing.
    pub(crate) fn start(path: PathBuf, options: SqliteOptions) -> Result<Self, RepositoryError> {
        let connection = connection::writer(&path, &options, options.create)?;
        connection::check_writable(&connection, &path)?;
        let own = Arc::<OnceLock<i64>>::default();
        let desk = Desk {
            path: path.clone(),
            own: own.clone(),
            owner: None,
            ledger: Some(Ledger::default()),
            in_doubt: Vec::new(),
        };
        let thread = commit::Writer::start("saga-writer", (connection, path), options, desk)?;
        Ok(Self { thread, own })
    }

    /// The owner's number, once it has one. It is there before anything becomes the owner's.
    pub(crate) fn own(&self) -> Arc<OnceLock<i64>> {
        self.own.clone()
    }

    /// Has a piece of work done, and waits until it is durable.
    pub(crate) async fn ask<T>(
        &self,
        work: impl FnOnce(Answer<T>) -> Work,
    ) -> Result<T, RepositoryError> {
        self.thread.ask(|reply| work(Answer::to(reply))).await
    }
}

/// What the thread knows of its sagas.
struct Desk {
    path: PathBuf,
    own: Arc<OnceLock<i64>>,
    /// `None` until the first piece of work.
    owner: Option<Owner>,
    /// `None` once a transaction has failed: it is read back from the file.
    ledger: Option<Ledger>,
    /// What a failed transaction would have made this owner's, or was taken for somebody who has gone. Nobody was
    /// told, so nobody drives it: what of it is this owner's in the file is let go by the next transaction that
    /// succeeds.
    in_doubt: Vec<i64>,
}

impl commit::Desk for Desk {
    type Job = Work;

    fn prepare(&mut self) -> Result<(), RepositoryError> {
        self.owner.as_mut().map_or(Ok(()), Owner::hold)
    }

    fn enter(&mut self, db: &mut Connection) -> Result<(), RepositoryError> {
        if self.owner.is_none() {
            let owner = Owner::enter(db, &self.path)?;
            self.own.get_or_init(|| owner.id);
            self.owner = Some(owner);
        }
        Ok(())
    }

    fn perform(&mut self, db: &Connection, batch: &mut [Work]) -> rusqlite::Result<()> {
        let Self { path, owner: Some(owner), ledger, in_doubt, .. } = self else {
            // It has entered before, or the transaction would not have begun.
            return Err(rusqlite::Error::InvalidQuery);
        };
        if owner.was_buried(db)? {
            *ledger = None;
        }
        let ledger = match ledger {
            Some(ledger) => ledger,
            empty => empty.insert(Ledger::read(db, owner.id)?),
        };
        let mut session = Session { db, ledger, path, owner: owner.id };
        session.release_all(in_doubt)?;
        for work in batch {
            work.perform(&mut session)?;
        }
        session.ledger.write_counts(db)
    }

    fn committed(&mut self, batch: &mut Vec<Work>) -> Option<Work> {
        self.in_doubt.clear();
        if let Some(ledger) = &mut self.ledger {
            ledger.taken.clear();
            owner::clear_away(&self.path, &std::mem::take(&mut ledger.dead));
        }
        let strays = batch.drain(..).flat_map(Work::answer);
        self.in_doubt.extend(strays.map(|key| key.0));
        // At once; where that fails, with whatever is written next.
        (!self.in_doubt.is_empty()).then(|| Work::Release(Vec::new(), Answer::to_nobody()))
    }

    fn failed(&mut self) {
        self.in_doubt.extend(self.ledger.take().into_iter().flat_map(|ledger| ledger.taken));
    }

    fn refuse(&mut self, work: Work, error: RepositoryError) {
        work.refuse(error);
    }

    /// Ends as an owner. Whatever fails here, the end of the process does as well.
    fn leave(self, connection: Option<&Connection>) {
        if let (Some(owner), Some(connection)) = (self.owner, connection)
            && let Err(error) = owner.leave(connection)
        {
            tracing::debug!(%error, "the store was left without a farewell");
        }
    }
}
