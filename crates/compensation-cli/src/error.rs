//! The one error of the program: a sentence for people, a word for programs and the exit code.

use std::fmt;

use compensation::{
    EngineError,
    repository::{ErrorKind, RepositoryError},
};
use serde_json::{Value, json};

use crate::file::Problem;

/// What the program ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The saga is completed, or the verb did what it was asked.
    Ok,
    /// Anything without a code of its own.
    Other,
    /// Bad usage or bad input; nothing changed.
    Input,
    /// The saga failed and is fully compensated.
    Compensated,
    /// The saga waits for a person.
    Stuck,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Other => 1,
            Self::Input => 2,
            Self::Compensated => 3,
            Self::Stuck => 4,
        }
    }

    /// Which of two says more about what needs attention.
    pub(crate) fn worse(self, other: Self) -> Self {
        let badness = |exit| match exit {
            Self::Ok => 0,
            Self::Compensated => 1,
            Self::Input => 2,
            Self::Other => 3,
            Self::Stuck => 4,
        };
        if badness(other) > badness(self) { other } else { self }
    }
}

/// Why a verb did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Error {
    exit: Exit,
    word: &'static str,
    message: String,
    problems: Vec<Problem>,
}

impl Error {
    /// What was asked makes no sense; nothing changed.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self { exit: Exit::Input, word: "bad_input", message: message.into(), problems: Vec::new() }
    }

    /// An order that makes no sense as the saga stands; nothing changed.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { word: "refused", ..Self::input(message) }
    }

    /// Saga files that are wrong; nothing changed.
    pub(crate) fn files(problems: Vec<Problem>) -> Self {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Self { exit: Exit::Input, word: "bad_file", message: lines.join("\n"), problems }
    }

    /// The program was told to stop.
    pub(crate) fn stopped(message: impl Into<String>) -> Self {
        Self { exit: Exit::Other, word: "stopped", message: message.into(), problems: Vec::new() }
    }

    /// Something outside went wrong.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self { exit: Exit::Other, word: "failed", message: message.into(), problems: Vec::new() }
    }

    /// The store can't be opened. Where trying again will not help, it is the wrong one: nothing changed.
    pub(crate) fn unopened(error: &RepositoryError) -> Self {
        let exit = if error.kind() == ErrorKind::Permanent { Exit::Input } else { Exit::Other };
        Self { exit, word: "store", message: sentence(error), problems: Vec::new() }
    }

    /// The same without what is secret.
    pub(crate) fn masked(mut self, mask: &compensation::Mask) -> Self {
        self.mask(mask);
        self
    }

    /// Takes out what is secret.
    pub(crate) fn mask(&mut self, mask: &compensation::Mask) {
        self.message = mask.text(&self.message);
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let mut error =
            json!({ "kind": self.word, "message": self.message, "exit": self.exit.code() });
        if !self.problems.is_empty() {
            error["problems"] = self.problems.iter().map(Problem::json).collect();
        }
        json!({ "error": error })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        let (exit, word) = match &error {
            EngineError::NotFound(_) => (Exit::Input, "not_found"),
            EngineError::OtherSaga { .. } | EngineError::OtherInput(_) => {
                (Exit::Input, "other_saga")
            }
            EngineError::BadInput { .. }
            | EngineError::BadOutput { .. }
            | EngineError::BadOrder(_)
            | EngineError::InputTooLarge { .. } => (Exit::Input, "bad_input"),
            EngineError::Refused { .. } => (Exit::Input, "refused"),
            EngineError::UnknownStep { .. } => (Exit::Input, "unknown_step"),
            EngineError::OwnedElsewhere { .. } => (Exit::Other, "owned_elsewhere"),
            EngineError::Held { .. } => (Exit::Stuck, "held"),
            EngineError::Unanswered(_) => (Exit::Other, "unanswered"),
            EngineError::Closing => (Exit::Other, "stopped"),
            EngineError::Store(_) => (Exit::Other, "store"),
            _ => (Exit::Other, "failed"),
        };
        Self { exit, word, message: sentence(&error), problems: Vec::new() }
    }
}

impl From<RepositoryError> for Error {
    fn from(error: RepositoryError) -> Self {
        Self { exit: Exit::Other, word: "store", message: sentence(&error), problems: Vec::new() }
    }
}

/// The error and what caused it, each said once.
fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        // SQLite's errors repeat themselves with a number, which helps nobody to mend them.
        let is_news = |part: &str| !text.contains(part) && !part.starts_with("Error code ");
        if said.split(": ").any(is_news) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuck_is_worse_than_any_other_end() {
        let all = [Exit::Ok, Exit::Other, Exit::Input, Exit::Compensated, Exit::Stuck];
        assert_eq!(all.into_iter().reduce(Exit::worse), Some(Exit::Stuck));
    }

    #[test]
    fn a_cause_that_the_error_quotes_is_not_said_twice() {
        let error = EngineError::from(RepositoryError::new(
            compensation::repository::ErrorKind::Permanent,
            "no file",
        ));
        assert_eq!(Error::from(error).to_string(), "no file");
    }

    #[test]
    fn a_cause_that_adds_a_number_only_is_not_said() {
        #[derive(Debug, thiserror::Error)]
        #[error("Error code 26: file is not a database")]
        struct Coded;
        #[derive(Debug, thiserror::Error)]
        #[error("can't open `a`: file is not a database")]
        struct Unopened(#[source] Coded);
        assert_eq!(sentence(&Unopened(Coded)), "can't open `a`: file is not a database");
    }
}
