//! The shape of a saga: steps, what each comes after, and the policies that steer it. Checked once,
//! then shared by every machine that walks it.

use super::policy::{OnUndoFailure, UnknownPolicy};
use crate::event::StepIndex;

/// Most steps a saga may have.
pub const MAX_STEPS: usize = 4_096;

/// One step, in the machine's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSpec {
    /// The steps that must be done before it starts.
    pub after: Vec<StepIndex>,
    /// Whether it has an undo.
    pub undo: bool,
    /// Whether it has a probe.
    pub probe: bool,
    /// What an unknown outcome means, where that is declared.
    pub unknown: Option<UnknownPolicy>,
    /// Whether its action may be attempted again.
    pub idempotent: bool,
    /// Whether its undo may be attempted again.
    pub undo_idempotent: bool,
    /// Whether nothing is undone once it is done.
    pub pivot: bool,
    /// Whether its undo is passed over once its budget is spent.
    pub allow_skip: bool,
    /// Attempts of the action in all; `None` means without end.
    pub attempts: Option<u32>,
    /// Attempts of the undo in all; `None` means without end.
    pub undo_attempts: Option<u32>,
}

/// A saga, in the machine's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphSpec {
    /// The steps, in the order of writing.
    pub steps: Vec<StepSpec>,
    /// Most attempts in flight at once; at least 1.
    pub parallel: u16,
    /// What the other undos do once one has spent its budget.
    pub on_undo_failure: OnUndoFailure,
}

/// What is wrong with a [`GraphSpec`]. Steps are told by their place, from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// It has no step.
    #[error("there is no step")]
    Empty,
    /// It has more than [`MAX_STEPS`].
    #[error("there are {0} steps: at most {MAX_STEPS} are possible")]
    TooManySteps(usize),
    /// A step comes after one that does not exist.
    #[error("step {0} comes after one that does not exist")]
    UnknownDependency(StepIndex),
    /// Steps that wait for each other, in a ring.
    #[error("steps {0:?} wait for each other")]
    Cycle(Vec<StepIndex>),
    /// A second pivot.
    #[error("step {0} is a second pivot")]
    SecondPivot(StepIndex),
    /// A step that may run beside the pivot: it must come before or after it.
    #[error("step {0} may run beside the pivot")]
    BesidePivot(StepIndex),
    /// A step after the pivot that has an undo: it would never run.
    #[error("step {0} comes after the pivot and has an undo, which would never run")]
    UndoAfterPivot(StepIndex),
    /// A pivot without an undo whose unknown outcome is to be undone.
    #[error("step {0} is a pivot without an undo, whose unknown outcome is to be undone")]
    PivotWithoutUndo(StepIndex),
    /// A step whose unknown outcome is to be probed, without a probe.
    #[error("step {0} is to be probed and has no probe")]
    ProbeMissing(StepIndex),
    /// A step that is not idempotent and yet is to be attempted more than once.
    #[error("step {0} is not idempotent and is to be attempted more than once")]
    RepeatsNotIdempotent(StepIndex),
}

/// A checked [`GraphSpec`] with what the machine looks up often.
#[derive(Debug)]
pub struct Graph {
    pub(super) steps: Vec<StepSpec>,
    pub(super) dependents: Vec<Vec<StepIndex>>,
    /// Every step after all that it depends on.
    pub(super) order: Vec<StepIndex>,
    /// Which steps come after the pivot.
    pub(super) tail: Vec<bool>,
    pub(super) pivot: Option<StepIndex>,
    pub(super) parallel: u16,
    pub(super) on_undo_failure: OnUndoFailure,
}

impl Graph {
    /// Checks a shape.
    ///
    /// # Errors
    /// The first [`GraphError`] found.
    pub fn new(spec: GraphSpec) -> Result<Self, GraphError> {
        let GraphSpec { mut steps, parallel, on_undo_failure } = spec;
        if steps.is_empty() {
            return Err(GraphError::Empty);
        }
        if steps.len() > MAX_STEPS {
            return Err(GraphError::TooManySteps(steps.len()));
        }
        for step in &mut steps {
            step.after.sort_unstable();
            step.after.dedup();
        }
        let dependents = dependents(&steps)?;
        let order = order(&steps, &dependents)?;
        let pivot = pivot(&steps)?;
        let mut tail = vec![false; steps.len()];
        if let Some(pivot) = pivot {
            mark(pivot, &mut tail, |step| &dependents[usize::from(step)]);
            let mut before = vec![false; steps.len()];
            mark(pivot, &mut before, |step| &steps[usize::from(step)].after);
            if let Some(beside) =
                indices(&steps).find(|&s| s != pivot && !tail[at(s)] && !before[at(s)])
            {
                return Err(GraphError::BesidePivot(beside));
            }
        }
        for step in indices(&steps) {
            check_policies(step, &steps[at(step)], tail[at(step)])?;
        }
        Ok(Self {
            steps,
            dependents,
            order,
            tail,
            pivot,
            parallel: parallel.max(1),
            on_undo_failure,
        })
    }

