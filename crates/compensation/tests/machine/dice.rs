//! Sagas drawn by lot, the same ones from the same seed.

use compensation::machine::{GraphSpec, OnUndoFailure, StepIndex, StepSpec, UnknownPolicy};

use super::shape::Shape;

pub(crate) const UNKNOWN: [Option<UnknownPolicy>; 5] = [
    None,
    Some(UnknownPolicy::Undo),
    Some(UnknownPolicy::Retry),
    Some(UnknownPolicy::Probe),
    Some(UnknownPolicy::Park),
];

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to one below the limit. A linear congruential generator (Knuth's MMIX); its high
    /// bits are the good ones.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn one_or_two(&mut self) -> u32 {
        1 + u32::from(self.one_in(2))
    }

    fn policies(&mut self, after: Vec<StepIndex>) -> StepSpec {
        let unknown = UNKNOWN[self.below(UNKNOWN.len())];
        let idempotent = unknown == Some(UnknownPolicy::Retry) || !self.one_in(3);
        StepSpec {
            after,
            undo: !self.one_in(4),
            probe: unknown == Some(UnknownPolicy::Probe),
            unknown,
            idempotent,
            undo_idempotent: self.one_in(2),
            pivot: self.one_in(8),
            allow_skip: self.one_in(4),
            attempts: Some(if idempotent { self.one_or_two() } else { 1 }),
            undo_attempts: Some(self.one_or_two()),
        }
    }

    /// A sound saga of that order of dependence.
    pub(crate) fn saga(&mut self, edges: &[Vec<StepIndex>]) -> Shape {
        loop {
            let steps = edges.iter().map(|after| self.policies(after.clone())).collect();
            let parallel = 1 + u16::from(self.one_in(2)) + u16::from(self.one_in(2));
            let halts = self.one_in(2);
            let on_undo_failure = if halts { OnUndoFailure::Halt } else { OnUndoFailure::Continue };
            if let Some(shape) = Shape::new(GraphSpec { steps, parallel, on_undo_failure }) {
                return shape;
            }
        }
    }
}

/// Every choice of policies that one step may have, with up to two attempts.
pub(crate) fn all_sagas_of_one_step() -> impl Iterator<Item = Shape> {
    // Eight choices between two, in the bits of a number.
    UNKNOWN.into_iter().flat_map(|unknown| {
        (0..1_u32 << 8).filter_map(move |choices| {
            let chosen = |choice: u32| choices & (1 << choice) != 0;
            let step = StepSpec {
                after: Vec::new(),
                undo: chosen(0),
                probe: unknown == Some(UnknownPolicy::Probe),
                unknown,
                idempotent: chosen(1),
                undo_idempotent: chosen(2),
                pivot: chosen(3),
                allow_skip: chosen(4),
                attempts: Some(1 + u32::from(chosen(5))),
                undo_attempts: Some(1 + u32::from(chosen(6))),
            };
            let on_undo_failure =
                if chosen(7) { OnUndoFailure::Halt } else { OnUndoFailure::Continue };
            Shape::new(GraphSpec { steps: vec![step], parallel: 1, on_undo_failure })
        })
    })
}

/// What each of `count` steps may come after, in all ways without a ring.
pub(crate) fn all_edges(count: StepIndex) -> Vec<Vec<Vec<StepIndex>>> {
    let others = |step| (0..count).filter(move |&before| before != step);
    let pairs: Vec<_> =
        (0..count).flat_map(|step| others(step).map(move |before| (step, before))).collect();
    (0..1_u32 << pairs.len())
        .map(|choice| {
            let mut edges = vec![Vec::new(); usize::from(count)];
            for (place, &(step, before)) in pairs.iter().enumerate() {
                if choice & (1 << place) != 0 {
                    edges[usize::from(step)].push(before);
                }
            }
            edges
        })
        .filter(|edges| !has_ring(edges))
        .collect()
}

/// Takes away what comes after nothing until nothing is left, or nothing can be taken.
fn has_ring(edges: &[Vec<StepIndex>]) -> bool {
    let mut left = vec![true; edges.len()];
    for _ in edges {
        for (step, after) in edges.iter().enumerate() {
            left[step] &= after.iter().any(|&before| left[usize::from(before)]);
        }
    }
    left.contains(&true)
}
