//! The manager: what is registered, what is known of it, and what may be asked about it. It runs nothing itself.

use std::{fmt, rc::Rc};

use ::compensation::{CompensationExecutionRecord, CompensationStatus};
use temporalio_workflow::common::ActivityDefinition;

use crate::{
    compensation::{CompensationStep, Undo, UndoPolicy},
    context::SagaContext,
    entry::{Entry, Execution, Progress, Shared},
    error::ManagerError,
    report::Report,
    select::Savepoint,
};

/// The compensations of one workflow. It lives in the workflow's state, so that queries see it, or in a variable
/// of its `run`. Cheap to clone; all clones are one.
///
/// * [`step`](Self::step) registers an undo, runs the activity, records how it ended and gives its output to the
///   undo. By hand: [`register_compensation`](Self::register_compensation) **before** the activity starts,
///   [`record_execution`](Self::record_execution) once it is done.
/// * [`finish`](Self::finish) ends the workflow: it undoes everything if the result is an error, and closes the
///   workflow as failed or cancelled. [`compensate`](Self::compensate) undoes without ending.
/// * What is registered counts as possibly done until it is recorded as
///   [not done](Self::record_not_done): an activity whose reply was lost is undone too.
/// * What is undone is never undone again: a further call runs only what failed and what is new.
/// * Compensations are out of reach of the workflow's cancellation.
///
/// The order of its commands is part of what is promised: last first, the newest of what is left whenever a place
/// is free. A change of it would break running workflows.
///
/// Temporal gives no code a chance to run when a workflow is *terminated* or runs into its execution or run time-out:
/// nothing is undone then. Give such a workflow a time limit of its own instead, for instance with a timer.
pub struct CompensationManager<C> {
    pub(crate) stack: Rc<Shared<C>>,
}

impl<C> Default for CompensationManager<C> {
    fn default() -> Self {
        Self { stack: Rc::default() }
    }
}

impl<C> Clone for CompensationManager<C> {
    fn clone(&self) -> Self {
        Self { stack: self.stack.clone() }
    }
}

impl<C> CompensationManager<C> {
    /// An empty manager.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every compensation and how it stands, in the order of registration. For a query.
    ///
    /// `retries` counts the attempts that are known of. The server repeats the attempts of an activity and tells
    /// how many there were only when it gives up; [`CompensationStep::counted`] makes the number exact.
    #[must_use]
    pub fn records(&self) -> Vec<CompensationExecutionRecord> {
        self.stack.borrow().entries.iter().map(Entry::record).collect()
    }

    /// How many compensations are registered, whether they have run or not.
    #[must_use]
    pub fn compensation_count(&self) -> usize {
        self.stack.borrow().entries.len()
    }

    /// How many activities are recorded as executed.
    #[must_use]
    pub fn executed_count(&self) -> usize {
        let done = |entry: &&Entry<C>| entry.execution == Execution::Done;
        self.stack.borrow().entries.iter().filter(done).count()
    }

    /// The names of the activities that are recorded as executed, in the order of registration.
    #[must_use]
    pub fn executed_activities(&self) -> Vec<String> {
        let stack = self.stack.borrow();
        let done = stack.entries.iter().filter(|entry| entry.execution == Execution::Done);
        done.map(|entry| entry.name.clone()).collect()
    }

    /// Whether the activity of that name is recorded as executed. A name that is not registered is not.
    #[must_use]
    pub fn is_executed(&self, activity_name: &str) -> bool {
        let mut stack = self.stack.borrow_mut();
        stack.find(activity_name).is_some_and(|entry| entry.execution == Execution::Done)
    }

