//! Command lines: each line of the input is a word, of any bytes.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

use clap::Parser as _;

use crate::{
    args::{Arguments, Verb},
    file::{Input, parse_duration},
};

/// Words beyond this many are left out: a shell takes more, and nothing is learnt from them.
const WORDS: usize = 64;

/// Reads a command line, and what its verbs read of it before they do anything.
pub fn arguments(data: &[u8]) {
    let words = data.split(|&byte| byte == b'\n').take(WORDS);
    let words = words.map(|word| OsString::from_vec(word.to_vec()));
    match Arguments::try_parse_from(std::iter::once(OsString::from("compensation")).chain(words)) {
        Ok(arguments) => match arguments.verb {
            Verb::Run(run) => {
                let read = Input::read(&run.input, run.input_json.as_deref());
                let _ = read.map(|input| input.check("saga", &["a".to_owned(), "b".to_owned()]));
            }
            Verb::Purge { older_than } => drop(parse_duration(&older_than)),
            _ => {}
        },
        // What is said of it is part of it.
        Err(refusal) => drop(refusal.to_string()),
    }
}
