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
    Applied, Edit, Engine, EngineError, Order, Preview, SagaId, UndoPlan, UndoPreview, Verb,
    machine::{Effect, Phase},
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Page, frame, verbs};
use crate::{
    cells,
    forms::{self, Signature},
    problem::Problem,
    shown::{self, Shown, Unreadable},
    state::{Shared, State},
    text,
};

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
    input: String,
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
        if verb.is_of_steps() && self.step.is_empty() {
            return Err(bad(format!("`{}` is about one step: say which", verb.as_str())));
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
    let filled = Filled { signature: Signature::remembered(&headers), ..Filled::default() };
    confirmation(&state, &wanted, &filled).await
}

/// What is in the form already.
#[derive(Default)]
struct Filled {
    signature: Signature,
    input: String,
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
    let page = Page::titled(format!("{}: {}", verbs::label(wanted.verb), wanted.id));
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
    let undo = matches!(phase, Some(Phase::UndoParked(_) | Phase::UndoRetrying));
    html! {
        p.way { a href=(cells::saga_link(state, id)) { "← " (id) } }
        h1 {
            (verbs::label(*verb))
            @if verb.is_of_steps() { ": " code { (step) } }
        }
        p.lead { (cells::prose(&verbs::meaning(*verb, step, phase))) }
        section.preview aria-labelledby="preview" {
            h2 #preview { "What would happen" }
            (outlook(*verb, step, shown, preview))
        }
        @if let Some(wrong) = &filled.wrong { p.problem role="alert" { (cells::prose(wrong)) } }
        form.order method="post" action=(state.link("/order")) {
            (forms::proof(state))
            input type="hidden" name="id" value=(id);
            input type="hidden" name="verb" value=(verb.as_str());
            input type="hidden" name="step" value=(step);
            @if takes_output {
                label for="output" { "The step's output as JSON, if later steps read it" }
                textarea #output name="output" rows="3" { (filled.output) }
            }
            @if *verb == Verb::Retry { (edits(filled, undo)) }
            (filled.signature.fields(true))
            p.buttons {
                button type="submit" class=(if *verb == Verb::Abandon { "danger" } else { "primary" }) {
                    (verbs::label(*verb))
                }
                a.button href=(cells::saga_link(state, id)) { "Leave it as it is" }
            }
        }
    }
}

/// What a step that is retried may be given in place of what is recorded. Nothing recorded is filled in: it may be
/// secret.
fn edits(filled: &Filled, undo: bool) -> Markup {
    let typed = !filled.input.is_empty() || !filled.output.is_empty();
    html! {
        details #edit open[typed] {
            summary { "Give it something else than what is recorded" }
            label for="input" { "Another input as JSON, for this step only and from now on" }
            textarea #input name="input" rows="4" spellcheck="false" { (filled.input) }
            @if undo {
                label for="output" { "Another output of the step as JSON, for its undo and whatever reads it" }
                textarea #output name="output" rows="4" spellcheck="false" { (filled.output) }
            }
            p.note { "What stays empty stays as it is recorded." }
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
        return forms::not_ours(&state);
    }
    let wanted = match given.asked.read() {
        Ok(wanted) => wanted,
        Err(problem) => return problem.page(&state),
    };
    let signature = Signature::typed(&given.who, &given.why);
    let mut filled = Filled { signature, input: given.input, output: given.output, wrong: None };
    let (order, edit) = match filled.signature.order().and_then(|order| Ok((order, filled.edit()?)))
    {
        Ok(read) => read,
        Err(wrong) => {
            filled.wrong = Some(wrong);
            return confirmation(&state, &wanted, &filled).await;
        }
    };
    let back = cells::saga_link(&state, &wanted.id);
    if let Err(problem) = verbs::check(&state, wanted.verb, &wanted.id).await {
        return problem.back(back).page(&state);
    }
    if let Err(wrong) = judged(&state, &wanted, &edit).await {
        filled.wrong = Some(wrong);
        return confirmation(&state, &wanted, &filled).await;
    }
    match carry_out(&state.engine, &wanted, edit, order).await {
        Ok(_) => {
            let cookie = filled.signature.cookie(&state).map(|cookie| (header::SET_COOKIE, cookie));
            let to = format!("{back}&ordered={}", wanted.verb.as_str());
            (AppendHeaders(cookie), Redirect::to(&to)).into_response()
        }
        Err(error @ (EngineError::BadInput { .. } | EngineError::BadOutput { .. })) => {
            filled.wrong = Some(format!("{error}. Nothing was changed."));
            confirmation(&state, &wanted, &filled).await
        }
        Err(error) => Problem::from(error).back(back).page(&state),
    }
}

impl Filled {
    /// What the step is given in place of what is recorded. `Err` says what is no JSON.
    fn edit(&self) -> Result<Edit, String> {
        let read = |text: &str, what: &str| {
            let text = text.trim();
            if text.is_empty() {
                return Ok(None);
            }
            let read = RawValue::from_string(text.to_owned());
            read.map(Some).map_err(|error| format!("The {what} is not JSON: {error}."))
        };
        Ok(Edit { input: read(&self.input, "input")?, output: read(&self.output, "output")? })
    }
}

/// What the program says of what a step is to be given.
async fn judged(state: &State, wanted: &Wanted, edit: &Edit) -> Result<(), String> {
    if edit.is_empty() {
        return Ok(());
    }
    match state.engine.report(&wanted.id).await {
        Ok(report) => (state.options.edits)(report.plan(), &wanted.step, edit),
        // The engine says it better.
        Err(_) => Ok(()),
    }
}

async fn carry_out(
    engine: &Engine,
    wanted: &Wanted,
    edit: Edit,
    order: Order,
) -> Result<Applied, EngineError> {
    let Wanted { id, verb, step } = wanted;
    match verb {
        Verb::Retry => engine.retry_with(id, step, edit, order).await,
        Verb::Skip => engine.skip(id, step, order).await,
        Verb::Done => engine.mark_done(id, step, edit.output, order).await,
        Verb::Undone => engine.mark_undone(id, step, order).await,
        Verb::Undo => engine.cancel(id, order).await,
        Verb::Abandon => engine.abandon(id, order).await,
        Verb::Resume => engine.resume_by(id, order).await,
    }
}
