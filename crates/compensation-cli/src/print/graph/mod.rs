//! A saga as a drawing: steps, what each comes after, and how each stands where it has been started.

mod dot;
mod layout;
mod svg;

use compensation::{Plan, Report, UndoPlan, machine::Phase};

use super::text::short;

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
    colour: &'static str,
    /// The places of the steps that it comes after.
    after: Vec<usize>,
}

/// For Graphviz.
pub(crate) fn dot(plan: &Plan, report: Option<&Report>) -> String {
    dot::draw(&Drawing::of(plan, report))
}

/// A picture.
pub(crate) fn svg(plan: &Plan, report: Option<&Report>) -> String {
    svg::draw(&Drawing::of(plan, report))
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
                colour: phase.map_or("#ffffff", colour),
                after: step.after.iter().map(|&before| usize::from(before)).collect(),
            }
        });
        Self { name: &plan.saga, nodes: nodes.collect() }
    }
}

fn cut(note: &str) -> String {
    let note = short(note);
    match note.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &note[..end]),
        None => note,
    }
}

fn colour(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "#f2f2f2",
        Phase::Acting | Phase::Retrying | Phase::ProbeDue | Phase::Probing => "#cfe2ff",
        Phase::Done => "#d1e7dd",
        Phase::Undoing | Phase::UndoRetrying | Phase::Undone => "#fff3cd",
        Phase::Failed | Phase::Unsure | Phase::Parked(_) | Phase::UndoParked(_) => "#f8d7da",
        Phase::Skipped | Phase::UndoSkipped => "#e2e3e5",
    }
}
