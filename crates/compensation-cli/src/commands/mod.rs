//! What the verbs do: one file each. They ask the engine; they decide nothing about sagas.

mod check;
mod drive;
mod graph;
mod list;
mod orders;
mod purge;
mod resume;
mod run;
mod session;
mod show;

use std::{path::PathBuf, sync::Arc};

use crate::{
    args::{Arguments, Common, Verb},
    error::{Error, Exit},
    exec::Runner,
};

/// What every verb knows.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) db: PathBuf,
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
        Verb::Resume { ids } => resume::resume(&context, ids).await,
        Verb::Undo { id, order } => orders::undo(&context, id, order).await,
        Verb::Retry { at, order } => orders::retry(&context, at, order).await,
        Verb::Skip { at, order } => orders::skip(&context, at, order).await,
        Verb::Done { at, output, order } => orders::done(&context, at, output, order).await,
        Verb::Abandon { id, order } => orders::abandon(&context, id, order).await,
        Verb::Check { files } => check::check(&context, &files),
        Verb::Graph { what, format } => graph::graph(&context, &what, format).await,
        Verb::Purge { older_than } => purge::purge(&context, &older_than).await,
    }
}
