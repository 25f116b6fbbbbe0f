//! `undo`, `retry`, `skip`, `done` and `abandon`: what a person orders, of one saga. The first four drive the saga on
//! to its end.

use compensation::{Applied, Edit, EngineError, Order, OrderError, SagaId, Verb, machine::Phase};
use serde_json::{Value, value::RawValue};

use super::{Context, drive, many, preview, session::Session};
use crate::{
    args::{At, Many, Ordered, Which},
    error::{Error, Exit},
    exec,
    file::{Model, Output},
};

pub(super) async fn undo(context: &Context, which: Which, order: Ordered) -> Result<Exit, Error> {
    let Which { id, many } = which;
    let Some(id) = one(id, &many)? else {
        return many::order(context, many, Verb::Undo, order).await;
    };
    if many.dry_run {
        return preview::preview(context, &id).await;
    }
    let order = signed(order)?;
    let session = Session::open(context).await?;
    session.drivable(&id).await?;
    let ordered = session.engine.cancel(&id, order);
    drive(context, &session, &id, ordered).await
}

/// What a person gives with an order to a step: other inputs, and an output.
pub(super) type Values = (Vec<String>, Option<String>);

/// `retry`, `skip`, `done` and `done --undo`.
pub(super) async fn of_steps(
    context: &Context,
    verb: Verb,
    at: At,
    (input, output): Values,
    order: Ordered,
) -> Result<Exit, Error> {
    let At { id, at, many } = at;
    let Some(id) = one(id, &many)? else {
        return many::order(context, many, verb, order).await;
    };
    if many.dry_run {
        return many::dry_run(context, &id, at, verb).await;
    }
    let order = signed(order)?;
    let session = Session::open(context).await?;
    let model = session.drivable(&id).await?;
    let steps = meant(&session, &id, at, verb).await?;
    let edit = Edit {
        input: edited_input(&session, &id, &input, model.as_ref()).await?,
        output: match (output, &*steps) {
            (Some(output), [step]) => read_output(model.as_ref(), step, output)?,
            (Some(_), _) => return Err(Error::input("--output is for one step: name it")),
            (None, _) => None,
        },
    };
    let ordered = async {
        let mut applied = Applied::Already;
        for step in &steps {
            let (engine, edit, order) = (&session.engine, edit.clone(), order.clone());
            let one = match verb {
                Verb::Skip => engine.skip(&id, step, order).await?,
                Verb::Done => engine.mark_done(&id, step, edit.output, order).await?,
                Verb::Undone => engine.mark_undone(&id, step, order).await?,
                _ => engine.retry_with(&id, step, edit, order).await?,
            };
            applied = changed(applied, one);
        }
        Ok(applied)
    };
    drive(context, &session, &id, ordered).await
}

pub(super) async fn abandon(
    context: &Context,
    which: Which,
    order: Ordered,
) -> Result<Exit, Error> {
    let Which { id, many } = which;
    let Some(id) = one(id, &many)? else {
        return many::order(context, many, Verb::Abandon, order).await;
    };
    if many.dry_run {
        return many::dry_run(context, &id, None, Verb::Abandon).await;
    }
    let order = signed(order)?;
    let session = Session::open(context).await?;
    let applied = session.engine.abandon(&id, order).await?;
    let _ = session.engine.wait(&id).await?;
    drive::result_of(context, &session, &id, Some(applied)).await?;
    // It is what was asked for, so it is no failure of this verb.
    Ok(Exit::Ok)
}

/// The one saga that is meant; `None` where many are.
fn one(id: Option<SagaId>, many: &Many) -> Result<Option<SagaId>, Error> {
    if id.is_some() && !many.filter.is_empty() {
        return Err(Error::input("a filter is for many sagas: say --all, or drop the filter"));
    }
    if id.is_some() && many.yes {
        return Err(Error::input("--yes goes with --all: an order to one saga is given at once"));
    }
    Ok(id)
}

fn changed(one: Applied, other: Applied) -> Applied {
    if one == Applied::Changed { one } else { other }
}

