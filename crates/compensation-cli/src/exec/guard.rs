//! The process between this program and a command: it dies with either, and takes the command with it.
//!
//! Without it a `kill -9` of this program would leave its commands running, beside the undos that the
//! next process starts. A guard leads the command's process group and holds one end of a pipe; when
//! the other end closes, which the death of this program does, it kills the whole group.

use std::{
    ffi::OsStr,
    io::{self, Write},
    os::unix::process::ExitStatusExt,
    process::{Command, ExitCode, Stdio},
    thread,
};

use rustix::process::Signal;

/// The hidden verb that starts a guard.
pub(crate) const VERB: &str = "__guard";

/// The exit code of a guard that could not start its command, with [`NOT_STARTED`] before the reason.
pub(super) const NOT_STARTED_CODE: i32 = 125;

/// What such a guard says.
pub(super) const NOT_STARTED: &str = "compensation: /bin/sh could not be started: ";

/// Runs one command of `/bin/sh`. Its environment, directory and outputs are the guard's own; the
/// guard's input is the pipe.
pub(crate) fn guard(command: &OsStr) -> ExitCode {
    let started = Command::new("/bin/sh").arg("-c").arg(command).stdin(Stdio::null()).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return not_started(&error),
    };
    thread::spawn(|| {
        // Nothing is ever sent: it ends when the other end closes.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = rustix::process::kill_current_process_group(Signal::KILL);
    });
    match child.wait() {
        Ok(status) => match status.code() {
            Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
            None => end_by(status.signal().unwrap_or_default()),
        },
        Err(_) => ExitCode::FAILURE,
    }
}

fn not_started(error: &io::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "{NOT_STARTED}{error}");
    ExitCode::from(u8::try_from(NOT_STARTED_CODE).unwrap_or(u8::MAX))
}

/// Ends by the signal that ended the command, so that whoever waits sees the same.
fn end_by(signal: i32) -> ExitCode {
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
        // A signal that does not end a guard is blocked or ignored here, and said by the code instead.
    }
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}
