//! The one thread of a repository of records that writes: what waits at once shares a transaction and its
//! sync, as with sagas. Other processes write too, so each change reads what it changes in its transaction.

use std::{path::PathBuf, thread};

use compensation::{
    records::RecordError,
    repository::{ErrorKind, RepositoryError},
};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::write::Done;
use crate::{
    connection::{self, Identity},
    error::{again, classify, is_about_data, poisons},
    options::SqliteOptions,
};

/// Changes that may wait at once. Beyond that, whoever asks waits for room.
const QUEUE: usize = 4_096;

/// The writer thread, as the rest sees it.
#[derive(Debug)]
pub(super) struct Writer {
    /// Taken at the end, which ends the thread.
    queue: Option<mpsc::Sender<Box<dyn Change>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Opens the file and starts the thread.
    pub(super) fn start(path: PathBuf, options: SqliteOptions) -> Result<Self, RepositoryError> {
        let connection = connection::writer(&path, &options, options.create)?;
        let identity = Identity::read(&path)?;
        let (queue, asked) = mpsc::channel(QUEUE);
        let desk = Desk { path, options, identity, connection: Some(connection) };
        let thread = thread::Builder::new()
            .name("record-writer".to_owned())
            .spawn(move || desk.serve(asked))
            .map_err(|error| {
                RepositoryError::new(ErrorKind::Temporary, format!("can't start a thread: {error}"))
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Has a change made, and waits until it is durable. It may be made several times, where the
    /// transaction of an earlier time failed.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        make: impl FnMut(&Connection) -> Done<T> + Send + 'static,
    ) -> Result<T, RecordError> {
        let ended = || RepositoryError::new(ErrorKind::Permanent, "the store has been closed");
        let (reply, told) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        let asked = Box::new(Asked { make, done: None, reply });
        queue.send(asked).await.map_err(|_| ended())?;
        told.await.unwrap_or_else(|_| Err(ended().into()))
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

/// A change that somebody waits for.
trait Change: Send {
    /// Makes it, inside the transaction. An error fails the whole transaction.
    fn make(&mut self, db: &Connection) -> rusqlite::Result<()>;

    /// Answers, after the commit or after its failure.
    fn answer(self: Box<Self>, failed: Option<RepositoryError>);
}

struct Asked<T, M> {
    make: M,
    done: Option<Result<T, RecordError>>,
    reply: oneshot::Sender<Result<T, RecordError>>,
}

impl<T: Send, M: FnMut(&Connection) -> Done<T> + Send> Change for Asked<T, M> {
    fn make(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.done = Some((self.make)(db)?);
        Ok(())
    }

    fn answer(self: Box<Self>, failed: Option<RepositoryError>) {
        if let Some(answer) = failed.map(|error| Err(error.into())).or(self.done) {
            // Whoever asked may have gone.
            let _ = self.reply.send(answer);
        }
    }
}

/// What the writer thread has at hand.
struct Desk {
    path: PathBuf,
    options: SqliteOptions,
    identity: Identity,
    /// `None` once an error has left its state in doubt.
    connection: Option<Connection>,
}

impl Desk {
    fn serve(mut self, mut asked: mpsc::Receiver<Box<dyn Change>>) {
        let mut batch = Vec::new();
        while asked.blocking_recv_many(&mut batch, self.options.max_batch) > 0 {
            self.settle(&mut batch);
        }
    }

    /// Makes the changes of a batch, and answers everybody in it.
    fn settle(&mut self, batch: &mut Vec<Box<dyn Change>>) {
        match self.commit(batch) {
            Ok(()) => batch.drain(..).for_each(|change| change.answer(None)),
            // One change's data must not fail its neighbours.
            Err(Failed { about_data: true, .. }) if batch.len() > 1 => {
                for change in batch.drain(..) {
                    self.settle(&mut vec![change]);
                }
            }
            Err(Failed { error, .. }) => {
                batch.drain(..).for_each(|change| change.answer(Some(again(&error))));
            }
        }
    }

    fn commit(&mut self, batch: &mut [Box<dyn Change>]) -> Result<(), Failed> {
        self.identity.check(&self.path)?;
        let db = match self.connection.take() {
            Some(db) => db,
            None => connection::writer(&self.path, &self.options, false)?,
        };
        match transact(&db, batch) {
            Ok(()) => {
                self.connection = Some(db);
                Ok(())
            }
            Err(error) => {
                let rolled_back = db.is_autocommit() || db.execute_batch("ROLLBACK").is_ok();
                if rolled_back && !poisons(&error) {
                    self.connection = Some(db);
                }
                let about_data = is_about_data(&error);
                Err(Failed { about_data, error: classify("write to", &self.path, error) })
            }
        }
    }
}

fn transact(db: &Connection, batch: &mut [Box<dyn Change>]) -> rusqlite::Result<()> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    for change in batch {
        change.make(db)?;
    }
    db.execute_batch("COMMIT")
}

/// Why a batch failed.
struct Failed {
    /// Whether for something in the data of one of its changes.
    about_data: bool,
    error: RepositoryError,
}

impl From<RepositoryError> for Failed {
    fn from(error: RepositoryError) -> Self {
        Self { about_data: false, error }
    }
}
