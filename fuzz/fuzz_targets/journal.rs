//! The target `journal`, for libFuzzer; built without its instruments, the short run.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::journal(data));

#[cfg(not(fuzzing))]
fn main() {
    fuzz::short("journal", fuzz::journal);
}
