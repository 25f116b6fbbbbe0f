//! What a user says of a check, and running it.

use std::{fmt, io, sync::Arc};

use compensation::{Plan, Saga, Value, repository::Repository};

use super::{
    coverage::Coverage,
    explore::{Bound, Lots, Played as Known, Seen},
    faults::{Faults, Kind},
    judge::{Broken, Ending, Judge},
    line::{Line, Names},
    play::{Played, Subject},
    schedule::{Schedule, Site, SiteKind},
    shrink::shrink,
    store::in_memory,
    text::Speller,
};

/// Schedules drawn by lot, where the check says nothing.
const BY_LOT: u64 = 1_000;

/// A check of a saga. See the [module](super).
///
/// # Defaults
/// [`Bound::Deaths`], then 1,000 schedules drawn by lot from seed 0; every kind of fault; the store in memory.
#[must_use = "a check does nothing until it is run"]
pub struct Check<W, I> {
    subject: Subject<W, I>,
    judge: Judge<W>,
    bound: Bound,
    by_lot: u64,
    seed: u64,
    without: Vec<Kind>,
    replay: Option<String>,
}

/// A schedule that breaks an invariant. Its text is for people: what is broken, the run as a timeline, and the
/// line that plays it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    saga: String,
    broken: Broken,
    timeline: String,
    schedule: String,
    faults: usize,
}

/// Why a check has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// A schedule breaks an invariant.
    #[error("{0}")]
    Broken(Box<Failure>),
    /// The text given to [`Check::replay`] is not a schedule of this saga.
    #[error("`{0}` is no fault of this saga: copy the line that a failed check prints")]
    BadSchedule(String),
    /// No runtime could be made.
    #[error("the check could not make a runtime: {0}")]
    Runtime(#[from] io::Error),
}

