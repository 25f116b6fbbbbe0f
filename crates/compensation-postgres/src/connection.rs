//! Connections: how they are made, and what each is told first.

use std::{fmt, time::Duration};

use compensation::repository::{ErrorKind, RepositoryError};
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Timeouts};
use tokio_postgres::{Client, Connection, Socket};

use crate::{
    address::Address,
    clock,
    error::{classify, silent, unpooled},
    options::PostgresOptions,
    tls::{Stream, Tls},
};

/// The oldest server, as it numbers itself.
const OLDEST: i32 = 130_000;

/// How long a reader waits for a connection of the pool.
const POOL_WAIT: Duration = Duration::from_secs(5);

/// Of every connection. Its plans are made without statistics, which a young table has none of, and kept: each
/// statement here has one good plan, by an index.
const SETTINGS: &str = "SET client_min_messages TO warning; SET jit TO off; \
    SET plan_cache_mode TO force_generic_plan; SET enable_seqscan TO off; \
    SET enable_hashjoin TO off; SET enable_mergejoin TO off";

/// Of connections that write: what a database or a role may have set otherwise, and would break a promise.
const WRITER: &str = "SET default_transaction_isolation TO 'read committed'; \
    SET lock_timeout TO '500ms'; SET statement_timeout TO 0; \
    SELECT set_config('idle_session_timeout', '0', false) FROM pg_settings \
        WHERE name = 'idle_session_timeout'; \
    SELECT set_config('synchronous_commit', 'on', false) \
        WHERE current_setting('synchronous_commit') = 'off'";

/// A connection that somebody must drive.
pub(crate) type Driven = Connection<Socket, Stream>;

/// Where the tables are.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) schema: String,
    tls: Tls,
}

impl Target {
    pub(crate) fn of(url: &str, options: &PostgresOptions) -> Result<Self, RepositoryError> {
        let mut address = Address::parse(url)?;
        let config = &mut address.config;
        if let Some(password) = &options.password {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name(&options.application);
        }
        let schema = options.schema.clone().or_else(|| address.schema.take());
        let schema = schema.unwrap_or_else(|| crate::SCHEMA.to_owned());
        let tls = Tls::of(&address)?;
        check_schema(&schema)?;
        Ok(Self { address, schema, tls })
    }

    /// How it is named to people.
    pub(crate) fn place(&self) -> &str {
        &self.address.place
    }

    fn path(&self) -> String {
        format!("SET search_path TO \"{}\"; {SETTINGS}", self.schema)
    }

    /// A connection for writing.
    pub(crate) async fn connect(&self) -> Result<(Client, Driven), RepositoryError> {
        let connected = self.address.config.connect(self.tls.clone());
        match clock::within(self.address.patience(), connected).await {
            Some(connected) => {
                connected.map_err(|error| classify("connect to", self.place(), error))
            }
            None => Err(silent("connect to", self.place())),
        }
    }

    /// What a connection for writing is told first. The connection must be driven meanwhile.
    pub(crate) async fn greet(&self, client: &Client) -> Result<(), RepositoryError> {
        let failed = |error| classify("use", self.place(), error);
        let about = client
            .query_one(
                "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
                    pg_is_in_recovery()",
                &[],
            )
            .await
            .map_err(failed)?;
        check_server(self.place(), about.get(0), about.get(1))?;
        if about.get(2) {
            let message = format!(
                "can't write to {}: it is a standby: name the primary server",
                self.place()
            );
            return Err(RepositoryError::new(ErrorKind::Temporary, message));
        }
        client.batch_execute(&format!("{}; {WRITER}", self.path())).await.map_err(failed)
    }

    /// Connections for reading, made as they are needed.
    pub(crate) fn pool(&self, size: usize) -> Result<Pool, RepositoryError> {
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(
            self.address.config.clone(),
            self.tls.clone(),
            ManagerConfig { recycling_method },
        );
        let first = format!("{}; SET default_transaction_read_only TO on", self.path());
        let greet = Hook::async_fn(move |client, _| {
            let first = first.clone();
            Box::pin(async move { client.batch_execute(&first).await.map_err(HookError::Backend) })
        });
        let (wait, create) = (Some(POOL_WAIT), Some(self.address.patience()));
        Pool::builder(manager)
            .max_size(size)
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .timeouts(Timeouts { wait, create, recycle: None })
            .post_create(greet)
            .build()
            .map_err(|error| {
                let message = format!("can't make connections to {}: {error}", self.place());
                RepositoryError::new(ErrorKind::Permanent, message)
            })
    }
}

/// A connection of the pool.
pub(crate) async fn pooled(
    pool: &Pool,
    place: &str,
) -> Result<deadpool_postgres::Object, RepositoryError> {
    match pool.get().await {
        Err(deadpool_postgres::PoolError::PostCreateHook(HookError::Backend(error))) => {
            Err(classify("read", place, error))
        }
        got => got.map_err(|error| unpooled(place, error)),
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("place", &self.place()).finish_non_exhaustive()
    }
}

/// A name that needs no thought wherever it is written.
pub(crate) fn check_schema(schema: &str) -> Result<(), RepositoryError> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let starts = schema.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if starts && schema.len() <= MAX_SCHEMA_BYTES && schema.bytes().all(good) {
        return Ok(());
    }
    let message = format!(
        "`{}` is no name for a schema here: use at most {MAX_SCHEMA_BYTES} small letters, digits and \
         underscores",
        schema.escape_debug()
    );
    Err(RepositoryError::new(ErrorKind::Permanent, message))
}

/// Longest name of a schema.
pub(crate) const MAX_SCHEMA_BYTES: usize = 40;

fn check_server(place: &str, version: i32, encoding: &str) -> Result<(), RepositoryError> {
    let refused = |why: String| Err(RepositoryError::new(ErrorKind::Permanent, why));
    if version < OLDEST {
        return refused(format!(
            "can't use {place}: it is PostgreSQL {}, and {} is the oldest that will do: update it",
            version / 10_000,
            OLDEST / 10_000
        ));
    }
    if encoding != "UTF8" {
        return refused(format!(
            "can't use {place}: its encoding is {encoding}: make a database with ENCODING 'UTF8'"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_old_server_is_refused_and_both_versions_are_named() {
        let error = check_server("postgres://db/shop", 120_022, "UTF8").expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::Permanent);
        assert!(error.to_string().contains("PostgreSQL 12, and 13 is the oldest"), "{error}");
        assert!(check_server("postgres://db/shop", 130_000, "UTF8").is_ok());
    }

    #[test]
    fn a_database_of_another_encoding_is_refused() {
        let error = check_server("postgres://db/shop", 150_000, "LATIN1").expect_err("a refusal");
        assert!(error.to_string().contains("ENCODING 'UTF8'"), "{error}");
    }

    #[test]
    fn a_schema_has_a_plain_name() {
        for good in ["compensation", "_s2", &"a".repeat(MAX_SCHEMA_BYTES)] {
            assert!(check_schema(good).is_ok(), "{good}");
        }
        for bad in ["", "2s", "Sagas", "a\"; DROP TABLE x", &"a".repeat(MAX_SCHEMA_BYTES + 1)] {
            assert!(check_schema(bad).is_err(), "{bad}");
        }
    }
}
