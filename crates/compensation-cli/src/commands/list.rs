//! `list`: a page of sagas.

use compensation::repository::{Query, SagaKey};

use super::{Context, select, session::Session};
use crate::{
    args::{self, Sort},
    error::{Error, Exit},
    print::{self, Tone},
};

pub(super) async fn list(context: &Context, list: args::List) -> Result<Exit, Error> {
    let query = Query {
        oldest_first: matches!(list.sort, Sort::Oldest),
        after: list.after.map(SagaKey),
        limit: list.limit as usize,
        ..select::query(&list.filter)?
    };
    let session = Session::open(context).await?;
    let (sagas, next) = select::page(&session, &list.filter, query).await?;
    if context.json {
        print::say_json(&print::listing_json(&sagas, next))?;
    } else {
        print::say(&print::listing(&sagas))?;
        if let Some(next) = next {
            print::note(Tone::Plain, &format!("there may be more: --after {}", next.0));
        }
    }
    Ok(Exit::Ok)
}
