//! What the program says: results on the standard output, everything else on the error output.

mod listing;
mod orders;
mod preview;
mod progress;
mod record;
mod screen;
mod show;
mod text;
mod timeline;

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde_json::Value;

pub(crate) use listing::{Listed, listed_line, listing, listing_json};
pub(crate) use orders::{applied, given, given_json, targets, targets_json, unchanged};
pub(crate) use preview::{preview, preview_json};
pub(crate) use progress::progress;
pub(crate) use record::Record;
pub(crate) use screen::Screen;
pub(crate) use show::{brief, full};
pub(crate) use text::{quoted, short};
pub(crate) use timeline::happenings;

use crate::error::Error;

/// How a line of progress is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Back,
}

/// Says the result.
pub(crate) fn say(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let said = out.write_all(text.as_bytes()).and_then(|()| match text.ends_with('\n') {
        true => out.flush(),
        false => out.write_all(b"\n").and_then(|()| out.flush()),
    });
    match said {
        // Whoever read it has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        said => said.map_err(|error| Error::other(format!("the result can't be written: {error}"))),
    }
}

/// Says a part of what goes on; whether anybody still reads it.
pub(crate) fn tell(text: &str) -> Result<bool, Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::other(format!("the result can't be written: {error}"))),
    }
}

/// Says the result for programs.
pub(crate) fn say_json(value: &Value) -> Result<(), Error> {
    say(&format!("{value:#}"))
}

/// Says something beside the result.
pub(crate) fn note(tone: Tone, text: &str) {
    let colour = match tone {
        Tone::Plain => "",
        Tone::Good => "\x1b[32m",
        Tone::Bad => "\x1b[31m",
        Tone::Back => "\x1b[33m",
    };
    let line = match colour {
        colour if !colour.is_empty() && colours() => format!("{colour}{text}\x1b[0m\n"),
        _ => format!("{text}\n"),
    };
    // Nobody listens where it can't be written.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Says why the program did not do what it was asked.
pub(crate) fn complain(error: &Error, json: bool) {
    if json {
        note(Tone::Plain, &error.json().to_string());
    } else {
        note(Tone::Bad, &format!("error: {}", text::clean(&error.to_string())));
    }
}

/// Whether the error output is a terminal whose owner likes colours.
fn colours() -> bool {
    let set =
        |name| std::env::var_os(name).is_some_and(|value: std::ffi::OsString| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stderr().is_terminal() && !set("NO_COLOR") && !dumb
}
