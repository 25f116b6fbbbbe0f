//! The target `saga_file`, for libFuzzer; built without its instruments, the short run.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::saga_file(data));

#[cfg(not(fuzzing))]
fn main() {
    fuzz::short("saga_file", fuzz::saga_file);
}
