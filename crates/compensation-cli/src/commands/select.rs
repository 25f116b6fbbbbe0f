//! Which sagas a filter finds.

use compensation::{
    Status, Timestamp,
    repository::{Page, Query, SagaKey, Summary},
};

use super::session::{self, Session};
use crate::{args::Filter, error::Error, file::parse_duration, print::Listed};

/// What the store is asked, as far as it can tell.
pub(super) fn query(filter: &Filter) -> Result<Query, Error> {
    let ago = |given: &Option<String>, name: &str| -> Result<Option<Timestamp>, Error> {
        let Some(given) = given else { return Ok(None) };
        let span = parse_duration(given)
            .map_err(|message| Error::input(format!("--{name}: {message}")))?;
        Ok(Some(Timestamp::now().earlier_by(span)))
    };
    let mut status = filter.status.clone();
    if filter.step.is_some() && status.is_empty() {
        status = vec![Status::Stuck, Status::Running, Status::Compensating];
    }
    Ok(Query {
        status,
        name: filter.name.clone(),
        text: filter.text.clone(),
        created_from: ago(&filter.newer_than, "newer-than")?,
        created_before: ago(&filter.older_than, "older-than")?,
        ..Query::default()
    })
}

/// One page of what the filter finds, and where the next begins.
pub(super) async fn page(
    session: &Session,
    filter: &Filter,
    mut query: Query,
) -> Result<(Vec<Listed>, Option<SagaKey>), Error> {
    let limit = query.limit;
    let mut found = Vec::new();
    loop {
        // No more than is wanted, for the store's cursor stands behind the last of a page.
        query.limit = limit - found.len();
        let Page { sagas, next } = session.engine.list(query.clone()).await?;
        for listed in look(session, sagas).await? {
            if filter.step.as_ref().is_none_or(|step| listed.parked().any(|(it, _)| it == step)) {
                found.push(listed);
            }
        }
        query.after = next;
        if next.is_none() || found.len() >= limit {
            return Ok((found, next));
        }
    }
}

/// What a list says of sagas beside their heads.
async fn look(session: &Session, sagas: Vec<Summary>) -> Result<Vec<Listed>, Error> {
    let says_more = |saga: &&Summary| !saga.head.status.is_final() || saga.head.reason.is_some();
    let ids = sagas.iter().filter(says_more).map(|saga| saga.id.clone()).collect();
    let mut histories = session.engine.histories(ids).await?;
    let listed = sagas.into_iter().map(|summary| {
        // Its record can't be read, or it was deleted meanwhile: the list says what it can.
        let mut history = histories.remove(&summary.id).and_then(Result::ok);
        if let Some(history) = &mut history {
            session::hide_variables(&mut history.mask, history.report.plan());
        }
        Listed { summary, history }
    });
    Ok(listed.collect())
}
