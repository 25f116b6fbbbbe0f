//! What is written of sagas, on the one thread that writes: which pieces of work there are, and what their
//! owner knows without asking the file.

mod entries;
mod ledger;
mod takeover;
mod work;

use std::path::PathBuf;

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
    owner: i64,
}

impl Writer {
    /// Opens the file, becomes an owner, and starts the thread.
    pub(crate) fn start(path: PathBuf, options: SqliteOptions) -> Result<Self, RepositoryError> {
        let mut connection = connection::writer(&path, &options, options.create)?;
        let owner = Owner::enter(&mut connection, &path)?;
        let id = owner.id;
        let desk = Desk {
            path: path.clone(),
            owner,
            ledger: Some(Ledger::default()),
            in_doubt: Vec::new(),
        };
        let thread = commit::Writer::start("saga-writer", (connection, path), options, desk)?;
        Ok(Self { thread, owner: id })
    }

    pub(crate) fn owner(&self) -> i64 {
        self.owner
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
    owner: Owner,
    /// `None` once a transaction has failed: it is read back from the file.
    ledger: Option<Ledger>,
    /// What a failed transaction would have made this owner's. Nobody was told, so nobody drives it: should it
    /// be in the file after all, it is let go.
    in_doubt: Vec<i64>,
}

impl commit::Desk for Desk {
    type Job = Work;

    fn prepare(&mut self) -> Result<(), RepositoryError> {
        self.owner.hold()
    }

    fn perform(&mut self, db: &Connection, batch: &mut [Work]) -> rusqlite::Result<()> {
        let Self { path, owner, ledger, in_doubt } = self;
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
        let strays: Vec<_> = batch.drain(..).flat_map(Work::answer).collect();
        // Nobody waits any more for what was taken for them.
        (!strays.is_empty()).then(|| Work::Release(strays, Answer::to_nobody()))
    }

    fn failed(&mut self) {
        self.in_doubt.extend(self.ledger.take().into_iter().flat_map(|ledger| ledger.taken));
    }

    fn refuse(&mut self, work: Work, error: RepositoryError) {
        work.refuse(error);
    }

    /// Ends as an owner. Whatever fails here, the end of the process does as well.
    fn leave(self, connection: Option<&Connection>) {
        if let Some(connection) = connection
            && let Err(error) = self.owner.leave(connection)
        {
            tracing::debug!(%error, "the store was left without a farewell");
        }
    }
}
