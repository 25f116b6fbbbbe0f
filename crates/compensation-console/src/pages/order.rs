//! An order: what would happen, then the form with who and why, then the order itself.

use axum::{
    extract::{
        Form, Query,
        rejection::{FormRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use compensation::{
    EngineError, Order, Preview, SagaId, UndoPlan, UndoPreview,
    machine::{Effect, Phase},
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Page, frame, verbs::Verb};
use crate::{
    cells, cookie, forms,
    problem::Problem,
    shown::{self, Shown, Unreadable},
    state::{Shared, State},
    text,
};

/// Longest name and longest reason, in bytes.
const WHO: usize = 200;
const WHY: usize = 2_000;

/// How long a name is remembered: a month.
const REMEMBERED: u64 = 30 * 24 * 60 * 60;

#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    id: String,
    verb: String,
    #[serde(default)]
    step: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Given {
    #[serde(flatten)]
    asked: Asked,
    form: String,
    #[serde(default)]
    who: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    output: String,
}

/// An order that could be read.
struct Wanted {
    id: SagaId,
    verb: Verb,
    step: String,
}

impl Asked {
    fn read(self) -> Result<Wanted, Problem> {
        let bad = |what: String| {
            Problem::new(StatusCode::BAD_REQUEST, what, "Order it on the page of the saga.")
        };
        let id = SagaId::new(self.id).map_err(|error| bad(error.to_string()))?;
        let verb =
            Verb::parse(&self.verb).ok_or_else(|| bad("There is no such order".to_owned()))?;
        if verb.needs_step() && self.step.is_empty() {
            return Err(bad(format!("`{}` is about one step: say which", verb.word())));
        }
        Ok(Wanted { id, verb, step: self.step })
    }
}

pub(crate) async fn show(
    state: Shared,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let wanted = match asked.map_err(Problem::from).and_then(|Query(asked)| asked.read()) {
        Ok(wanted) => wanted,
        Err(problem) => return problem.page(&state),
    };
    let who = cookie::read(&headers, cookie::WHO).and_then(text::read_from_url);
    confirmation(&state, &wanted, &Filled { who: who.unwrap_or_default(), ..Filled::default() })
        .await
}

/// What is in the form already.
#[derive(Default)]
struct Filled {
    who: String,
    why: String,
    output: String,
    wrong: Option<String>,
}

async fn confirmation(state: &State, wanted: &Wanted, filled: &Filled) -> Response {
    let shown = match shown::read(state, &wanted.id).await {
        Ok(Ok(shown)) => shown,
        Ok(Err(Unreadable { why, .. })) => {
            let mend = "The program that wrote it, or a newer one, may be able to read it.";
            return Problem::new(StatusCode::CONFLICT, why, mend).page(state);
        }
        Err(error) => return Problem::from(error).back(state.link("/list")).page(state),
    };
    let preview = match state.engine.preview(&wanted.id).await {
        Ok(preview) => Ok(preview),
        Err(EngineError::Refused { why, .. }) => Err(why.to_string()),
        Err(error) => return Problem::from(error).back(state.link("/list")).page(state),
    };
    let status =
        if filled.wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = Page::titled(format!("{}: {}", wanted.verb.label(), wanted.id));
    (status, frame(state, &page, &body(state, wanted, filled, &shown, &preview))).into_response()
}

fn body(
    state: &State,
    wanted: &Wanted,
    filled: &Filled,
    shown: &Shown,
    preview: &Result<Preview, String>,
) -> Markup {
    let Wanted { id, verb, step } = wanted;
    let phase = shown.report.phase(step);
    let takes_output = *verb == Verb::Done && matches!(phase, Some(Phase::Parked(_)));
    html! {
        p.way { a href=(cells::saga_link(state, id)) { "← " (id) } }
        h1 {
            (verb.label())
            @if verb.needs_step() { ": " code { (step) } }
        }
        p.lead { (cells::prose(&verb.meaning(step, phase))) }
        section.preview aria-labelledby="preview" {
            h2 #preview { "What would happen" }
            (outlook(*verb, step, shown, preview))
        }
        @if let Some(wrong) = &filled.wrong { p.problem role="alert" { (wrong) } }
        form.order method="post" action=(state.link("/order")) {
            (forms::proof(state))
            input type="hidden" name="id" value=(id);
            input type="hidden" name="verb" value=(verb.word());
            input type="hidden" name="step" value=(step);
            @if takes_output {
                label for="output" { "The step's output as JSON, if later steps read it" }
                textarea #output name="output" rows="3" { (filled.output) }
            }
            label for="who" { "Who are you?" }
            input #who type="text" name="who" value=(filled.who) required maxlength=(WHO)
                autocomplete="name" autofocus[filled.who.is_empty()];
            label for="why" { "Why? The record keeps it" }
            textarea #why name="why" rows="2" required maxlength=(WHY)
                autofocus[!filled.who.is_empty()] { (filled.why) }
            p.buttons {
                button type="submit" class=(if *verb == Verb::Abandon { "danger" } else { "primary" }) {
                    (verb.label())
                }
                a.button href=(cells::saga_link(state, id)) { "Leave it as it is" }
            }
        }
    }
}

/// What the order leads to, step by step.
fn outlook(verb: Verb, step: &str, shown: &Shown, preview: &Result<Preview, String>) -> Markup {
    let undoing = matches!(shown.report.phase(step), Some(Phase::UndoParked(_)));
    match (verb, preview) {
        (Verb::Abandon, _) => kept(shown),
        (Verb::Undo, Err(why)) => html! { p.problem { "It can't be undone: " (why) "." } },
        (Verb::Undo, Ok(preview)) => undone(shown, preview, None),
        (Verb::Retry, Ok(preview)) if undoing => undone(shown, preview, Some((step, true))),
        (Verb::Skip | Verb::Undone, Ok(preview)) if undoing => {
            undone(shown, preview, Some((step, false)))
        }
        _ => followers(step, shown),
    }
}

/// The undos that run. `parked` is a step whose undo waits for a person, and whether it will run.
fn undone(shown: &Shown, preview: &Preview, parked: Option<(&str, bool)>) -> Markup {
    let others =
        preview.undos.iter().filter(|undo| parked.is_none_or(|(step, _)| *undo.step != *step));
    let others: Vec<_> = others.collect();
    let again = parked.filter(|(_, runs)| *runs).map(|(step, _)| step);
    html! {
        @if others.is_empty() && again.is_none() { p { "No undo is left to run." } }
        @else {
            p { "These undos run, in this order:" }
            ol.undos {
                @if let Some(step) = again { (again_row(shown, step)) }
                @for undo in others { (undo_row(shown, undo)) }
            }
        }
        @if let Some(step) = again { (behind(shown, preview, step)) }
        @if !preview.kept.is_empty() {
            p { "Nothing takes these back:" }
            ul { @for (step, why) in &preview.kept { li { code { (step) } ": " (why) } } }
        }
        @let waits: Vec<_> =
            preview.parked.iter().filter(|(name, _)| parked.is_none_or(|(step, _)| **name != *step)).collect();
        @if !waits.is_empty() {
            p { "These go on waiting for a person:" }
            ul { @for (step, park) in waits { li { code { (step) } ": " (park) } } }
        }
    }
}

fn again_row(shown: &Shown, step: &str) -> Markup {
    let place = shown.report.plan().find(step).map(usize::from);
    let output = place.and_then(|place| shown.outputs.get(place)?.as_deref());
    html! { li { code { (step) } " " em { "(again)" } " " (given(output, &shown.input)) } }
}

/// The undos that wait until that one has succeeded.
fn behind(shown: &Shown, preview: &Preview, step: &str) -> Markup {
    let steps = shown.report.plan().steps.iter().zip(shown.report.steps());
    let owed = steps.filter(|(plan, (_, phase))| {
        matches!(plan.undo, UndoPlan::Run { .. }) && *phase == Phase::Done && plan.name != step
    });
    let runs = |name: &str| preview.undos.iter().any(|undo| *undo.step == *name);
    let waits: Vec<_> =
        owed.map(|(plan, _)| plan.name.as_str()).filter(|name| !runs(name)).collect();
    html! {
        @if !waits.is_empty() {
            p { "These wait for it, and follow once it has succeeded:" }
            ul { @for name in waits.iter().rev() { li { code { (name) } } } }
        }
    }
}

/// What an undo is given.
fn given(output: Option<&str>, input: &str) -> Markup {
    html! {
        span.input {
            "given "
            @match output {
                Some(output) => code { (text::cut(output, 400)) },
                None => "no output",
            }
            ", and the input " code { (text::cut(input, 200)) }
        }
    }
}

fn undo_row(shown: &Shown, undo: &UndoPreview) -> Markup {
    let output = undo.output.as_ref().map(|output| shown.mask.output(&undo.step, output.get()));
    html! {
        li {
            code { (undo.step) }
            @if undo.effect == Effect::Maybe { " " em { "(it may not have had its effect)" } }
            @if undo.in_flight { " " em { "(in flight: it is let finish first)" } }
            " " (given(output.as_deref(), &shown.mask.input(undo.input.get())))
        }
    }
}

/// The steps whose effects stay in place if nothing more is undone.
fn kept(shown: &Shown) -> Markup {
    let effects: Vec<_> = shown.report.steps().filter(|(_, phase)| phase.may_be_done()).collect();
    html! {
        @if effects.is_empty() { p { "No effect of it is in place." } }
        @else {
            p { "These effects stay in place, and nobody will undo them:" }
            ul { @for (name, phase) in effects { li { code { (name) } " " (cells::phase(phase)) } } }
        }
    }
}

/// The steps that may follow once the saga goes forward.
fn followers(step: &str, shown: &Shown) -> Markup {
    let waits =
        shown.report.steps().filter(|(name, phase)| *name != step && *phase == Phase::Waiting);
    let waits: Vec<_> = waits.map(|(name, _)| name).collect();
    html! {
        @if waits.is_empty() { p { "No further step waits." } }
        @else { p { "These steps may follow:" } ol { @for name in waits { li { code { (name) } } } } }
    }
}

pub(crate) async fn give(state: Shared, form: Result<Form<Given>, FormRejection>) -> Response {
    let given = match form {
        Ok(Form(given)) => given,
        Err(rejected) => return Problem::from(rejected).page(&state),
    };
    if !state.is_own_form(&given.form) {
        let what = "This form is not one of this console's, or from before a restart";
        let mend = "Nothing was changed. Open the saga's page again, and order it there.";
        return Problem::new(StatusCode::FORBIDDEN, what, mend).back(state.link("/")).page(&state);
    }
    let wanted = match given.asked.read() {
        Ok(wanted) => wanted,
        Err(problem) => return problem.page(&state),
    };
    let (who, why) = (given.who.trim(), given.why.trim());
    let output = match read_output(&given.output) {
        Ok(output) => output,
        Err(wrong) => {
            return again(&state, &wanted, who, why, &given.output, wrong).await;
        }
    };
    if who.is_empty() || why.is_empty() || who.len() > WHO || why.len() > WHY {
        let wrong = "Say who you are and why: the record keeps it.".to_owned();
        return again(&state, &wanted, who, why, &given.output, wrong).await;
    }
    let back = cells::saga_link(&state, &wanted.id);
    match order(&state, &wanted, output, Order::new(who, why)).await {
        Ok(()) => {
            let cookie = cookie::set(cookie::WHO, who, REMEMBERED, state.options.secure);
            let cookie = cookie.map(|cookie| (header::SET_COOKIE, cookie));
            let to = format!("{back}&ordered={}", wanted.verb.word());
            (AppendHeaders(cookie), Redirect::to(&to)).into_response()
        }
        Err(problem) => problem.back(back).page(&state),
    }
}

async fn again(
    state: &State,
    wanted: &Wanted,
    who: &str,
    why: &str,
    output: &str,
    wrong: String,
) -> Response {
    let filled = Filled {
        who: who.to_owned(),
        why: why.to_owned(),
        output: output.to_owned(),
        wrong: Some(wrong),
    };
    confirmation(state, wanted, &filled).await
}

fn read_output(text: &str) -> Result<Option<Box<RawValue>>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let read = RawValue::from_string(text.trim().to_owned());
    read.map(Some).map_err(|error| format!("The output is not JSON: {error}"))
}

async fn order(
    state: &State,
    wanted: &Wanted,
    output: Option<Box<RawValue>>,
    order: Order,
) -> Result<(), Problem> {
    let Wanted { id, verb, step } = wanted;
    let engine = &state.engine;
    if verb.drives() {
        check(state, id).await?;
    }
    match verb {
        Verb::Retry => engine.retry(id, step, order).await.map(drop)?,
        Verb::Skip => engine.skip(id, step, order).await.map(drop)?,
        Verb::Done => engine.mark_done(id, step, output, order).await.map(drop)?,
        Verb::Undone => engine.mark_undone(id, step, order).await.map(drop)?,
        Verb::Undo => engine.cancel(id, order).await.map(drop)?,
        Verb::Abandon => engine.abandon(id, order).await.map(drop)?,
        Verb::Resume => engine.resume_by(id, order).await.map(drop)?,
    }
    Ok(())
}

/// Whether the saga could be driven here.
async fn check(state: &State, id: &SagaId) -> Result<(), Problem> {
    let report = match state.engine.report(id).await {
        Ok(report) => report,
        // The engine says it better.
        Err(EngineError::Held { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    (state.options.drives)(report.plan())
        .map_err(|why| Problem::new(StatusCode::CONFLICT, why, "Nothing was changed."))
}
