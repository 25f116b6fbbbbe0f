//! What all that takes part in one run shares: the faults still to come, what has been counted, who is alive,
//! and the log. Everything happens on one thread; the lock is for the types' sake.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::Waker,
};

use compensation::{Plan, Status, UndoPlan, repository::Repository};
use tokio::sync::Notify;

use super::{
    log::{Entry, What},
    schedule::{Fault, Hit, How, Moment, Schedule, Site, SiteKind, Verb, WriteHow},
    watch::Watch,
};
use crate::clock::{self, Instant};

/// One run's shared state. Cheap to clone.
#[derive(Clone)]
pub(super) struct Stage(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Told of deaths and orders.
    changed: Notify,
    /// Set before anything is called.
    plan: OnceLock<Plan>,
    begun: Instant,
}

pub(super) struct State {
    faults: Vec<Planted>,
    pub(super) counts: Vec<Count>,
    pub(super) writes: u32,
    pub(super) stuck: u32,
    /// The number of this life of the process, and its store; `None` once it is dead.
    pub(super) life: u32,
    owner: Option<Arc<dyn Repository>>,
    /// The store has left a call without an answer.
    pub(super) stalled: bool,
    wakers: Vec<Waker>,
    /// Which function is being polled, and whether a fault befell it.
    current: Option<Site>,
    /// Calls that come late and have not come yet.
    pub(super) late: u32,
    pub(super) orders: Vec<Verb>,
    pub(super) log: Vec<Entry>,
    pub(super) watch: Watch,
    /// Whether texts are kept for people.
    pub(super) told: bool,
    /// Whether this run had one that never heals.
    pub(super) for_ever: bool,
}

struct Planted {
    fault: Fault,
    hit: bool,
}

/// How often something was called, and the most awaits of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    pub(super) site: Site,
    pub(super) calls: u32,
    pub(super) awaits: u32,
}

impl Stage {
    pub(super) fn new(schedule: &Schedule, told: bool) -> Self {
        let faults = schedule.0.iter().map(|&fault| Planted { fault, hit: false }).collect();
        let state = State {
            faults,
            counts: Vec::new(),
            writes: 0,
            stuck: 0,
            life: 0,
            owner: None,
            stalled: false,
            wakers: Vec::new(),
            current: None,
            late: 0,
            orders: Vec::new(),
            log: Vec::new(),
            watch: Watch::default(),
            told,
            for_ever: false,
        };
        Self(Arc::new(Inner {
            state: Mutex::new(state),
            changed: Notify::new(),
            plan: OnceLock::new(),
            begun: clock::now(),
        }))
    }

    /// Which saga is run.
    pub(super) fn plays(&self, plan: &Plan) {
        self.state().watch = Watch::new(plan);
        // Said once.
        let _ = self.0.plan.set(plan.clone());
    }

