//! The command line's grammar. Says nothing of what the verbs do.

use std::{net::SocketAddr, path::PathBuf};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser},
};
use compensation::{SagaId, Status};

use crate::store::Db;

const ENDS: &str = "\
Exit codes: 0 completed, or done as asked; 2 bad usage or input, nothing changed; 3 failed and fully \
compensated; 4 stuck, a person is needed; 1 anything else.";

/// Sagas from YAML files, durable on SQLite or PostgreSQL: every saga completes, is undone, or says what it needs.
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
    /// The store: a SQLite file, or postgres://USER@HOST/DATABASE (the password may be in PGPASSWORD)
    #[arg(
        long,
        global = true,
        env = "COMPENSATION_DB",
        hide_env_values = true,
        default_value = "sagas.db",
        value_name = "FILE|URL",
        value_parser = OsStringValueParser::new().map(Db::from)
    )]
    pub(crate) db: Db,
    /// Say everything as JSON, errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a saga to its end; the same id and input again is the same saga
    Run(Run),
    /// List sagas: how each stands, since when, what is stuck and why
    List(List),
    /// Show a saga: steps, outputs, and all that happened to it
    Show {
        /// The saga
        id: SagaId,
    },
    /// Follow a saga until it ends, or the list of sagas until ^C
    Watch(Watch),
    /// Say what would be undone, in which order and with what, and change nothing
    Preview {
        /// The saga
        id: SagaId,
    },
    /// Drive what dead processes left to its end: these sagas, or all that nobody runs
    Resume {
        /// The sagas; none means all open ones that nobody runs
        #[arg(value_name = "ID")]
        ids: Vec<SagaId>,
        /// Why: the record of each that nobody ran keeps it
        #[arg(long, default_value = "resumed on the command line")]
        reason: String,
        /// Who; by default the environment's USER or LOGNAME, or else the number of the user
        #[arg(long)]
        by: Option<String>,
    },
    /// Undo a saga: a running, a stuck, or a completed one without a pivot
    Undo {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        order: Ordered,
    },
    /// Attempt again, at once and with a fresh budget, what is parked or waits after a failure
    Retry {
        #[command(flatten)]
        at: At,
        /// Give the step this in place of one of the saga's inputs, from now on; may be repeated
        #[arg(long, value_name = "KEY=VALUE", conflicts_with = "all")]
        input: Vec<String>,
        /// Give its undo this output in place of the recorded one: text, or JSON where the output is JSON
        #[arg(long, value_name = "TEXT_OR_JSON", conflicts_with = "all")]
        output: Option<String>,
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
    /// Declare a parked step, or with --undo a parked undo, done by hand
    Done {
        #[command(flatten)]
        at: At,
        /// It is the step's undo that was done by hand
        #[arg(long)]
        undo: bool,
        /// The step's output: text, or JSON where the step's output is JSON
        #[arg(long, value_name = "TEXT_OR_JSON", conflicts_with_all = ["all", "undo"])]
        output: Option<String>,
        #[command(flatten)]
        order: Ordered,
    },
    /// Give a saga up: nothing of it will run any more, and nothing more is undone
    Abandon {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        order: Ordered,
    },
    /// Host saga files on a Temporal server, until told to stop
    Worker(Worker),
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
    /// Serve the web console and metrics of a store
    Serve(Serve),
    /// Write completions for a shell to the standard output
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual page to the standard output, or one page for each verb into a directory
    Man {
        /// The directory
        #[arg(long, value_name = "DIRECTORY")]
        dir: Option<PathBuf>,
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
    /// Run it on this Temporal server, where a worker hosts the file, and not in the store
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) temporal: Option<String>,
    /// The task queue of its workers
    #[arg(long, value_name = "NAME", default_value = "compensation")]
    pub(crate) task_queue: String,
}

