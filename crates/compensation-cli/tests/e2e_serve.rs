//! `serve`: the console, metrics and hooks of the program, as docs/console.md tells.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod console;
mod program;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
};

use console::{Console, TRIP};
use program::Place;
use serde_json::Value;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn stuck() -> Place {
    let place = Place::with(TRIP);
    place.run(&["--input", "who=mallory", "--id", "trip-mallory"]).code(4);
    place
}

#[test]
fn a_stuck_saga_is_found_and_mended_in_the_console() {
    let place = stuck();
    let console = Console::start(&place, &[]);
    let (status, overview) = console.get("/");
    assert_eq!(status, 200);
    assert!(overview.contains("1 saga waits for a person") && overview.contains("trip-mallory"));
    assert!(console.get("/saga?id=trip-mallory").1.contains("no route to cars.internal"));
    place.write("line-is-up", "");
    let (status, answer) = console.order("id=trip-mallory&verb=retry&step=reserve-car");
    assert_eq!(status, 303, "{answer}");
    let page = console.get_until("/saga?id=trip-mallory", "status compensated");
    assert!(page.contains("the line is mended") && page.contains("Ada"));
    assert_eq!(console.end().0, Some(0));
    assert_eq!(place.show("trip-mallory")["status"], "compensated");
}

#[test]
fn an_undo_is_retried_in_the_console_with_an_input_that_the_file_knows_and_no_other() {
    let place = stuck();
    let console = Console::start(&place, &[]);
    let retry = "id=trip-mallory&verb=retry&step=reserve-car";
    place.write("line-is-up", "");
    for (given, said) in [
        ("input=%7B%22whom%22%3A%22grace%22%7D", "has no input <code>whom</code>"),
        ("input=17", "must be a JSON object"),
        ("output=17", "is text: put it in quotes"),
    ] {
        let (status, answer) = console.order(&format!("{retry}&{given}"));
        assert_eq!(status, 422, "{answer}");
        assert!(answer.contains(said), "{answer}");
    }
    let given = "input=%7B%22who%22%3A%22grace%22%7D&output=%22car+for+grace%22";
    assert_eq!(console.order(&format!("{retry}&{given}")).0, 303);
    console.get_until("/saga?id=trip-mallory", "status compensated");
    assert_eq!(console.end().0, Some(0));
    let shown = place.call(&["show", "trip-mallory"]).out;
    assert!(
        shown.contains("retry with another input and another output, ordered by Ada"),
        "{shown}"
    );
}

#[test]
fn the_metrics_tell_of_the_store() {
    let place = stuck();
    let console = Console::start(&place, &[]);
    let (status, metrics) = console.get("/metrics");
    assert_eq!(status, 200);
    assert!(metrics.contains("application/openmetrics-text"));
    assert!(metrics.contains("compensation_sagas{status=\"stuck\"} 1.0"), "{metrics}");
    assert!(metrics.trim_end().ends_with("# EOF"));
}

#[test]
fn a_console_that_others_could_reach_demands_a_token() {
    let place = stuck();
    for arguments in [["--listen", "0.0.0.0:0"], ["--host", "ops.example"]] {
        let mut command = place.command(&["serve"]);
        let ended = command.args(arguments).env_remove("COMPENSATION_TOKEN").output();
        let ended = program::Ended::of(&ended.expect("it starts")).code(2);
        ended.says("needs a token").says("--token-file");
    }
    place.write("token", "short\n");
    place.call(&["serve", "--token-file", "token"]).code(2).says("token: the token is too short");
    place.call(&["serve", "--token-file", "none"]).code(2).says("can't be read from none");
}

#[test]
fn a_token_from_a_variable_or_a_file_lets_in_and_nothing_else_does() {
    let place = stuck();
    place.write("token", &format!("{TOKEN}\n"));
    for (variable, arguments) in [(Some(TOKEN), &[][..]), (None, &["--token-file", "token"][..])] {
        let console = Console::start_with(&place, variable, arguments);
        assert_eq!(console.get("/").0, 303);
        assert_eq!(console.get("/metrics").0, 303);
        let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
        assert_eq!(console.ask("GET /metrics", &bearer, "").0, 200);
        let wrong = format!("Authorization: Bearer {}\r\n", TOKEN.to_uppercase());
        assert_ne!(console.ask("GET /metrics", &wrong, "").0, 200);
    }
}

