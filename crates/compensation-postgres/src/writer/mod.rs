//! What is written of sagas, on the store's thread: which pieces of work there are, and what their owner knows
//! without asking the server.
//!
//! Where the connection is lost, nobody knows what became of the last statement, nor whether this owner has
//! been found dead since. The next connection finds out both before anything more is written: it goes on as the
//! same owner if nobody has buried it, and as another one, that owns nothing, if somebody has.

mod batch;
mod entries;
mod ledger;
mod mail;
mod sheet;
mod takeover;
mod work;

use std::{collections::HashMap, sync::Arc, time::Duration};

use compensation::repository::{ErrorKind, Head, RepositoryError, SagaKey};
use tokio::sync::oneshot;
use tokio_postgres::{Error, error::SqlState};

use crate::{
    connection::Target,
    error::{again, classify, collided, is_about_data, poisons},
    office,
    rows::{self, Plans},
    session::{Post, Session},
};
use ledger::{Held, Ledger};
pub(crate) use work::Work;

/// How often the store says that it lives, within the time that it may be silent.
const BEATS: u32 = 5;

/// How often a write that the server undid because of others is tried again before its caller is told.
const COLLISIONS: u32 = 5;

/// What an owner has, by its number, as the tables say.
const OWNED: &str = "SELECT key, status, reason,
        coalesce((SELECT max(seq) FROM journal WHERE journal.saga = saga.key), 0) + 1
    FROM saga WHERE owner = $1";

const FORGET: &str = "UPDATE saga SET owner = NULL WHERE owner = $1 AND key = ANY ($2)";

/// The thread that writes, as the rest sees it.
pub(crate) type Writer = office::Office<Work>;

/// Starts the thread.
pub(crate) fn start(
    target: Target,
    post: Post,
    plans: Arc<Plans>,
    max_batch: usize,
    silence: Duration,
) -> Result<Writer, RepositoryError> {
    office::Office::open("saga-writer", max_batch, silence / BEATS, move || Desk {
        target,
        post,
        plans,
        silence,
        session: None,
        owner: None,
        owners: Vec::new(),
        ledger: Ledger::default(),
    })
}

/// What the thread knows.
struct Desk {
    target: Target,
    post: Post,
    plans: Arc<Plans>,
    silence: Duration,
    /// `None` once an error has left its state in doubt.
    session: Option<Session>,
    /// Which owner this store is. Kept when the connection is lost.
    owner: Option<i32>,
    /// Which owners it has been, this one included.
    owners: Vec<i32>,
    ledger: Ledger,
}

/// A session, and the owner that it proves.
struct Pen<'a> {
    session: &'a mut Session,
    owner: i32,
    owners: &'a [i32],
    ledger: &'a mut Ledger,
    plans: &'a Plans,
    channel: &'a str,
}

/// Why a piece of work did not come to pass.
enum Failed {
    Server(Error),
    /// The server refused to read what has just become this owner's, so that nobody here knows of it.
    Unread(Error),
    /// This owner has been found dead.
    Buried,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl office::Desk for Desk {
    type Job = Work;

    async fn settle(&mut self, batch: &mut Vec<Work>) {
        let (shared, alone): (Vec<_>, Vec<_>) = batch.drain(..).partition(Work::is_shared);
        if !shared.is_empty() {
            self.write(shared).await;
        }
        let mut strays = Vec::new();
        for work in alone {
            strays.extend(self.perform(work).await);
        }
        if !strays.is_empty() {
            self.let_go(strays).await;
        }
    }

    async fn beat(&mut self) {
        if self.owner.is_none() {
            // Nothing has been written yet, and nothing is owned.
            return;
        }
        if let Some(session) = &self.session
            && let Err(error) = session.beat().await
        {
            tracing::debug!(%error, "the store's connection was lost");
            self.session = None;
        }
        if let Err(error) = self.pen().await {
            tracing::warn!(%error, "the store is not connected; it is tried again");
        }
    }

    async fn leave(mut self) {
        let (Some(session), Some(owner)) = (&mut self.session, self.owner) else { return };
        if let Err(error) = takeover::leave(session, owner, &self.post.channel).await {
            tracing::debug!(%error, "the store was left without a farewell");
        }
    }
}

impl Desk {
    /// Lets go what was taken for somebody who has gone.
    async fn let_go(&mut self, strays: Vec<SagaKey>) {
        let (to, told) = oneshot::channel();
        self.write(vec![Work::Release(strays.clone(), to)]).await;
        if !matches!(told.await, Ok(Ok(()))) {
            // The next connection finds what nobody here knows of, and lets it go.
            strays.iter().for_each(|key| self.ledger.lose(key.0));
            self.session = None;
        }
    }

