//! The thread that writes, whatever it writes: group commit. It takes what is asked for until nothing more
//! waits, does all of it in one transaction, and answers after the commit, so that many share one sync of the
//! disk.
//!
//! An error that leaves the state of the file in doubt closes the connection: everybody in that
//! transaction is told so, nothing more is acknowledged, and the next transaction opens it anew.

use std::{
    fmt,
    path::{Path, PathBuf},
    thread,
};

use compensation::repository::{ErrorKind, RepositoryError};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::{
    connection::{self, Identity},
    error::{again, classify, is_about_data, poisons},
    options::SqliteOptions,
};

/// Jobs that may wait at once. Beyond that, whoever asks waits for room.
const QUEUE: usize = 4_096;

/// What the thread knows of its jobs. All of it is called on the thread.
pub(crate) trait Desk: Send + 'static {
    /// A piece of work, with whoever waits for it.
    type Job: Send + 'static;

    /// Called before each transaction.
    fn prepare(&mut self) -> Result<(), RepositoryError> {
        Ok(())
    }

    /// Called before each transaction, with the connection that it will be on.
    fn enter(&mut self, _: &mut Connection) -> Result<(), RepositoryError> {
        Ok(())
    }

    /// Does a batch inside the transaction. It is done again where the transaction fails for the data of one
    /// of several.
    fn perform(&mut self, db: &Connection, batch: &mut [Self::Job]) -> rusqlite::Result<()>;

    /// The transaction is durable. Answers everybody, and returns what is to be done about those who have
    /// gone.
    fn committed(&mut self, batch: &mut Vec<Self::Job>) -> Option<Self::Job>;

    /// The transaction failed.
    fn failed(&mut self) {}

    /// Tells that a job did not come to pass.
    fn refuse(&mut self, job: Self::Job, error: RepositoryError);

    /// The thread ends; the connection is there unless its state is in doubt.
    fn leave(self, _: Option<&Connection>)
    where
        Self: Sized,
    {
    }
}

/// The thread, as the rest sees it.
pub(crate) struct Writer<J> {
    /// Taken at the end, which ends the thread.
    queue: Option<mpsc::Sender<J>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl<J: Send + 'static> Writer<J> {
    /// Starts the thread on a file that has just been opened.
    pub(crate) fn start(
        name: &str,
        (connection, path): (Connection, PathBuf),
        options: SqliteOptions,
        desk: impl Desk<Job = J>,
    ) -> Result<Self, RepositoryError> {
        let identity = Identity::read(&path)?;
        let (queue, asked) = mpsc::channel(QUEUE);
        let clerk = Clerk { path, options, identity, connection: Some(connection), desk };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || clerk.serve(asked))
            .map_err(|error| {
                RepositoryError::new(ErrorKind::Temporary, format!("can't start a thread: {error}"))
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Has a job done, and waits until it is durable.
    pub(crate) async fn ask<T, E: From<RepositoryError>>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, E>>) -> J,
    ) -> Result<T, E> {
        let ended = || RepositoryError::new(ErrorKind::Permanent, "the store has been closed");
        let (reply, told) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        queue.send(job(reply)).await.map_err(|_| ended())?;
        told.await.unwrap_or_else(|_| Err(ended().into()))
    }
}

impl<J> Drop for Writer<J> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by it.
            let _ = thread.join();
        }
    }
}

impl<J> fmt::Debug for Writer<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// What the thread has at hand.
struct Clerk<D> {
    path: PathBuf,
    options: SqliteOptions,
    identity: Identity,
    /// `None` once an error has left its state in doubt.
    connection: Option<Connection>,
    desk: D,
}

impl<D: Desk> Clerk<D> {
    fn serve(mut self, mut asked: mpsc::Receiver<D::Job>) {
        let mut batch = Vec::new();
        while asked.blocking_recv_many(&mut batch, self.options.max_batch) > 0 {
            self.settle(&mut batch);
        }
        self.desk.leave(self.connection.as_ref());
    }

    /// Does a batch, and answers everybody in it.
    fn settle(&mut self, batch: &mut Vec<D::Job>) {
        match self.commit(batch) {
            Ok(()) => {
                if let Some(job) = self.desk.committed(batch) {
                    self.settle(&mut vec![job]);
                }
            }
            // One job's data must not fail its neighbours.
            Err(Failed { about_data: true, .. }) if batch.len() > 1 => {
                for job in batch.drain(..) {
                    self.settle(&mut vec![job]);
                }
            }
            Err(Failed { error, .. }) => {
                batch.drain(..).for_each(|job| self.desk.refuse(job, again(&error)));
            }
        }
    }

    fn commit(&mut self, batch: &mut [D::Job]) -> Result<(), Failed> {
        self.identity.check(&self.path)?;
        self.desk.prepare()?;
        let mut db = match self.connection.take() {
            Some(db) => db,
            None => connection::writer(&self.path, &self.options, false)?,
        };
        // A connection on which that fails is closed: nobody knows in what state it is.
        self.desk.enter(&mut db)?;
        match self.transact(&db, batch) {
            Ok(()) => {
                self.connection = Some(db);
                Ok(())
            }
            Err(error) => {
                self.desk.failed();
                let rolled_back = db.is_autocommit() || db.execute_batch("ROLLBACK").is_ok();
                if rolled_back && !poisons(&error) {
                    self.connection = Some(db);
                }
                Err(Failed::new(&self.path, error))
            }
        }
    }

    fn transact(&mut self, db: &Connection, batch: &mut [D::Job]) -> rusqlite::Result<()> {
        db.execute_batch("BEGIN IMMEDIATE")?;
        self.desk.perform(db, batch)?;
        db.execute_batch("COMMIT")
    }
}

/// Why a batch failed.
struct Failed {
    /// Whether for something in the data of one of its jobs.
    about_data: bool,
    error: RepositoryError,
}

impl Failed {
    fn new(path: &Path, error: rusqlite::Error) -> Self {
        Self { about_data: is_about_data(&error), error: classify("write to", path, error) }
    }
}

impl From<RepositoryError> for Failed {
    fn from(error: RepositoryError) -> Self {
        Self { about_data: false, error }
    }
}
