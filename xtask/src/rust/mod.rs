//! As much of Rust's grammar as the checks need: tokens, which of them are tests, and paths. Knows no rule.

mod code;
mod lex;
mod paths;

pub(crate) use code::{Attribute, Code, closing};
pub(crate) use lex::{Token, tokens};
pub(crate) use paths::{Path, paths};
