//! `show`: one saga's record.

use compensation::SagaId;

use super::{Context, session::Session};
use crate::{
    error::{Error, Exit},
    print,
};

pub(super) async fn show(context: &Context, id: &SagaId) -> Result<Exit, Error> {
    let session = Session::open(context).await?;
    let record = session.record(id).await?;
    let half_done = session.engine.history(id).await.ok().and_then(|it| it.half_done_since);
    if context.json {
        let mut all = record.json();
        all["half_done_since"] = half_done.map(|since| since.to_string()).into();
        print::say_json(&all)?;
    } else {
        print::say(&print::full(&record, half_done))?;
    }
    Ok(Exit::Ok)
}
