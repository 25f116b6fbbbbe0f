//! A saga's steps at a glance: how far each came, and how far back.

use compensation::{
    PlanStep, UndoPlan,
    machine::{Change, Phase},
};
use maud::{Markup, html};

use crate::{cells, shown::Shown, text};

/// How often the parts of each step were started.
#[derive(Clone, Copy, Default)]
struct Tried {
    action: u32,
    undo: u32,
}

pub(super) fn steps(shown: &Shown) -> Markup {
    let report = &shown.report;
    let plan = report.plan();
    let mut tried = vec![Tried::default(); plan.steps.len()];
    for event in &shown.events {
        let Some(tried) = event.change.step().and_then(|at| tried.get_mut(usize::from(at))) else {
            continue;
        };
        match event.change {
            Change::ActionStarted(_) => tried.action += 1,
            Change::UndoStarted(_) => tried.undo += 1,
            _ => {}
        }
    }
    html! {
        table.steps {
            thead { tr {
                th scope="col" { "Step" } th scope="col" { "Forward →" } th scope="col" { "← Back" }
                th scope="col" { "Output" }
            } }
            tbody {
                @for ((((number, step), (_, phase)), tried), output) in
                    plan.steps.iter().enumerate().zip(report.steps()).zip(&tried).zip(&shown.outputs) {
                    tr #{ "step-" (number) } {
                        th scope="row" {
                            code { (step.name) }
                            @if step.pivot { " " span.badge title="nothing is undone once it is done" { "pivot" } }
                        }
                        td { (forward(phase)) (times(tried.action)) }
                        td { (back(step, phase)) (times(tried.undo)) }
                        td.output { (self::output(output.as_deref(), number)) }
                    }
                }
            }
        }
    }
}

fn times(tried: u32) -> Markup {
    html! { @if tried > 1 { " " span.attempt { "×" (tried) } } }
}

fn forward(phase: Phase) -> Markup {
    match phase {
        Phase::Undoing
        | Phase::UndoRetrying
        | Phase::UndoParked(_)
        | Phase::Undone
        | Phase::UndoSkipped => cells::phase(Phase::Done),
        phase => cells::phase(phase),
    }
}

fn back(step: &PlanStep, phase: Phase) -> Markup {
    match (phase, &step.undo) {
        (
            Phase::Undoing
            | Phase::UndoRetrying
            | Phase::UndoParked(_)
            | Phase::Undone
            | Phase::UndoSkipped,
            _,
        ) => cells::phase(phase),
        (_, UndoPlan::None { because }) => {
            html! { span.none title=(because) { "none: " (because) } }
        }
        (_, UndoPlan::Run { .. }) => html! { span.none { "–" } },
    }
}

fn output(output: Option<&str>, number: usize) -> Markup {
    let Some(output) = output else { return html! {} };
    if output.chars().count() <= 60 {
        return html! { code { (output) } };
    }
    html! {
        details id={ "output-" (number) } {
            summary { code { (text::cut(output, 48)) } }
            pre { (output) }
        }
    }
}
