//! `graph`: draws a saga file, or a saga of the store as it stands.

use std::path::Path;

use compensation::{Plan, Report, SagaId};
use compensation_console::graph;
use serde_json::json;

use super::{Context, session::Session};
use crate::{
    args::Format,
    error::{Error, Exit},
    file, print,
};

pub(super) async fn graph(context: &Context, what: &Path, format: Format) -> Result<Exit, Error> {
    if what.is_file() {
        let file = file::load(what, &context.runner).map_err(Error::files)?;
        return draw(context, file.saga.plan(), None, format);
    }
    let id =
        what.to_str().and_then(|id| SagaId::new(id).ok()).filter(|_| context.db.may_be_there());
    let no_such = || {
        let (what, db) = (what.display(), &context.db);
        Error::input(format!("`{what}` is neither a file nor the id of a saga in {db}"))
    };
    let id = id.ok_or_else(no_such)?;
    let session = Session::open(context).await?;
    if session.store.load(&id).await?.is_none() {
        return Err(no_such());
    }
    let report = session.engine.report(&id).await?;
    draw(context, report.plan(), Some(&report), format)
}

fn draw(
    context: &Context,
    plan: &Plan,
    report: Option<&Report>,
    format: Format,
) -> Result<Exit, Error> {
    let (name, text) = match format {
        Format::Dot => ("dot", graph::dot(plan, report)),
        Format::Svg => ("svg", graph::svg(plan, report)),
    };
    if context.json {
        print::say_json(&json!({ "saga": plan.saga, "format": name, "graph": text }))?;
    } else {
        print::say(&text)?;
    }
    Ok(Exit::Ok)
}
