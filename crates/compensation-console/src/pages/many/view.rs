//! What the pages of an order to many show.

use compensation::{Applied, Expected, Given, Target, Verb};
use maud::{Markup, html};

use super::{
    Found,
    asked::{Asked, STEP},
};
use crate::{
    cells,
    forms::{self, Signature},
    pages::{list, verbs},
    problem::Problem,
    state::State,
    text,
};

/// The filter, what the order would be for, and who and why.
pub(super) fn confirmation(
    state: &State,
    asked: &Asked,
    found: Option<&Found>,
    signature: &Signature,
    wrong: Option<&str>,
) -> Markup {
    let wide = asked.verb.is_some_and(|verb| asked.is_too_wide(verb));
    html! {
        p.way { a href={ (state.link("/list")) "?" (asked.filter.address(None)) } { "← Sagas" } }
        h1 { "An order to many" }
        (filter(state, asked))
        @if let Some(wrong) = wrong { p.problem role="alert" { (wrong) } }
        @if wide {
            p.problem role="alert" { "Without a filter this would mean every saga of the store: say which." }
        }
        @if let Some(found) = found { (preview(state, found)) }
        @match found {
            Some(found) if !found.targets.list.is_empty() => (form(state, asked, found, signature)),
            _ => {}
        }
    }
}

fn filter(state: &State, asked: &Asked) -> Markup {
    html! {
        form.filter method="get" action=(state.link("/many")) role="search" {
            (list::fields(&asked.filter))
            label { "Waits at step" input type="text" name="step" value=(asked.step) maxlength=(STEP); }
            label {
                "Started at least … minutes ago"
                input type="text" inputmode="numeric" pattern="[0-9]*" name="minutes"
                    value=[asked.minutes];
            }
            label {
                "Order"
                select name="verb" required {
                    option value="" { "choose…" }
                    @for verb in Verb::ALL {
                        option value=(verb.as_str()) selected[asked.verb == Some(verb)] {
                            (verbs::label(verb))
                        }
                    }
                }
            }
            button.primary type="submit" { "Show what would happen" }
        }
    }
}

fn count(found: &Found) -> String {
    let many = |count: usize, what: &str| {
        let number = text::number(count as u64);
        format!("{number} {what}{}", if count == 1 { "" } else { "s" })
    };
    let sagas = many(found.targets.sagas, "saga");
    if found.verb.is_of_steps() {
        format!("{sagas}, {}", many(found.targets.list.len(), "step"))
    } else {
        sagas
    }
}

fn preview(state: &State, found: &Found) -> Markup {
    let list = &found.targets.list;
    html! {
        section aria-labelledby="preview" {
            h2 #preview { "What would happen" }
            p.lead { (verbs::label(found.verb)) ": " (count(found)) "." }
            @if found.targets.more {
                p.note {
                    "There may be more: these are the oldest of those that were looked at. Order these first, or \
                     narrow the filter."
                }
            }
            @if list.is_empty() {
                p.empty { "There is nothing that this could be ordered of." }
            } @else {
                table.sagas.targets {
                    thead { tr {
                        th scope="col" { "Saga" } th scope="col" { "Status" }
                        th scope="col" { "Why" } th scope="col" { "What would happen" }
                    } }
                    tbody { @for target in list { (row(state, found, target)) } }
                }
            }
        }
    }
}

fn row(state: &State, found: &Found, target: &Target) -> Markup {
    html! {
        tr class=(target.status.as_str()) {
            td { (name(state, target)) }
            td { (cells::status(target.status)) }
            td.why {
                @if let Some(why) = &target.why {
                    span title=(why) { (cells::prose(&text::cut(why, 240))) }
                }
            }
            td.why {
                @match found.held.get(&target.id) {
                    Some(why) => { strong { "not ordered" } ": " (cells::prose(why)) }
                    None => (would(found.verb, target)),
                }
            }
        }
    }
}

/// A saga, and the step of it.
fn name(state: &State, target: &Target) -> Markup {
    html! {
        (cells::saga(state, &target.id))
        span.name { (target.saga) }
        @if let Some(step) = &target.step { " " code { (step) } }
    }
}

fn would(verb: Verb, target: &Target) -> Markup {
    let step = target.step.as_deref().unwrap_or_default();
    match &target.expected {
        Expected::Refused(why) => html! { strong { "refused" } ": " (cells::prose(why)) },
        Expected::Already => html! { "so already" },
        Expected::Changed if verb == Verb::Undo => html! {
            @if target.undoes.is_empty() { "undone, with no undo left to run" }
            @else {
                "undone: "
                @for (at, step) in target.undoes.iter().enumerate() {
                    @if at > 0 { ", then " }
                    code { (step) }
                }
            }
        },
        Expected::Changed => cells::prose(&verbs::meaning(verb, step, target.phase)),
    }
}

fn form(state: &State, asked: &Asked, found: &Found, signature: &Signature) -> Markup {
    let class = if found.verb == Verb::Abandon { "danger" } else { "primary" };
    html! {
        form.order method="post" action=(state.link("/many")) {
            (forms::proof(state))
            input type="hidden" name="of" value=(asked.address());
            input type="hidden" name="at" value=(found.at.as_millis());
            input type="hidden" name="shown" value=(found.print());
            (signature.fields(false))
            p.buttons {
                button type="submit" class=(class) { (verbs::label(found.verb)) ": " (count(found)) }
                a.button href={ (state.link("/list")) "?" (asked.filter.address(None)) } { "Leave them as they are" }
            }
        }
    }
}

/// What came of each.
pub(super) fn result(state: &State, asked: &Asked, verb: Verb, given: &[Given<Problem>]) -> Markup {
    let often = |wanted: Option<Applied>| {
        given.iter().filter(|given| given.answer.as_ref().ok().copied() == wanted).count()
    };
    let list = state.link("/list");
    html! {
        p.way { a href={ (list) "?" (asked.filter.address(None)) } { "← Sagas" } }
        h1 { (verbs::label(verb)) ": what came of it" }
        p.said role="status" {
            (often(Some(Applied::Changed))) " ordered, " (often(Some(Applied::Already))) " so already, "
            (often(None)) " refused or failed."
        }
        table.sagas.results {
            thead { tr { th scope="col" { "Saga" } th scope="col" { "What came of it" } } }
            tbody {
                // What needs another look comes first.
                @for Given { target, answer } in given.iter().filter(|given| given.answer.is_err())
                    .chain(given.iter().filter(|given| given.answer.is_ok())) {
                    tr {
                        td { (name(state, target)) }
                        td.why { (came(answer)) }
                    }
                }
            }
        }
        p.buttons {
            a.button.primary href={ (list) "?" (asked.filter.address(None)) } { "Show how they stand" }
            a.button href={ (state.link("/many")) "?" (asked.address()) } { "What is left" }
        }
    }
}

fn came(answer: &Result<Applied, Problem>) -> Markup {
    match answer {
        Ok(Applied::Changed) => html! { "done as ordered" },
        Ok(Applied::Already) => html! { "it was so already" },
        Err(problem) => html! { strong { "not done" } ": " (cells::prose(problem.what())) },
    }
}
