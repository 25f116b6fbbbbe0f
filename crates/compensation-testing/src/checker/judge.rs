//! Whether a run kept what was promised: the library's promises, the ready invariants, and the user's own.

use compensation::{
    Report, Status,
    machine::{Park, Phase},
};

use super::{
    log::{Entry, What},
    play::Played,
    schedule::{Site, SiteKind},
    stage::State,
};

/// How a run ended, for an invariant to look at.
pub struct Ending<'a> {
    pub(super) report: &'a Report,
    pub(super) by_hand: &'a [bool],
}

impl Ending<'_> {
    /// Completed, compensated, stuck, or abandoned.
    #[must_use]
    pub fn status(&self) -> Status {
        self.report.status()
    }

    /// The saga's record.
    #[must_use]
    pub fn report(&self) -> &Report {
        self.report
    }

    /// Whether the operator of the schedule decided about that step: skipped it, or declared it done by hand.
    /// Nobody did that work in the world under test.
    #[must_use]
    pub fn is_by_hand(&self, step: &str) -> bool {
        let place = self.report.steps().position(|(name, _)| name == step);
        place.is_some_and(|place| self.by_hand.get(place).copied().unwrap_or(false))
    }

    /// Whether any step [was left to a hand](Self::is_by_hand).
    #[must_use]
    pub fn is_any_by_hand(&self) -> bool {
        self.by_hand.contains(&true)
    }
}

/// What a run broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) invariant: String,
    pub(super) what: String,
}

impl Broken {
    fn new(invariant: impl Into<String>, what: impl Into<String>) -> Self {
        Self { invariant: invariant.into(), what: what.into() }
    }
}

type Look<W> = Box<dyn Fn(&W, &Ending<'_>) -> Result<(), String>>;

/// How often an effect is there.
type Tally<W> = Box<dyn Fn(&W) -> i64>;

/// All that is to hold.
pub(super) struct Judge<W> {
    pub(super) effects: Vec<(String, Tally<W>)>,
    pub(super) always: Vec<(String, Look<W>)>,
    /// The undo of the first comes before that of the second.
    pub(super) orders: Vec<(String, String)>,
}

impl<W> Judge<W> {
    /// The first thing that a run broke.
    pub(super) fn judge(&self, played: &Played<W>) -> Option<Broken> {
        let state = played.stage.state();
        if let Some(broken) = state.watch.broken.first() {
            return Some(Broken::new("the promises of the library", broken));
        }
        if let Some(error) = &played.error {
            return Some(Broken::new("the saga can be run", error));
        }
        let Some(report) = &played.report else {
            // What never heals may keep a saga that never gives up from its end.
            let broken = Broken::new("the saga ends", "it still runs after a day");
            return (!state.for_ever).then_some(broken);
        };
        let by_hand = state.watch.by_hand.clone();
        let ending = Ending { report, by_hand: &by_hand };
        drop(state);
        self.effects(&played.world, &ending)
            .or_else(|| self.own(&played.world, &ending))
            .or_else(|| self.order(&played.stage.state().log, report))
            .or_else(|| unaided(&mut played.stage.state(), &ending))
    }

    fn effects(&self, world: &W, ending: &Ending<'_>) -> Option<Broken> {
        self.effects.iter().find_map(|(step, count)| {
            let phase = ending.report.phase(step)?;
            if ending.is_by_hand(step) {
                return None;
            }
            let (due, told) = match phase {
                Phase::Done => (1, "done"),
                Phase::Waiting => (0, "never started"),
                Phase::Failed => (0, "failed without effect"),
                Phase::Undone => (0, "undone"),
                _ => return None,
            };
            let found = count(world);
            let is_there = |found| match found {
                1 => "once".to_owned(),
                times => format!("{times} times"),
            };
            let what = format!(
                "the saga is {}, its record says that `{step}` is {told}, and the effect of `{step}` is there {}",
                ending.status(),
                is_there(found)
            );
            (found != due).then(|| Broken::new(format!("all or nothing: `{step}`"), what))
        })
    }

    fn own(&self, world: &W, ending: &Ending<'_>) -> Option<Broken> {
        self.always.iter().find_map(|(name, look)| {
            look(world, ending).err().map(|what| Broken::new(name.clone(), what))
        })
    }

    fn order(&self, log: &[Entry], report: &Report) -> Option<Broken> {
        self.orders.iter().find_map(|(first, then)| {
            let site = |step| {
                let index = report.plan().find(step)?;
                Some(Site { kind: SiteKind::Undo, index })
            };
            let calls = |of: Option<Site>| {
                log.iter().enumerate().filter(move |(_, entry)| match entry.what {
                    What::Called { site, .. } => Some(site) == of,
                    _ => false,
                })
            };
            let begun = calls(site(then)).map(|(at, _)| at).next()?;
            let still = calls(site(first)).any(|(at, _)| at > begun);
            let name = format!("undo order: `{first}` before `{then}`");
            let what = format!("the undo of `{then}` runs before that of `{first}`");
            still.then(|| Broken::new(name, what))
        })
    }
}

/// What waits for a person must have been brought there by the schedule: an undo that fails by itself is a
/// defect.
fn unaided(state: &mut State, ending: &Ending<'_>) -> Option<Broken> {
    if ending.is_any_by_hand() {
        return None;
    }
    let report = ending.report;
    report.parked().find_map(|(step, park)| {
        let index = report.plan().find(step)?;
        let (kind, part) = match park {
            Park::UndoFailed => (SiteKind::Undo, "the undo of "),
            Park::ProbeFailed => (SiteKind::Probe, "the probe of "),
            Park::TailFailed => (SiteKind::Action, ""),
            Park::OutcomeUnknown | Park::UndoInterrupted => return None,
        };
        let failed = state.watch.own(Site { kind, index })?.failed.clone()?;
        let what = format!("the saga is stuck, for {part}`{step}` fails by itself: {failed}");
        Some(Broken::new("the saga ends without help", what))
    })
}
