//! What is written of records, on the one thread that writes. Other processes write too, so each change reads
//! what it changes in its transaction.

use std::path::PathBuf;

use compensation::{records::RecordError, repository::RepositoryError};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::write::Done;
use crate::{commit, connection, options::SqliteOptions};

/// The writer thread, as the rest sees it.
#[derive(Debug)]
pub(super) struct Writer(commit::Writer<Box<dyn Change>>);

impl Writer {
    /// Opens the file and starts the thread.
    pub(super) fn start(path: PathBuf, options: SqliteOptions) -> Result<Self, RepositoryError> {
        let connection = connection::writer(&path, &options, options.create)?;
        commit::Writer::start("record-writer", (connection, path), options, Desk).map(Self)
    }

    /// Has a change made, and waits until it is durable. It may be made several times, where the
    /// transaction of an earlier time failed.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        make: impl FnMut(&Connection) -> Done<T> + Send + 'static,
    ) -> Result<T, RecordError> {
        self.0.ask(|reply| Box::new(Asked { make, done: None, reply }) as Box<dyn Change>).await
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

/// Records have no owners, so there is nothing to know.
struct Desk;

impl commit::Desk for Desk {
    type Job = Box<dyn Change>;

    fn perform(&mut self, db: &Connection, batch: &mut [Self::Job]) -> rusqlite::Result<()> {
        batch.iter_mut().try_for_each(|change| change.make(db))
    }

    fn committed(&mut self, batch: &mut Vec<Self::Job>) -> Option<Self::Job> {
        batch.drain(..).for_each(|change| change.answer(None));
        None
    }

    fn refuse(&mut self, change: Self::Job, error: RepositoryError) {
        change.answer(Some(error));
    }
}
