//! Counting what an engine does, in a task beside it.

use std::time::Duration;

use compensation::{Engine, Notice};
use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        mpsc, oneshot,
    },
    task::JoinHandle,
};

use crate::{clock, metrics::Metrics};

/// How often the store is looked at without being asked.
const LOOK: Duration = Duration::from_secs(10);

/// An engine that is being watched. Counting ends when this is dropped.
#[derive(Debug)]
pub struct Watching {
    task: JoinHandle<()>,
    ask: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

impl Metrics {
    /// Counts, from now on, what an engine tells; and looks at its store every ten seconds. An engine that says
    /// more than is counted in time is not held up: what was missed is counted as missed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use = "counting ends when this is dropped"]
    pub fn watch(&self, engine: &Engine) -> Watching {
        let (ask, asked) = mpsc::unbounded_channel();
        let task = tokio::spawn(watch(self.clone(), engine.clone(), engine.subscribe(), asked));
        Watching { task, ask }
    }
}

impl Watching {
    /// Waits until everything that was told before this call is counted.
    pub async fn caught_up(&self) {
        let (reply, counted) = oneshot::channel();
        if self.ask.send(reply).is_ok() {
            // It has ended, and counts no more.
            let _ = counted.await;
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(
    metrics: Metrics,
    engine: Engine,
    mut notices: Receiver<Notice>,
    mut asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
) {
    let mut look = clock::every(LOOK);
    loop {
        tokio::select! {
            biased;
            told = notices.recv() => match told {
                Ok(notice) => metrics.observe(&notice),
                Err(RecvError::Lagged(missed)) => metrics.missed(missed),
                Err(RecvError::Closed) => return,
            },
            Some(reply) = asked.recv() => drop(reply.send(())),
            _ = look.tick() => {
                if let Err(error) = metrics.look(&engine).await {
                    tracing::warn!(%error, "the store could not be looked at for its metrics");
                }
            }
        }
    }
}
