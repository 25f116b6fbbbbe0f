//! What the tests share: a schema of their own on the server that all of them share.

#![allow(dead_code, reason = "each test uses what it needs")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

pub(crate) mod trip;

use std::{future::Future, thread};

use compensation_postgres::PostgresOptions;
use loopback_postgres::{SUPERUSER, Shared};

/// A schema that nobody else uses.
pub(crate) struct Base {
    server: Shared,
    schema: String,
}

impl Base {
    pub(crate) fn new() -> Self {
        let server = Shared::find().unwrap_or_else(|why| panic!("{why}"));
        let id = compensation::SagaId::random().to_string().replace('-', "");
        Self { server, schema: format!("t{id}") }
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn url(&self) -> String {
        self.server.url(SUPERUSER, "postgres")
    }

    pub(crate) fn url_of(&self, role: &str) -> String {
        self.server.url(role, "postgres")
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions::new().schema(&self.schema)
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        let drop = format!(
            "DROP SCHEMA IF EXISTS \"{}\" CASCADE; DROP TABLE IF EXISTS {}",
            self.schema,
            trip::effects(&self.schema)
        );
        let url = self.url();
        alone(async move {
            // A test that has failed may hold something of it: the schema is left to the server's end then.
            if let Ok(client) = connect(&url).await {
                let _ = client.batch_execute(&format!("SET lock_timeout TO '1s'; {drop}")).await;
            }
        });
    }
}

/// Does something on a runtime of its own, wherever it is called.
pub(crate) fn alone<T: Send>(work: impl Future<Output = T> + Send) -> T {
    thread::scope(|scope| {
        let worked = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(work)
        });
        worked.join().expect("no panic")
    })
}

/// A connection of a test's own.
pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