/// The step that is named, or all that is parked, where that is what the verb is for.
pub(super) async fn meant(
    session: &Session,
    id: &SagaId,
    named: Option<String>,
    verb: Verb,
) -> Result<Vec<String>, Error> {
    let report = session.engine.report(id).await?;
    let steps: Vec<_> = match named {
        Some(step) => vec![step],
        None => report.parked().map(|(step, _)| step.to_owned()).collect(),
    };
    if steps.is_empty() {
        let status = report.status();
        return Err(Error::input(format!(
            "nothing of saga `{id}`, which is {status}, waits for a person: name the step that is meant"
        )));
    }
    for step in &steps {
        let why = match (verb, report.phase(step)) {
            (Verb::Done, Some(Phase::UndoParked(_))) => format!(
                "it is the undo of step `{step}` that is parked: if that was done by hand, say `done --undo`"
            ),
            (Verb::Undone, Some(Phase::Parked(_))) => format!(
                "it is step `{step}` itself that is parked: if that was done by hand, leave out --undo"
            ),
            _ => continue,
        };
        return Err(Error::input(why));
    }
    Ok(steps)
}

/// Gives the order, then drives the saga to its end.
async fn drive(
    context: &Context,
    session: &Session,
    id: &SagaId,
    ordered: impl Future<Output = Result<Applied, EngineError>>,
) -> Result<Exit, Error> {
    let work = async {
        let applied = ordered.await?;
        // Asked before the store is: what this process drives may end between the two.
        let elsewhere = session.engine.running() == 0;
        let saga = session.store.load(id).await?.map(|saga| saga.summary);
        if elsewhere && saga.is_some_and(|saga| saga.owned) {
            drive::say(context, "the process that drives it has the order; waiting for its end");
        }
        let _ = session.engine.wait(id).await?;
        Ok(applied)
    };
    let done = drive::to_the_end(context, session, std::slice::from_ref(id), work).await;
    match done {
        Ok(applied) => drive::result_of(context, session, id, Some(applied)).await,
        Err(error) => Err(error.masked(&session.mask(id).await)),
    }
}

/// The saga's input with what is given put over it.
async fn edited_input(
    session: &Session,
    id: &SagaId,
    given: &[String],
    model: Option<&Model>,
) -> Result<Option<Box<RawValue>>, Error> {
    if given.is_empty() {
        return Ok(None);
    }
    let unusable = |why: &str| Error::input(format!("--input can't be used: {why}"));
    let Some(model) = model else {
        return Err(unusable("the saga was made by a program, which knows its input"));
    };
    let stored = session.load(id).await?.input;
    let Ok(Value::Object(mut input)) = serde_json::from_str(&stored) else {
        return Err(unusable("the saga's input is no object"));
    };
    for pair in given {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Error::input(format!("--input takes KEY=VALUE, and `{pair}` has no `=`"))
        })?;
        if !model.input.iter().any(|known| known == key) {
            let known = model.input.join(", ");
            return Err(unusable(&format!("`{key}` is no input of the saga, which takes {known}")));
        }
        input.insert(key.to_owned(), value.into());
    }
    let text = serde_json::value::to_raw_value(&input);
    text.map(Some).map_err(|error| unusable(&error.to_string()))
}

/// An output given by hand, as the step would have given it.
fn read_output(
    model: Option<&Model>,
    step: &str,
    given: String,
) -> Result<Option<Box<RawValue>>, Error> {
    let kept = |value: &Value| {
        serde_json::value::to_raw_value(value)
            .map(Some)
            .map_err(|error| Error::input(format!("--output can't be kept: {error}")))
    };
    let Some(model) = model else {
        // Made by a program, whose outputs are JSON.
        let value = serde_json::from_str(&given).unwrap_or(Value::String(given));
        return kept(&value);
    };
    // A step that is not there is refused by the engine, with the names that are.
    let Some(step) = model.step(step) else { return Ok(None) };
    if step.output == Output::None {
        let message = format!("step `{}` says `output: none`: drop --output", step.name);
        return Err(Error::input(message));
    }
    let value = exec::output(step.output, given.into_bytes())
        .map_err(|why| Error::input(format!("--output for step `{}`: {why}", step.name)))?;
    kept(&value)
}

/// The order with a name under it: an order that nobody gave is worth nothing in a record.
pub(super) fn signed(order: Ordered) -> Result<Order, Error> {
    let Ordered { reason, by } = order;
    let by = by.or_else(user).unwrap_or_default();
    let order = Order::new(by, reason.unwrap_or_default());
    match order.check() {
        Ok(()) => Ok(order),
        Err(OrderError::NoReason) => {
            Err(Error::input("--reason is empty: say why, the record keeps it"))
        }
        Err(OrderError::NoName) => {
            Err(Error::input("nobody knows who orders this: say --by NAME, or set USER"))
        }
        Err(error) => Err(EngineError::from(error).into()),
    }
}

/// Whom the environment knows.
pub(super) fn user() -> Option<String> {
    let user = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    user.into_iter().find(|name| !name.trim().is_empty())
}
