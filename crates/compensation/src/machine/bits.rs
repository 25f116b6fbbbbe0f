//! A set of step indices in a row of words: no allocation after its making, first and last in order.

use crate::event::StepIndex;

const WORD: usize = u64::BITS as usize;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits(Box<[u64]>);

impl Bits {
    /// An empty set with room for `size` indices.
    pub(super) fn new(size: usize) -> Self {
        Self(vec![0; size.div_ceil(WORD)].into())
    }

    pub(super) fn insert(&mut self, index: StepIndex) {
        self.0[usize::from(index) / WORD] |= 1 << (usize::from(index) % WORD);
    }

    pub(super) fn remove(&mut self, index: StepIndex) {
        self.0[usize::from(index) / WORD] &= !(1 << (usize::from(index) % WORD));
    }

    pub(super) fn contains(&self, index: StepIndex) -> bool {
        self.0[usize::from(index) / WORD] & (1 << (usize::from(index) % WORD)) != 0
    }

    /// All indices, smallest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = StepIndex> + '_ {
        self.0.iter().enumerate().flat_map(|(place, &word)| InWord { base: place * WORD, word })
    }
}

struct InWord {
    base: usize,
    word: u64,
}

impl InWord {
    fn take(&mut self, bit: u32) -> StepIndex {
        self.word &= !(1 << bit);
        // A graph has at most `MAX_STEPS` steps, which fit.
        (self.base + bit as usize) as StepIndex
    }
}

impl Iterator for InWord {
    type Item = StepIndex;

    fn next(&mut self) -> Option<StepIndex> {
        (self.word != 0).then(|| self.take(self.word.trailing_zeros()))
    }
}

impl DoubleEndedIterator for InWord {
    fn next_back(&mut self) -> Option<StepIndex> {
        (self.word != 0).then(|| self.take(u64::BITS - 1 - self.word.leading_zeros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_come_back_in_order_from_both_ends() {
        let mut bits = Bits::new(200);
        for index in [130, 3, 64, 63] {
            bits.insert(index);
        }
        bits.remove(64);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [3, 63, 130]);
        assert_eq!(bits.iter().rev().collect::<Vec<_>>(), [130, 63, 3]);
        assert!(bits.contains(63) && !bits.contains(64));
    }
}
