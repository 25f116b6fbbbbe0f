//! `completions` and `man`: what shells and readers need of the grammar.

use std::path::Path;

use clap::CommandFactory;

use crate::{
    args::Arguments,
    error::{Error, Exit},
    print,
};

/// The program's name, as people call it.
const NAME: &str = "compensation";

pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, Error> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut text);
    print::say(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Ok)
}

pub(super) fn man(dir: Option<&Path>) -> Result<Exit, Error> {
    let command = Arguments::command();
    if let Some(dir) = dir {
        clap_mangen::generate_to(command, dir).map_err(|error| {
            let dir = dir.display();
            Error::input(format!("--dir: manual pages can't be written to {dir}: {error}"))
        })?;
        return Ok(Exit::Ok);
    }
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut text);
    rendered.map_err(|error| Error::other(format!("the page can't be made: {error}")))?;
    print::say(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Ok)
}
