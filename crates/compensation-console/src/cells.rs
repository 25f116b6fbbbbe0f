//! Small parts of pages: words with a colour, moments, links to sagas.

use compensation::{SagaId, Status, Timestamp, machine::Phase, repository::Summary};
use maud::{Markup, html};

use crate::{clock, state::State, text};

/// How a saga stands, as a word with a colour.
pub(crate) fn status(status: Status) -> Markup {
    html! { span class={ "status " (status.as_str()) } { (status.as_str()) } }
}

/// How a step stands, as a word with a colour.
pub(crate) fn phase(phase: Phase) -> Markup {
    let class = match phase {
        Phase::Waiting => "waiting",
        Phase::Done => "done",
        Phase::Undone => "undone",
        Phase::Skipped | Phase::UndoSkipped => "skipped",
        Phase::Failed => "failed",
        Phase::Unsure | Phase::Parked(_) | Phase::UndoParked(_) => "parked",
        Phase::Undoing | Phase::UndoRetrying => "undoing",
        Phase::Acting | Phase::Retrying | Phase::ProbeDue | Phase::Probing => "acting",
    };
    html! { span class={ "phase " (class) } { (phase.as_str()) } }
}

/// A moment in full.
pub(crate) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(at) { (text::moment(at)) } }
}

/// How long ago a moment was.
pub(crate) fn age(at: Timestamp) -> Markup {
    html! { time.age datetime=(at) title=(at) { (text::between(at, clock::now())) } }
}

/// A link to a saga.
pub(crate) fn saga(state: &State, id: &SagaId) -> Markup {
    html! { a.saga href=(saga_link(state, id)) { (id) } }
}

pub(crate) fn saga_link(state: &State, id: &SagaId) -> String {
    format!("{}?id={}", state.link("/saga"), text::escaped_for_url(id.as_str()))
}

/// Sagas as rows of a table.
pub(crate) fn sagas(state: &State, sagas: &[Summary]) -> Markup {
    html! {
        table.sagas {
            thead { tr {
                th scope="col" { "Saga" } th scope="col" { "Status" }
                th scope="col" { "Why" } th.when scope="col" { "Age" } th.when scope="col" { "Last entry" }
            } }
            tbody {
                @for saga in sagas {
                    tr class=(saga.head.status.as_str()) {
                        td { (self::saga(state, &saga.id)) span.name { (saga.name) } }
                        td { (status(saga.head.status)) }
                        td.why { (why(saga)) }
                        td.when data-label="age" { (age(saga.created)) }
                        td.when data-label="last entry, ago" { (age(saga.updated)) }
                    }
                }
            }
        }
    }
}

/// Why a saga stands so, cut where it is long.
fn why(saga: &Summary) -> Markup {
    match &saga.head.reason {
        _ if is_left(saga) => html! { strong { "nobody runs it: resume it" } },
        Some(reason) => html! { span title=(reason) { (prose(&text::cut(reason, 240))) } },
        None => html! {},
    }
}

/// A sentence in which what stands between backticks is code.
pub(crate) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // One of them stands alone.
        return html! { (text) };
    }
    html! {
        @for (place, part) in parts.iter().enumerate() {
            @if place % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

/// Left by a dead process.
pub(crate) fn is_left(saga: &Summary) -> bool {
    saga.head.status.is_open() && !saga.owned
}