    /// How many steps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Never true: a graph has at least one step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// One step.
    ///
    /// # Panics
    /// Where the graph has no such step.
    #[must_use]
    pub fn step(&self, step: StepIndex) -> &StepSpec {
        &self.steps[at(step)]
    }

    /// The step after which nothing is undone.
    #[must_use]
    pub fn pivot(&self) -> Option<StepIndex> {
        self.pivot
    }

    /// What an unknown outcome of the step means where it declares nothing: undo it, unless it is a
    /// pivot that has no undo, which only a person can judge.
    pub(super) fn unknown(&self, step: StepIndex) -> UnknownPolicy {
        let spec = self.step(step);
        spec.unknown.unwrap_or(if spec.pivot && !spec.undo {
            UnknownPolicy::Park
        } else {
            UnknownPolicy::Undo
        })
    }
}

fn at(step: StepIndex) -> usize {
    usize::from(step)
}

fn indices(steps: &[StepSpec]) -> impl Iterator<Item = StepIndex> + use<> {
    // At most `MAX_STEPS`, which fits.
    0..steps.len() as StepIndex
}

fn dependents(steps: &[StepSpec]) -> Result<Vec<Vec<StepIndex>>, GraphError> {
    let mut dependents = vec![Vec::new(); steps.len()];
    for step in indices(steps) {
        for &before in &steps[at(step)].after {
            dependents.get_mut(at(before)).ok_or(GraphError::UnknownDependency(step))?.push(step);
        }
    }
    Ok(dependents)
}

/// Kahn's algorithm; what it cannot place lies on or behind a ring.
fn order(steps: &[StepSpec], dependents: &[Vec<StepIndex>]) -> Result<Vec<StepIndex>, GraphError> {
    let mut waits: Vec<usize> = steps.iter().map(|step| step.after.len()).collect();
    let mut order: Vec<StepIndex> = indices(steps).filter(|&step| waits[at(step)] == 0).collect();
    let mut done = 0;
    while let Some(&step) = order.get(done) {
        done += 1;
        for &next in &dependents[at(step)] {
            waits[at(next)] -= 1;
            if waits[at(next)] == 0 {
                order.push(next);
            }
        }
    }
    match indices(steps).find(|&step| waits[at(step)] > 0) {
        None => Ok(order),
        Some(stuck) => Err(GraphError::Cycle(ring(stuck, steps, &waits))),
    }
}

/// Walks from an unplaced step to what it waits for until a step comes again.
fn ring(start: StepIndex, steps: &[StepSpec], waits: &[usize]) -> Vec<StepIndex> {
    let mut path = vec![start];
    loop {
        let last = path[path.len() - 1];
        let Some(&next) = steps[at(last)].after.iter().find(|&&before| waits[at(before)] > 0)
        else {
            return path;
        };
        if let Some(first) = path.iter().position(|&seen| seen == next) {
            path.drain(..first);
            path.reverse();
            return path;
        }
        path.push(next);
    }
}

fn pivot(steps: &[StepSpec]) -> Result<Option<StepIndex>, GraphError> {
    let mut pivots = indices(steps).filter(|&step| steps[at(step)].pivot);
    let first = pivots.next();
    match pivots.next() {
        Some(second) => Err(GraphError::SecondPivot(second)),
        None => Ok(first),
    }
}

/// Marks everything reachable from a step, itself excepted.
fn mark<'a>(from: StepIndex, reached: &mut [bool], next: impl Fn(StepIndex) -> &'a Vec<StepIndex>) {
    let mut left = vec![from];
    while let Some(step) = left.pop() {
        for &other in next(step) {
            if !std::mem::replace(&mut reached[at(other)], true) {
                left.push(other);
            }
        }
    }
}

fn check_policies(step: StepIndex, spec: &StepSpec, tail: bool) -> Result<(), GraphError> {
    if tail && spec.undo {
        return Err(GraphError::UndoAfterPivot(step));
    }
    if spec.pivot && !spec.undo && spec.unknown == Some(UnknownPolicy::Undo) {
        return Err(GraphError::PivotWithoutUndo(step));
    }
    if spec.unknown == Some(UnknownPolicy::Probe) && !spec.probe {
        return Err(GraphError::ProbeMissing(step));
    }
    let repeats = spec.attempts != Some(1) || spec.unknown == Some(UnknownPolicy::Retry);
    if !spec.idempotent && repeats {
        return Err(GraphError::RepeatsNotIdempotent(step));
    }
    Ok(())
}
