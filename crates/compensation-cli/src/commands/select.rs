//! Which sagas a filter finds.

use compensation::{
    EngineError, Status, Timestamp,
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
        for summary in sagas {
            let listed = look(session, summary).await?;
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

/// What a list says of a saga beside its head.
async fn look(session: &Session, summary: Summary) -> Result<Listed, Error> {
    let head = &summary.head;
    if head.status.is_final() && head.reason.is_none() {
        return Ok(Listed { summary, history: None });
    }
    let history = match session.engine.history(&summary.id).await {
        Ok(mut history) => {
            session::hide_variables(&mut history.mask, history.report.plan());
            Some(history)
        }
        // Its record can't be read, or it was deleted meanwhile: the list says what it can.
        Err(EngineError::Held { .. } | EngineError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Listed { summary, history })
}
