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
    if context.json {
        print::say_json(&record.json())?;
    } else {
        print::say(&print::full(&record))?;
    }
    Ok(Exit::Ok)
}
