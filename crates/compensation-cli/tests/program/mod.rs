//! The program under test, in a directory of its own.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails where its surroundings do")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// Where the program is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_compensation");

/// Variables that would lead a test's requests away from this machine.
const PROXIES: [&str; 6] =
    ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// A directory with saga files and a store.
pub(crate) struct Place {
    dir: TempDir,
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    /// With that text as `saga.yaml`.
    pub(crate) fn with(file: &str) -> Self {
        let place = Self::new();
        place.write("saga.yaml", file);
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).expect("writable");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).expect("readable")
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.file(name).exists()
    }

    /// The names of all files but those of the store and `saga.yaml`.
    pub(crate) fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.path())
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"));
        let mut names: Vec<_> =
            names.filter(|name| !name.starts_with("sagas.db") && name != "saga.yaml").collect();
        names.sort();
        names
    }

    /// The program with those arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.path())
            .env("USER", "tester")
            .env_remove("COMPENSATION_DB")
            .stdin(Stdio::null());
        for proxy in PROXIES {
            command.env_remove(proxy);
        }
        command
    }

    /// Runs it to its end.
    pub(crate) fn call(&self, arguments: &[&str]) -> Ended {
        Ended::of(&self.command(arguments).output().expect("the program starts"))
    }

    /// Runs `saga.yaml` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.call(&[&["run", "saga.yaml"], arguments].concat())
    }

    /// The record of a saga.
    pub(crate) fn show(&self, id: &str) -> Value {
        self.call(&["show", id, "--json"]).json()
    }

    /// Starts it beside the test. What its commands write to descriptor 3 comes out of it, up to the end of
    /// the last process that it started.
    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        self.start_with(&[], arguments)
    }

    /// As `start`, with those variables.
    pub(crate) fn start_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Started {
        let mut plain = self.command(&[]);
        plain.envs(variables.iter().copied());
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "exec \"$0\" \"$@\" 3>&1 >/dev/null", PROGRAM])
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = command.spawn().expect("the program starts");
        let said = BufReader::new(child.stdout.take().expect("piped"));
        let err = BufReader::new(child.stderr.take().expect("piped"));
        Started { child, said, err }
    }
}

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Fails unless it ended with that code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// What it said, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What it complained of, as JSON.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let last = self.err.lines().last().unwrap_or_default();
        let error: Value =
            serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        error["error"].clone()
    }

    /// Fails unless its error output has that text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "`{text}` is not in {self:?}");
        self
    }
}

/// The program beside the test.
pub(crate) struct Started {
    child: Child,
    said: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
}

impl Started {
    /// Waits for one line from descriptor 3.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, line: &str) {
        let mut said = String::new();
        self.said.read_line(&mut said).expect("readable");
        assert_eq!(said.trim_end(), line);
    }

    /// Waits for a line of the error output that has that text.
    #[track_caller]
    pub(crate) fn wait_for_err(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            let read = self.err.read_line(&mut line).expect("readable");
            assert!(read > 0, "it ended without saying `{text}`");
            if line.contains(text) {
                return;
            }
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let order = format!("kill {signal} {}", self.child.id());
        let sent = Command::new("/bin/sh").args(["-c", &order]).status().expect("sh is there");
        assert!(sent.success());
    }

    /// Waits for its end and that of all that it started: how it ended, and what was said on descriptor 3
    /// and on the error output since.
    pub(crate) fn end(mut self) -> (Ended, String) {
        let (mut err, mut said) = (String::new(), String::new());
        self.said.read_to_string(&mut said).expect("readable");
        self.err.read_to_string(&mut err).expect("readable");
        let status = self.child.wait().expect("it ends");
        let code = status.code().or(status.signal().map(|signal| -signal));
        (Ended { code, out: String::new(), err }, said)
    }
}

/// Opens a gate that a command waits at: a named pipe that it reads.
pub(crate) fn open_gate(gate: &Path) {
    let mut gate = fs::File::options().write(true).open(gate).expect("somebody waits");
    gate.write_all(b"go\n").expect("somebody waits");
}

/// Makes a gate.
pub(crate) fn gate(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo is there");
    assert!(made.success());
}
