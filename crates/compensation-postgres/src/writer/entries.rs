//! Writing to sagas: their start, each further entry, and letting them go. Many share one statement.

use std::{iter, sync::Arc};

use compensation::{
    Status,
    repository::{Append, Created, ErrorKind, RepositoryError, SagaKey},
};

use super::{
    Cause, Desk, Failed, Pen, Refused, batch::share, ledger::Held, sheet::Sheet, work::Work,
};
use crate::{
    rows::{code, text},
    session::not_owner,
};

const ENTRY: &str = "SELECT saga.status < 2, CASE WHEN $2 = 0 THEN saga.owner ELSE journal.owner END,
        CASE WHEN $2 = 0 THEN saga.start ELSE journal.body END
    FROM saga LEFT JOIN journal ON journal.saga = saga.key AND journal.seq = $2 WHERE saga.key = $1";

const CALL: &str = "SELECT pg_notify($1, '')";

/// How many parts of a batch may wait for somebody's lock, one after the other, before the rest is not tried any more.
const LOCKED: usize = 3;

/// What becomes of an entry, by what is known of its saga.
enum Verdict {
    Write,
    /// It is for the tables to say.
    Look,
    Refuse(RepositoryError),
}

impl Desk {
    /// Writes a batch, and answers everybody in it.
    pub(super) async fn write(&mut self, mut batch: Vec<Work>) {
        while !batch.is_empty() {
            let (now, later) = share(batch);
            batch = later;
            self.write_once(now).await;
        }
    }

    /// Returns why it was refused, if it was.
    async fn write_once(&mut self, mut batch: Vec<Work>) -> Option<Refused> {
        // In one order everywhere, so that two processes that start the same sagas do not wait for one another.
        batch.sort_by(|one, other| started(one).cmp(&started(other)));
        let written = self.try_to(async |mut pen| pen.write(&batch).await).await;
        match written {
            Ok(answers) => {
                for (work, answer) in batch.into_iter().zip(answers) {
                    reply(work, answer);
                }
                None
            }
            // One write's data must not fail its neighbours.
            Err(refused) if refused.cause == Cause::Data && batch.len() > 1 => {
                self.write_parts(batch.into_iter().map(|work| vec![work])).await;
                None
            }
            // Somebody's open transaction may have started one of these sagas: first what starts none.
            Err(refused)
                if refused.cause == Cause::Lock
                    && batch.len() > 1
                    && batch.iter().any(|work| started(work).is_some()) =>
            {
                let (starts, others): (Vec<_>, Vec<_>) =
                    batch.into_iter().partition(|work| started(work).is_some());
                let starts = starts.into_iter().map(|work| vec![work]);
                self.write_parts(iter::once(others).chain(starts)).await;
                None
            }
            Err(refused) => {
                for work in batch {
                    work.refuse(refused.again());
                }
                Some(refused)
            }
        }
    }

    /// Writes what can't be written together.
    async fn write_parts(&mut self, parts: impl Iterator<Item = Vec<Work>>) {
        let (mut left, mut last) = (LOCKED, None::<Refused>);
        for part in parts {
            match &last {
                Some(refused) if left == 0 => {
                    part.into_iter().for_each(|work| work.refuse(refused.again()));
                }
                _ => match Box::pin(self.write_once(part)).await {
                    Some(refused) if refused.cause != Cause::Data => {
                        // Of a server that is away or full each would be told the same, and late.
                        left = if refused.cause == Cause::Lock { left - 1 } else { 0 };
                        last = Some(refused);
                    }
                    _ => {}
                },
            }
        }
    }
}

fn started(work: &Work) -> Option<&str> {
    match work {
        Work::Create(saga, _) => Some(saga.id.as_str()),
        _ => None,
    }
}

/// What a write gave.
type Written = Result<Option<Created>, RepositoryError>;

fn reply(work: Work, written: Written) {
    // Whoever asked may have gone.
    match (work, written) {
        (Work::Create(_, to), Ok(Some(created))) => drop(to.send(Ok(created))),
        (Work::Append(_, to) | Work::Park(_, _, to) | Work::Release(_, to), Ok(_)) => {
            drop(to.send(Ok(())))
        }
        (work, Err(error)) => work.refuse(error),
        (_, Ok(_)) => {}
    }
}

