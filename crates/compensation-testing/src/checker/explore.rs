//! Which schedules are played: all within a bound, then some by lot.

use std::collections::HashSet;

use super::{
    dice::Dice,
    faults::Faults,
    schedule::{Fault, Schedule, Site, SiteKind},
    stage::{Count, Stage},
};

/// Calls of one site that are hit, in an exhaustive search.
const CALLS: u32 = 3;

/// Most faults of a schedule drawn by lot.
const BY_LOT: u32 = 6;

/// How far a [`Check`](super::Check) goes before it draws lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// The run without faults.
    Nothing,
    /// Every single fault.
    Singles,
    /// And each of them together with a death at every write, with every fault of an undo or a probe that it
    /// leads to, and with every order where it leaves the saga stuck.
    Deaths,
    /// And every pair of faults.
    Pairs,
}

/// What one run has shown of itself.
pub(super) struct Seen {
    counts: Vec<Count>,
    pub(super) writes: u32,
    pub(super) stuck: u32,
}

impl Seen {
    pub(super) fn of(stage: &Stage) -> Self {
        let state = stage.state();
        Self { counts: state.counts.clone(), writes: state.writes, stuck: state.stuck }
    }

    pub(super) fn known(&self) -> impl Iterator<Item = Site> + '_ {
        self.counts.iter().map(|count| count.site)
    }

    pub(super) fn awaits(&self, site: Site) -> u32 {
        self.counts.iter().find(|count| count.site == site).map_or(0, |count| count.awaits)
    }

    /// Takes in what another run has shown.
    pub(super) fn widen(&mut self, other: &Self) {
        self.writes = self.writes.max(other.writes);
        for count in &other.counts {
            match self.counts.iter_mut().find(|known| known.site == count.site) {
                Some(known) => known.awaits = known.awaits.max(count.awaits),
                None => self.counts.push(*count),
            }
        }
    }

    fn calls(&self) -> impl Iterator<Item = (Site, u32, u32)> + '_ {
        self.counts.iter().flat_map(|count| {
            (1..=count.calls.min(CALLS)).map(|nth| (count.site, nth, count.awaits))
        })
    }
}

impl Faults<'_> {
    /// Every fault that a run like that may meet.
    pub(super) fn all(&self, seen: &Seen) -> Vec<Fault> {
        let calls = seen.calls().flat_map(|(site, nth, awaits)| self.of_call(site, nth, awaits));
        let writes = (1..=seen.writes).flat_map(|nth| self.of_write(nth));
        let stuck = (1..=seen.stuck).flat_map(|nth| self.of_stuck(nth));
        calls.chain(writes).chain(stuck).collect()
    }

    /// Its deaths, the faults of undos and probes, and orders for what is stuck.
    pub(super) fn further(&self, seen: &Seen) -> Vec<Fault> {
        let late = |site: Site| matches!(site.kind, SiteKind::Undo | SiteKind::Probe);
        let calls = seen.calls().filter(|(site, nth, _)| late(*site) && *nth == 1);
        let calls = calls.flat_map(|(site, nth, awaits)| self.of_call(site, nth, awaits));
        let writes = (1..=seen.writes).flat_map(|nth| self.deaths(nth));
        let stuck = (1..=seen.stuck).flat_map(|nth| self.of_stuck(nth));
        calls.chain(writes).chain(stuck).collect()
    }
}

/// Schedules that have been played, whatever the order of their faults.
#[derive(Default)]
pub(super) struct Played(HashSet<Vec<Fault>>);

impl Played {
    /// Whether it is new.
    pub(super) fn add(&mut self, schedule: &Schedule) -> bool {
        let mut faults = schedule.0.clone();
        faults.sort_unstable();
        faults.dedup();
        faults.len() == schedule.0.len() && self.0.insert(faults)
    }
}

/// What schedules are drawn from.
pub(super) struct Lots<'a> {
    pub(super) faults: &'a Faults<'a>,
    /// The saga's functions, and the calls over the line that were seen, with their awaits.
    pub(super) sites: Vec<(Site, u32)>,
    pub(super) writes: u32,
}

impl Lots<'_> {
    pub(super) fn draw(&self, seed: u64) -> Schedule {
        let mut dice = Dice::new(seed);
        let faults = 1 + dice.below(BY_LOT);
        let drawn = (0..faults).filter_map(|_| self.fault(&mut dice));
        let mut schedule = Schedule(drawn.collect());
        schedule.0.dedup();
        schedule
    }

    fn fault(&self, dice: &mut Dice) -> Option<Fault> {
        let of = match dice.below(10) {
            0..=2 => self.faults.of_write(1 + dice.below(self.writes + 2)),
            3 => self.faults.of_stuck(1 + dice.below(2)),
            _ => {
                let &(site, awaits) = dice.pick(&self.sites)?;
                // The first call mostly: later ones are there only if something went wrong.
                let nth = 1 + dice.below(2) * dice.below(3);
                self.faults.of_call(site, nth, awaits)
            }
        };
        dice.pick(&of).copied()
    }
}
