//! The command line's grammar. Says nothing of what the verbs do.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use compensation::{SagaId, Status};

const ENDS: &str = "\
Exit codes: 0 completed, or done as asked; 2 bad usage or input, nothing changed; 3 failed and fully \
compensated; 4 stuck, a person is needed; 1 anything else.";

/// Sagas from YAML files, durable on SQLite: every saga completes, is undone, or says what it needs.
#[derive(Debug, Parser)]
#[command(name = "compensation", version, after_help = ENDS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What every verb takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The store
    #[arg(
        long,
        global = true,
        env = "COMPENSATION_DB",
        default_value = "sagas.db",
        value_name = "FILE"
    )]
    pub(crate) db: PathBuf,
    /// Say everything as JSON, errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a saga to its end; the same id and input again is the same saga
    Run(Run),
    /// List sagas, newest first
    List(List),
    /// Show a saga: steps, outputs, failures
    Show {
        /// The saga
        id: SagaId,
    },
    /// Drive what dead processes left to its end: these sagas, or all that nobody runs
    Resume {
        /// The sagas; none means all open ones that nobody runs
        #[arg(value_name = "ID")]
        ids: Vec<SagaId>,
    },
    /// Undo a saga: a running, a stuck, or a completed one without a pivot
    Undo {
        /// The saga
        id: SagaId,
        #[command(flatten)]
        order: Ordered,
    },
    /// Attempt a parked step or undo again, with a fresh budget
    Retry {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        order: Ordered,
    },
    /// Go on without a parked undo, or without a parked step after the pivot
    Skip {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        order: Ordered,
    },
    /// Declare a parked step or undo done by hand
    Done {
        #[command(flatten)]
        at: At,
        /// The step's output: text, or JSON where the step's output is JSON
        #[arg(long, value_name = "TEXT_OR_JSON")]
        output: Option<String>,
        #[command(flatten)]
        order: Ordered,
    },
    /// Give a saga up: nothing of it will run any more, and nothing more is undone
    Abandon {
        /// The saga
        id: SagaId,
        #[command(flatten)]
        order: Ordered,
    },
    /// Check saga files without running anything
    Check {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Draw a saga file, or a saga of the store as it stands
    Graph {
        /// A saga file, or the id of a saga in the store
        #[arg(value_name = "FILE|ID")]
        what: PathBuf,
        /// Graphviz text, or a picture
        #[arg(long, value_enum, default_value_t = Format::Dot)]
        format: Format,
    },
    /// Delete the records of sagas that ended long ago; the newest saga always stays
    Purge {
        /// How long ago at least, such as 12h or 30d
        #[arg(long, value_name = "DURATION")]
        older_than: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The saga file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// One input, as text; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) input: Vec<String>,
    /// Inputs as a JSON object, or @FILE to read it from a file
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) input_json: Option<String>,
    /// The saga's id; choose it from what makes the work unique. By default a new one is made
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<SagaId>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only sagas that stand so; may be repeated
    #[arg(long, value_name = "STATUS", value_parser = status)]
    pub(crate) status: Vec<Status>,
    /// Only sagas of this name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// Go on where the page before ended: the cursor that it gave
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<i64>,
}

/// One step of one saga.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The saga
    pub(crate) id: SagaId,
    /// The step
    pub(crate) step: String,
}

/// Who orders something, and why: the record keeps it.
#[derive(Debug, Args)]
pub(crate) struct Ordered {
    /// Why
    #[arg(long)]
    pub(crate) reason: String,
    /// Who; by default the environment's USER or LOGNAME
    #[arg(long)]
    pub(crate) by: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    Dot,
    Svg,
}

fn status(word: &str) -> Result<Status, String> {
    Status::parse(word).ok_or_else(|| {
        let known: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
        format!("a saga is one of {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }
}