impl<W: 'static, I: Value> Check<W, I> {
    /// Begins a check of that saga.
    ///
    /// Both functions are called once for each schedule: `world` makes a fresh world (what the saga's
    /// functions work on), `saga` the definition that works on it. The world is given the [`Line`] over which
    /// it may be reached; it need not use it.
    pub fn new(
        world: impl Fn(&Line) -> W + 'static,
        saga: impl Fn(&W) -> Saga<I> + 'static,
        input: I,
    ) -> Self {
        let (world, saga) = (Box::new(world), Box::new(saga));
        Self {
            subject: Subject {
                world,
                saga,
                input,
                place: Box::new(in_memory),
                names: Names::default(),
            },
            judge: Judge { effects: Vec::new(), always: Vec::new(), orders: Vec::new() },
            bound: Bound::Deaths,
            by_lot: BY_LOT,
            seed: 0,
            without: Vec::new(),
            replay: None,
        }
    }

    /// How often a step's effect is in the world. It must be there once where the saga's record says that the
    /// step is done, and not at all where it says that it is undone, failed without effect, or never started.
    /// Where the record leaves it open (a parked step, an undo that was skipped), nothing is asked.
    ///
    /// An effect that can be negative (a refund without a payment) shows an undo too many.
    pub fn effect(mut self, step: impl Into<String>, count: impl Fn(&W) -> i64 + 'static) -> Self {
        self.judge.effects.push((step.into(), Box::new(count)));
        self
    }

    /// What must hold at the end of every run; `Err` says what does not.
    pub fn always(
        mut self,
        name: impl Into<String>,
        holds: impl Fn(&W, &Ending<'_>) -> Result<(), String> + 'static,
    ) -> Self {
        self.judge.always.push((name.into(), Box::new(holds)));
        self
    }

    /// A compensated saga leaves the world as it was: this part of it is equal to that of a fresh one.
    pub fn no_residue<T: PartialEq + fmt::Debug + 'static>(
        self,
        name: impl Into<String>,
        part: impl Fn(&W) -> T + 'static,
    ) -> Self {
        let fresh = part(&self.subject.fresh());
        self.always(name, move |world, ending| {
            let left = part(world);
            let due = ending.status() == compensation::Status::Compensated;
            if !due || ending.is_any_by_hand() || left == fresh {
                return Ok(());
            }
            Err(format!("the saga is compensated, and leaves {left:?} where {fresh:?} was"))
        })
    }

    /// The undo of `first` never runs once that of `then` has begun.
    pub fn undoes_before(mut self, first: impl Into<String>, then: impl Into<String>) -> Self {
        self.judge.orders.push((first.into(), then.into()));
        self
    }

    /// How far it goes before it draws lots. Default: [`Bound::Deaths`].
    pub fn bound(mut self, bound: Bound) -> Self {
        self.bound = bound;
        self
    }

    /// How many schedules it draws by lot. Default: 1,000.
    pub fn by_lot(mut self, schedules: u64) -> Self {
        self.by_lot = schedules;
        self
    }

    /// From which seed it draws them. Default: 0. The same seed gives the same schedules.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// On which store it plays. Default: the one in memory.
    ///
    /// `place` is called once for each schedule, for a place where nothing is stored. What it returns opens the
    /// store in that place: once for each process of the schedule, after the store of the process before has been
    /// dropped, and once more to look at the record at the end.
    ///
    /// Each call of the store is waited for on the spot, so that the virtual clock stands still meanwhile, and a
    /// schedule runs as it does in memory. So the store must do its work at once or on threads of its own (also
    /// tokio's for what blocks), not in tasks of the runtime on which it is called.
    ///
    /// ```
    /// # use compensation::{Saga, StepContext, StepError, repository::MemoryRepository};
    /// # use compensation_testing::checker::Check;
    /// # let hello = |_: &()| {
    /// #     let mut hello = Saga::<u32>::builder("hello");
    /// #     let greet = |_: StepContext<u32>| async { Ok::<_, StepError>(()) };
    /// #     hello.step("greet", greet).no_undo("words can't be taken back").add();
    /// #     hello.build().expect("a sound saga")
    /// # };
    /// # let check = Check::new(|_| (), hello, 7).by_lot(10);
    /// check
    ///     .store(|| {
    ///         let data = MemoryRepository::new();
    ///         move || data.another_owner()
    ///     })
    ///     .run();
    /// ```
    pub fn store<P, R>(mut self, place: impl Fn() -> P + 'static) -> Self
    where
        P: Fn() -> R + 'static,
        R: Repository,
    {
        self.subject.place = Box::new(move || {
            let open = place();
            Box::new(move || Arc::new(open()))
        });
        self
    }

    /// Leaves a kind of fault out, where the saga is not meant to stand it.
    pub fn without(mut self, kind: Kind) -> Self {
        self.without.push(kind);
        self
    }

    /// Plays that one schedule and no other: the line that a failed check prints.
    pub fn replay(mut self, schedule: impl Into<String>) -> Self {
        self.replay = Some(schedule.into());
        self
    }

    /// Runs the check. To be called outside of any tokio runtime: each run has one of its own, whose clock
    /// is virtual.
    ///
    /// # Errors
    /// [`CheckError::Broken`] with the shortest schedule that was found; [`CheckError::BadSchedule`].
    ///
    /// # Panics
    /// Where `world`, `saga` or `store` do, and inside a tokio runtime.
    pub fn check(self) -> Result<Coverage, CheckError> {
        let plan = (self.subject.saga)(&self.subject.fresh()).plan().clone();
        let run = Run { check: &self, plan: &plan, coverage: Coverage::default() };
        match &self.replay {
            Some(text) => run.replay(text),
            None => run.search(),
        }
    }

    /// [`check`](Self::check), for tests.
    ///
    /// # Panics
    /// With the report, where a schedule breaks an invariant.
    #[allow(clippy::panic, reason = "tests fail by panicking")]
    #[track_caller]
    pub fn run(self) -> Coverage {
        match self.check() {
            Ok(coverage) => coverage,
            Err(error) => panic!("{error}"),
        }
    }
}

/// One check that is being run.
struct Run<'a, W, I> {
    check: &'a Check<W, I>,
    plan: &'a Plan,
    coverage: Coverage,
}

