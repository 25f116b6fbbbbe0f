//! The console of the program, as a browser speaks to it.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails where its surroundings do")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Stdio},
};

use crate::program::Place;

/// The saga of docs/console.md.
pub(crate) const TRIP: &str = "\
saga: book-trip
input: [who]
steps:
  - name: reserve-car
    run: echo \"car for $WHO\"
    undo:
      run: \"test -e line-is-up || { echo 'no route to cars.internal' >&2; exit 7; }\"
      retry: { attempts: 2, first: 10ms }
    idempotent: true
  - name: charge-card
    run: echo 'the card was refused' >&2; exit 3
    undo: none
    because: refunds are made by the bank
    not_done: [3]
";

/// The console beside the test.
pub(crate) struct Console {
    child: Child,
    err: BufReader<ChildStderr>,
    host: String,
}

impl Console {
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        Self::start_with(place, None, arguments)
    }

    pub(crate) fn start_with(place: &Place, token: Option<&str>, arguments: &[&str]) -> Self {
        let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        match token {
            Some(token) => command.env("COMPENSATION_TOKEN", token),
            None => command.env_remove("COMPENSATION_TOKEN"),
        };
        let mut child = command.spawn().expect("the program starts");
        let mut err = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        err.read_line(&mut line).expect("readable");
        let (_, rest) = line.split_once("http://").unwrap_or_else(|| panic!("no address: {line}"));
        let host = rest.split('/').next().expect("a host").to_owned();
        Self { child, err, host }
    }

    /// What it answers: the status, and the text with its headers.
    pub(crate) fn ask(&self, request: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.host).expect("it listens");
        let (host, bytes) = (&self.host, body.len());
        let text = format!(
            "{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {bytes}\r\n\
             {headers}\r\n{body}"
        );
        stream.write_all(text.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), answer)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path}"), "", "")
    }

    /// Gives an order by the form of its page.
    pub(crate) fn order(&self, query: &str) -> (u16, String) {
        let (status, page) = self.get(&format!("/order?{query}"));
        assert_eq!(status, 200, "{page}");
        let (_, rest) = page.split_once("name=\"form\" value=\"").expect("a form");
        let form = rest.split('"').next().expect("an end");
        let body = format!("form={form}&{query}&who=Ada&why=the+line+is+mended");
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.ask("POST /order", kind, &body)
    }

    /// Asks until the page says that; it does, or the test is killed.
    pub(crate) fn get_until(&self, path: &str, says: &str) -> String {
        loop {
            let (_, page) = self.get(path);
            if page.contains(says) {
                return page;
            }
        }
    }

    /// Ends it: its exit code, and what it said after its address.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let order = format!("kill -TERM {}", self.child.id());
        let sent = std::process::Command::new("/bin/sh").args(["-c", &order]).status();
        assert!(sent.expect("sh is there").success());
        let mut said = String::new();
        self.err.read_to_string(&mut said).expect("readable");
        (self.child.wait().expect("it ends").code(), said)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
