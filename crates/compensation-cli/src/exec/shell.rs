//! Commands of `/bin/sh`, each under a guard that lets nothing of it outlive its attempt.

use std::{
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
};

use super::{
    Failed,
    guard::{NOT_STARTED, NOT_STARTED_CODE, RELEASE, VERB},
    kill,
    pipes::{self, Cut},
    spill,
    vars::Vars,
};

/// How much of what a command says on its error output is kept.
const STDERR_BYTES: usize = 8 * 1024;

/// What is left for it beside our own words in the record of a failure.
const SAID_BYTES: usize = STDERR_BYTES - 256;

/// How often it is looked whether a guard has ended, how long between two looks.
const LOOKS: u32 = 5_000;
const LOOK: Duration = Duration::from_millis(1);

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
        .kill_on_drop(true);
    vars.unset().iter().chain(&fitted.unset).for_each(|name| {
        process.env_remove(name);
    });
    process.envs(fitted.set.iter().map(|(name, value)| (name, value)));
    let mut child = process.spawn().map_err(not_started)?;
    let mut guarded = Guarded::of(&mut child);
    let ended = read_and_wait(&mut child, &mut guarded, limit).await;
    let (said, complained, status) = ended.map_err(|cut| match cut {
        Cut::TooLong => Failed::Unusable(format!(
            "it wrote more than {} bytes, and was killed: at most that much is kept as its output \
             (`output: none` keeps nothing)",
            limit.unwrap_or_default()
        )),
        Cut::Lost(error) => Failed::Lost(format!("its output could not be read: {error}")),
    })?;
    guarded.ended(status);
    if status.success() {
        return Ok(said);
    }
    Err(failure(status, &String::from_utf8_lossy(&complained)))
}

async fn read_and_wait(
    child: &mut Child,
    guarded: &mut Guarded,
    limit: Option<usize>,
) -> Result<(Vec<u8>, Vec<u8>, ExitStatus), Cut> {
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
    let (said, complained) = tokio::try_join!(said, complained)?;
    guarded.release().await;
    let status = child.wait().await.map_err(Cut::Lost)?;
    Ok((said, complained, status))
}

fn failure(status: ExitStatus, complained: &str) -> Failed {
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

/// A guard with its command. Dropped before the guard's end, it ends both, and returns when they have.
struct Guarded {
    guard: Option<Pid>,
    /// While it is open, the guard knows that this process lives and the attempt goes on.
    pipe: Option<ChildStdin>,
}

impl Guarded {
    fn of(guard: &mut Child) -> Self {
        let id = guard.id().and_then(|id| i32::try_from(id).ok());
        Self { guard: id.and_then(Pid::from_raw), pipe: guard.stdin.take() }
    }

    /// Everything was read: the guard may end as its command did.
    async fn release(&mut self) {
        if let Some(pipe) = &mut self.pipe {
            // One that could not start its command is gone already.
            let _ = pipe.write_all(RELEASE).await;
        }
    }

    /// The guard has ended. After a failure it has killed what was left running, unless it was killed itself.
    fn ended(&mut self, status: ExitStatus) {
        if let Some(guard) = self.guard.take()
            && status.code().is_none()
        {
            kill::started_by(guard, None);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let Some(guard) = self.guard else { return };
        drop(self.pipe.take());
        // An undo may start as soon as this returns, so it can't be left to itself.
        let has_ended = (0..LOOKS).any(|_| {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            let running = matches!(waitid(WaitId::Pid(guard), options), Ok(None));
            if running {
                thread::sleep(LOOK);
            }
            !running
        });
        if !has_ended {
            // Its command has stopped it. What it might start before its own end is found by the session.
            kill::started_by(guard, None);
            let _ = kill_process(guard, Signal::KILL);
            kill::started_by(guard, None);
        }
    }
}

#[cfg(test)]
mod tests {
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
