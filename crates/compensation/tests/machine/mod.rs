//! What the tests of the machine share: sagas and their stories as text, a second account of what may
//! happen, and what must never happen. Uses the public face of the machine only.

#![allow(dead_code, unused_macros, reason = "each test file uses its part")]

/// Leaves with the words for what is wrong unless a rule is kept, so that who called can tell the
/// saga and the story that showed it.
macro_rules! ensure {
    ($kept:expr, $($what:tt)+) => {
        if !$kept {
            return Err(format!($($what)+));
        }
    };
}

pub(crate) mod account;
pub(crate) mod compare;
pub(crate) mod dice;
pub(crate) mod drive;
pub(crate) mod history;
pub(crate) mod play;
pub(crate) mod print;
pub(crate) mod random;
pub(crate) mod shape;
pub(crate) mod text;
