//! What the verbs do: one file each. They ask the engine; they decide nothing about sagas.

mod check;
mod drive;
mod graph;
mod hook;
mod list;
mod many;
mod orders;
mod preview;
mod purge;
mod resume;
mod run;
mod select;
mod serve;
mod session;
mod shell;
mod show;
#[cfg(feature = "temporal")]
mod temporal;
#[cfg(not(feature = "temporal"))]
mod temporal_absent;
mod watch;

use std::sync::Arc;

use orders::Values;
#[cfg(not(feature = "temporal"))]
use temporal_absent as temporal;

use crate::{
    args::{Arguments, Common, Ordered, Verb},
    error::{Error, Exit},
    exec::Runner,
    store::Db,
};

/// What every verb knows.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) db: Db,
    pub(crate) json: bool,
    pub(crate) runner: Arc<Runner>,
}

/// Does what the command line says.
pub(crate) async fn call(arguments: Arguments) -> Result<Exit, Error> {
    let Common { db, json } = arguments.common;
    let context = Context { db, json, runner: Arc::default() };
    match arguments.verb {
        Verb::Run(run) => run::run(&context, run).await,
        Verb::List(list) => list::list(&context, list).await,
        Verb::Show { id } => show::show(&context, &id).await,
        Verb::Resume { ids, reason, by } => {
            let order = Ordered { reason: Some(reason), by };
            resume::resume(&context, ids, order).await
        }
        Verb::Watch(watch) => watch::watch(&context, watch).await,
        Verb::Preview { id } => preview::preview(&context, &id).await,
        Verb::Undo { which, order } => orders::undo(&context, which, order).await,
        Verb::Retry { at, input, output, order } => {
            orders::of_steps(&context, compensation::Verb::Retry, at, (input, output), order).await
        }
        Verb::Skip { at, order } => {
            orders::of_steps(&context, compensation::Verb::Skip, at, Values::default(), order).await
        }
        Verb::Done { at, undo, output, order } => {
            let verb = if undo { compensation::Verb::Undone } else { compensation::Verb::Done };
            orders::of_steps(&context, verb, at, (Vec::new(), output), order).await
        }
        Verb::Abandon { which, order } => orders::abandon(&context, which, order).await,
        Verb::Worker(worker) => temporal::worker(&context, worker).await,
        Verb::Check { files } => check::check(&context, &files),
        Verb::Graph { what, format } => graph::graph(&context, &what, format).await,
        Verb::Serve(serve) => serve::serve(&context, serve).await,
        Verb::Completions { shell } => shell::completions(shell),
        Verb::Man { dir } => shell::man(dir.as_deref()),
        Verb::Purge { older_than } => purge::purge(&context, &older_than).await,
    }
}
