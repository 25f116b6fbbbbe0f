//! Commands of `/bin/sh`, each in a process group of its own that never outlives its attempt.

use std::{os::unix::process::ExitStatusExt, path::PathBuf, process::Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use super::{
    Failed,
    guard::{NOT_STARTED, NOT_STARTED_CODE, VERB},
    pipes::{self, Cut},
    spill,
    vars::Vars,
};

/// How much of what a command says on its error output is kept.
const STDERR_BYTES: usize = 8 * 1024;

/// What is left for it beside our own words in the record of a failure.
const SAID_BYTES: usize = STDERR_BYTES - 256;

/// Runs a command in that directory and returns what it says; `limit` is how much that may be, and
/// without a limit it is thrown away.
///
/// The command is done once it has ended and nothing holds its outputs open any more.
///
/// # Cancel safety
/// Dropped, it kills the command and all that it started.
pub(super) async fn run(
    command: &str,
    dir: &str,
    vars: &Vars,
    limit: Option<usize>,
) -> Result<Vec<u8>, Failed> {
    let not_started = |error: std::io::Error| Failed::NotStarted {
        message: format!("the command could not be started in {dir}: {error}"),
        retryable: true,
    };
    let fitted = spill::fit(vars.iter()).map_err(not_started)?;
    let mut process = Command::new(this_program());
    process
        .arg0("compensation")
        .args([VERB, command])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(if limit.is_some() { Stdio::piped() } else { Stdio::null() })
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    vars.unset().iter().chain(&fitted.unset).for_each(|name| {
        process.env_remove(name);
    });
    process.envs(fitted.set.iter().map(|(name, value)| (name, value)));
    let mut child = process.spawn().map_err(not_started)?;
    let group = Group::of(&child);
    // While it is open, the guard knows that this process lives.
    let alive = child.stdin.take();
    let ended = read_and_wait(&mut child, limit).await;
    drop(alive);
    let (said, complained, status) = ended.map_err(|cut| match cut {
        Cut::TooLong => Failed::Unusable(format!(
            "it wrote more than {} bytes, and was killed: at most that much is kept as its output \
             (`output: none` keeps nothing)",
            limit.unwrap_or_default()
        )),
        Cut::Lost(error) => Failed::Lost(format!("its output could not be read: {error}")),
    })?;
    if status.success() {
        group.leave();
        return Ok(said);
    }
    // What it left running must not go on beside an undo.
    drop(group);
    Err(failure(status, &String::from_utf8_lossy(&complained)))
}

async fn read_and_wait(
    child: &mut Child,
    limit: Option<usize>,
) -> Result<(Vec<u8>, Vec<u8>, std::process::ExitStatus), Cut> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let said = async {
        match stdout {
            Some(stdout) => pipes::all(stdout, limit.unwrap_or_default()).await,
            None => Ok(Vec::new()),
        }
    };
    let complained = async {
        match stderr {
            Some(stderr) => pipes::tail(stderr, STDERR_BYTES).await,
            None => Ok(Vec::new()),
        }
    };
    let ended = async { child.wait().await.map_err(Cut::Lost) };
    tokio::try_join!(said, complained, ended)
}

fn failure(status: std::process::ExitStatus, complained: &str) -> Failed {
    let complained = complained.trim();
    if status.code() == Some(NOT_STARTED_CODE) && complained.starts_with(NOT_STARTED) {
        return Failed::NotStarted { message: complained.to_owned(), retryable: true };
    }
    let said = match pipes::last(complained, SAID_BYTES) {
        "" => String::new(),
        said => format!(": {said}"),
    };
    let Some(code) = status.code() else {
        let signal = status.signal().unwrap_or_default();
        return Failed::Lost(format!("killed by signal {signal}{said}"));
    };
    let meaning = match code {
        126 => " (the shell could not run a program)",
        127 => " (the shell found no such program)",
        _ => "",
    };
    Failed::Ended {
        code: u16::try_from(code).unwrap_or_default(),
        message: format!("exit status {code}{meaning}{said}"),
    }
}

/// The file that this process runs, also where it was replaced meanwhile.
fn this_program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        return running;
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("compensation"))
}

/// The processes of one command, killed unless they may stay.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// The command succeeded: what it left running was meant to.
    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // There may be nobody left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    /// A raw status as `wait` gives it.
    fn exited(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn a_missing_program_is_said_in_words() {
        let failed = failure(exited(127), "sh: 1: creatdb: not found\n");
        let message =
            "exit status 127 (the shell found no such program): sh: 1: creatdb: not found";
        assert_eq!(failed, Failed::Ended { code: 127, message: message.to_owned() });
    }

    #[test]
    fn of_a_long_complaint_the_end_is_said() {
        let Failed::Ended { message, .. } = failure(exited(1), &"ä".repeat(STDERR_BYTES)) else {
            panic!("an exit status");
        };
        assert!(message.len() <= STDERR_BYTES, "{}", message.len());
        assert!(message.ends_with('ä'));
    }

    #[test]
    fn a_signal_leaves_the_outcome_open() {
        let failed = failure(ExitStatus::from_raw(9), "");
        assert_eq!(failed, Failed::Lost("killed by signal 9".to_owned()));
    }
}