    /// The time limit of that function, in milliseconds.
    pub(super) fn limit(&self, site: Site) -> Option<u64> {
        let step = self.0.plan.get()?.steps.get(usize::from(site.index))?;
        match (site.kind, &step.undo) {
            (SiteKind::Action | SiteKind::Probe, _) => step.timeout_ms,
            (SiteKind::Undo, UndoPlan::Run { timeout_ms, .. }) => *timeout_ms,
            _ => None,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic of the user's never happens while it is held.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds of the virtual clock since the run began.
    pub(super) fn at(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn note(&self, what: What) {
        let at = self.at();
        self.state().log.push(Entry { at, what });
    }

    /// How the saga stands, said once where nothing has happened since.
    pub(super) fn stands(&self, status: Status) {
        let said = match self.state().log.last() {
            Some(Entry { what: What::Stands(last), .. }) => *last == status,
            _ => false,
        };
        if !said {
            self.note(What::Stands(status));
        }
    }

    /// Resolves once something may have changed since it was first polled.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    pub(super) fn wake(&self) {
        self.0.changed.notify_one();
    }

    /// A process starts, with a store of its own.
    pub(super) fn begin(&self, owner: Arc<dyn Repository>) -> u32 {
        let life = self.enter(owner);
        self.state().watch.begin();
        self.note(What::Begins(life));
        life
    }

    /// The same of one that only looks at what there is, of which no word is made.
    pub(super) fn enter(&self, owner: Arc<dyn Repository>) -> u32 {
        let mut state = self.state();
        state.life += 1;
        state.owner = Some(owner);
        state.life
    }

    /// The process ends after its work: its store is closed.
    pub(super) fn leave(&self) {
        let owner = self.state().owner.take();
        drop(owner);
    }

    /// The store has left a call without an answer: nothing more can be done with it.
    pub(super) fn stall(&self) {
        self.state().stalled = true;
        self.die();
    }

    /// The process dies: it does nothing more, and the store knows that it is gone.
    pub(super) fn die(&self) {
        let (owner, wakers) = {
            let mut state = self.state();
            (state.owner.take(), std::mem::take(&mut state.wakers))
        };
        if owner.is_some() {
            self.note(What::Dies);
        }
        // Calls of the store are waited for, so that none of them has it any more: it is closed here.
        debug_assert!(owner.as_ref().is_none_or(|owner| Arc::strong_count(owner) == 1));
        drop(owner);
        wakers.into_iter().for_each(Waker::wake);
        self.wake();
    }

    /// The store of that life, while it lasts.
    pub(super) fn owner(&self, life: u32) -> Option<Arc<dyn Repository>> {
        let state = self.state();
        state.owner.clone().filter(|_| state.life == life)
    }

    pub(super) fn is_alive(&self, life: u32) -> bool {
        let state = self.state();
        state.life == life && state.owner.is_some()
    }

    /// Whose death is to be told.
    pub(super) fn wakes(&self, waker: &Waker) {
        let mut state = self.state();
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
    }

    /// Counts a call. Says its number, and what befalls it.
    pub(super) fn called(&self, site: Site) -> (u32, Option<How>) {
        let mut state = self.state();
        let nth = state.count(site);
        let mut befalls = None;
        let State { faults, for_ever, .. } = &mut *state;
        for planted in faults {
            if let Fault::Call(hit) = planted.fault
                && hit.befalls(site, nth)
                && befalls.is_none()
            {
                planted.hit = true;
                *for_ever |= hit.times == super::schedule::FOR_EVER;
                befalls = Some(hit.how);
            }
        }
        (nth, befalls)
    }

    /// Keeps the number of awaits of a call.
    pub(super) fn awaited(&self, site: Site, awaits: u32) {
        let mut state = self.state();
        if let Some(count) = state.counts.iter_mut().find(|count| count.site == site) {
            count.awaits = count.awaits.max(awaits);
        }
    }

    /// Counts a write. Says its number, and what befalls it.
    pub(super) fn writes(&self) -> (u32, Option<WriteHow>) {
        let mut state = self.state();
        state.writes += 1;
        let nth = state.writes;
        let mut befalls = None;
        for planted in &mut state.faults {
            match planted.fault {
                Fault::Write { nth: at, how } if at == nth && befalls.is_none() => {
                    planted.hit = true;
                    befalls = Some(how);
                }
                _ => {}
            }
        }
        (nth, befalls)
    }

    /// Gives out the orders of that moment.
    pub(super) fn moment(&self, now: Moment) {
        let mut state = self.state();
        let State { faults, orders, .. } = &mut *state;
        let mut some = false;
        for planted in faults {
            if let Fault::Order { at, verb } = planted.fault
                && at == now
            {
                planted.hit = true;
                orders.push(verb);
                some = true;
            }
        }
        drop(state);
        if some {
            self.wake();
        }
    }

    /// The faults that came to pass.
    pub(super) fn hits(&self) -> Vec<Fault> {
        let state = self.state();
        state.faults.iter().filter(|planted| planted.hit).map(|planted| planted.fault).collect()
    }

    /// Polls something of the user's as the doing of that site.
    pub(super) fn doing<T>(&self, site: Site, work: impl FnOnce() -> T) -> T {
        struct Back<'a>(&'a Stage, Option<Site>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.state().current = self.1;
            }
        }
        let before = self.state().current.replace(site);
        let _back = Back(self, before);
        work()
    }

    /// A fault befell a call over the line: whoever makes it may fail for that.
    pub(super) fn excuse_caller(&self) {
        let mut state = self.state();
        if let Some(site) = state.current {
            state.watch.excuse(site);
        }
    }
}

impl State {
    /// One more call of that site.
    fn count(&mut self, site: Site) -> u32 {
        match self.counts.iter_mut().find(|count| count.site == site) {
            Some(count) => {
                count.calls += 1;
                count.calls
            }
            None => {
                self.counts.push(Count { site, calls: 1, awaits: 0 });
                1
            }
        }
    }
}

impl Hit {
    fn befalls(&self, site: Site, nth: u32) -> bool {
        self.site == site && nth >= self.nth && nth - self.nth < self.times
    }
}
