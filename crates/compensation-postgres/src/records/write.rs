//! What is changed in the records. Other processes write too, so each change reads what it changes, and is
//! written only where nobody was faster; else it is made again.

use std::collections::HashMap;

use compensation::{
    CompensationStatus, Timestamp,
    records::{Mark, RecordError, RecordFilter, RecordId, UndoRecord},
    repository::{ErrorKind, RepositoryError},
};
use tokio::sync::oneshot;
use tokio_postgres::Error;

use super::rows::{self, Columns, columns};
use crate::{
    connection::Target,
    error::{again, classify, collided, is_about_data, poisons},
    office,
    rows::text,
    session::{Post, Session},
};

/// How often a change is made again because others were faster.
const TRIES: u32 = 100;

/// Whoever waits for an answer.
type Answer<T> = oneshot::Sender<Result<T, RecordError>>;

/// A change that somebody waits for.
pub(crate) enum Change {
    Save(Box<UndoRecord>, Answer<UndoRecord>),
    Mark(RecordId, Mark, Answer<UndoRecord>),
    DeleteHistory(String, Answer<u64>),
    Purge(Timestamp, usize, Answer<u64>),
}

const FIND: &str =
    concat!("SELECT ", columns!(), " FROM record WHERE record.id = ANY ($1::text[]::uuid[])");

/// New records, and new revisions of known ones. What somebody else has written meanwhile is not in the answer.
const WRITE: &str = "WITH given AS MATERIALIZED (
        SELECT * FROM unnest($1::text[]::uuid[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::int2[],
            $7::int8[], $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::text[], $13::text[],
            $14::text[], $15::text[])
        AS given (id, revision, workflow, run, activity, status, retries, updated, started, completed,
            duration, error, reason, data, metadata)
    ), added AS (
        INSERT INTO record (id, revision, workflow, run, activity, status, retries, updated, started,
            completed, duration, error, reason, data, metadata)
        SELECT * FROM given WHERE revision = 1 ON CONFLICT (id) DO NOTHING RETURNING record.id
    ), changed AS (
        UPDATE record SET revision = given.revision, status = given.status, retries = given.retries,
            updated = given.updated, started = given.started, completed = given.completed,
            duration = given.duration, error = given.error, reason = given.reason, data = given.data,
            metadata = given.metadata
        FROM given WHERE record.id = given.id AND given.revision > 1
            AND record.revision = given.revision - 1
        RETURNING record.id
    )
    SELECT id::text FROM added UNION ALL SELECT id::text FROM changed";

const DELETE: &str = "DELETE FROM record WHERE workflow = $1";

const PURGE: &str = "WITH old AS MATERIALIZED (
        SELECT id FROM record WHERE status = $1 AND id < $2::text::uuid AND completed < $3
        ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED
    ), gone AS (DELETE FROM record USING old WHERE record.id = old.id)
    SELECT count(*) FROM old";

/// Records have no owners, so all there is to know is the connection.
pub(crate) struct Desk {
    target: Target,
    post: Post,
    session: Option<Session>,
}

impl office::Desk for Desk {
    type Job = Change;

    async fn settle(&mut self, batch: &mut Vec<Change>) {
        let mut shared = Vec::new();
        for change in batch.drain(..) {
            match change {
                Change::DeleteHistory(workflow, to) => {
                    let deleted = self.attempt(async |session| {
                        let statement = session.client.prepare(DELETE).await?;
                        session.client.execute(&statement, &[&text(&workflow)]).await
                    });
                    let _ = to.send(deleted.await.map_err(|refused| refused.error.into()));
                }
                Change::Purge(moment, limit, to) => {
                    let purged = self.attempt(async |session| purge(session, moment, limit).await);
                    let _ = to.send(purged.await.map_err(|refused| refused.error.into()));
                }
                change => shared.push(change),
            }
        }
        self.change(shared).await;
    }

    async fn beat(&mut self) {
        if let Some(session) = &self.session
            && session.beat().await.is_err()
        {
            self.session = None;
        }
    }

    async fn leave(self) {}
}

/// Why nothing was changed.
struct Refused {
    error: RepositoryError,
    about_data: bool,
}

impl Desk {
    pub(super) fn new(target: Target, post: Post) -> Self {
        Self { target, post, session: None }
    }