    /// What the last rollback that has ended did; absent before the first. For a query.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        self.stack.borrow().report.clone()
    }

    /// The names of what a rollback would run, in the order in which it would.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        let stack = self.stack.borrow();
        let left = stack.entries.iter().rev().filter(|entry| !entry.is_over());
        left.map(|entry| entry.name.clone()).collect()
    }

    /// Whether a rollback is under way.
    #[must_use]
    pub fn is_compensating(&self) -> bool {
        self.stack.borrow().compensating
    }

    /// A place to [compensate back to](crate::Compensate::since).
    #[must_use]
    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.stack.borrow().registered)
    }

    /// Forgets all compensations and records.
    ///
    /// # Errors
    /// [`ManagerError::Compensating`] while a rollback is under way; [`ManagerError::InFlight`] while the
    /// activity of a step is.
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.check_idle()?;
        let forgotten = std::mem::take(&mut self.stack.borrow_mut().entries);
        // What a closure captured may run code as it is dropped.
        drop(forgotten);
        Ok(())
    }

    /// Records that the activity of that name is done.
    ///
    /// # Errors
    /// [`ManagerError::NotRegistered`] where nothing of that name is registered: there is nothing that could undo
    /// it.
    pub fn record_execution(&self, activity_name: &str) -> Result<(), ManagerError> {
        self.record(activity_name, Execution::Done)
    }

    /// Records that the activity of that name has had no effect: it will not be undone.
    ///
    /// # Errors
    /// [`ManagerError::NotRegistered`] where nothing of that name is registered.
    pub fn record_not_done(&self, activity_name: &str) -> Result<(), ManagerError> {
        self.record(activity_name, Execution::NotDone)
    }

    fn record(&self, name: &str, execution: Execution) -> Result<(), ManagerError> {
        let mut stack = self.stack.borrow_mut();
        let entry = stack.find(name).ok_or_else(|| ManagerError::NotRegistered(name.to_owned()))?;
        entry.execution = execution;
        Ok(())
    }

    pub(crate) fn check_idle(&self) -> Result<(), ManagerError> {
        let stack = self.stack.borrow();
        if stack.compensating {
            return Err(ManagerError::Compensating);
        }
        match stack.entries.iter().find(|entry| entry.running.is_some()) {
            Some(entry) => Err(ManagerError::InFlight(entry.name.clone())),
            None => Ok(()),
        }
    }

    pub(crate) fn check_free(&self, name: &str) -> Result<(), ManagerError> {
        match self.stack.borrow_mut().find(name) {
            Some(entry) if !entry.is_over() => Err(ManagerError::Duplicate(name.to_owned())),
            _ => Ok(()),
        }
    }

    pub(crate) fn push(&self, name: String, undo: Undo<C>, policy: UndoPolicy) -> u64 {
        let mut stack = self.stack.borrow_mut();
        let number = stack.registered;
        stack.registered += 1;
        stack.changes += 1;
        let changed = stack.changes;
        stack.entries.push(Entry {
            number,
            name,
            undo,
            policy,
            execution: Execution::Unknown,
            progress: Progress { status: CompensationStatus::Pending, ..Progress::default() },
            running: None,
            changed,
            record_id: None,
        });
        number
    }
}

impl<C: SagaContext> CompensationManager<C> {
    /// Registers a compensation. Do so before the activity starts: if its reply is lost, or the workflow is
    /// cancelled meanwhile, it is undone all the same. What is registered during a rollback is undone by it.
    ///
    /// # Errors
    /// [`ManagerError::Duplicate`] where the name is taken by something that is not undone yet;
    /// [`ManagerError::Input`] where the input does not serialize; [`ManagerError::NoTime`] where a time limit is zero.
    /// Nothing is registered then.
    pub fn register_compensation(
        &self,
        ctx: &C,
        step: CompensationStep<C>,
    ) -> Result<(), ManagerError> {
        let CompensationStep { name, undo, policy } = step;
        self.check_free(&name)?;
        if !policy.activity.is_possible() {
            return Err(ManagerError::NoTime { name, what: "the undo" });
        }
        match undo(ctx.converter()) {
            Ok(undo) => self.push(name, undo, policy),
            Err(source) => return Err(ManagerError::Input { name, what: "the undo", source }),
        };
        Ok(())
    }

    /// Registers a compensation with the [defaults](CompensationStep).
    ///
    /// # Errors
    /// As [`register_compensation`](Self::register_compensation).
    pub fn register_simple<U: ActivityDefinition>(
        &self,
        ctx: &C,
        activity_name: impl Into<String>,
        undo: U,
        input: U::Input,
    ) -> Result<(), ManagerError> {
        self.register_compensation(ctx, CompensationStep::new(activity_name, undo, input))
    }
}

impl<C> fmt::Debug for CompensationManager<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompensationManager")
            .field("records", &self.records())
            .field("compensating", &self.is_compensating())
            .finish_non_exhaustive()
    }
}
