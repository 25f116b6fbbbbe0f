//! The process between this program and a command: it lives as long as the command's attempt, and ends all
//! that the command started with it.
//!
//! Without it a `kill -9` of this program would leave its commands running, beside the undos that the
//! next process starts. A guard holds one end of a pipe. [`RELEASE`] in it says that everything was read
//! that the command says; the end of the pipe says that the attempt is over, or this program dead.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    process::{Command, ExitCode, Stdio, exit},
    thread,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, setsid, wait},
    stdio::{dup2_stderr, dup2_stdout},
};

use super::kill;

/// The hidden verb that starts a guard.
pub(crate) const VERB: &str = "__guard";

/// What a guard waits for, once its command has ended and nobody holds the outputs any more.
pub(super) const RELEASE: &[u8] = b"\n";

/// The exit code of a guard that could not start its command, with [`NOT_STARTED`] before the reason.
pub(super) const NOT_STARTED_CODE: i32 = 125;

/// What such a guard says.
pub(super) const NOT_STARTED: &str = "compensation: /bin/sh could not be started: ";

/// Runs one command of `/bin/sh`. Its environment, directory and outputs are the guard's own; the
/// guard's input is the pipe.
pub(crate) fn guard(command: &OsStr) -> ExitCode {
    let (shell, nowhere) = match start(command) {
        Ok(started) => started,
        Err(error) => return not_started(&error),
    };
    let released = thread::spawn(move || {
        if io::stdin().lock().read_exact(&mut [0; RELEASE.len()]).is_err() {
            kill::started_by(getpid(), Some(shell));
            exit(NOT_STARTED_CODE);
        }
    });
    let ended = end_of(shell);
    // Held open they would look as if the command still spoke.
    let silent = dup2_stdout(&nowhere).and_then(|()| dup2_stderr(&nowhere));
    let released = silent.is_ok() && released.join().is_ok();
    match ended {
        Ok(ended) if released && ended.exit_status() == Some(0) => return ExitCode::SUCCESS,
        _ => kill::started_by(getpid(), Some(shell)),
    }
    match ended.map(|ended| (ended.exit_status(), ended.terminating_signal())) {
        Ok((Some(code), _)) if code != 0 => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Ok((_, Some(signal))) => end_by(signal),
        _ => ExitCode::FAILURE,
    }
}

/// The shell, and what nobody reads.
fn start(command: &OsStr) -> io::Result<(Pid, File)> {
    setsid()?;
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(getpid()))?;
    let nowhere = File::options().write(true).open("/dev/null")?;
    if is_over()? {
        return Err(io::Error::other("its attempt is over"));
    }
    // A group of its own: what the command sends to its group is not meant for the guard.
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).process_group(0);
    Ok((Pid::from_child(&shell.spawn()?), nowhere))
}

/// Whether the pipe is closed already.
fn is_over() -> io::Result<bool> {
    let input = io::stdin();
    let mut pipe = [PollFd::new(&input, PollFlags::IN)];
    poll(&mut pipe, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(pipe[0].revents().contains(PollFlags::HUP))
}

/// Waits for the end of the shell, and buries the orphans that become the guard's children meanwhile.
fn end_of(shell: Pid) -> rustix::io::Result<WaitStatus> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((child, status))) if child == shell => return Ok(status),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

fn not_started(error: &io::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "{NOT_STARTED}{error}");
    ExitCode::from(u8::try_from(NOT_STARTED_CODE).unwrap_or(u8::MAX))
}

/// Ends by the signal that ended the command, so that whoever waits sees the same.
fn end_by(signal: i32) -> ExitCode {
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ = kill_process(getpid(), signal);
        // A signal that does not end a guard is blocked or ignored here, and said by the code instead.
    }
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}
