//! Sagas: work in several places that must either all happen or be undone.
//!
//! A program reserves stock, charges a card, calls a partner: no single transaction covers that. When one
//! part fails, what was done must be undone, in reverse order, whatever happens meanwhile. This
//! crate guarantees the ending:
//!
//! > Every saga ends **Completed**, **Compensated**, **Stuck** (with a reason that a person can act on)
//! > or **Abandoned** (by a named person), and the record says which. No way out (an error, a panic, a
//! > timeout, a cancel, a dropped future, the death of the process) loses an undo in silence.
//!
//! # A saga
//! ```
//! use compensation::{Outcome, Saga, StepContext, StepError, UndoContext};
//!
//! async fn reserve_car(cx: StepContext<String>) -> Result<u32, StepError> {
//!     println!("a car for {}, once for {}", cx.input(), cx.idempotency_key());
//!     Ok(17)
//! }
//! async fn cancel_car(_: UndoContext<String>, car: Option<u32>) -> Result<(), StepError> {
//!     // `None`: the reservation may have been made, or not; its reply was lost.
//!     println!("no car {car:?}");
//!     Ok(())
//! }
//! async fn charge_card(_: StepContext<String>) -> Result<(), StepError> {
//!     Err(StepError::not_done("the card was refused"))
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut trip = Saga::<String>::builder("book-trip");
//! let car = trip.step("reserve-car", reserve_car).undo(cancel_car).add();
//! trip.step("charge-card", charge_card).no_undo("refunds are manual").after(&car).add();
//! let trip = trip.build()?; // cycles, a missing undo, an undo after the pivot: errors here
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let outcome = trip.run("Ada".to_owned()).await;
//! assert!(matches!(outcome, Outcome::Compensated(_)));
//! assert_eq!(outcome.report().reason().unwrap(), "step `charge-card` failed: the card was refused");
//! # });
//! # Ok(())
//! # }
//! ```
//!
//! # Two strengths, one model
//! * **In process**: [`Saga::run`]. Nothing is stored; a dropped future still undoes what was done.
//! * **Durable**: [`Engine`] on a [`repository`]. Every start, result and decision is on disk before the
//!   next thing happens, and what a dead process left is ended by the next one. The embedded store
//!   is the crate `compensation-sqlite`.
//!
//! ```
//! use compensation::{Engine, Saga, SagaId, StepContext, StepError, repository::MemoryRepository};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! async fn greet(cx: StepContext<String>) -> Result<String, StepError> {
//!     Ok(format!("hello {}", cx.input()))
//! }
//! let mut greeting = Saga::<String>::builder("greeting");
//! let greet = greeting.step("greet", greet).no_undo("words can't be taken back").add();
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let store = MemoryRepository::new(); // or SqliteRepository::open("sagas.db")?
//! let engine = Engine::open(store).register(greeting.build()?).start().await?;
//! let outcome = engine.run("greeting", SagaId::new("first")?, "world").await?;
//! assert_eq!(outcome.output(&greet).as_deref(), Some("hello world"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a step may rely on
//! * **Outcomes have three values.** An action is done, is known not to be ([`StepError::not_done`]), or
//!   nobody knows: any other error, a panic, a timeout. What the last means is said for each step
//!   ([`UnknownPolicy`]); by default it is undone, and its undo is told that
//!   there may be nothing to undo.
//! * **At least once, under one key.** An attempt cut off by the death of the process is made again, with
//!   the same [idempotency key](StepContext::idempotency_key). What is recorded as done never runs
//!   again. A step that must not be repeated says [`not_idempotent`](StepBuilder::not_idempotent).
//! * **Undos run in the exact reverse of the order of dependence**, each with a budget of attempts of
//!   its own. When that is spent the saga is stuck, and waits for a person: [`Engine::retry`],
//!   [`Engine::skip`], [`Engine::mark_done`], [`Engine::mark_undone`], [`Engine::abandon`].
//! * **After the [pivot](StepBuilder::pivot) nothing is undone**: what follows is attempted as its
//!   [`retry`](StepBuilder::retry) says, once by default, then parks.

pub mod barrier;
mod builder;
mod clock;
mod compensation_status;
mod drive;
mod durable;
mod error;
mod event;
mod handler;
mod id;
pub mod intercept;
pub mod machine;
mod outcome;
mod plan;
pub mod records;
pub mod remote;
pub mod repository;
mod retry;
mod run;
mod saga;
mod stack;
mod status;
mod step;
mod time_format;
mod told;

pub use builder::{Builder, DefinitionError, MAX_NAME_BYTES, StepBuilder};
pub use clock::{InvalidTimestamp, Timestamp};
pub use compensation_status::CompensationStatus;
pub use durable::{
    Engine, EngineBuilder, EngineError, Expected, Given, Happening, History, MAX_INPUT_BYTES,
    MAX_SELECTED, Mask, News, Notice, Preview, Refusal, SagaRecordPage, SagaRecordQuery,
    SagaRecords, Selection, Target, Targets, UndoPreview, Verb,
};
pub use error::{BoxError, Certainty, Failure, StepError};
pub use handler::{MAX_OUTPUT_BYTES, Value};
pub use id::{InvalidId, MAX_ID_BYTES, SagaId};
pub use machine::UnknownPolicy;
pub use outcome::{
    Applied, Edit, MAX_BY_BYTES, MAX_WHY_BYTES, NotCompleted, Order, OrderError, Outcome, Part,
    Report, StepFailure,
};
pub use plan::{Plan, PlanStep, UndoPlan};
pub use retry::RetryPolicy;
pub use run::Run;
pub use saga::{AnySaga, Saga};
pub use stack::{
    Compensate, Compensating, Compensation, CompensationBuilder, CompensationError,
    CompensationExecutionRecord, CompensationFailure, CompensationRecord, CompensationStep,
    NoAction, ResourceCleanup, RolledBack, SagaError, SagaManager, SagaStep, Savepoint, ScopeError,
    TransactionalSaga, execute_saga,
};
pub use status::Status;
pub use step::{OutputMissing, Probed, StepContext, StepRef, UndoContext};
