//! Which faults there are for a saga, and which of them a check uses.

use compensation::{Plan, UndoPlan};

use super::schedule::{FOR_EVER, Fault, Hit, How, Moment, Site, SiteKind, Verb, WriteHow};

/// A kind of fault, to be left out with [`Check::without`](super::Check::without).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A function is not called, and says that it had no effect.
    Refused,
    /// A function or a call over the line is not made, and nobody knows that.
    LostRequest,
    /// It is made, and its success is lost.
    LostReply,
    /// It is made, and no answer comes before the time limit.
    Hang,
    /// It is dropped at one of its awaits.
    Cut,
    /// It is made later.
    Slow,
    /// It is given up, and made after that: it races the undo.
    Late,
    /// It panics, before its effect or after it.
    Panic,
    /// It is made twice.
    Twice,
    /// The process dies: at a write of the journal, or at an await.
    Death,
    /// The store fails, before a write took effect or after it.
    Store,
    /// An operator cancels, retries, skips, declares done by hand, or abandons.
    Operator,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Refused,
        Self::LostRequest,
        Self::LostReply,
        Self::Hang,
        Self::Cut,
        Self::Slow,
        Self::Late,
        Self::Panic,
        Self::Twice,
        Self::Death,
        Self::Store,
        Self::Operator,
    ];

    pub(super) fn of(fault: Fault) -> Self {
        match fault {
            Fault::Call(hit) => Self::of_call(hit.how),
            Fault::Write { how, .. } if how.is_death() => Self::Death,
            Fault::Write { .. } => Self::Store,
            Fault::Order { .. } => Self::Operator,
        }
    }

    fn of_call(how: How) -> Self {
        match how {
            How::Refuse => Self::Refused,
            How::LoseRequest => Self::LostRequest,
            How::LoseReply => Self::LostReply,
            How::Hang => Self::Hang,
            How::Cut(_) => Self::Cut,
            How::Slow(_) => Self::Slow,
            How::Late(_) => Self::Late,
            How::Panic | How::PanicAfter => Self::Panic,
            How::Twice => Self::Twice,
            How::Die(_) => Self::Death,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::LostRequest => "request lost",
            Self::LostReply => "reply lost",
            Self::Hang => "no answer",
            Self::Cut => "cut off",
            Self::Slow => "slow",
            Self::Late => "late",
            Self::Panic => "panic",
            Self::Twice => "twice",
            Self::Death => "death",
            Self::Store => "store",
            Self::Operator => "operator",
        }
    }
}

/// The faults of one saga.
pub(super) struct Faults<'a> {
    pub(super) plan: &'a Plan,
    pub(super) without: &'a [Kind],
}

impl Faults<'_> {
    fn wanted(&self, fault: Fault) -> bool {
        !self.without.contains(&Kind::of(fault))
    }

    /// All that may befall one call of that site, which has had so many awaits.
    pub(super) fn of_call(&self, site: Site, nth: u32, awaits: u32) -> Vec<Fault> {
        let hits = self.hows(site, awaits);
        let hits = hits.into_iter().map(|(how, times)| Fault::Call(Hit { site, nth, times, how }));
        hits.filter(|&fault| self.wanted(fault)).collect()
    }

    fn hows(&self, site: Site, awaits: u32) -> Vec<(How, u32)> {
        let once = |how| (how, 1);
        let mut hows = vec![once(How::LoseRequest), once(How::LoseReply), once(How::Hang)];
        hows.extend([How::Slow(1), How::Slow(1_000), How::Late(1), How::Late(5_000)].map(once));
        let Some(step) = self.plan.steps.get(usize::from(site.index)) else { return hows };
        let (idempotent, limit) = match (site.kind, &step.undo) {
            (SiteKind::Line, _) => {
                hows.push(once(How::Twice));
                return hows;
            }
            (SiteKind::Undo, UndoPlan::Run { idempotent, timeout_ms, .. }) => {
                (*idempotent, *timeout_ms)
            }
            (SiteKind::Undo, UndoPlan::None { .. }) => return Vec::new(),
            (SiteKind::Probe, _) => (true, step.timeout_ms),
            (SiteKind::Action, _) => (step.idempotent, step.timeout_ms),
        };
        hows.push(once(How::Refuse));
        hows.extend([How::Panic, How::PanicAfter].map(once));
        hows.extend(idempotent.then_some(once(How::Twice)));
        hows.extend((1..=awaits).map(How::Cut).map(once));
        hows.extend((0..=awaits).map(How::Die).map(once));
        let limit = limit.and_then(|limit| u32::try_from(limit).ok()?.checked_add(1));
        hows.extend(limit.map(How::Slow).map(once));
        hows.extend([(How::LoseRequest, FOR_EVER), (How::LoseReply, FOR_EVER)]);
        hows.push((How::LoseRequest, 2));
        hows
    }

    /// All that may befall that write, or be ordered after it.
    pub(super) fn of_write(&self, nth: u32) -> Vec<Fault> {
        let writes = WriteHow::ALL.map(|how| Fault::Write { nth, how });
        let orders = Verb::ALL.map(|verb| Fault::Order { at: Moment::Write(nth), verb });
        let all = writes.into_iter().chain(orders);
        all.filter(|&fault| self.wanted(fault)).collect()
    }

    /// The deaths at that write.
    pub(super) fn deaths(&self, nth: u32) -> Vec<Fault> {
        let deaths = [WriteHow::DieBefore, WriteHow::DieAfter];
        let deaths = deaths.map(|how| Fault::Write { nth, how });
        deaths.into_iter().filter(|&fault| self.wanted(fault)).collect()
    }

    /// All that may be ordered when the saga is stuck for the so-manieth time.
    pub(super) fn of_stuck(&self, nth: u32) -> Vec<Fault> {
        let orders = Verb::ALL.map(|verb| Fault::Order { at: Moment::Stuck(nth), verb });
        orders.into_iter().filter(|&fault| self.wanted(fault)).collect()
    }

    /// Every function of the saga.
    pub(super) fn sites(&self) -> Vec<Site> {
        let mut sites = Vec::new();
        for (step, index) in self.plan.steps.iter().zip(0..) {
            sites.push(Site { kind: SiteKind::Action, index });
            if matches!(step.undo, UndoPlan::Run { .. }) {
                sites.push(Site { kind: SiteKind::Undo, index });
            }
            if step.probe {
                sites.push(Site { kind: SiteKind::Probe, index });
            }
        }
        sites
    }
}