impl Pen<'_> {
    /// Writes a batch in which no saga has two entries.
    async fn write(&mut self, batch: &[Work]) -> Result<Vec<Written>, Failed> {
        let mut plans = Vec::with_capacity(batch.len());
        for work in batch {
            plans.push(match work {
                Work::Create(saga, _) => self.plan(&saga.name, &saga.plan).await?,
                _ => 0,
            });
        }
        let mut answers: Vec<Written> = Vec::with_capacity(batch.len());
        let mut sheet = Sheet::default();
        for (work, plan) in batch.iter().zip(plans) {
            let answer = match work {
                Work::Create(saga, _) => {
                    sheet.start(saga, plan);
                    Ok(None)
                }
                Work::Append(append, _) => self.put(&mut sheet, append).await?,
                Work::Park(key, reason, _) if self.ledger.get(key.0).is_some() => {
                    sheet.park(key.0, code(Status::Stuck), reason);
                    Ok(None)
                }
                Work::Park(key, ..) => Err(not_owner(key.0)),
                Work::Release(keys, _) => {
                    let owned = keys.iter().filter(|key| self.ledger.get(key.0).is_some());
                    owned.for_each(|key| sheet.release(key.0));
                    Ok(None)
                }
                _ => Ok(None),
            };
            answers.push(answer);
        }
        if sheet.is_empty() {
            return Ok(answers);
        }
        let Some(mut new) = sheet.write(self.session, self.owner).await? else {
            return Err(Failed::Buried);
        };
        let mut lets_go = false;
        for (work, answer) in batch.iter().zip(&mut answers) {
            let Ok(done) = answer else { continue };
            match work {
                Work::Create(saga, _) => {
                    // Of several of one id in this batch the first is the new one.
                    let key = new.remove(saga.id.as_str());
                    *done = Some(key.map_or(Created::Existing, |key| Created::New(SagaKey(key))));
                    if let Some(key) = key.filter(|_| saga.head.status.is_open()) {
                        self.ledger.own(key, Held { entries: 1, head: saga.head.clone() });
                    }
                }
                Work::Append(append, _) if self.is_next(append) => {
                    self.ledger.grow(append.key.0, &append.head);
                }
                Work::Park(key, ..) => self.ledger.lose(key.0),
                Work::Release(keys, _) => {
                    lets_go |= !keys.is_empty();
                    keys.iter().for_each(|key| self.ledger.lose(key.0));
                }
                _ => {}
            }
        }
        if lets_go {
            // What is free now may wait for others. Where this fails they look by their own clocks.
            let _ = self.session.query(CALL, &[&self.channel]).await;
        }
        Ok(answers)
    }

    async fn plan(&mut self, name: &Arc<str>, plan: &Arc<str>) -> Result<i32, Failed> {
        match self.plans.id(name, plan) {
            Some(known) => Ok(known),
            None => Ok(self.plans.store(&self.session.client, name, plan).await?),
        }
    }

    fn is_next(&self, append: &Append) -> bool {
        self.ledger.get(append.key.0).is_some_and(|held| held.entries == append.seq)
    }

    /// Puts an entry on the sheet, or says why not.
    async fn put<'a>(
        &mut self,
        sheet: &mut Sheet<'a>,
        append: &'a Append,
    ) -> Result<Written, Failed> {
        let Append { key, seq, entry, head } = append;
        match self.judge(append) {
            Verdict::Write => {
                let at = entry.at.as_millis();
                sheet.entry(key.0, seq.cast_signed(), at, &entry.body);
                if self.ledger.get(key.0).is_none_or(|held| held.head != *head) {
                    sheet.head(key.0, head, Some(at));
                }
                Ok(Ok(None))
            }
            Verdict::Look => self.look(append).await,
            Verdict::Refuse(error) => Ok(Err(error)),
        }
    }

    fn judge(&self, append: &Append) -> Verdict {
        match self.ledger.get(append.key.0) {
            Some(held) if held.entries == append.seq => Verdict::Write,
            Some(held) if held.entries < append.seq => {
                Verdict::Refuse(refused(append, "would leave a gap"))
            }
            _ => Verdict::Look,
        }
    }

    /// An entry that may be there already: repeating it is harmless, also where it ended its saga's ownership. That
    /// it says the same is not enough. Whoever took the saga over may have written the same words, and acts on them.
    async fn look(&mut self, append: &Append) -> Result<Written, Failed> {
        let rows = self.session.query(ENTRY, &[&append.key.0, &append.seq.cast_signed()]).await?;
        let own = self.ledger.get(append.key.0).is_some();
        let (mut is_open, mut same) = (false, false);
        if let Some(row) = rows.first() {
            let writer: Option<i32> = row.try_get(1)?;
            let by_this = writer.is_some_and(|writer| self.owners.contains(&writer));
            is_open = row.try_get(0)?;
            same = by_this && row.try_get::<_, &str>(2)? == text(&append.entry.body);
        }
        Ok(match (own, same) {
            (true, true) => Ok(None),
            (true, false) => Err(refused(append, "is there already and says something else")),
            (false, true) if !is_open => Ok(None),
            (false, _) => Err(not_owner(append.key.0)),
        })
    }
}

fn refused(append: &Append, why: &str) -> RepositoryError {
    let Append { key, seq, .. } = append;
    let message = format!("entry {seq} of saga number {} {why}", key.0);
    RepositoryError::new(ErrorKind::Permanent, message)
}
