//! What is fuzzed: functions that take any bytes. They must not panic, hang, or take more memory than the input
//! explains; what they return is of no interest. Each is a target of libFuzzer, and of the short run of `./test`.

// The program `compensation` has no library: its sources are compiled here as they are.
#[allow(dead_code, unused_imports, reason = "only what reads input is called here")]
#[path = "../../crates/compensation-cli/src/args.rs"]
mod args;
#[allow(dead_code, unused_imports, reason = "only what reads input is called here")]
#[path = "../../crates/compensation-cli/src/exec/mod.rs"]
mod exec;
#[allow(dead_code, unused_imports, reason = "only what reads input is called here")]
#[path = "../../crates/compensation-cli/src/file/mod.rs"]
mod file;
#[allow(dead_code, unused_imports, reason = "only what reads input is called here")]
#[path = "../../crates/compensation-cli/src/store.rs"]
mod store;

mod command_line;
mod journals;
mod mutate;
mod saga_files;
mod short;

pub use command_line::arguments;
pub use journals::journal;
pub use saga_files::saga_file;
pub use short::short;
