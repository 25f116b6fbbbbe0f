//! Recipe: an HTTP handler that rolls back when its client goes away.
//!
//! A server drops the future of a handler whose client has disconnected. What the handler did until then is
//! undone by the scope, in the background.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use compensation::{StepError, TransactionalSaga};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// What the handler works with: seats, and a card service that is slow.
#[derive(Clone, Default)]
struct App {
    seats: Arc<Mutex<Vec<u32>>>,
    charging: Arc<Notify>,
    freed: Arc<Notify>,
}

async fn book(State(app): State<App>) -> Result<String, StatusCode> {
    let booked = TransactionalSaga::new()
        .scope(|saga| async move {
            app.seats.lock().expect("no panic").push(17);
            let undo = app.clone();
            saga.add_compensation("free-seat", move || {
                undo.seats.lock().expect("no panic").retain(|&seat| seat != 17);
                undo.freed.notify_one();
                async { Ok::<_, StepError>(()) }
            });
            app.charging.notify_one();
            std::future::pending::<()>().await; // the card service does not answer
            Ok::<_, StepError>("seat 17".to_owned())
        })
        .await;
    booked.map_err(|_| StatusCode::BAD_GATEWAY)
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_seat_behind() {
    let app = App::default();
    let router = Router::new().route("/book", post(book)).with_state(app.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });

    let mut client = TcpStream::connect(address).await.expect("a connection");
    let request = "POST /book HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    client.write_all(request.as_bytes()).await.expect("a request");
    app.charging.notified().await;
    assert_eq!(*app.seats.lock().expect("no panic"), [17]);
    drop(client);

    app.freed.notified().await;
    assert!(app.seats.lock().expect("no panic").is_empty());
}
