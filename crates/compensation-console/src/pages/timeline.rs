//! A saga's events as a timeline in two lanes: what went forward, and what was taken back.

use std::sync::Arc;

use compensation::{Order, Part, Timestamp, machine::Change};
use maud::{Markup, html};

use crate::{
    shown::{Event, Said},
    text,
};

/// Lines shown; of a saga with more, the last ones are.
const LINES: usize = 300;

enum Line<'a> {
    Attempt(Attempt<'a>),
    Ordered { at: Timestamp, what: String, step: Option<&'a str>, order: Option<&'a Order> },
}

struct Attempt<'a> {
    step: &'a str,
    part: Part,
    number: u32,
    began: Timestamp,
    end: Option<(Timestamp, End<'a>)>,
}

enum End<'a> {
    Done,
    NotDone,
    Failed(Option<&'a Said>),
    Interrupted,
}

/// All that happened, the first on top.
pub(super) fn timeline(events: &[Event]) -> Markup {
    let lines = lines(events);
    let left_out = lines.len().saturating_sub(LINES);
    html! {
        @if left_out > 0 { p.note { "(" (left_out) " earlier lines are left out)" } }
        ol.timeline {
            li.head aria-hidden="true" { span.at { "time, UTC" } span.lane { "forward →" } span.lane { "← back" } }
            @for line in lines.iter().skip(left_out) { (row(line)) }
        }
    }
}

fn lines(events: &[Event]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for event in events {
        let step: Option<&Arc<str>> = event.step.as_ref();
        let name = step.map_or("", |step| step);
        let started = match event.change {
            Change::ActionStarted(_) => Some(Part::Action),
            Change::ProbeStarted(_) => Some(Part::Probe),
            Change::UndoStarted(_) => Some(Part::Undo),
            _ => None,
        };
        if let Some(part) = started {
            let (number, began) = (event.attempt, event.at);
            lines.push(Line::Attempt(Attempt { step: name, part, number, began, end: None }));
            continue;
        }
        let end = match event.change {
            Change::ActionDone(_) | Change::ProbeDone(_) | Change::UndoDone(_) => End::Done,
            Change::ProbeNotDone(_) => End::NotDone,
            Change::ActionFailed { .. }
            | Change::ProbeFailed { .. }
            | Change::UndoFailed { .. } => End::Failed(event.failure.as_ref()),
            Change::Interrupted(_) => End::Interrupted,
            _ => {
                let (at, order) = (event.at, event.order.as_ref());
                let step = step.map(|step| &**step);
                lines.push(Line::Ordered { at, what: ordered(event), step, order });
                continue;
            }
        };
        // A step has at most one attempt in flight.
        let of_step = |line: &&mut Line<'_>| matches!(line, Line::Attempt(it) if it.step == name && it.end.is_none());
        if let Some(Line::Attempt(attempt)) = lines.iter_mut().rev().find(of_step) {
            attempt.end = Some((event.at, end));
        }
    }
    lines
}

/// The words for an order.
pub(super) fn ordered(event: &Event) -> String {
    let word = match event.change {
        Change::CancelRequested => "undo",
        Change::RetryOrdered(_) => "retry",
        Change::SkipOrdered(_) => "skip",
        Change::DoneDeclared(_) => "done by hand",
        Change::UndoneDeclared(_) => "undone by hand",
        Change::Abandoned => "abandon",
        Change::ResumeOrdered => "resume",
        _ => "order",
    };
    event.given.map_or_else(|| word.to_owned(), |given| format!("{word} {given}"))
}

fn row(line: &Line<'_>) -> Markup {
    match line {
        Line::Attempt(attempt) => attempt_row(attempt),
        Line::Ordered { at, what, step, order } => html! {
            li.ordered {
                time.at datetime=(at) title=(at) { (text::time(*at)) }
                span.entry {
                    strong { (what) }
                    @if let Some(step) = step { " " code { (step) } }
                    @match order {
                        Some(order) => { " ordered by " strong { (order.by) } ": " (order.why) }
                        None => { " asked for" }
                    }
                }
            }
        },
    }
}

fn attempt_row(attempt: &Attempt<'_>) -> Markup {
    let back = attempt.part == Part::Undo;
    let (class, mark, word) = match &attempt.end {
        None => ("live", "…", "in flight"),
        Some((_, End::Done)) if back => ("undone", "↩", "undone"),
        Some((_, End::Done)) => ("done", "✓", "done"),
        Some((_, End::NotDone)) => ("skipped", "–", "found not done"),
        Some((_, End::Failed(_))) => ("failed", "✕", "failed"),
        Some((_, End::Interrupted)) => ("failed", "⚡", "cut off by the end of its process"),
    };
    html! {
        li class={ (class) @if back { " back" } @else { " forth" } } {
            time.at datetime=(attempt.began) title=(attempt.began) { (text::time(attempt.began)) }
            span.entry {
                span.mark aria-hidden="true" { (mark) }
                code { (attempt.step) }
                " "
                span.word {
                    @match attempt.part {
                        Part::Action => {}
                        Part::Probe => { "probe " }
                        Part::Undo => { span.unseen { "undo " } }
                    }
                    (word)
                }
                @if attempt.number > 1 { " " span.attempt { "attempt " (attempt.number) } }
                @if let Some((at, _)) = &attempt.end && *at > attempt.began {
                    " " span.took { (text::between(attempt.began, *at)) }
                }
                @if let Some((_, End::Failed(Some(failure)))) = &attempt.end {
                    span.said { (text::cut(&failure.message, 300)) }
                }
            }
        }
    }
}