#[test]
fn a_read_only_console_takes_no_order() {
    let place = stuck();
    let console = Console::start(&place, &["--read-only"]);
    assert!(!console.get("/saga?id=trip-mallory").1.contains("/order"));
    assert_eq!(console.get("/order?id=trip-mallory&verb=abandon").0, 404);
}

#[test]
fn a_store_that_is_not_there_or_an_address_that_is_taken_is_bad_input() {
    let place = Place::new();
    place.call(&["serve"]).code(2).says("there is no store at");
    let place = stuck();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    place.call(&["serve", "--listen", &address]).code(2).says("can't listen on");
    place.call(&["serve", "--on-stuck-url", "ftp://x"]).code(2).says("--on-stuck-url");
}

#[test]
fn what_is_secret_is_on_no_page() {
    let file = "\
saga: s
input: [{ name: card, secret: true }]
steps:
  - name: a
    run: printf 't0k%s' en-77
    secret: true
    undo: { run: 'echo \"no $OUTPUT for $CARD\" >&2; exit 1', retry: { attempts: 1 } }
  - { name: b, run: 'echo \"card $CARD with $OUTPUT_A was refused\" >&2; exit 1', undo: 'true' }
";
    let place = Place::with(file);
    place.run(&["--input", "card=4711-0815", "--id", "x"]).code(4);
    let console = Console::start(&place, &[]);
    for path in
        ["/", "/list", "/saga?id=x", "/order?id=x&verb=retry&step=a", "/order?id=x&verb=abandon"]
    {
        let (status, page) = console.get(path);
        assert_eq!(status, 200, "{path}");
        for secret in ["4711-0815", "t0ken-77"] {
            assert!(!page.contains(secret), "{secret} is on {path}");
        }
    }
}

#[test]
fn a_command_is_told_of_every_saga_that_parks() {
    let place = stuck();
    program::gate(&place.file("heard"));
    let command = "echo \"$SAGA_ID: $SAGA_REASON\" > heard";
    let console = Console::start(&place, &["--on-stuck", command]);
    // Reading waits for the command to write.
    let said = place.read("heard");
    assert!(said.starts_with("trip-mallory: step `reserve-car` needs a person"), "{said}");
    place.run(&["--input", "who=eve", "--id", "trip-eve"]).code(4);
    assert!(place.read("heard").starts_with("trip-eve: "), "one that another process parks");
    assert_eq!(console.end().0, Some(0));
}

/// One request to the hook: its head and its body.
fn heard(listener: &TcpListener, answer: &str) -> (String, Value) {
    let (mut stream, _) = listener.accept().expect("somebody comes");
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("readable");
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_lowercase();
        if let Some(bytes) = lower.strip_prefix("content-length:") {
            length = bytes.trim().parse().expect("a number");
        }
        head.push_str(&lower);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("readable");
    let text = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).expect("writable");
    (head, serde_json::from_slice(&body).expect("JSON"))
}

#[test]
fn a_url_is_told_again_under_the_same_key_until_it_has_heard() {
    let place = stuck();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/sagas", listener.local_addr().expect("bound"));
    let console = Console::start(&place, &["--on-stuck-url", &url]);
    let (first, word) = heard(&listener, "500 Internal Server Error");
    assert_eq!(word["event"], "saga.stuck");
    assert_eq!(word["id"], "trip-mallory");
    assert!(word["reason"].as_str().is_some_and(|why| why.contains("no route to cars.internal")));
    let (second, again) = heard(&listener, "204 No Content");
    assert_eq!(word, again);
    let key = |head: &str| {
        head.lines().find(|line| line.starts_with("idempotency-key:")).map(ToOwned::to_owned)
    };
    assert!(key(&first).is_some());
    assert_eq!(key(&first), key(&second));
    assert_eq!(console.get("/").0, 200, "nothing of it holds the console up");
}
