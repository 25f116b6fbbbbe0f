//! In process, without a definition: a stack of compensations that grows as work is done, and is undone from
//! its top. For code that needs an undo stack and nothing else.
//!
//! The unwinding is the machine's: what is left on the stack becomes a saga whose steps are all done, and
//! that saga is cancelled.

mod cleanup;
mod compensation;
mod error;
mod manager;
mod record;
mod steps;
mod transaction;
mod unwind;

pub use cleanup::ResourceCleanup;
pub use compensation::{Compensation, CompensationBuilder, NoAction};
pub use error::{CompensationError, CompensationFailure};
pub use manager::{Compensate, Compensating, SagaManager, Savepoint};
pub use record::{CompensationExecutionRecord, CompensationRecord, CompensationStep};
pub use steps::{SagaError, SagaStep, execute_saga};
pub use transaction::{RolledBack, ScopeError, TransactionalSaga};
