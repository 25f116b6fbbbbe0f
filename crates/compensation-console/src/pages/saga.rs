//! One saga: how it stands and why, what may be ordered, its steps, its timeline, its errors, its record.

use axum::{
    extract::{Query, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use compensation::{Certainty, Part, Report, SagaId, Verb, machine::Change};
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

use super::{
    Page, frame,
    steps::steps,
    timeline::{ordered, timeline},
    verbs,
};
use crate::{
    cells, graph,
    problem::Problem,
    shown::{self, Event, Shown, Unreadable},
    state::{Shared, State},
    text,
};

/// Steps of a saga that is drawn; a larger one would be a wall.
const DRAWN: usize = 150;

/// Failures shown; of a saga with more, the last ones are.
const FAILURES: usize = 50;

#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    id: String,
    /// What was ordered just now.
    ordered: Option<String>,
}

pub(crate) async fn show(state: Shared, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(rejected) => return Problem::from(rejected).page(&state),
    };
    let id = match SagaId::new(asked.id) {
        Ok(id) => id,
        Err(error) => {
            let mend = "Search the list.";
            let problem = Problem::new(StatusCode::BAD_REQUEST, error.to_string(), mend);
            return problem.back(state.link("/list")).page(&state);
        }
    };
    let shown = match shown::read(&state, &id).await {
        Ok(shown) => shown,
        Err(error) => return Problem::from(error).back(state.link("/list")).page(&state),
    };
    let said = asked.ordered.and_then(|word| Verb::parse(&word));
    let of = format!("of=saga&id={}", text::escaped_for_url(id.as_str()));
    let page = Page::titled(id.to_string()).live(&state, &of);
    let body = match &shown {
        Ok(shown) => body(&state, shown, said),
        Err(unreadable) => unreadable_body(&state, &id, unreadable),
    };
    frame(&state, &page, &body).into_response()
}

/// A record that can't be read: whose it is, and why.
fn unreadable_body(state: &State, id: &SagaId, unreadable: &Unreadable) -> Markup {
    html! {
        div data-part="saga" {
            section.alarm {
                h1 { (id) @if let Some(saga) = &unreadable.summary { " " (cells::status(saga.head.status)) } }
                h2 { "Its record can't be read" }
                pre { (unreadable.why) }
                p { "Nothing of it runs. The program that wrote it, or a newer one, may be able to read it." }
            }
            @if let Some(saga) = &unreadable.summary { (cells::sagas(state, std::slice::from_ref(saga))) }
        }
    }
}

fn body(state: &State, shown: &Shown, said: Option<Verb>) -> Markup {
    let summary = &shown.summary;
    html! {
        @if let Some(verb) = said {
            p.said role="status" { "Ordered: " (verb.as_str()) ". The record has it." }
        }
        div data-part="saga" {
            (heading(shown))
            @if !state.options.read_only { (orders(state, shown)) }
            div.sides {
                section { h2 { "Steps" } (steps(shown)) }
                section.drawing { h2 { "Graph" } (drawing(&shown.report)) }
            }
            section { h2 { "Timeline" } (timeline(&shown.events)) }
            (errors(shown))
            (audit(shown))
            (undos(shown))
            section {
                h2 { "Input" }
                pre { (shown.input) }
            }
            p.note { "Created " (cells::moment(summary.created)) " UTC, last entry " (cells::moment(summary.updated)) " UTC." }
        }
    }
}

fn heading(shown: &Shown) -> Markup {
    let summary = &shown.summary;
    let status = summary.head.status;
    html! {
        section class={ "heading " (status.as_str()) } {
            h1 { (summary.id) " " (cells::status(status)) }
            @if let Some(why) = &summary.head.reason { p.reason { (cells::prose(why)) } }
            dl.facts {
                div { dt { "Definition" } dd { (summary.name) } }
                div { dt { "Started" } dd { (cells::age(summary.created)) " ago" } }
                div {
                    @if status.is_final() {
                        dt { "Took" } dd { (text::between(summary.created, summary.updated)) }
                    } @else {
                        dt { "Half-done for" }
                        dd { @match shown.half_done_since { Some(since) => (cells::age(since)), None => "it is not" } }
                    }
                }
                @if status.is_open() {
                    div {
                        dt { "Run by" }
                        dd { @if summary.owned { "a living process" } @else { strong { "nobody: resume it" } } }
                    }
                }
            }
        }
    }
}

fn link(state: &State, id: &SagaId, verb: Verb, step: &str) -> String {
    let mut link = format!(
        "{}?id={}&verb={}",
        state.link("/order"),
        text::escaped_for_url(id.as_str()),
        verb.as_str()
    );
    if !step.is_empty() {
        link.push_str("&step=");
        link.push_str(&text::escaped_for_url(step));
    }
    link
}

