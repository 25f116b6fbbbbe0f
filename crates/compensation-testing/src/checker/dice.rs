//! Numbers that look random and are the same each time.

/// SplitMix64.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to one below the limit, which is not 0.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        // The high half, scaled: no bias worth speaking of below 2^32.
        ((u128::from(self.next() >> 32) * u128::from(limit)) >> 32) as u32
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let limit = u32::try_from(of.len()).ok().filter(|&len| len > 0)?;
        of.get(self.below(limit) as usize)
    }
}