    /// Connects where that must be, and goes on as the owner that this store was, if nobody has buried it.
    async fn connect(&mut self) -> Result<(), RepositoryError> {
        if self.session.as_ref().is_some_and(|session| !session.is_closed()) {
            return Ok(());
        }
        self.session = None;
        let failed = |error| classify("write to", self.target.place(), error);
        let mut session = Session::open(&self.target, &self.post).await?;
        // It may be another server's, or what was restored: numbers of plans are asked for anew.
        self.plans.clear();
        if let Some(owner) = self.owner {
            if session.rejoin(owner).await.map_err(failed)? {
                read_back(&mut session, owner, &mut self.ledger).await.map_err(failed)?;
            } else {
                tracing::warn!("other processes have taken this store's sagas");
                self.owner = None;
            }
        }
        self.session = Some(session);
        Ok(())
    }

    /// Connects where that must be, and finds out which owner this is.
    async fn pen(&mut self) -> Result<Pen<'_>, RepositoryError> {
        // Once the server has let it in and work. Whoever has changed a password or a role since may not be done: sagas
        // wait for that as they wait for a server that is away.
        let may_pass = !self.owners.is_empty();
        let told = |error: RepositoryError| match error.kind() {
            ErrorKind::Permanent if may_pass => error.as_kind(ErrorKind::Temporary),
            _ => error,
        };
        self.connect().await.map_err(told)?;
        let Some(session) = &mut self.session else { return Err(unconnected()) };
        let owner = match self.owner {
            Some(owner) => owner,
            None => {
                self.ledger.clear();
                let entered = session.enter(self.silence.as_secs_f64()).await;
                let failed = |error| told(classify("write to", self.target.place(), error));
                let owner = entered.map_err(failed)?;
                self.owners.push(owner);
                *self.owner.insert(owner)
            }
        };
        let (ledger, plans, channel) = (&mut self.ledger, &*self.plans, &*self.post.channel);
        Ok(Pen { session, owner, owners: &self.owners, ledger, plans, channel })
    }

    /// Stores a plan. Whoever only does that owns nothing, and is no owner.
    async fn define(&mut self, name: &Arc<str>, text: &Arc<str>) -> Result<i32, RepositoryError> {
        self.connect().await?;
        let Some(session) = &self.session else { return Err(unconnected()) };
        self.plans.store(&session.client, name, text).await.map_err(|error| {
            if poisons(&error) {
                self.session = None;
            }
            classify("write to", self.target.place(), error)
        })
    }