fn orders(state: &State, shown: &Shown) -> Markup {
    let id = &shown.summary.id;
    let parked = shown.report.steps().filter(|(_, phase)| !verbs::of_step(*phase).is_empty());
    let of_saga = verbs::of_saga(shown);
    html! {
        section.orders aria-label="Orders" {
            @for (step, phase) in parked {
                div.needs {
                    p {
                        code { (step) } " " (cells::phase(phase)) " "
                        @if let Some(park) = park(shown, step) { span { (park) } }
                    }
                    @if let Some(said) = last_said(shown, step) { pre.said { (said) } }
                    p.buttons {
                        @for (at, verb) in verbs::of_step(phase).iter().enumerate() {
                            a class={ "button" @if at == 0 { " primary" } }
                                href=(link(state, id, *verb, step)) { (verbs::label(*verb)) }
                        }
                    }
                }
            }
            @if !of_saga.is_empty() {
                p.buttons {
                    @for verb in of_saga {
                        a class={ "button" @if verb == Verb::Abandon { " danger" } }
                            href=(link(state, id, verb, "")) { (verbs::label(verb)) }
                    }
                }
            }
        }
    }
}

/// Why a step waits for a person.
fn park(shown: &Shown, step: &str) -> Option<String> {
    shown.report.parked().find(|(name, _)| *name == step).map(|(_, park)| park.to_string())
}

/// What the last failed attempt of a step said.
fn last_said(shown: &Shown, step: &str) -> Option<String> {
    let of_step = |event: &&Event| event.step.as_deref() == Some(step);
    let last =
        shown.events.iter().rev().filter(of_step).find_map(|event| event.failure.as_ref())?;
    let mut said = text::cut(&last.message, 600);
    for cause in last.causes.iter().take(3) {
        said.push_str("\ncaused by: ");
        said.push_str(&text::cut(cause, 200));
    }
    Some(said)
}

fn drawing(report: &Report) -> Markup {
    let steps = report.plan().steps.len();
    html! {
        @if steps > DRAWN {
            p.note { "It has " (steps) " steps: too many to draw here. `compensation graph` draws them." }
        } @else {
            // Made by this crate, with every text in it escaped.
            div.canvas { (PreEscaped(graph::svg_of_page(report))) }
        }
    }
}

fn errors(shown: &Shown) -> Markup {
    let failed: Vec<_> = shown.events.iter().filter(|event| event.failure.is_some()).collect();
    let left_out = failed.len().saturating_sub(FAILURES);
    html! {
        @if !failed.is_empty() {
            section {
                h2 { "Errors" }
                @if left_out > 0 { p.note { "(" (left_out) " earlier ones are left out)" } }
                @for event in failed.iter().skip(left_out) {
                    @if let Some(failure) = &event.failure {
                        article.error {
                            p {
                                (cells::moment(event.at)) " "
                                @match part(event.change) {
                                    Part::Action => {}
                                    Part::Probe => { "the probe of " }
                                    Part::Undo => { "the undo of " }
                                }
                                code { (event.step.as_deref().unwrap_or_default()) }
                                @if event.attempt > 0 { ", attempt " (event.attempt) }
                                @if part(event.change) == Part::Action {
                                    span.badge {
                                        @match failure.certainty {
                                            Certainty::NotDone => "had no effect",
                                            Certainty::Unknown => "may have had its effect",
                                        }
                                    }
                                }
                                @if !failure.retryable { span.badge { "not worth another attempt" } }
                            }
                            pre { (failure.message) }
                            @for cause in &failure.causes {
                                p.cause { "caused by" }
                                pre { (cause) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn part(change: Change) -> Part {
    match change {
        Change::UndoFailed { .. } => Part::Undo,
        Change::ProbeFailed { .. } => Part::Probe,
        _ => Part::Action,
    }
}

fn audit(shown: &Shown) -> Markup {
    let orders: Vec<_> = shown.events.iter().filter(|event| event.order.is_some()).collect();
    html! {
        section {
            h2 { "Orders" }
            @if orders.is_empty() { p.empty { "Nobody ordered anything." } }
            @else {
                table.audit {
                    thead { tr {
                        th scope="col" { "When, UTC" } th scope="col" { "Who" } th scope="col" { "What" }
                        th scope="col" { "Why" }
                    } }
                    tbody {
                        @for event in orders {
                            @if let Some(order) = &event.order {
                                tr {
                                    td { (cells::moment(event.at)) }
                                    td { (order.by) }
                                    td {
                                        (ordered(event))
                                        @if let Some(step) = &event.step { " " code { (step) } }
                                    }
                                    td.why { (order.why) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn undos(shown: &Shown) -> Markup {
    html! {
        @if !shown.undos.is_empty() {
            section {
                details #records {
                    summary { h2 { "Records of undos" } }
                    table.records {
                        thead { tr {
                            th scope="col" { "Step" } th scope="col" { "Status" } th.number scope="col" { "Retries" }
                            th scope="col" { "Data" } th scope="col" { "Note" }
                        } }
                        tbody {
                            @for undo in &shown.undos {
                                tr {
                                    td { code { (undo.step) } }
                                    td { (undo.status) }
                                    td.number { (undo.retries) }
                                    td { code { (text::cut(&undo.data, 120)) } }
                                    td.why { (undo.note) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
