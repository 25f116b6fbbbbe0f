//! A saga as a drawing: steps, what each comes after, and how each stands where it has been started. The pages
//! show it, and so does the command line.

mod dot;
mod layout;
mod svg;

use compensation::{Plan, Report, UndoPlan, machine::Phase};

/// Longest line in a box, in characters.
const LINE: usize = 40;

/// What is drawn.
#[derive(Clone, Debug)]
struct Drawing<'a> {
    name: &'a str,
    nodes: Vec<Node<'a>>,
}

#[derive(Clone, Debug)]
struct Node<'a> {
    name: &'a str,
    /// What is said under the name.
    notes: Vec<String>,
    pivot: bool,
    look: Look,
    /// The places of the steps that it comes after.
    after: Vec<usize>,
}

/// How a step looks: the colour where nothing else says, and the word for a style sheet.
#[derive(Clone, Copy, Debug)]
struct Look {
    colour: &'static str,
    class: &'static str,
}

/// The text of a drawing for Graphviz, with how each step stands if there is a report.
#[must_use]
pub fn dot(plan: &Plan, report: Option<&Report>) -> String {
    dot::draw(&Drawing::of(plan, report))
}

/// The same as a picture that stands alone.
#[must_use]
pub fn svg(plan: &Plan, report: Option<&Report>) -> String {
    svg::draw(&Drawing::of(plan, report), false)
}

/// The same for a page: each step leads to the place `#step-N`, and colours are for the style sheet to say.
pub(crate) fn svg_of_page(report: &Report) -> String {
    svg::draw(&Drawing::of(report.plan(), Some(report)), true)
}

impl<'a> Drawing<'a> {
    fn of(plan: &'a Plan, report: Option<&Report>) -> Self {
        let nodes = plan.steps.iter().map(|step| {
            let phase = report.and_then(|report| report.phase(&step.name));
            let undo = match &step.undo {
                UndoPlan::Run { .. } => None,
                UndoPlan::None { because } => Some(format!("no undo: {because}")),
            };
            let pivot = step.pivot.then(|| "pivot: nothing is undone after it".to_owned());
            let stands = phase.map(|phase| phase.to_string());
            Node {
                name: &step.name,
                notes: [pivot, undo, stands].into_iter().flatten().map(|note| cut(&note)).collect(),
                pivot: step.pivot,
                look: phase.map_or(Look { colour: "#ffffff", class: "plain" }, look),
                after: step.after.iter().map(|&before| usize::from(before)).collect(),
            }
        });
        Self { name: &plan.saga, nodes: nodes.collect() }
    }
}

/// The first line of a note, cut where it is long.
fn cut(note: &str) -> String {
    let first = note.lines().next().unwrap_or_default();
    match first.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None if first.len() < note.len() => format!("{first}…"),
        None => first.to_owned(),
    }
}

fn look(phase: Phase) -> Look {
    let (colour, class) = match phase {
        Phase::Waiting => ("#f2f2f2", "waiting"),
        Phase::Acting | Phase::Retrying | Phase::ProbeDue | Phase::Probing => ("#cfe2ff", "acting"),
        Phase::Done => ("#d1e7dd", "done"),
        Phase::Undoing | Phase::UndoRetrying => ("#fff3cd", "undoing"),
        Phase::Undone => ("#fff3cd", "undone"),
        Phase::Failed => ("#f8d7da", "failed"),
        Phase::Unsure | Phase::Parked(_) | Phase::UndoParked(_) => ("#f8d7da", "parked"),
        Phase::Skipped | Phase::UndoSkipped => ("#e2e3e5", "skipped"),
    };
    Look { colour, class }
}
