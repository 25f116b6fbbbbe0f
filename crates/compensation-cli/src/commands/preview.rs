//! `preview`: what would be undone, before anything is.

use compensation::SagaId;

use super::{Context, session::Session};
use crate::{
    error::{Error, Exit},
    print,
};

pub(super) async fn preview(context: &Context, id: &SagaId) -> Result<Exit, Error> {
    let session = Session::open(context).await?;
    let mut preview = session.engine.preview(id).await?;
    preview.mask = session.mask(id).await;
    if context.json {
        print::say_json(&print::preview_json(&preview))?;
    } else {
        print::say(&print::preview(&preview))?;
    }
    Ok(Exit::Ok)
}
