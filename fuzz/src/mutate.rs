//! Other inputs made of known ones, by chance from a seed.

/// Chance (SplitMix64): the same seed gives the same numbers.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % limit.max(1)
    }

    fn span(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = (length - start).min(1 << self.below(8));
        start..start + self.below(most + 1)
    }
}

/// Words that break things.
const WORDS: [&str; 22] = [
    "0",
    "-1",
    "65535",
    "4294967296",
    "18446744073709551616",
    "1e999",
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "\"",
    "\\",
    "\u{0}",
    "\u{fffd}",
    "&a [*a,*a]",
    "<<: *a",
    "!!binary",
    "\n",
    " ",
    "- ",
    "$${A}",
];

/// A few changes to an input, some of them from other inputs.
pub(crate) fn mutate(dice: &mut Dice, input: &mut Vec<u8>, all: &[Vec<u8>]) {
    for _ in 0..=dice.below(4) {
        let span = dice.span(input.len());
        match dice.below(8) {
            0 => drop(input.drain(span)),
            1 => {
                let word = WORDS[dice.below(WORDS.len())];
                input.splice(span, word.bytes());
            }
            2 => {
                let copy = input[span].to_vec();
                let at = dice.below(input.len() + 1);
                input.splice(at..at, copy);
            }
            3 if !input.is_empty() => {
                let at = dice.below(input.len());
                input[at] ^= 1 << dice.below(8);
            }
            4 => {
                let other = &all[dice.below(all.len())];
                let theirs = dice.span(other.len());
                input.splice(span, other[theirs].iter().copied());
            }
            5 => swap_lines(dice, input),
            6 => {
                let byte = dice.below(256) as u8;
                input.splice(span.clone(), span.map(|_| byte));
            }
            _ => {
                let at = dice.below(input.len() + 1);
                input.insert(at, dice.below(256) as u8);
            }
        }
    }
}

/// Two lines change places, one stands twice, or one goes.
fn swap_lines(dice: &mut Dice, input: &mut Vec<u8>) {
    let mut lines: Vec<_> = input.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, two) = (dice.below(lines.len()), dice.below(lines.len()));
    match dice.below(3) {
        0 => lines.swap(one, two),
        1 => lines.insert(two, lines[one].clone()),
        _ => drop(lines.remove(one)),
    }
    *input = lines.join(&b'\n');
}
