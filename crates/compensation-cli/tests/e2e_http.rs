//! HTTP steps, against a small server in the test.
#![allow(clippy::expect_used, reason = "a test fails where its surroundings do")]

mod program;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use program::Place;

/// A request as the server got it.
#[derive(Clone, Debug)]
struct Seen {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Answers every request by that function; `None` hangs up without an answer.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    fn new(answer: impl Fn(&Seen) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let request = read(&stream);
                log.lock().expect("no panic").push(request.clone());
                if let Some(answer) = answer(&request) {
                    // Who asked may be gone.
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        });
        Self { port, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }
}

fn read(stream: &TcpStream) -> Seen {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut next = |stream: &mut BufReader<_>| {
        line.clear();
        stream.read_line(&mut line).expect("readable");
        line.trim_end().to_owned()
    };
    let first = next(&mut stream);
    let mut headers = Vec::new();
    while let Some((name, value)) = next(&mut stream).split_once(": ") {
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut seen = Seen { line: first, headers, body: String::new() };
    let length = seen.header("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).expect("readable");
    seen.body = String::from_utf8(body).expect("UTF-8");
    seen
}

fn answer(status: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

/// A saga with one HTTP step and what is added to it, on that server.
fn one(port: u16, http: &str, more: &str) -> Place {
    let file = format!(
        "saga: s\ninput: [port, tenant]\nsecrets: [API_TOKEN]\nsteps:\n  - name: a\n    http: {{ {http} }}\n{more}"
    );
    Place::with(&file.replace("PORT", &port.to_string()))
}

fn run(place: &Place, tenant: &str) -> program::Ended {
    let tenant = format!("tenant={tenant}");
    let mut command =
        place.command(&["run", "saga.yaml", "--id", "x", "--input", "port=1", "--input", &tenant]);
    let output = command.env("API_TOKEN", "s3cret").output().expect("it starts");
    program::Ended::of(&output)
}

const NO_UNDO: &str = "    undo: none\n    because: a test\n";

#[test]
fn a_request_carries_values_and_an_idempotency_key_and_its_answer_is_the_output() {
    let server = Server::new(|_| answer("201 Created", "id-7\n"));
    let place = one(
        server.port,
        "method: POST, url: 'http://127.0.0.1:PORT/t/$TENANT?x=$SAGA_ID', headers: { Authorization: \
         'Bearer $API_TOKEN' }, json: { name: '${TENANT}', cost: '5$$', n: 1 }",
        NO_UNDO,
    );
    run(&place, "a/b c").code(0);
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /t/a%2Fb%20c?x=x HTTP/1.1");
    assert_eq!(seen.header("authorization"), Some("Bearer s3cret"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("idempotency-key"), Some("s:x:a"));
    assert_eq!(seen.body, r#"{"cost":"5$","n":1,"name":"a/b c"}"#);
    assert_eq!(place.show("x")["steps"][0]["output"], "id-7");
    let stored = std::fs::read(place.file("sagas.db")).expect("the store");
    assert!(!stored.windows(6).any(|part| part == b"s3cret"), "a secret is in the store");
}

#[test]
fn an_undo_is_a_request_of_its_own_with_the_output_of_the_step() {
    let server = Server::new(|seen| match seen.line.starts_with("DELETE") {
        true => answer("404 Not Found", "gone"),
        false => answer("200 OK", "7"),
    });
    let place = one(
        server.port,
        "method: POST, url: 'http://127.0.0.1:PORT/things', body: plain",
        "    undo: { http: { method: DELETE, url: 'http://127.0.0.1:PORT/things/$OUTPUT', done: [404] } }\n  \
         - { name: b, run: exit 1, undo: 'true' }\n",
    );
    place.write("saga.yaml", &place.read("saga.yaml").replace("PORT", &server.port.to_string()));
    run(&place, "t").code(3);
    let seen = server.seen();
    assert_eq!(seen[0].body, "plain");
    assert_eq!(seen[1].line, "DELETE /things/7 HTTP/1.1");
    assert_eq!(seen[1].header("idempotency-key"), Some("s:x:a:undo"));
}

#[test]
fn a_refused_connection_is_not_done() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let place = one(port, "method: PUT, url: 'http://127.0.0.1:PORT/'", "    undo: touch undone\n");
    run(&place, "t").code(3);
    assert!(!place.has("undone"));
    let failure = place.show("x")["failures"][0].clone();
    assert_eq!(failure["certainty"], "not_done");
    let message = failure["message"].as_str().unwrap_or_default();
    assert!(message.starts_with(&format!("PUT http://127.0.0.1:{port}/: ")), "{message}");
    assert!(message.contains("Connection refused"), "{message}");
}

#[test]
fn a_lost_reply_is_unknown_and_undone() {
    let server = Server::new(|_| None);
    let place =
        one(server.port, "method: PUT, url: 'http://127.0.0.1:PORT/'", "    undo: touch undone\n");
    run(&place, "t").code(3);
    assert!(place.has("undone"));
    assert_eq!(server.seen().len(), 1);
    assert_eq!(place.show("x")["failures"][0]["certainty"], "unknown");
}

#[test]
fn an_undo_that_would_need_an_unknown_output_waits_for_a_person() {
    let server = Server::new(|_| None);
    let undo = format!(
        "    undo: {{ http: {{ method: DELETE, url: 'http://127.0.0.1:{}/$OUTPUT' }} }}\n",
        server.port
    );
    let place = one(server.port, "method: POST, url: 'http://127.0.0.1:PORT/'", &undo);
    run(&place, "t").code(4);
    assert_eq!(server.seen().len(), 1, "nothing is deleted by guess");
    let message = place.show("x")["failures"][1]["message"].clone();
    let said = "$OUTPUT has no value here: a secret that is not set, or the output of a step that nobody knows to be done";
    assert_eq!(message, said);
}

#[test]
fn other_statuses_are_unknown_unless_the_file_says_that_they_mean_not_done() {
    let server = Server::new(|_| answer("409 Conflict", "there already"));
    let http = "method: PUT, url: 'http://127.0.0.1:PORT/$TENANT'";
    let unknown = one(server.port, http, "    undo: touch undone\n");
    run(&unknown, "t").code(3);
    assert!(unknown.has("undone"));
    let failure = unknown.show("x")["failures"][0].clone();
    let said = format!(
        "PUT http://127.0.0.1:{}/$TENANT: answered 409 Conflict: there already",
        server.port
    );
    assert_eq!(failure["message"], said);
    let not_done = one(server.port, http, "    undo: touch undone\n    not_done: [409]\n");
    run(&not_done, "t").code(3);
    assert!(!not_done.has("undone"));
}

#[test]
fn a_redirect_is_not_followed() {
    let server = Server::new(|_| {
        Some("HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".to_owned())
    });
    let place = one(server.port, "method: GET, url: 'http://127.0.0.1:PORT/'", NO_UNDO);
    run(&place, "t").code(3);
    assert_eq!(server.seen().len(), 1);
    let message = place.show("x")["failures"][0]["message"].clone();
    assert!(message.as_str().is_some_and(|said| said.contains("redirects are not followed")));
}

#[test]
fn an_answer_over_the_limit_is_a_failure() {
    let server = Server::new(|_| answer("200 OK", &"x".repeat(1024 * 1024 + 1)));
    let place = one(server.port, "method: GET, url: 'http://127.0.0.1:PORT/'", NO_UNDO);
    run(&place, "t").code(3);
    let message = place.show("x")["failures"][0]["message"].clone();
    assert!(message.as_str().is_some_and(|said| said.contains("longer than 1048576 bytes")));
}

#[test]
fn a_probe_may_be_a_request() {
    let server = Server::new(|seen| match seen.line.starts_with("GET") {
        true => answer("200 OK", "found"),
        false => None,
    });
    let place = one(
        server.port,
        "method: PUT, url: 'http://127.0.0.1:PORT/t'",
        &format!(
            "    undo: touch undone\n    probe: {{ http: {{ method: GET, url: 'http://127.0.0.1:{}/t' }} }}\n",
            server.port
        ),
    );
    run(&place, "t").code(0);
    assert_eq!(place.show("x")["steps"][0]["output"], "found");
}
