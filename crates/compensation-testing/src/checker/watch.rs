//! The library's own promises, watched while a saga runs: what is recorded as done never runs again, undos in
//! reverse, nothing undone after the pivot, never forward after turning back, and no error lost.

use compensation::{
    Plan, PlanStep, Report, UndoPlan,
    machine::{OnUndoFailure, UnknownPolicy},
};
use serde::Deserialize;

use super::schedule::{Site, SiteKind};

/// What the journal says of one step, and what is in flight of it.
#[derive(Clone, Debug, Default)]
struct Step {
    started: bool,
    done: bool,
    /// Its last attempt had no effect, for all that is known.
    failed: bool,
    /// An attempt of unknown outcome was not cleared up.
    tainted: bool,
    undo_started: bool,
    undone: bool,
    /// Its undo failed at least once, or a person decided about it.
    given_up: bool,
    acting: u32,
    undoing: u32,
}

/// How the last attempt of a function ended, if that was its own doing.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    excused: bool,
    pub(super) failed: Option<String>,
}

#[derive(Default)]
pub(super) struct Watch {
    steps: Vec<Step>,
    /// For each step, all that come after it, directly or not.
    dependents: Vec<Vec<u16>>,
    undoable: Vec<bool>,
    /// An unknown outcome of its action may wait for a person, and then holds no other undo up.
    may_park: Vec<bool>,
    pivot: Option<u16>,
    turned_back: bool,
    /// The pivot is done.
    committed: bool,
    first_failure: Option<String>,
    /// Entries of the journal that were heard.
    entries: u32,
    own: Vec<[Own; 3]>,
    pub(super) by_hand: Vec<bool>,
    pub(super) broken: Vec<String>,
}

/// An event of the journal, as far as it matters here.
#[derive(Deserialize)]
pub(super) struct Word {
    pub(super) e: String,
    pub(super) s: Option<u16>,
    pub(super) failure: Option<Failed>,
}

#[derive(Deserialize)]
pub(super) struct Failed {
    pub(super) message: String,
    certainty: String,
}

pub(super) fn words(body: &str) -> Vec<Word> {
    serde_json::from_str(body).unwrap_or_default()
}

impl Watch {
    pub(super) fn new(plan: &Plan) -> Self {
        let steps = plan.steps.len();
        Self {
            steps: vec![Step::default(); steps],
            dependents: (0..plan.steps.len()).map(|step| dependents(plan, step)).collect(),
            undoable: plan
                .steps
                .iter()
                .map(|step| matches!(step.undo, UndoPlan::Run { .. }))
                .collect(),
            may_park: plan.steps.iter().map(|step| may_park(plan, step)).collect(),
            pivot: plan.steps.iter().position(|step| step.pivot).map(|step| step as u16),
            turned_back: false,
            committed: false,
            first_failure: None,
            entries: 0,
            own: vec![Default::default(); steps],
            by_hand: vec![false; steps],
            broken: Vec::new(),
        }
    }

    /// A new process: nothing is in flight.
    pub(super) fn begin(&mut self) {
        for step in &mut self.steps {
            step.acting = 0;
            step.undoing = 0;
        }
    }

    /// A call begins.
    pub(super) fn begins(&mut self, site: Site) {
        let index = usize::from(site.index);
        if let Some(own) = self.own(site) {
            *own = Own::default();
        }
        let Some(step) = self.steps.get_mut(index) else { return };
        match site.kind {
            SiteKind::Action => {
                step.acting += 1;
                let told = [
                    (step.done, "runs again although it is recorded as done"),
                    (!step.started, "runs although its start is not recorded"),
                    (step.undoing > 0, "runs while it is being undone"),
                    (step.undone, "runs although it is undone"),
                ];
                self.tell(site, told);
            }
            SiteKind::Undo => {
                step.undoing += 1;
                let acting = step.acting > 0;
                let told = [
                    (step.undone, "runs again although it is recorded as undone"),
                    (!step.undo_started, "runs although its start is not recorded"),
                    (acting, "runs while its action is in flight"),
                ];
                self.tell(site, told);
                self.tell(site, [(self.committed, "runs although the pivot is done")]);
                let early = self.dependents[index].iter().any(|&next| self.is_owed(next));
                self.tell(site, [(early, "runs before that of a step that comes after it")]);
            }
            SiteKind::Probe | SiteKind::Line => {}
        }
    }

    /// Whether a step may have had its effect and its undo has not been settled.
    fn is_owed(&self, step: u16) -> bool {
        let index = usize::from(step);
        self.steps.get(index).is_some_and(|step| {
            let parked = step.tainted && !step.done && self.may_park[index];
            let may = step.started && !step.failed && !parked;
            step.acting > 0 || (may && self.undoable[index] && !step.undone && !step.given_up)
        })
    }

    fn tell<const N: usize>(&mut self, site: Site, told: [(bool, &str); N]) {
        for (broken, what) in told {
            if broken {
                let part = if site.kind == SiteKind::Undo { "the undo of step" } else { "step" };
                self.broken.push(format!("{part} {} {what}", site.index));
            }
        }
    }

