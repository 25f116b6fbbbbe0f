//! Undoing: which compensation is next, its attempts, and what is recorded of them.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    rc::{Rc, Weak},
};

use ::compensation::CompensationStatus;
use temporalio_workflow::{WorkflowCancellationToken, join_all};

use crate::{
    attempt::{self, Bounds, Spent},
    compensation::{Undo, UndoPolicy, WhenUnknown},
    context::SagaContext,
    deadline::Deadline,
    entry::{Entry, Execution},
    error::CompensateError,
    manager::CompensationManager,
    report::{Noted, Report, UndoFailure},
    select::Compensate,
    slot::Slot,
};

impl<C: SagaContext> CompensationManager<C> {
    /// Undoes everything that is left, last first, one after the other. As [`compensate_with`](Self::compensate_with).
    ///
    /// # Errors
    /// As [`compensate_with`](Self::compensate_with).
    pub async fn compensate(&self, ctx: &C) -> Result<Report, CompensateError> {
        self.compensate_with(ctx, Compensate::all()).await
    }

    /// Undoes what goes by these names, last registered first, and leaves the rest.
    ///
    /// # Errors
    /// [`CompensateError::NotRegistered`] where one of the names is not registered; nothing is undone then. Else as
    /// [`compensate_with`](Self::compensate_with).
    pub async fn compensate_partial<S: Into<String>>(
        &self,
        ctx: &C,
        names: impl IntoIterator<Item = S>,
    ) -> Result<Report, CompensateError> {
        self.compensate_with(ctx, Compensate::only(names)).await
    }

    /// Undoes what is asked for, out of reach of the workflow's cancellation. The activity of a step that is still
    /// in flight is waited for first. What was undone before is not undone again.
    ///
    /// It does not end the workflow. While it is at work further steps are refused; afterwards they are not, so that a
    /// workflow may go back to a savepoint and try another way. Where a handler of a signal rolls back, `run` must be
    /// told to return.
    ///
    /// # Errors
    /// [`CompensateError::Compensating`] where another call is at work;
    /// [`CompensateError::NotRegistered`] for a name that is not registered;
    /// [`CompensateError::Incomplete`], with the report, where something failed or was left.
    ///
    /// # Cancel safety
    /// Dropped, it starts nothing further. What was in flight counts as pending again, and may run beside the next
    /// call's attempt: don't drop it.
    pub async fn compensate_with(
        &self,
        ctx: &C,
        what: Compensate,
    ) -> Result<Report, CompensateError> {
        let guard = self.begin(&what)?;
        let deadline = Deadline::new(ctx, what.within);
        let walk = Walk {
            manager: self,
            ctx,
            token: what.abort.clone().unwrap_or_default(),
            deadline,
            what: &what,
            state: RefCell::default(),
        };
        self.show(ctx);
        let work = async {
            self.settle(ctx, &what, deadline).await;
            // A lane for each is enough, even if it is asked for more.
            match usize::from(what.parallel).min(self.compensation_count()) {
                0 | 1 => walk.lane().await,
                lanes => {
                    join_all((0..lanes).map(|_| walk.lane())).await;
                }
            }
        };
        let mirror = self.mirrored(ctx, work).await;
        let report = Report { mirror, ..walk.conclude() };
        self.stack.borrow_mut().report = Some(report.clone());
        drop(guard);
        self.show(ctx);
        ctx.changed();
        if report.is_complete() { Ok(report) } else { Err(CompensateError::Incomplete(report)) }
    }

    fn begin(&self, what: &Compensate) -> Result<Guard<C>, CompensateError> {
        let mut stack = self.stack.borrow_mut();
        if stack.compensating {
            return Err(CompensateError::Compensating);
        }
        let names = what.only.iter().flatten();
        let unknown: Vec<_> = names.filter(|name| stack.find(name).is_none()).cloned().collect();
        if !unknown.is_empty() {
            return Err(CompensateError::NotRegistered(unknown));
        }
        stack.compensating = true;
        Ok(Guard(self.clone()))
    }

