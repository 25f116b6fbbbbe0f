//! The checker.
mod check;
mod coverage;
mod dice;
mod explore;
mod faults;
mod hook;
mod judge;
mod line;
mod log;
mod play;
mod schedule;
mod shrink;
mod stage;
mod store;
mod text;
mod timeline;
mod watch;

pub use check::{Check, CheckError, Failure};
pub use coverage::Coverage;
pub use explore::Bound;
pub use faults::Kind;
pub use judge::Ending;
pub use line::{Line, LineError};
