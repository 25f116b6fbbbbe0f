//! `purge`: deletes the records of sagas that ended long ago.

use compensation::Timestamp;
use serde_json::json;

use super::{Context, session::Session};
use crate::{
    error::{Error, Exit},
    file::parse_duration,
    print,
};

/// Sagas deleted in one go.
const BATCH: usize = 500;

pub(super) async fn purge(context: &Context, older_than: &str) -> Result<Exit, Error> {
    let span = parse_duration(older_than)
        .map_err(|message| Error::input(format!("--older-than: {message}")))?;
    let session = Session::open(context).await?;
    let before = Timestamp::now().earlier_by(span);
    let mut purged = 0;
    loop {
        let some = session.store.purge(before, BATCH).await?;
        purged += some;
        if some < BATCH as u64 {
            break;
        }
    }
    if context.json {
        print::say_json(&json!({ "purged": purged }))?;
    } else {
        let sagas = if purged == 1 { "saga" } else { "sagas" };
        print::say(&format!("deleted {purged} {sagas}\n"))?;
    }
    Ok(Exit::Ok)
}