    /// A call ends, in whatever way.
    pub(super) fn ends(&mut self, site: Site) {
        if let Some(step) = self.steps.get_mut(usize::from(site.index)) {
            match site.kind {
                SiteKind::Action => step.acting = step.acting.saturating_sub(1),
                SiteKind::Undo => step.undoing = step.undoing.saturating_sub(1),
                SiteKind::Probe | SiteKind::Line => {}
            }
        }
    }

    pub(super) fn own(&mut self, site: Site) -> Option<&mut Own> {
        let place = match site.kind {
            SiteKind::Action => 0,
            SiteKind::Probe => 1,
            SiteKind::Undo => 2,
            SiteKind::Line => return None,
        };
        self.own.get_mut(usize::from(site.index))?.get_mut(place)
    }

    /// A fault befell the call, or something beneath it.
    pub(super) fn excuse(&mut self, site: Site) {
        if let Some(own) = self.own(site) {
            own.excused = true;
            own.failed = None;
        }
    }

    /// The function failed by itself, unless a fault befell it.
    pub(super) fn failed(&mut self, site: Site, why: &str) {
        if let Some(own) = self.own(site)
            && !own.excused
        {
            own.failed = Some(why.to_owned());
        }
    }

    /// An entry has become durable. One that is repeated says nothing new.
    pub(super) fn wrote(&mut self, seq: u32, body: &str) {
        if seq < self.entries {
            return;
        }
        self.entries = seq + 1;
        for word in words(body) {
            self.heard(&word);
        }
    }

    fn heard(&mut self, word: &Word) {
        if word.e == "cancel_requested" {
            self.turned_back = true;
        }
        let Some(index) = word.s else { return };
        let turned_back = self.turned_back;
        let Some(step) = self.steps.get_mut(usize::from(index)) else { return };
        let mut broken = None;
        match word.e.as_str() {
            "action_started" => {
                if turned_back && !step.started {
                    broken = Some("starts for the first time although the saga has turned back");
                }
                step.started = true;
                step.failed = false;
            }
            "action_done" | "probe_done" => {
                if step.done {
                    broken = Some("is recorded as done twice");
                }
                step.done = true;
                self.committed |= !turned_back && self.pivot == Some(index);
            }
            "action_failed" => {
                let known = word.failure.as_ref().is_some_and(|f| f.certainty == "not_done");
                step.tainted |= !known;
                step.failed = !step.tainted;
            }
            "probe_not_done" => {
                step.tainted = false;
                step.failed = true;
            }
            "undo_started" => {
                step.undo_started = true;
                step.given_up = false;
                self.turned_back = true;
            }
            "undo_done" => {
                if step.undone {
                    broken = Some("is recorded as undone twice");
                }
                step.undone = true;
            }
            "undo_failed" => step.given_up = true,
            "interrupted" => {
                step.given_up = step.undo_started;
                step.tainted = true;
            }
            "retry_ordered" => step.given_up = false,
            "skip_ordered" | "done_declared" | "undone_declared" => {
                step.given_up = true;
                self.by_hand[usize::from(index)] = true;
            }
            _ => {}
        }
        if let Some(broken) = broken {
            self.broken.push(format!("step {index} {broken}"));
        }
        if self.first_failure.is_none() {
            self.first_failure = word.failure.as_ref().map(|failure| failure.message.clone());
        }
    }

    /// Whoever started it, or reads its record, is told so.
    pub(super) fn told(&mut self, report: &Report) {
        let first = report.failures().first().map(|failure| failure.failure().message());
        if first != self.first_failure.as_deref() {
            self.broken.push(format!(
                "the record begins with the failure {first:?}, but the first was {:?}",
                self.first_failure
            ));
        }
    }

    /// The saga has ended.
    pub(super) fn ended(&mut self, report: &Report) {
        self.told(report);
        if report.status().is_open() {
            self.broken.push("the saga is still open at its end".to_owned());
        }
    }
}

fn may_park(plan: &Plan, step: &PlanStep) -> bool {
    let undone = match step.unknown {
        None => step.idempotent,
        Some(policy) => policy == UnknownPolicy::Undo,
    };
    !undone && plan.on_undo_failure == OnUndoFailure::Continue
}

fn dependents(plan: &Plan, of: usize) -> Vec<u16> {
    let mut reached = vec![false; plan.steps.len()];
    reached[of] = true;
    // Steps may be written in any order: until nothing new is reached.
    loop {
        let found = (0..plan.steps.len()).find(|&step| {
            let after = |&before: &u16| reached.get(usize::from(before)).copied().unwrap_or(false);
            !reached[step] && plan.steps[step].after.iter().any(after)
        });
        match found {
            Some(step) => reached[step] = true,
            None => break,
        }
    }
    (0..plan.steps.len())
        .filter(|&step| step != of && reached[step])
        .map(|step| step as u16)
        .collect()
}
