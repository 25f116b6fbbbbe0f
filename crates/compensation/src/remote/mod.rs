//! Sagas run by somebody else's machinery: a scheduler that keeps its own record and calls functions on its
//! own workers.
//!
//! It needs two things, which need not be in one process:
//!
//! * where the saga is **steered**, a [`Course`]: the plan, the [machine](crate::machine) and the evidence. It
//!   is pure: no clock, no randomness, no I/O. It says what to do next and is told what came of it.
//! * where functions **run**, [`AnySaga::attempt`](crate::AnySaga::attempt): one attempt of one function, with the
//!   same borders as in [`Saga::run`](crate::Saga::run) and [`Engine`](crate::Engine). A panic is the attempt's
//!   failure, its time limit holds, and an output over [`MAX_OUTPUT_BYTES`](crate::MAX_OUTPUT_BYTES) is refused.
//!
//! What lies in between (the queue, waits, lost workers) is the caller's, and the promises are as good as the
//! caller's record: [`Course::start`] must be on record before the attempt runs.
//!
//! ```
//! use compensation::{AnySaga, Saga, SagaId, Status, StepContext, StepError, remote::Course};
//!
//! async fn greet(cx: StepContext<String>) -> Result<String, StepError> {
//!     Ok(format!("hello {}", cx.input()))
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut greeting = Saga::<String>::builder("greeting");
//! greeting.step("greet", greet).no_undo("words can't be taken back").add();
//! let functions = AnySaga::from(greeting.build()?);
//!
//! let mut course = Course::new(functions.plan().clone(), SagaId::new("first")?)?;
//! let input = serde_json::value::to_raw_value("world")?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! while let Some(command) = course.next() {
//!     course.start(command)?;
//!     let call = course.call(command, &input);
//!     let ended = runtime.block_on(functions.attempt(call));
//!     course.end(command, ended)?;
//! }
//! assert_eq!(course.machine().status(), Status::Completed);
//! assert_eq!(course.report().stored_output("greet").unwrap().get(), r#""hello world""#);
//! # Ok(())
//! # }
//! ```

mod attempt;
mod course;

pub use attempt::{Attempt, Call, Canceller, Ended};
pub use course::{Course, Unreadable};
