//! Sagas drawn by lot, on a world that takes every call as it should be taken: what goes wrong with them is
//! the library's doing.

mod check;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Future, ready},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use compensation::{
    Probed, RetryPolicy, Saga, StepContext, StepError, StepRef, UndoContext, machine::UnknownPolicy,
};

pub(crate) use check::check;

/// What is in effect, by key; and every call.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    done: BTreeSet<String>,
    barred: BTreeSet<String>,
    /// How often the action of each step was called, and under which keys.
    pub(crate) acted: BTreeMap<String, u32>,
    pub(crate) undone: BTreeMap<String, u32>,
    pub(crate) keys: BTreeMap<String, BTreeSet<String>>,
}

impl World {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it is held")
    }

    pub(crate) fn effect(&self, step: &str) -> i64 {
        let state = self.state();
        let keys = state.keys.get(step);
        keys.map_or(0, |keys| keys.iter().filter(|key| state.done.contains(*key)).count() as i64)
    }

    fn act(&self, cx: &StepContext<u32>) -> Result<u32, StepError> {
        let (step, key) = (cx.step_name().to_owned(), cx.idempotency_key());
        let mut state = self.state();
        *state.acted.entry(step.clone()).or_default() += 1;
        state.keys.entry(step).or_default().insert(key.clone());
        if state.barred.contains(&key) {
            return Err(StepError::not_done("too late").terminal());
        }
        state.done.insert(key);
        Ok(*cx.input())
    }

    fn undo(&self, cx: &UndoContext<u32>) -> Result<(), StepError> {
        let (step, key) = (cx.step_name().to_owned(), cx.idempotency_key());
        let mut state = self.state();
        *state.undone.entry(step.clone()).or_default() += 1;
        state.keys.entry(step).or_default().insert(key.clone());
        state.done.remove(&key);
        state.barred.insert(key);
        Ok(())
    }

    fn probe(&self, cx: &StepContext<u32>) -> Probed<u32> {
        let there = self.state().done.contains(&cx.idempotency_key());
        if there { Probed::Done(*cx.input()) } else { Probed::NotDone }
    }
}

/// A linear congruential generator (Knuth's MMIX); its high bits are the good ones.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed);
        // Seeds in a row begin alike.
        dice.below(2);
        dice.below(2);
        dice
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

/// What is said of one step.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    after: Vec<usize>,
    undo: bool,
    probe: bool,
    unknown: Option<UnknownPolicy>,
    pub(crate) idempotent: bool,
    pub(crate) undo_idempotent: bool,
    pivot: bool,
    allow_skip: bool,
    attempts: u32,
    undo_attempts: u32,
    timeout: bool,
    /// Awaits in the action and the undo.
    slow: bool,
}

/// What is said of a saga.
#[derive(Clone, Debug)]
pub(crate) struct Sketch {
    pub(crate) steps: Vec<Draft>,
    parallel: u16,
    halt: bool,
}

impl Sketch {
    /// A sound one.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        loop {
            let sketch = Self::any(&mut dice);
            if sketch.saga(&World::default()).is_ok() {
                return sketch;
            }
        }
    }

    fn any(dice: &mut Dice) -> Self {
        let steps = 1 + dice.below(6);
        let linear = dice.one_in(2);
        let pivot = dice.one_in(2).then(|| dice.below(steps));
        let steps = (0..steps).map(|step| draft(dice, step, linear, pivot)).collect();
        Self { steps, parallel: 1 + dice.below(4) as u16, halt: dice.one_in(3) }
    }

    pub(crate) fn has_probe(&self) -> bool {
        self.steps.iter().any(|step| step.probe)
    }

    pub(crate) fn saga(&self, world: &World) -> Result<Saga<u32>, compensation::DefinitionError> {
        let mut saga = Saga::<u32>::builder("generated");
        saga.parallel(self.parallel);
        if self.halt {
            saga.halt_on_undo_failure();
        }
        let mut made: Vec<StepRef<u32>> = Vec::new();
        for draft in &self.steps {
            let slow = draft.slow;
            let (here, there, look) = (world.clone(), world.clone(), world.clone());
            let mut step = saga.step(draft.name.clone(), move |cx: StepContext<u32>| {
                let here = here.clone();
                later(slow, move || here.act(&cx))
            });
            step = match draft.after.as_slice() {
                [] => step.independent(),
                after => after.iter().fold(step, |step, &before| step.after(&made[before])),
            };
            step = match draft.undo {
                true => step.undo(move |cx: UndoContext<u32>, _| {
                    let there = there.clone();
                    later(slow, move || there.undo(&cx))
                }),
                false => step.no_undo("drawn so"),
            };
            step = step.retry(quick(draft.attempts)).undo_retry(quick(draft.undo_attempts));
            if let Some(policy) = draft.unknown {
                step = step.unknown(policy);
            }
            if draft.probe {
                step = step
                    .probe(move |cx: StepContext<u32>| ready(Ok::<_, StepError>(look.probe(&cx))));
            }
            if !draft.idempotent {
                step = step.not_idempotent();
            }
            if !draft.undo_idempotent {
                step = step.undo_not_idempotent();
            }
            if draft.pivot {
                step = step.pivot();
            }
            if draft.allow_skip {
                step = step.allow_skip();
            }
            if draft.timeout {
                step = step.timeout(Duration::from_secs(2)).undo_timeout(Duration::from_secs(2));
            }
            made.push(step.add());
        }
        saga.build()
    }
}

fn quick(attempts: u32) -> RetryPolicy {
    RetryPolicy::new(attempts).first(Duration::from_millis(5))
}

fn draft(dice: &mut Dice, step: usize, linear: bool, pivot: Option<usize>) -> Draft {
    let after = match linear {
        _ if step == 0 => Vec::new(),
        true => vec![step - 1],
        // Around a pivot everything must be ordered.
        false if pivot == Some(step) => (0..step).collect(),
        false => (0..step).filter(|&before| pivot == Some(before) || dice.one_in(2)).collect(),
    };
    let tail = pivot.is_some_and(|pivot| step > pivot);
    let unknown = [
        None,
        Some(UnknownPolicy::Undo),
        Some(UnknownPolicy::Retry),
        Some(UnknownPolicy::Probe),
        Some(UnknownPolicy::Park),
    ][dice.below(5)];
    let idempotent = !dice.one_in(4);
    Draft {
        name: format!("s{step}"),
        after,
        undo: !tail && !dice.one_in(5),
        probe: unknown == Some(UnknownPolicy::Probe),
        unknown: unknown.filter(|&policy| policy != UnknownPolicy::Probe),
        idempotent,
        undo_idempotent: !dice.one_in(3),
        pivot: pivot == Some(step),
        allow_skip: dice.one_in(5),
        attempts: if idempotent { 1 + dice.below(3) as u32 } else { 1 },
        undo_attempts: 1 + dice.below(3) as u32,
        timeout: dice.one_in(3),
        slow: dice.one_in(2),
    }
}

/// Does it at once, or after an await and before another.
async fn later<T>(slow: bool, work: impl FnOnce() -> T) -> T {
    if slow {
        tokio::task::yield_now().await;
    }
    let done = work();
    if slow {
        tokio::task::yield_now().await;
    }
    done
}

const _: fn() = || {
    fn sends<T: Future + Send>(_: T) {}
    sends(later(true, || ()));
};
