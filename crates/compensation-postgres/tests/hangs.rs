//! A server that takes connections and says nothing.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{net::TcpListener, time::Duration};

use compensation::repository::ErrorKind;
use compensation_postgres::PostgresRepository;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_not_waited_for_without_end() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let url = format!("postgres://tester@127.0.0.1:{port}/postgres?connect_timeout=1");
    let opened = PostgresRepository::open(&url);
    let opened = tokio::time::timeout(Duration::from_secs(20), opened).await;
    let error = opened.expect("an answer in time").expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Temporary, "{error}");
    assert!(error.to_string().contains("does not answer"), "{error}");
}
