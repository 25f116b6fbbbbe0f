//! Encrypted connections to a server with a certificate of its own making.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod base;

use std::fs;

use compensation::repository::Repository as _;
use compensation_postgres::{PostgresOptions, PostgresRepository};
use loopback_postgres::{SUPERUSER, Server, Syncs};

/// Makes a key and a certificate for 127.0.0.1 and lets the server use them. They belong to the server's user, so
/// the server makes them.
async fn encrypted() -> Server {
    let server = Server::start(Syncs::No).unwrap_or_else(|why| panic!("{why}"));
    let url = server.url(SUPERUSER, "postgres");
    let client = base::connect(&url).await.expect("a connection");
    let make = "COPY (SELECT 1) TO PROGRAM 'openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test \
        -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1 \
        -keyout server.key -out server.crt 2>&1'";
    client.batch_execute(make).await.expect("a certificate");
    client.batch_execute("ALTER SYSTEM SET ssl TO on").await.expect("a setting");
    drop(client);
    server.crash().expect("an end");
    server.start_again().expect("a start");
    server
}

fn url(server: &Server, host: &str, options: &str) -> String {
    format!("postgres://{SUPERUSER}@{host}:{}/postgres?{options}", server.port())
}

async fn is_encrypted(server: &Server, url: &str) -> bool {
    let store = PostgresOptions::new().application("told").open(url).await.expect("a store");
    store.recover().await.expect("a session");
    let client = base::connect(&server.url(SUPERUSER, "postgres")).await.expect("a connection");
    let asked = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'told'";
    client.query_one(asked, &[]).await.expect("an answer").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_trusted_as_far_as_the_address_says() {
    let server = encrypted().await;
    let issuers = server.folder().join("issuers.pem");
    fs::copy(server.folder().join("data/server.crt"), &issuers).expect("a certificate");
    let known = format!("sslrootcert={}", issuers.display());
    assert!(!is_encrypted(&server, &url(&server, "127.0.0.1", "sslmode=disable")).await);
    for options in ["sslmode=prefer", "sslmode=require"] {
        assert!(is_encrypted(&server, &url(&server, "127.0.0.1", options)).await, "{options}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let options = format!("sslmode={mode}&{known}");
        assert!(is_encrypted(&server, &url(&server, "127.0.0.1", &options)).await, "{mode}");
    }
    // The certificate is for another name.
    let options = format!("sslmode=verify-ca&{known}");
    assert!(is_encrypted(&server, &url(&server, "localhost", &options)).await);
    let options = format!("sslmode=verify-full&{known}");
    let refused = PostgresRepository::open(&url(&server, "localhost", &options)).await;
    let error = refused.expect_err("a refusal").to_string();
    assert!(error.contains("certificate"), "{error}");
    // Nobody whom the system trusts has issued it.
    for mode in ["verify-ca", "verify-full"] {
        let refused = url(&server, "127.0.0.1", &format!("sslmode={mode}"));
        let error = PostgresRepository::open(&refused).await.expect_err("a refusal").to_string();
        assert!(error.contains("ertificate"), "{error}");
    }
}
