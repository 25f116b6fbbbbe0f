//! Word of every saga that parks: what this engine says at once, and what the store shows of others.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    time::Duration,
};

use compensation::{
    Engine, EngineError, News, Notice, SagaId, Status, Timestamp,
    repository::{Query, Summary},
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::clock;

/// How often the store is looked at for sagas that other processes parked.
const LOOK: Duration = Duration::from_secs(2);

/// Every so many looks the whole list is read, even if the number of stuck sagas is the same.
const FULL: u32 = 10;

/// Sagas read in one go.
const PAGE: usize = 500;

/// A saga that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Park {
    /// Which saga.
    pub id: SagaId,
    /// Its definition's name.
    pub saga: String,
    /// What it needs.
    pub reason: String,
    /// When it was started.
    pub created: Timestamp,
    /// When it was parked.
    pub at: Timestamp,
}

/// Tells of every saga that parks, at least once for each park: those that are stuck when it begins, those that
/// the engine parks at once, and those that other processes park on the same store within seconds. After a
/// restart it tells of all that are stuck then, again.
///
/// A park in another process that somebody mends within two seconds may go unnoticed.
///
/// ```
/// # use compensation::{Engine, repository::MemoryRepository};
/// # use compensation_metrics::Parks;
/// # async fn watch(engine: Engine) {
/// let mut parks = Parks::watch(&engine);
/// loop {
///     let park = parks.next().await;
///     eprintln!("{} {} is stuck: {}", park.saga, park.id, park.reason);
/// }
/// # }
/// ```
pub struct Parks {
    engine: Engine,
    notices: Receiver<Notice>,
    look: clock::Ticks,
    looks: u32,
    stuck: Option<u64>,
    /// The stuck sagas that were told of, and the last moment of each then.
    known: HashMap<SagaId, Timestamp>,
    due: VecDeque<Park>,
    open: bool,
}

impl Parks {
    /// Begins to watch.
    #[must_use]
    pub fn watch(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            notices: engine.subscribe(),
            look: clock::every(LOOK),
            looks: 0,
            stuck: None,
            known: HashMap::new(),
            due: VecDeque::new(),
            open: true,
        }
    }

    /// The next saga that parks.
    ///
    /// # Cancel safety
    /// Dropped before its end it loses nothing.
    pub async fn next(&mut self) -> Park {
        loop {
            if let Some(park) = self.due.pop_front() {
                return park;
            }
            tokio::select! {
                biased;
                told = self.notices.recv(), if self.open => match told {
                    Ok(notice) => self.hear(notice),
                    // What was missed is in the store.
                    Err(RecvError::Lagged(_)) => self.stuck = None,
                    Err(RecvError::Closed) => self.open = false,
                },
                _ = self.look.tick() => {
                    if let Err(error) = self.look().await {
                        tracing::warn!(%error, "the store could not be looked at for stuck sagas");
                    }
                }
            }
        }
    }

    fn hear(&mut self, notice: Notice) {
        let News::Status { status, reason } = notice.news else { return };
        if status != Status::Stuck {
            self.known.remove(&notice.id);
            return;
        }
        let told = self.known.insert(notice.id.clone(), notice.at);
        if told.is_some_and(|told| told >= notice.at) {
            // The store showed it before.
            return;
        }
        self.due.push_back(Park {
            id: notice.id,
            saga: notice.saga.to_string(),
            reason: reason.unwrap_or_default(),
            created: notice.created,
            at: notice.at,
        });
    }

    async fn look(&mut self) -> Result<(), EngineError> {
        let stuck = self.engine.counts().await?.get(Status::Stuck);
        let due = self.looks.is_multiple_of(FULL);
        self.looks = self.looks.wrapping_add(1);
        if self.stuck == Some(stuck) && !due {
            return Ok(());
        }
        let mut found = HashMap::new();
        let mut parks = VecDeque::new();
        let mut query = Query { status: vec![Status::Stuck], limit: PAGE, ..Query::default() };
        loop {
            let page = self.engine.list(query.clone()).await?;
            for saga in page.sagas {
                // Parked anew by an engine that wrote nothing into its journal, it is told by that engine.
                let known = self.known.get(&saga.id).copied().filter(|told| *told >= saga.updated);
                found.insert(saga.id.clone(), known.unwrap_or(saga.updated));
                if known.is_none() {
                    parks.push_back(park(saga));
                }
            }
            query.after = page.next;
            if page.next.is_none() {
                break;
            }
        }
        // Only now: a future that was dropped half-way has told of nothing yet.
        self.known = found;
        self.stuck = Some(stuck);
        self.due.append(&mut parks);
        Ok(())
    }
}

fn park(saga: Summary) -> Park {
    Park {
        id: saga.id,
        saga: saga.name.to_string(),
        reason: saga.head.reason.unwrap_or_default(),
        created: saga.created,
        at: saga.updated,
    }
}

impl fmt::Debug for Parks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parks").field("known", &self.known.len()).finish_non_exhaustive()
    }
}