impl<W, I: Value> Run<'_, W, I> {
    fn replay(mut self, text: &str) -> Result<Coverage, CheckError> {
        let speller = self.speller();
        let schedule = speller.read(text).map_err(CheckError::BadSchedule)?;
        self.play(&schedule, false)?;
        Ok(self.coverage)
    }

    fn search(mut self) -> Result<Coverage, CheckError> {
        let (check, plan) = (self.check, self.plan);
        let faults = Faults { plan, without: &check.without };
        let mut known = Known::default();
        let mut most = self.play(&Schedule::default(), false)?;
        let mut singles = Vec::new();
        let first = if check.bound == Bound::Nothing { Vec::new() } else { faults.all(&most) };
        for fault in first {
            let schedule = Schedule::default().with(fault);
            if known.add(&schedule) {
                let seen = self.play(&schedule, false)?;
                most.widen(&seen);
                singles.push((schedule, seen));
            }
        }
        for (schedule, seen) in &singles {
            let further = match check.bound {
                Bound::Nothing | Bound::Singles => Vec::new(),
                Bound::Deaths => faults.further(seen),
                Bound::Pairs => faults.all(seen),
            };
            for fault in further {
                self.second(&faults, &mut known, &schedule.with(fault), &mut most)?;
            }
        }
        let sites = most.sites(&faults);
        // As long forward as back.
        let lots = Lots { faults: &faults, sites, writes: 2 * most.writes };
        for nth in 0..check.by_lot {
            // Seeds in a row must not share schedules.
            let seed = check.seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(nth);
            self.play(&lots.draw(seed), true)?;
        }
        self.coverage.finish(&faults, &check.subject.names, &most);
        Ok(self.coverage)
    }

    /// A pair, and the orders where it leaves the saga stuck.
    fn second(
        &mut self,
        faults: &Faults<'_>,
        known: &mut Known,
        schedule: &Schedule,
        most: &mut Seen,
    ) -> Result<(), CheckError> {
        if !known.add(schedule) {
            return Ok(());
        }
        let seen = self.play(schedule, false)?;
        most.widen(&seen);
        if seen.stuck != 1 {
            return Ok(());
        }
        for order in faults.of_stuck(1) {
            let third = schedule.with(order);
            if known.add(&third) {
                self.play(&third, false)?;
            }
        }
        Ok(())
    }

    fn speller(&self) -> Speller<'_> {
        Speller { plan: self.plan, names: &self.check.subject.names }
    }

    fn played(&self, schedule: &Schedule, told: bool) -> io::Result<(Played<W>, Option<Broken>)> {
        let played = self.check.subject.play(schedule, told)?;
        let broken = self.check.judge.judge(&played);
        Ok((played, broken))
    }

    fn play(&mut self, schedule: &Schedule, by_lot: bool) -> Result<Seen, CheckError> {
        let (played, broken) = self.played(schedule, false)?;
        let status = played.report.as_ref().map(compensation::Report::status);
        self.coverage.add(&played.stage, status, by_lot);
        match broken {
            None => Ok(Seen::of(&played.stage)),
            Some(broken) => Err(self.failure(Schedule(played.stage.hits()), &broken)?),
        }
    }

    fn failure(&self, schedule: Schedule, broken: &Broken) -> io::Result<CheckError> {
        let same = |schedule: &Schedule| {
            let played = self.played(schedule, false);
            played.is_ok_and(|(_, found)| {
                found.is_some_and(|found| found.invariant == broken.invariant)
            })
        };
        let schedule = shrink(schedule, same);
        let (played, found) = self.played(&schedule, true)?;
        let speller = self.speller();
        let timeline = speller.timeline(&played.stage.state().log);
        let failure = Failure {
            saga: self.plan.saga.clone(),
            broken: found.unwrap_or_else(|| broken.clone()),
            timeline,
            schedule: speller.write(&schedule),
            faults: schedule.0.len(),
        };
        Ok(CheckError::Broken(Box::new(failure)))
    }
}

impl Seen {
    /// The lines and functions that faults may befall, with their awaits.
    fn sites(&self, faults: &Faults<'_>) -> Vec<(Site, u32)> {
        let mut sites = faults.sites();
        sites.extend(self.known().filter(|site| site.kind == SiteKind::Line));
        sites.into_iter().map(|site| (site, self.awaits(site))).collect()
    }
}

impl Failure {
    /// The invariant that is broken.
    #[must_use]
    pub fn invariant(&self) -> &str {
        &self.broken.invariant
    }

    /// What breaks it, in one sentence.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.broken.what
    }

    /// The run, line by line.
    #[must_use]
    pub fn timeline(&self) -> &str {
        &self.timeline
    }

    /// The schedule, for [`Check::replay`].
    #[must_use]
    pub fn schedule(&self) -> &str {
        &self.schedule
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = match self.faults {
            0 => "even without any fault".to_owned(),
            1 => "with one fault".to_owned(),
            faults => format!("with {faults} faults"),
        };
        writeln!(f, "saga `{}` breaks \"{}\", {faults}:", self.saga, self.broken.invariant)?;
        writeln!(f, "{}.\n\n{}", self.broken.what, self.timeline)?;
        write!(f, "To play it again: .replay({:?})", self.schedule)
    }
}
