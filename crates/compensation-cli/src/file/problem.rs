//! What is wrong with a saga file, and where.

use std::fmt;

use serde_json::{Value, json};
use serde_saphyr::Location;

/// One thing that is wrong with a saga file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    file: String,
    /// Line and column, from 1.
    at: Option<(u64, u64)>,
    step: Option<String>,
    message: String,
}

impl Problem {
    pub(crate) fn new(file: &str, at: Option<Location>, message: impl Into<String>) -> Self {
        let at = at.filter(|at| at.line() > 0).map(|at| (at.line(), at.column()));
        Self { file: file.to_owned(), at, step: None, message: message.into() }
    }

    /// The same, about a step.
    pub(crate) fn of_step(mut self, step: &str) -> Self {
        self.step = Some(step.to_owned());
        self
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "file": self.file,
            "line": self.at.map(|at| at.0),
            "column": self.at.map(|at| at.1),
            "step": self.step,
            "message": self.message,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some((line, column)) = self.at {
            write!(f, "{line}:{column}:")?;
        }
        if let Some(step) = &self.step {
            write!(f, " step `{step}`:")?;
        }
        write!(f, " {}", self.message)
    }
}