    /// Waits for the activities in flight that are to be undone. Where a step's future was dropped nobody can; its
    /// activity is asked to stop.
    async fn settle(&self, ctx: &C, what: &Compensate, deadline: Deadline) {
        while let Some((number, slot, token)) = self.in_flight(what) {
            match slot.upgrade() {
                Some(slot) => {
                    if deadline.race(ctx, Box::pin(slot.ended())).await.is_err() {
                        return;
                    }
                }
                None => token.cancel_with_reason("its step was dropped"),
            }
            if let Some(entry) = self.stack.borrow_mut().at(number) {
                entry.running = None;
            }
        }
    }

    fn in_flight(&self, what: &Compensate) -> Option<(u64, Weak<Slot>, WorkflowCancellationToken)> {
        let stack = self.stack.borrow();
        let mut covered =
            stack.entries.iter().filter(|entry| what.covers(entry.number, &entry.name));
        covered.find_map(|entry| {
            let running = entry.running.as_ref()?;
            Some((entry.number, running.slot.clone(), running.token.clone()))
        })
    }
}

/// Ends a rollback, also one that is dropped: on eviction too, so it emits no command and asks nothing.
struct Guard<C>(CompensationManager<C>);

impl<C> Drop for Guard<C> {
    fn drop(&mut self) {
        let Ok(mut stack) = self.0.stack.try_borrow_mut() else { return };
        stack.compensating = false;
        let running = stack
            .entries
            .iter()
            .filter(|entry| entry.progress.status == CompensationStatus::Running);
        let dropped: Vec<_> = running.map(|entry| entry.number).collect();
        for number in dropped {
            if let Some(entry) = stack.change(number) {
                entry.progress.status = CompensationStatus::Pending;
            }
        }
    }
}

/// One rollback at work.
struct Walk<'a, C> {
    manager: &'a CompensationManager<C>,
    ctx: &'a C,
    token: WorkflowCancellationToken,
    deadline: Deadline,
    what: &'a Compensate,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    attempted: BTreeSet<u64>,
    halted: bool,
    report: Report,
}

/// One compensation to be run.
struct Job<C> {
    number: u64,
    name: String,
    undo: Undo<C>,
    policy: UndoPolicy,
}

