//! The target `arguments`, for libFuzzer; built without its instruments, the short run.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::arguments(data));

#[cfg(not(fuzzing))]
fn main() {
    fuzz::short("arguments", fuzz::arguments);
}
