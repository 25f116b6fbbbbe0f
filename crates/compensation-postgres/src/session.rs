//! The one connection that writes, and the owner whose it is. The owner's advisory lock is held by this very
//! session, so that the server itself tells when it has died.

use std::{collections::HashMap, future::poll_fn, sync::Arc};

use compensation::repository::{ErrorKind, RepositoryError};
use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, Client, Error, Row, Statement, types::ToSql};

use crate::{
    connection::{Driven, Target},
    error::classify,
};

/// The lock of an owner, by its number.
macro_rules! lock {
    ($id:literal) => {
        concat!("('owner'::regclass::oid::int8 << 32) | ", $id, "::int4::int8")
    };
}

const NEXT: &str = "SELECT nextval('owner_id')::int4";

const LOCK: &str = concat!("SELECT pg_advisory_lock(", lock!("$1"), ")");

const ENTER: &str = "INSERT INTO owner (id, backend, backend_since, silence, process)
    SELECT $1, pid, backend_start, make_interval(secs => $2),
        'process ' || $3::int4 || ' at ' || coalesce(host(inet_client_addr()), 'the server''s machine')
    FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// The session before this one may not have noticed that its client has gone.
const END_GHOST: &str = "SELECT pg_terminate_backend(activity.pid) FROM owner
    JOIN pg_stat_activity AS activity ON activity.pid = owner.backend
        AND activity.backend_start = owner.backend_since AND activity.usesysid = (
            SELECT oid FROM pg_roles WHERE rolname = current_user)
    WHERE owner.id = $1 AND owner.backend <> pg_backend_pid()";

const REJOIN: &str =
    "UPDATE owner SET backend = activity.pid, backend_since = activity.backend_start
    FROM pg_stat_activity AS activity
    WHERE activity.pid = pg_backend_pid() AND owner.id = $1 AND NOT owner.dead RETURNING owner.id";

/// What every session of a store tells, and shares.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    /// Changes whenever something may have come from another process.
    pub(crate) changed: Arc<watch::Sender<u64>>,
    /// On which the processes of one schema call one another.
    pub(crate) channel: Arc<str>,
}

impl Post {
    pub(crate) fn of(schema: &str) -> Self {
        Self { changed: Arc::new(watch::Sender::new(0)), channel: channel(schema).into() }
    }

    fn ring(&self) {
        self.changed.send_modify(|times| *times = times.wrapping_add(1));
    }
}

/// The channel of a schema.
pub(crate) fn channel(schema: &str) -> String {
    format!("compensation_{schema}")
}

/// A connection that writes.
pub(crate) struct Session {
    pub(crate) client: Client,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    /// Connects. Whoever waits for news is woken, for some may have been missed.
    pub(crate) async fn open(target: &Target, post: &Post) -> Result<Self, RepositoryError> {
        let (client, connection) = target.connect().await?;
        tokio::spawn(drive(connection, post.clone()));
        target.greet(&client).await?;
        let listen = format!("LISTEN \"{}\"", post.channel);
        let failed = |error| classify("listen to", target.place(), error);
        client.batch_execute(&listen).await.map_err(failed)?;
        post.ring();
        Ok(Self { client, statements: HashMap::new() })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs a statement that is prepared once.
    pub(crate) async fn query(
        &mut self,
        text: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let statement = match self.statements.get(text) {
            Some(known) => known.clone(),
            None => {
                let statement = self.client.prepare(text).await?;
                self.statements.insert(text, statement.clone());
                statement
            }
        };
        self.client.query(&statement, values).await
    }

    /// Says that this session lives.
    pub(crate) async fn beat(&self) -> Result<(), Error> {
        self.client.simple_query("").await.map(drop)
    }

    /// Becomes an owner. Nobody finds it before it holds its lock.
    pub(crate) async fn enter(&mut self, seconds: f64) -> Result<i32, Error> {
        let rows = self.query(NEXT, &[]).await?;
        let id: i32 = match rows.first() {
            Some(row) => row.try_get(0)?,
            None => 0,
        };
        self.query(LOCK, &[&id]).await?;
        let process = std::process::id().cast_signed();
        self.query(ENTER, &[&id, &seconds, &process]).await?;
        Ok(id)
    }

    /// Goes on as the owner that an earlier connection was, unless somebody has found it dead meanwhile.
    pub(crate) async fn rejoin(&mut self, id: i32) -> Result<bool, Error> {
        self.query(END_GHOST, &[&id]).await?;
        self.query(LOCK, &[&id]).await?;
        Ok(!self.query(REJOIN, &[&id]).await?.is_empty())
    }
}

/// Drives a connection to its end, and hears what other processes call.
async fn drive(mut connection: Driven, post: Post) {
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(_))) => post.ring(),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection was lost");
                return;
            }
            None => return,
        }
    }
}

/// A saga of somebody else.
pub(crate) fn not_owner(key: i64) -> RepositoryError {
    let message = format!("saga number {key} belongs to another owner, or to none");
    RepositoryError::new(ErrorKind::NotOwner, message)
}
