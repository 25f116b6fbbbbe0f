//! The program `compensation`: parses, calls, and ends with the exit code.
mod args; mod error; mod exec; mod file;
fn main() {}
