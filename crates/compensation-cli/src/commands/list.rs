//! `list`: a page of sagas.

use compensation::repository::{Query, SagaKey};

use super::{Context, session::Session};
use crate::{
    args,
    error::{Error, Exit},
    print::{self, Tone},
};

pub(super) async fn list(context: &Context, list: args::List) -> Result<Exit, Error> {
    let session = Session::open(context).await?;
    let query = Query {
        status: list.status,
        name: list.name,
        after: list.after.map(SagaKey),
        limit: list.limit as usize,
        ..Query::default()
    };
    let page = session.engine.list(query).await?;
    if context.json {
        print::say_json(&print::listing_json(&page))?;
    } else {
        print::say(&print::listing(&page))?;
        if let Some(next) = page.next {
            print::note(Tone::Plain, &format!("there may be more: --after {}", next.0));
        }
    }
    Ok(Exit::Ok)
}