impl<C: SagaContext> Walk<'_, C> {
    /// Runs one after the other until nothing is left.
    async fn lane(&self) {
        while let Some(job) = self.next() {
            self.changed();
            let Job { number, name, undo, policy } = job;
            let entries = Rc::clone(&self.manager.stack);
            let attempted = move || {
                if let Some(entry) = entries.borrow_mut().change(number) {
                    entry.progress.attempts += 1;
                }
            };
            let bounds = Bounds { token: &self.token, deadline: self.deadline };
            let spent = attempt::attempts(self.ctx, &bounds, &name, &undo, &policy, attempted);
            let spent = spent.await;
            self.ended(number, &policy, spent);
            self.changed();
        }
    }

    fn changed(&self) {
        self.manager.show(self.ctx);
        self.ctx.changed();
    }

    /// The newest that is left and that this call has not attempted.
    fn next(&self) -> Option<Job<C>> {
        let mut state = self.state.borrow_mut();
        if state.halted || self.token.is_cancelled() || self.deadline.is_over(self.ctx) {
            return None;
        }
        let mut stack = self.manager.stack.borrow_mut();
        let stack = &mut *stack;
        for entry in stack.entries.iter_mut().rev() {
            if !self.what.covers(entry.number, &entry.name)
                || !matches!(
                    entry.progress.status,
                    CompensationStatus::Pending | CompensationStatus::Failed
                )
                || state.attempted.contains(&entry.number)
            {
                continue;
            }
            state.attempted.insert(entry.number);
            let verdict = self.verdict(entry);
            if matches!(verdict, Verdict::Run | Verdict::Skip(_)) {
                stack.changes += 1;
                entry.changed = stack.changes;
            }
            match verdict {
                Verdict::Run => {
                    entry.progress.status = CompensationStatus::Running;
                    entry.progress.started.get_or_insert_with(|| now(self.ctx));
                    let Entry { number, name, undo, policy, .. } = &*entry;
                    let (name, undo, policy) = (name.clone(), undo.clone(), policy.clone());
                    return Some(Job { number: *number, name, undo, policy });
                }
                Verdict::Skip(why) => {
                    entry.progress.status = CompensationStatus::Skipped;
                    state.report.skipped.push(Noted::new(&entry.name, &why));
                    entry.progress.reason = Some(why);
                }
                Verdict::Leave(why) => state.report.left.push(Noted::new(&entry.name, why)),
                Verdict::Ignore => {}
            }
        }
        None
    }

    fn verdict(&self, entry: &Entry<C>) -> Verdict {
        let by_name = self.what.only.is_some();
        match (entry.execution, &entry.undo) {
            (Execution::NotDone, _) => Verdict::Skip("it had no effect".to_owned()),
            (_, Undo::Nothing(why)) => Verdict::Skip(why.clone()),
            (Execution::Unknown, _) if self.what.executed_only => Verdict::Ignore,
            (Execution::Unknown, _)
                if entry.policy.when_unknown == WhenUnknown::Park && !by_name =>
            {
                Verdict::Leave("its outcome is unknown, and it is not undone without an order")
            }
            _ => Verdict::Run,
        }
    }

    fn ended(&self, number: u64, policy: &UndoPolicy, spent: Result<(), Spent>) {
        let mut state = self.state.borrow_mut();
        let mut stack = self.manager.stack.borrow_mut();
        let Some(entry) = stack.change(number) else { return };
        entry.progress.ended = Some(now(self.ctx));
        let mut dropped = None;
        match spent {
            Ok(()) => {
                entry.progress.status = CompensationStatus::Completed;
                entry.progress.error = None;
                dropped = Some(entry.forget_undo());
                state.report.compensated.push(entry.name.clone());
            }
            Err(Spent { error, kind, unseen }) => {
                entry.progress.attempts += unseen;
                entry.progress.error = Some(error.clone());
                if policy.allow_skip && !self.token.is_cancelled() {
                    entry.progress.status = CompensationStatus::Skipped;
                    entry.progress.reason =
                        Some("its budget is spent, and it may be skipped".to_owned());
                    dropped = Some(entry.forget_undo());
                    state.report.skipped.push(Noted::new(&entry.name, &error));
                } else {
                    entry.progress.status = CompensationStatus::Failed;
                    state.halted |= self.what.halt;
                    let (activity_name, attempts) = (entry.name.clone(), entry.progress.attempts);
                    let failure = UndoFailure { activity_name, attempts, kind, error };
                    state.report.failures.push(failure);
                }
            }
        }
        drop(stack);
        drop(state);
        // What a closure captured may run code as it is dropped.
        drop(dropped);
    }

    /// Tells what a halt or an abort has left.
    fn conclude(&self) -> Report {
        let mut state = self.state.borrow_mut();
        let why = if self.token.is_cancelled() {
            "the rollback was given up"
        } else if state.halted {
            "an undo failed, and the rollback was to halt"
        } else if self.deadline.is_over(self.ctx) {
            "the time for the rollback is over"
        } else {
            return state.report.clone();
        };
        let stack = self.manager.stack.borrow();
        for entry in stack.entries.iter().rev() {
            if self.what.covers(entry.number, &entry.name)
                && !entry.is_over()
                && !state.attempted.contains(&entry.number)
                && matches!(self.verdict(entry), Verdict::Run | Verdict::Leave(_))
            {
                state.report.left.push(Noted::new(&entry.name, why));
            }
        }
        state.report.clone()
    }
}

enum Verdict {
    Run,
    Skip(String),
    Leave(&'static str),
    Ignore,
}

fn now<C: SagaContext>(ctx: &C) -> std::time::SystemTime {
    ctx.now().unwrap_or(std::time::UNIX_EPOCH)
}
