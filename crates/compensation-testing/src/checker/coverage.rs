//! What a check has tried, and what it never came to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use compensation::Status;

use super::{
    explore::Seen,
    faults::{Faults, Kind},
    line::Names,
    schedule::{Fault, Site, SiteKind},
    stage::Stage,
    text::Speller,
};

/// What a check has tried. Its text says it in a few lines.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    exhaustive: u64,
    random: u64,
    /// Endings, how often.
    endings: BTreeMap<&'static str, u64>,
    /// What befell each function, how often.
    pub(super) befell: BTreeMap<(Site, Kind), u64>,
    deaths: u64,
    store: u64,
    orders: u64,
    /// Undos that ran more than once in a run, how often.
    twice: BTreeMap<Site, u64>,
    names: BTreeMap<Site, String>,
    never: Vec<String>,
}

impl Coverage {
    /// Schedules played, those within the bound and those drawn by lot.
    #[must_use]
    pub fn schedules(&self) -> u64 {
        self.exhaustive + self.random
    }

    /// Schedules played before any was drawn by lot.
    #[must_use]
    pub fn exhaustive(&self) -> u64 {
        self.exhaustive
    }

    /// How many runs ended so.
    #[must_use]
    pub fn ended(&self, status: Status) -> u64 {
        self.endings.get(status.as_str()).copied().unwrap_or(0)
    }

    /// Every function that never failed in a way that there is for it, and every undo that never ran twice.
    #[must_use]
    pub fn never(&self) -> &[String] {
        &self.never
    }

    pub(super) fn add(&mut self, stage: &Stage, status: Option<Status>, by_lot: bool) {
        *if by_lot { &mut self.random } else { &mut self.exhaustive } += 1;
        *self.endings.entry(status.map_or("endless", Status::as_str)).or_default() += 1;
        for fault in stage.hits() {
            match fault {
                Fault::Call(hit) => {
                    *self.befell.entry((hit.site, Kind::of(fault))).or_default() += 1;
                }
                Fault::Write { how, .. } if how.is_death() => self.deaths += 1,
                Fault::Write { .. } => self.store += 1,
                Fault::Order { .. } => self.orders += 1,
            }
        }
        for count in &stage.state().counts {
            if count.site.kind == SiteKind::Undo && count.calls > 1 {
                *self.twice.entry(count.site).or_default() += 1;
            }
        }
    }

    /// The lines over which calls were made.
    pub(super) fn sites(&self) -> impl Iterator<Item = Site> + '_ {
        self.befell.keys().map(|(site, _)| *site)
    }

    pub(super) fn finish(&mut self, faults: &Faults<'_>, names: &Names, seen: &Seen) {
        let speller = Speller { plan: faults.plan, names };
        let mut sites: BTreeSet<_> = faults.sites().into_iter().collect();
        sites.extend(self.sites());
        for site in sites {
            let name = speller.function(site).trim().to_owned();
            let hit = |kind| self.befell.contains_key(&(site, kind));
            let due = faults.of_call(site, 1, seen.awaits(site)).into_iter().map(Kind::of);
            let due: BTreeSet<_> = due.collect();
            let never: Vec<_> =
                due.into_iter().filter(|&kind| !hit(kind)).map(Kind::word).collect();
            if !never.is_empty() {
                self.never.push(format!("{name}: {}", never.join(", ")));
            }
            if site.kind == SiteKind::Undo && !self.twice.contains_key(&site) {
                self.never.push(format!("{name}: more than once in a run"));
            }
            self.names.insert(site, name);
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exhaustive, random, deaths, store, orders, .. } = self;
        writeln!(f, "{exhaustive} schedules within the bound, {random} by lot")?;
        let endings: Vec<_> =
            self.endings.iter().map(|(status, runs)| format!("{runs} {status}")).collect();
        writeln!(f, "ended: {}", endings.join(", "))?;
        writeln!(f, "{deaths} deaths at writes, {store} failures of the store, {orders} orders")?;
        for (site, name) in &self.names {
            let of = self.befell.range((*site, Kind::Refused)..=(*site, Kind::Operator));
            let of: Vec<_> =
                of.map(|((_, kind), runs)| format!("{} {runs}", kind.word())).collect();
            let twice = match self.twice.get(site) {
                Some(runs) => format!("; more than once in {runs} runs"),
                None => String::new(),
            };
            writeln!(f, "{name}: {}{twice}", of.join(", "))?;
        }
        for never in &self.never {
            writeln!(f, "never: {never}")?;
        }
        Ok(())
    }
}