/// What a worker hosts, and where.
#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// The saga files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The Temporal server
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) temporal: String,
    /// The task queue of its workers
    #[arg(long, value_name = "NAME", default_value = "compensation")]
    pub(crate) task_queue: String,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; any address but this machine's own demands a token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7464", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    /// The file with the token that people log in with, and programs send as `Authorization: Bearer`;
    /// by default the environment's COMPENSATION_TOKEN
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A name that it is reached by, beside localhost and its address; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// People reach it by HTTPS, through a proxy: cookies are sent by nothing else
    #[arg(long)]
    pub(crate) behind_tls: bool,
    /// Offer no order, and take none
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Run this command whenever a saga parks; it finds SAGA_ID, SAGA_NAME, SAGA_REASON, SAGA_CREATED and
    /// SAGA_PARKED in its environment
    #[arg(long, value_name = "COMMAND")]
    pub(crate) on_stuck: Option<String>,
    /// Post JSON to this URL whenever a saga parks
    #[arg(long, value_name = "URL")]
    pub(crate) on_stuck_url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// In which order
    #[arg(long, value_enum, default_value_t = Sort::Newest)]
    pub(crate) sort: Sort,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// Go on where the page before ended: the cursor that it gave
    #[arg(long, value_name = "CURSOR", value_parser = cursor)]
    pub(crate) after: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The saga; without one, the list
    pub(crate) id: Option<SagaId>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// How often to look, such as 500ms or 5s
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    pub(crate) every: String,
    /// At most so many sagas in the list
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,
}

/// Which sagas.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Filter {
    /// Only sagas that stand so; may be repeated
    #[arg(long, value_name = "STATUS", value_parser = status())]
    pub(crate) status: Vec<Status>,
    /// Only sagas of this name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Only sagas with this text in their id or in the reason why they stand so; all that the other filters leave are
    /// looked through
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// Only sagas that were started at least so long ago, such as 12h or 30d
    #[arg(long, value_name = "DURATION")]
    pub(crate) older_than: Option<String>,
    /// Only sagas that were started at most so long ago
    #[arg(long, value_name = "DURATION")]
    pub(crate) newer_than: Option<String>,
    /// Only sagas that wait for a person at this step
    #[arg(long, value_name = "STEP")]
    pub(crate) step: Option<String>,
}

impl Filter {
    /// Whether it finds every saga.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { status, name, text, older_than, newer_than, step } = self;
        status.is_empty()
            && [name, text, older_than, newer_than, step].iter().all(|given| given.is_none())
    }
}

/// One saga, or many.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The saga
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) id: Option<SagaId>,
    #[command(flatten)]
    pub(crate) many: Many,
}

/// One step of one saga, or what is parked in one or many.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The saga
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) id: Option<SagaId>,
    /// The step; without one, all that is parked in the saga
    #[arg(value_name = "STEP", conflicts_with_all = ["all", "step"])]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) many: Many,
}

/// All sagas that a filter finds: shown and counted first, and ordered with `--yes` only.
#[derive(Debug, Args)]
pub(crate) struct Many {
    /// All sagas that the filter finds; without --yes they are shown and counted, and nothing is done
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Show what would be done, and do nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Do it to all that the filter finds
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Who orders something, and why: the record keeps it.
#[derive(Debug, Args)]
pub(crate) struct Ordered {
    /// Why; not needed where nothing is to be done
    #[arg(
        long,
        required_unless_present = "dry_run",
        default_value_if("dry_run", "true", "(dry run)")
    )]
    pub(crate) reason: Option<String>,
    /// Who; by default the environment's USER or LOGNAME
    #[arg(long)]
    pub(crate) by: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Sort {
    Newest,
    Oldest,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    Dot,
    Svg,
}

/// The words are said in the help, and completed by shells.
fn status() -> impl TypedValueParser<Value = Status> {
    let words = PossibleValuesParser::new(Status::ALL.map(Status::as_str));
    words.try_map(|word| Status::parse(&word).ok_or("it is no status"))
}

fn listen(given: &str) -> Result<SocketAddr, String> {
    given.parse().map_err(|_| {
        "write an IP address and a port, such as 127.0.0.1:7464 or [::1]:7464".to_owned()
    })
}

fn cursor(given: &str) -> Result<i64, String> {
    given.parse().map_err(|_| {
        "a cursor is the number that `list` gives behind `--after` where there may be more"
            .to_owned()
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
