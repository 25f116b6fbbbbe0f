//! The program `compensation`: reads the command line, calls the verb, and ends with the exit code.

#[cfg(not(unix))]
compile_error!("this program runs commands in sessions, which only Unix has");

mod args;
mod clock;
mod commands;
mod error;
mod exec;
mod file;
mod print;
mod store;

use std::{env, process::ExitCode, time::Duration};

use clap::{
    Parser,
    error::{ContextKind, ContextValue},
};

use args::Arguments;
use error::{Error, Exit};

/// How long what is still running is waited for at the end.
const GRACE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    if let (Some(verb), Some(command), None) = (words.next(), words.next(), words.next())
        && verb == exec::GUARD
    {
        return exec::guard(&command);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => return usage(cut(refusal)),
    };
    let json = arguments.common.json;
    match run(arguments) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            print::complain(&error, json);
            ExitCode::from(error.exit().code())
        }
    }
}

fn run(arguments: Arguments) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::other(format!("the program can't start: {error}")))?;
    let ended = runtime.block_on(commands::call(arguments));
    runtime.shutdown_timeout(GRACE);
    ended
}

/// The same with what was given cut where it is long: a screen full of it says no more than its beginning.
fn cut(mut refusal: clap::Error) -> clap::Error {
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg, ContextKind::InvalidSubcommand]
    {
        if let Some(ContextValue::String(given)) = refusal.get(kind) {
            let short = ContextValue::String(print::short(given));
            refusal.insert(kind, short);
        }
    }
    refusal
}

/// A command line that makes no sense, or asks for help.
fn usage(refusal: clap::Error) -> ExitCode {
    if refusal.use_stderr() && env::args_os().any(|word| word == "--json") {
        print::complain(&Error::input(refusal.to_string().trim_end()), true);
    } else {
        // Nobody listens where it can't be written.
        let _ = refusal.print();
    }
    ExitCode::from(if refusal.use_stderr() { Exit::Input.code() } else { Exit::Ok.code() })
}
