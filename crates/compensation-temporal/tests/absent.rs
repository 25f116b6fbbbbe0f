//! A server that is not there: the example says so soon, and how to mend it.
#![allow(clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

#[path = "../examples/book-trip/connect.rs"]
mod connect;

use std::net::TcpListener;

use connect::connect;

async fn refused(address: &str) -> String {
    connect(address).await.expect_err("there is no server").to_string()
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_named_with_what_to_do() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = closed.local_addr().expect("bound").to_string();
    drop(closed);
    let said = refused(&address).await;
    assert!(said.starts_with(&format!("no server at {address} (")), "{said}");
    assert!(said.ends_with("start one with `temporal server start-dev`"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_port_where_nobody_answers_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("bound").to_string();
    let said = refused(&address).await;
    assert!(said.starts_with(&format!("no server at {address} (")), "{said}");
}

#[tokio::test]
async fn an_address_that_is_none_is_named_with_an_example() {
    let said = refused("nowhere:at:all").await;
    assert!(said.starts_with("`nowhere:at:all` is no address"), "{said}");
}
