//! Sagas and histories by chance, for property tests: up to twelve steps, any sound order of dependence
//! and any policies.

use compensation::machine::{GraphSpec, OnUndoFailure, StepIndex, StepSpec, UnknownPolicy};
use proptest::{bool::weighted, collection::vec, option, prelude::*, sample::Index};

use super::{dice::UNKNOWN, shape::Shape, text::plain};

const MOST_STEPS: usize = 12;

/// Sound sagas.
pub(crate) fn sagas() -> impl Strategy<Value = Shape> {
    let writing: Vec<usize> = (0..MOST_STEPS).collect();
    let steps = vec((policies(), vec(any::<Index>(), 0..=3)), 1..=MOST_STEPS);
    let pivot = option::weighted(0.3, any::<Index>());
    (steps, pivot, Just(writing).prop_shuffle(), 1..=4_u16, any::<bool>()).prop_map(
        |(steps, pivot, writing, parallel, halts)| {
            let steps = write(arrange(steps, pivot), &writing);
            let on_undo_failure = if halts { OnUndoFailure::Halt } else { OnUndoFailure::Continue };
            Shape::new(GraphSpec { steps, parallel, on_undo_failure }).expect("a sound saga")
        },
    )
}

/// What is drawn, one number a move: see `play`.
pub(crate) fn lots() -> impl Strategy<Value = Vec<u32>> {
    vec(any::<u32>(), 0..160)
}

fn policies() -> impl Strategy<Value = StepSpec> {
    let bits = (weighted(0.75), weighted(0.75), weighted(0.7), weighted(0.2));
    let attempts = || option::weighted(0.9, 1..=3_u32);
    (bits, prop::sample::select(&UNKNOWN), attempts(), attempts()).prop_map(
        |((undo, idempotent, undo_idempotent, allow_skip), unknown, attempts, undo_attempts)| {
            let idempotent = idempotent || unknown == Some(UnknownPolicy::Retry);
            StepSpec {
                after: Vec::new(),
                undo,
                probe: unknown == Some(UnknownPolicy::Probe),
                unknown,
                idempotent,
                undo_idempotent,
                pivot: false,
                allow_skip,
                attempts: if idempotent { attempts } else { plain().attempts },
                undo_attempts,
            }
        },
    )
}

/// Lets each step come after some of those before it, and a pivot between the two halves of a saga.
fn arrange(steps: Vec<(StepSpec, Vec<Index>)>, pivot: Option<Index>) -> Vec<StepSpec> {
    let pivot = pivot.map(|pivot| pivot.index(steps.len()));
    let arranged = steps.into_iter().enumerate().map(|(place, (mut step, befores))| {
        let mut after: Vec<_> =
            befores.iter().filter(|_| place > 0).map(|before| before.index(place)).collect();
        if let Some(pivot) = pivot {
            if place == pivot {
                after = (0..place).collect();
                step.pivot = true;
                if !step.undo && step.unknown == Some(UnknownPolicy::Undo) {
                    step.unknown = None;
                }
            } else if place > pivot {
                after.push(pivot);
                step.undo = false;
            }
        }
        after.sort_unstable();
        after.dedup();
        step.after = after.into_iter().map(index).collect();
        step
    });
    arranged.collect()
}

/// Writes the steps down in another order.
fn write(steps: Vec<StepSpec>, writing: &[usize]) -> Vec<StepSpec> {
    let order: Vec<usize> = writing.iter().copied().filter(|&step| step < steps.len()).collect();
    let place = |step: usize| order.iter().position(|&other| other == step).expect("each once");
    let written = order.iter().map(|&step| {
        let mut step = steps[step].clone();
        step.after.iter_mut().for_each(|before| *before = index(place(usize::from(*before))));
        step
    });
    written.collect()
}

fn index(place: usize) -> StepIndex {
    StepIndex::try_from(place).expect("few steps")
}
