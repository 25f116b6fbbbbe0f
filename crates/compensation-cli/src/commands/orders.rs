//! `undo`, `retry`, `skip`, `done` and `abandon`: what a person orders. The first four drive the saga on to
//! its end.

use compensation::{Applied, EngineError, Order, SagaId, machine::Phase};
use serde_json::value::RawValue;

use super::{Context, drive, session::Session};
use crate::{
    args::{At, Ordered},
    error::{Error, Exit},
    exec,
    file::{Model, Output},
};

pub(super) async fn undo(context: &Context, id: SagaId, order: Ordered) -> Result<Exit, Error> {
    let order = signed(order)?;
    let session = Session::open(context).await?;
    session.drivable(&id).await?;
    let ordered = session.engine.cancel(&id, order);
    drive(context, &session, &id, ordered).await
}

pub(super) async fn retry(context: &Context, at: At, order: Ordered) -> Result<Exit, Error> {
    let order = signed(order)?;
    let session = Session::open(context).await?;
    session.drivable(&at.id).await?;
    let ordered = session.engine.retry(&at.id, &at.step, order);
    drive(context, &session, &at.id, ordered).await
}

pub(super) async fn skip(context: &Context, at: At, order: Ordered) -> Result<Exit, Error> {
    let order = signed(order)?;
    let session = Session::open(context).await?;
    session.drivable(&at.id).await?;
    let ordered = session.engine.skip(&at.id, &at.step, order);
    drive(context, &session, &at.id, ordered).await
}

pub(super) async fn done(
    context: &Context,
    at: At,
    output: Option<String>,
    order: Ordered,
) -> Result<Exit, Error> {
    let order = signed(order)?;
    let session = Session::open(context).await?;
    let model = session.drivable(&at.id).await?;
    let output = match output {
        None => None,
        Some(output) => {
            let phase = session.engine.report(&at.id).await?.phase(&at.step);
            if matches!(phase, Some(Phase::UndoParked(_))) {
                let message =
                    "what is parked is the step's undo, which has no output: drop --output";
                return Err(Error::input(message));
            }
            read_output(&model, &at.step, output)?
        }
    };
    let ordered = session.engine.mark_done(&at.id, &at.step, output, order);
    drive(context, &session, &at.id, ordered).await
}

pub(super) async fn abandon(context: &Context, id: SagaId, order: Ordered) -> Result<Exit, Error> {
    let order = signed(order)?;
    let session = Session::open(context).await?;
    session.file(&id).await?;
    session.engine.abandon(&id, order).await?;
    let _ = session.engine.wait(&id).await?;
    drive::result(context, &session, &id).await?;
    // It is what was asked for, so it is no failure of this verb.
    Ok(Exit::Ok)
}

/// Gives the order, then drives the saga to its end.
async fn drive(
    context: &Context,
    session: &Session,
    id: &SagaId,
    ordered: impl Future<Output = Result<Applied, EngineError>>,
) -> Result<Exit, Error> {
    let work = async {
        ordered.await?;
        session.engine.wait(id).await
    };
    let _ = drive::to_the_end(context, session, std::slice::from_ref(id), work).await?;
    drive::result(context, session, id).await
}

/// An output given by hand, as the step would have given it.
fn read_output(model: &Model, step: &str, given: String) -> Result<Option<Box<RawValue>>, Error> {
    // A step that is not there is refused by the engine, with the names that are.
    let Some(step) = model.step(step) else { return Ok(None) };
    if step.output == Output::None {
        let message = format!("step `{}` says `output: none`: drop --output", step.name);
        return Err(Error::input(message));
    }
    let value = exec::output(step.output, given.into_bytes())
        .map_err(|why| Error::input(format!("--output for step `{}`: {why}", step.name)))?;
    let text = serde_json::value::to_raw_value(&value)
        .map_err(|error| Error::input(format!("--output can't be kept: {error}")))?;
    Ok(Some(text))
}

/// The order with a name under it: an order that nobody gave is worth nothing in a record.
fn signed(order: Ordered) -> Result<Order, Error> {
    let Ordered { reason, by } = order;
    if reason.trim().is_empty() {
        return Err(Error::input("--reason is empty: say why, the record keeps it"));
    }
    let user = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let by = by.or_else(|| user.into_iter().find(|name| !name.trim().is_empty()));
    match by.filter(|by| !by.trim().is_empty()) {
        Some(by) => Ok(Order::new(by, reason)),
        None => Err(Error::input("nobody knows who orders this: say --by NAME, or set USER")),
    }
}