    /// Does something as the owner, again where the server undid it because of others, or where this owner was
    /// found dead: as the next one, then.
    async fn try_to<T>(
        &mut self,
        mut work: impl AsyncFnMut(Pen<'_>) -> Result<T, Failed>,
    ) -> Result<T, Refused> {
        let mut left = COLLISIONS;
        loop {
            let pen = self.pen().await?;
            match work(pen).await {
                Ok(done) => return Ok(done),
                Err(Failed::Buried) if left > 0 => {
                    tracing::warn!("other processes have taken this store's sagas");
                    self.owner = None;
                }
                Err(Failed::Server(error)) if collided(&error) && left > 0 => {}
                Err(Failed::Buried) => return Err(unconnected().into()),
                Err(Failed::Unread(error)) => {
                    // The next connection finds it, and lets it go.
                    self.session = None;
                    return Err(classify("read", self.target.place(), error).into());
                }
                Err(Failed::Server(error)) => {
                    if poisons(&error) {
                        self.session = None;
                    }
                    let cause = Cause::of(&error);
                    let error = classify("write to", self.target.place(), error);
                    return Err(Refused { error, cause });
                }
            }
            left -= 1;
        }
    }

    /// Does a piece of work that shares nothing. Returns the sagas that were taken for somebody who has gone.
    async fn perform(&mut self, work: Work) -> Vec<SagaKey> {
        match work {
            Work::Definition(name, text, to) => {
                let _ = to.send(self.define(&name, &text).await);
            }
            Work::Recover(to) => {
                let _ = to.send(self.told(async |mut pen| pen.recover().await).await);
            }
            Work::Claim(limit, to) => {
                let claimed = self.told(async |mut pen| pen.claim(limit).await).await;
                if let Err(Ok(sagas)) = to.send(claimed) {
                    return sagas.into_iter().map(|saga| saga.key).collect();
                }
            }
            Work::Acquire(id, to) => {
                let acquired = self.told(async |mut pen| pen.acquire(&id).await).await;
                if let Err(Ok(compensation::repository::Acquired::Owned(saga))) = to.send(acquired)
                {
                    return vec![saga.key];
                }
            }
            Work::Purge(before, limit, to) => {
                let _ = to.send(self.told(async |mut pen| pen.purge(before, limit).await).await);
            }
            Work::Post(letter, to) => {
                let _ = to.send(self.told(async |mut pen| pen.post(&letter).await).await);
            }
            Work::Inbox(limit, to) => {
                let _ = to.send(self.told(async |mut pen| pen.inbox(limit).await).await);
            }
            Work::Take(key, to) => {
                let _ = to.send(self.told(async |mut pen| pen.take(&key).await).await);
            }
            Work::Answer(key, answer, to) => {
                let _ = to.send(self.told(async |mut pen| pen.answer(&key, &answer).await).await);
            }
            Work::Withdraw(key, to) => {
                let _ = to.send(self.told(async |mut pen| pen.withdraw(&key).await).await);
            }
            // These are shared.
            Work::Create(..) | Work::Append(..) | Work::Park(..) | Work::Release(..) => {
                self.write(vec![work]).await;
            }
        }
        Vec::new()
    }

    async fn told<T>(
        &mut self,
        work: impl AsyncFnMut(Pen<'_>) -> Result<T, Failed>,
    ) -> Result<T, RepositoryError> {
        self.try_to(work).await.map_err(|refused| refused.error)
    }
}

/// Reads back what an owner owns. What nobody here knows of is let go.
async fn read_back(session: &mut Session, owner: i32, ledger: &mut Ledger) -> Result<(), Error> {
    let mut found = HashMap::new();
    for row in session.query(OWNED, &[&owner]).await? {
        let head = Head { status: rows::status(row.try_get(1)?), reason: rows::maybe(&row, 2)? };
        let entries = row.try_get::<_, i32>(3)?.unsigned_abs();
        found.insert(row.try_get(0)?, Held { entries, head });
    }
    let strays = ledger.replace(found);
    if !strays.is_empty() {
        session.query(FORGET, &[&owner, &strays]).await?;
    }
    Ok(())
}

/// Why work was refused.
struct Refused {
    error: RepositoryError,
    cause: Cause,
}

/// What work was refused for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Something in the data of one piece of work.
    Data,
    /// Somebody holds a lock for long: another one's open transaction has started the same saga, or changes tables.
    Lock,
    Other,
}

impl Cause {
    fn of(error: &Error) -> Self {
        match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => Self::Lock,
            _ if is_about_data(error) => Self::Data,
            _ => Self::Other,
        }
    }
}

impl From<RepositoryError> for Refused {
    fn from(error: RepositoryError) -> Self {
        Self { error, cause: Cause::Other }
    }
}

impl Refused {
    fn again(&self) -> RepositoryError {
        again(&self.error)
    }
}

fn unconnected() -> RepositoryError {
    let message = "the store's connection was lost, and others take its sagas: it is tried again";
    RepositoryError::new(ErrorKind::Temporary, message)
}
