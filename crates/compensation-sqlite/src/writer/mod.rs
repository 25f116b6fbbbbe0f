//! The one thread that writes. It takes what is asked for until nothing more waits, does all of it in one
//! transaction, and answers after the commit: many sagas' writes share one sync of the disk.
//!
//! An error that leaves the state of the file in doubt closes the connection: everybody in that
//! transaction is told so, nothing more is acknowledged, and the next transaction opens it anew.

mod entries;
mod ledger;
mod takeover;
mod work;

use std::{path::PathBuf, thread};

use compensation::repository::{ErrorKind, RepositoryError};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::{
    connection::{self, Identity},
    error::{again, classify, is_about_data, poisons},
    options::SqliteOptions,
    owner::{self, Owner},
};
use ledger::Ledger;
pub(crate) use work::Work;
use work::{Answer, Session};

/// Writes that may wait at once. Beyond that, whoever asks waits for room.
const QUEUE: usize = 4_096;

/// The writer thread, as the rest sees it.
#[derive(Debug)]
pub(crate) struct Writer {
    /// Taken at the end, which ends the thread.
    queue: Option<mpsc::Sender<Work>>,
    thread: Option<thread::JoinHandle<()>>,
    owner: i64,
}

impl Writer {
    /// Opens the file, becomes an owner, and starts the thread.
    pub(crate) fn start(path: PathBuf, options: SqliteOptions) -> Result<Self, RepositoryError> {
        let mut connection = connection::writer(&path, &options, options.create)?;
        let identity = Identity::read(&path)?;
        let owner = Owner::enter(&mut connection, &path)?;
        let (queue, asked) = mpsc::channel(QUEUE);
        let id = owner.id;
        let desk = Desk {
            path,
            options,
            identity,
            owner,
            connection: Some(connection),
            ledger: Some(Ledger::default()),
            in_doubt: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("saga-writer".to_owned())
            .spawn(move || desk.serve(asked))
            .map_err(|error| {
                RepositoryError::new(ErrorKind::Temporary, format!("can't start a thread: {error}"))
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread), owner: id })
    }

    pub(crate) fn owner(&self) -> i64 {
        self.owner
    }

    /// Has a piece of work done, and waits until it is durable.
    pub(crate) async fn ask<T>(
        &self,
        work: impl FnOnce(Answer<T>) -> Work,
    ) -> Result<T, RepositoryError> {
        let ended = || RepositoryError::new(ErrorKind::Permanent, "the store has been closed");
        let (reply, told) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        queue.send(work(Answer::to(reply))).await.map_err(|_| ended())?;
        told.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by it.
            let _ = thread.join();
        }
    }
}

/// What the writer thread has at hand.
struct Desk {
    path: PathBuf,
    options: SqliteOptions,
    identity: Identity,
    owner: Owner,
    /// `None` once an error has left its state in doubt.
    connection: Option<Connection>,
    /// `None` once a transaction has failed: it is read back from the file.
    ledger: Option<Ledger>,
    /// What a failed transaction would have made this owner's. Nobody was told, so nobody drives it: should it
    /// be in the file after all, it is let go.
    in_doubt: Vec<i64>,
}

impl Desk {
    fn serve(mut self, mut asked: mpsc::Receiver<Work>) {
        let mut batch = Vec::new();
        while asked.blocking_recv_many(&mut batch, self.options.max_batch) > 0 {
            self.settle(&mut batch);
        }
        self.leave();
    }

    /// Does a batch, and answers everybody in it.
    fn settle(&mut self, batch: &mut Vec<Work>) {
        let mut strays = Vec::new();
        match self.commit(batch) {
            Ok(()) => batch.drain(..).for_each(|work| strays.extend(work.answer())),
            // One write's data must not fail its neighbours.
            Err(Failed::Data(_)) if batch.len() > 1 => {
                for work in batch.drain(..) {
                    self.settle(&mut vec![work]);
                }
            }
            Err(Failed::Data(error) | Failed::Store(error)) => {
                batch.drain(..).for_each(|work| work.refuse(again(&error)));
            }
        }
        if !strays.is_empty() {
            // Nobody waits any more for what was taken for them.
            self.settle(&mut vec![Work::Release(strays, Answer::to_nobody())]);
        }
    }

    fn commit(&mut self, batch: &mut [Work]) -> Result<(), Failed> {
        self.identity.check(&self.path)?;
        self.owner.hold()?;
        let db = match self.connection.take() {
            Some(db) => db,
            None => connection::writer(&self.path, &self.options, false)?,
        };
        let Self { path, owner, connection, ledger, in_doubt, .. } = self;
        match transact(&db, ledger, in_doubt, path, owner, batch) {
            Ok(dead) => {
                *connection = Some(db);
                in_doubt.clear();
                owner::clear_away(path, &dead);
                Ok(())
            }
            Err(error) => {
                in_doubt.extend(ledger.take().into_iter().flat_map(|ledger| ledger.taken));
                let rolled_back = db.is_autocommit() || db.execute_batch("ROLLBACK").is_ok();
                if rolled_back && !poisons(&error) {
                    *connection = Some(db);
                }
                let about_data = is_about_data(&error);
                let error = classify("write to", path, error);
                Err(if about_data { Failed::Data(error) } else { Failed::Store(error) })
            }
        }
    }

    /// Ends as an owner. Whatever fails here, the end of the process does as well.
    fn leave(self) {
        if let Some(connection) = &self.connection
            && let Err(error) = self.owner.leave(connection)
        {
            tracing::debug!(%error, "the store was left without a farewell");
        }
    }
}

fn transact(
    db: &Connection,
    ledger: &mut Option<Ledger>,
    in_doubt: &[i64],
    path: &std::path::Path,
    owner: &Owner,
    batch: &mut [Work],
) -> rusqlite::Result<Vec<i64>> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let buried = owner.was_buried(db)?;
    if buried {
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
    session.ledger.write_counts(db)?;
    db.execute_batch("COMMIT")?;
    ledger.taken.clear();
    Ok(std::mem::take(&mut ledger.dead))
}

/// Why a batch failed.
enum Failed {
    /// For something in the data of one of its writes.
    Data(RepositoryError),
    /// For something in the store.
    Store(RepositoryError),
}

impl From<RepositoryError> for Failed {
    fn from(error: RepositoryError) -> Self {
        Self::Store(error)
    }
}
