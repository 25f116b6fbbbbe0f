//! The thread that a store lives on, whatever it keeps: a runtime of its own, one connection that writes, and
//! group commit. It takes what is asked for until nothing more waits, and hands all of it over at once, so that
//! many share a round trip and a sync.
//!
//! A runtime of its own, because a store must be able to end properly while it is dropped, and to say that it
//! lives while the program's threads are busy.

use std::{fmt, future::Future, thread, time::Duration};

use compensation::repository::{ErrorKind, RepositoryError};
use tokio::{
    runtime::{Builder, Handle},
    sync::{mpsc, oneshot},
};

use crate::clock;

/// Jobs that may wait at once. Beyond that, whoever asks waits for room.
const QUEUE: usize = 4_096;

/// How long the thread lets jobs gather after a batch of several: who was answered together asks together again, but
/// not in the same instant, and without this the first of them would have a round trip to itself. The thread sleeps, for
/// the runtime's timers know milliseconds only; whatever else lives on it waits no longer than that.
const GATHER: Duration = Duration::from_micros(50);

/// How long an ending store tries to say farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the thread knows of its jobs. All of it is called on the thread.
pub(crate) trait Desk: 'static {
    /// A piece of work, with whoever waits for it.
    type Job: Send + 'static;

    /// Does a batch, and answers everybody in it.
    fn settle(&mut self, batch: &mut Vec<Self::Job>) -> impl Future<Output = ()>;

    /// Called when nothing was asked for a while.
    fn beat(&mut self) -> impl Future<Output = ()>;

    /// Nobody will ask any more.
    fn leave(self) -> impl Future<Output = ()>;
}

/// The thread, as the rest sees it.
pub(crate) struct Office<J> {
    /// Taken at the end, which ends the thread.
    queue: Option<mpsc::Sender<J>>,
    runtime: Handle,
    thread: Option<thread::JoinHandle<()>>,
}

impl<J: Send + 'static> Office<J> {
    /// Starts the thread.
    pub(crate) fn open<D: Desk<Job = J>>(
        name: &str,
        max_batch: usize,
        beat: Duration,
        desk: impl FnOnce() -> D + Send + 'static,
    ) -> Result<Self, RepositoryError> {
        let failed = |error: std::io::Error| {
            RepositoryError::new(ErrorKind::Temporary, format!("can't start a thread: {error}"))
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (queue, asked) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                runtime.block_on(serve(desk(), asked, max_batch, beat));
                // What is left are connections, which end with it.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self { queue: Some(queue), runtime: handle, thread: Some(thread) })
    }

    /// Has a job done, and waits until it is durable.
    pub(crate) async fn ask<T, E: From<RepositoryError>>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, E>>) -> J,
    ) -> Result<T, E> {
        let (reply, told) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.send(job(reply)).await.map_err(|_| closed())?;
        told.await.unwrap_or_else(|_| Err(closed().into()))
    }

    /// Has something done beside the jobs.
    pub(crate) async fn aside<T: Send + 'static, E: From<RepositoryError> + Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        self.runtime.spawn(work).await.unwrap_or_else(|_| Err(closed().into()))
    }
}

fn closed() -> RepositoryError {
    RepositoryError::new(ErrorKind::Permanent, "the store has been closed")
}

async fn serve<D: Desk>(
    mut desk: D,
    mut asked: mpsc::Receiver<D::Job>,
    max_batch: usize,
    beat: Duration,
) {
    let mut batch = Vec::new();
    loop {
        let taken = clock::within(beat, asked.recv_many(&mut batch, max_batch)).await;
        match taken {
            Some(0) => break,
            Some(jobs) => {
                desk.settle(&mut batch).await;
                if jobs > 1 {
                    clock::pause(GATHER);
                }
            }
            None => desk.beat().await,
        }
    }
    // A server that can't be reached finds out by itself.
    let _ = clock::within(FAREWELL, desk.leave()).await;
}

impl<J> Drop for Office<J> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by it.
            let _ = thread.join();
        }
    }
}

impl<J> fmt::Debug for Office<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Office").finish_non_exhaustive()
    }
}