    /// Does something on the connection, again where the server undid it because of others.
    async fn attempt<T>(
        &mut self,
        mut work: impl AsyncFnMut(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Refused> {
        let mut left = TRIES;
        loop {
            if self.session.as_ref().is_none_or(Session::is_closed) {
                let opened = Session::open(&self.target, &self.post).await;
                let refused = |error| Refused { error, about_data: false };
                self.session = Some(opened.map_err(refused)?);
            }
            let Some(session) = &mut self.session else { continue };
            match work(session).await {
                Ok(done) => return Ok(done),
                Err(error) if collided(&error) && left > 0 => left -= 1,
                Err(error) => {
                    if poisons(&error) {
                        self.session = None;
                    }
                    let about_data = is_about_data(&error);
                    let error = classify("write to", self.target.place(), error);
                    return Err(Refused { error, about_data });
                }
            }
        }
    }

    /// Makes changes of single records, and answers.
    async fn change(&mut self, mut left: Vec<Change>) {
        let mut tries = TRIES;
        while !left.is_empty() {
            // Of several changes of one record each waits for the one before.
            let (mut now, mut later) = (Vec::<(RecordId, Change)>::new(), Vec::new());
            for change in left {
                match id(&change) {
                    Some(id) if now.iter().all(|(known, _)| *known != id) => now.push((id, change)),
                    _ => later.push(change),
                }
            }
            left = later;
            // In one order everywhere, so that two processes do not wait for one another.
            now.sort_by_key(|(id, _)| *id);
            let made = self.attempt(async |session| make(session, &now).await).await;
            match made {
                Ok(made) => {
                    tries -= 1;
                    for ((id, change), made) in now.into_iter().zip(made) {
                        match made {
                            Some(made) => answer(change, made),
                            None if tries > 0 => left.insert(0, change),
                            None => answer(change, Err(too_slow(id).into())),
                        }
                    }
                }
                Err(refused) if refused.about_data && now.len() > 1 => {
                    for (_, change) in now {
                        Box::pin(self.change(vec![change])).await;
                    }
                }
                Err(refused) => {
                    for (_, change) in now {
                        answer(change, Err(again(&refused.error).into()));
                    }
                }
            }
        }
    }
}

fn too_slow(id: RecordId) -> RepositoryError {
    let message = format!("record {id} is written by others all the time: try again");
    RepositoryError::new(ErrorKind::Temporary, message)
}

fn id(change: &Change) -> Option<RecordId> {
    match change {
        Change::Save(record, _) => Some(record.id),
        Change::Mark(id, ..) => Some(*id),
        Change::DeleteHistory(..) | Change::Purge(..) => None,
    }
}

fn answer(change: Change, made: Result<UndoRecord, RecordError>) {
    if let Change::Save(_, to) | Change::Mark(_, _, to) = change {
        // Whoever asked may have gone.
        let _ = to.send(made);
    }
}

/// What became of a change; `None` where somebody else was faster.
type Made = Option<Result<UndoRecord, RecordError>>;

/// Makes changes of different records.
async fn make(session: &mut Session, changes: &[(RecordId, Change)]) -> Result<Vec<Made>, Error> {
    let ids: Vec<_> = changes.iter().map(|(id, _)| id.to_string()).collect();
    let mut stored = HashMap::new();
    let mut damaged = HashMap::new();
    for row in session.query(FIND, &[&ids]).await? {
        match rows::record(&row) {
            Ok(record) => drop(stored.insert(record.id, record)),
            Err(error) => drop(damaged.insert(row.try_get::<_, String>(0)?, error.to_string())),
        }
    }
    let at = Timestamp::now();
    let made: Vec<Result<UndoRecord, RecordError>> = changes
        .iter()
        .map(|(id, change)| {
            if let Some(why) = damaged.get(&id.to_string()) {
                let message = format!("record {id} is damaged in the store: {why}");
                return Err(RepositoryError::new(ErrorKind::Permanent, message).into());
            }
            match change {
                Change::Save(record, _) => (**record).clone().saved(stored.get(id), at),
                Change::Mark(_, mark, _) => match stored.get(id) {
                    Some(record) => record.clone().marked(mark, at),
                    None => Err(RecordError::NotFound(*id)),
                },
                _ => Err(RecordError::NotFound(*id)),
            }
        })
        .collect();
    let mut columns = Columns::default();
    made.iter().flatten().for_each(|record| columns.add(record));
    let mut written = std::collections::HashSet::new();
    if !columns.ids.is_empty() {
        let given = &columns;
        let rows = session
            .query(
                WRITE,
                &[
                    &given.ids,
                    &given.revisions,
                    &given.workflows,
                    &given.runs,
                    &given.activities,
                    &given.statuses,
                    &given.retries,
                    &given.updated,
                    &given.started,
                    &given.completed,
                    &given.durations,
                    &given.errors,
                    &given.reasons,
                    &given.data,
                    &given.metadata,
                ],
            )
            .await?;
        for row in rows {
            written.insert(row.try_get::<_, String>(0)?);
        }
    }
    let faster = |made: &Result<UndoRecord, RecordError>| {
        made.as_ref().is_ok_and(|record| !written.contains(&record.id.to_string()))
    };
    Ok(made.into_iter().map(|made| if faster(&made) { None } else { Some(made) }).collect())
}

async fn purge(session: &mut Session, moment: Timestamp, limit: usize) -> Result<u64, Error> {
    let made_before = RecordFilter { created_before: Some(moment), ..RecordFilter::default() };
    let Some(ids) = made_before.ids() else { return Ok(0) };
    let mut left = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut purged = 0;
    for status in CompensationStatus::ALL.into_iter().filter(|status| status.is_final()) {
        let values = (rows::code(status), ids.end.to_string(), moment.as_millis());
        let rows = session.query(PURGE, &[&values.0, &values.1, &values.2, &left]).await?;
        let some =
            rows.first().map(|row| row.try_get::<_, i64>(0)).transpose()?.unwrap_or_default();
        left -= some;
        purged += some.unsigned_abs();
    }
    Ok(purged)
}
