//! An order to many: a filter and a verb, then each saga and step with what would happen, then who and why, then
//! what came of each. It is given to what was shown, or to nothing.

mod asked;
mod view;

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use asked::Asked;
use axum::{
    extract::{Form, RawQuery, rejection::FormRejection},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use compensation::{EngineError, Given, Order, SagaId, Targets, Timestamp, Verb};
use serde::Deserialize;

use super::{Page, frame, verbs};
use crate::{
    clock,
    forms::{self, Signature},
    problem::Problem,
    state::{Shared, State},
};

#[derive(Debug, Deserialize)]
pub(crate) struct Filled {
    form: String,
    /// The address of what was shown.
    of: String,
    /// When it was shown.
    at: i64,
    /// What was shown, in a number.
    shown: u64,
    #[serde(default)]
    who: String,
    #[serde(default)]
    why: String,
}

/// What an order would be given to, as it is shown.
struct Found {
    verb: Verb,
    /// At which moment.
    at: Timestamp,
    targets: Targets,
    /// The sagas that could not be driven here, and why not.
    held: HashMap<SagaId, String>,
}

impl Found {
    async fn find(state: &State, asked: &Asked, at: Timestamp) -> Result<Option<Self>, Problem> {
        let Some(verb) = asked.verb.filter(|verb| !asked.is_too_wide(*verb)) else {
            return Ok(None);
        };
        let hides = state.options.hides.clone();
        let hide = move |mask: &mut _, plan: &_| hides(mask, plan);
        let targets = state.engine.select(verb, &asked.selection(at), hide).await?;
        let (mut held, mut judged) = (HashMap::new(), HashMap::new());
        for target in &targets.list {
            // Most sagas share a plan with others. One that can't be read is for the engine to refuse.
            let judge = |plan: &Arc<str>| {
                let plan = serde_json::from_str(plan).ok()?;
                verbs::could_drive(state, verb, &plan).err()
            };
            let why = judged.entry(target.plan.clone()).or_insert_with_key(judge);
            if let Some(why) = why {
                held.insert(target.id.clone(), why.clone());
            }
        }
        Ok(Some(Self { verb, at, targets, held }))
    }

    /// A number that is another one where something else is shown.
    fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for target in &self.targets.list {
            (target.id.as_str(), &target.step).hash(&mut hasher);
        }
        hasher.finish()
    }
}

pub(crate) async fn show(state: Shared, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::read(query.as_deref().unwrap_or_default());
    let signature = Signature::remembered(&headers);
    match Found::find(&state, &asked, clock::now()).await {
        Ok(found) => page(&state, &asked, found.as_ref(), &signature, None),
        Err(problem) => problem.page(&state),
    }
}

fn page(
    state: &State,
    asked: &Asked,
    found: Option<&Found>,
    signature: &Signature,
    wrong: Option<&str>,
) -> Response {
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let body = view::confirmation(state, asked, found, signature, wrong);
    (status, frame(state, &Page::titled("An order to many"), &body)).into_response()
}

pub(crate) async fn give(state: Shared, form: Result<Form<Filled>, FormRejection>) -> Response {
    let filled = match form {
        Ok(Form(filled)) => filled,
        Err(rejected) => return Problem::from(rejected).page(&state),
    };
    if !state.is_own_form(&filled.form) {
        return forms::not_ours(&state);
    }
    let asked = Asked::read(&filled.of);
    let signature = Signature::typed(&filled.who, &filled.why);
    let found = match Found::find(&state, &asked, Timestamp::from_millis(filled.at)).await {
        Ok(Some(found)) => found,
        Ok(None) => return page(&state, &asked, None, &signature, Some("Say what to order.")),
        Err(problem) => return problem.page(&state),
    };
    let order = match signature.order() {
        Ok(order) => order,
        Err(wrong) => return page(&state, &asked, Some(&found), &signature, Some(&wrong)),
    };
    if found.print() != filled.shown {
        return changed(&state, &asked, &signature).await;
    }
    let verb = found.verb;
    let Ok(given) = carry_out(&state, found, order).await else {
        return Problem::from(EngineError::Closing).page(&state);
    };
    let cookie = signature.cookie(&state).map(|cookie| (header::SET_COOKIE, cookie));
    let body = view::result(&state, &asked, verb, &given);
    let page = Page::titled("What came of the order");
    (AppendHeaders(cookie), frame(&state, &page, &body)).into_response()
}

/// Something of what was shown is not as it was: it is shown anew, and nothing is done.
async fn changed(state: &State, asked: &Asked, signature: &Signature) -> Response {
    let wrong = "Some of these sagas have changed since they were shown, so nothing was done. This is what the order \
                 would be for now.";
    match Found::find(state, asked, clock::now()).await {
        Ok(found) => page(state, asked, found.as_ref(), signature, Some(wrong)),
        Err(problem) => problem.page(state),
    }
}

/// Gives it to all, in a task of its own: whoever closes the page half-way has ordered all of it.
async fn carry_out(
    state: &Shared,
    found: Found,
    order: Order,
) -> Result<Vec<Given<Problem>>, tokio::task::JoinError> {
    let state = state.0.clone();
    let work = async move {
        let Found { verb, targets, held, .. } = found;
        let may = |id: SagaId| {
            let held = held.get(&id).cloned();
            async move { held.map_or(Ok(()), |why| Err(verbs::held(why))) }
        };
        state.engine.give_all(verb, targets.list, &order, may).await
    };
    tokio::spawn(work).await
}
