//! `run`: starts a saga and drives it to its end.

use compensation::SagaId;
use serde_json::json;

use super::{
    Context, drive,
    session::{Session, check_secrets, file_of},
    temporal,
};
use crate::{
    args,
    error::{Error, Exit},
    file::{self, Input, SagaFile},
    print::{self, Tone},
};

pub(super) async fn run(context: &Context, run: args::Run) -> Result<Exit, Error> {
    if let Some(address) = run.temporal.clone() {
        return temporal::run(context, &address, run).await;
    }
    let SagaFile { model, saga } = file::load(&run.file, &context.runner).map_err(Error::files)?;
    let object = run.input_json.as_deref().map(object).transpose()?;
    let input = Input::read(&run.input, object.as_deref()).map_err(Error::input)?;
    input.check(&model.saga, &model.input).map_err(Error::input)?;
    check_secrets(&model)?;
    let id = run.id.unwrap_or_else(SagaId::random);
    let session = Session::create(context, saga.into()).await?;
    if let Some(there) = session.store.load(&id).await? {
        // A saga that this program could not run must not be undone by what it has of the same name.
        file_of(&there)?;
        announce(context, &model.saga, &id);
        drive::say_waits(context, &there.summary);
    } else {
        announce(context, &model.saga, &id);
    }
    let work = session.engine.run(&model.saga, id.clone(), &input);
    let _ = drive::to_the_end(context, &session, std::slice::from_ref(&id), work).await?;
    drive::result(context, &session, &id).await
}

/// The id comes first, so that it is known whatever happens next.
fn announce(context: &Context, saga: &str, id: &SagaId) {
    let db = &context.db;
    let line = match context.json {
        true => json!({ "started": { "id": id, "saga": saga, "db": db.to_string() } }).to_string(),
        false => format!("saga {saga}, id {id}, in {db}"),
    };
    print::note(Tone::Plain, &line);
}

/// A JSON text, or the text of the file that `@` names.
pub(super) fn object(given: &str) -> Result<String, Error> {
    match given.strip_prefix('@') {
        None => Ok(given.to_owned()),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Error::input(format!("--input-json: {path} can't be read: {error}"))),
    }
}
