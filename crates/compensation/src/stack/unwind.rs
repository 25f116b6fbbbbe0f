//! Unwinding a stack by the machine: a batch of compensations becomes a saga whose steps are all done and that
//! is cancelled, carried out by the one driver that there is.

use std::{
    cell::RefCell,
    collections::HashSet,
    sync::Arc,
    task::{Context, Poll},
};

use serde_json::value::RawValue;

use super::{
    compensation::Compensation,
    error::{CompensationError, CompensationFailure},
    manager::{Compensate, Shared},
    record::CompensationRecord,
};
use crate::{
    clock::{Stopwatch, Timestamp},
    compensation_status::CompensationStatus,
    drive::{Drive, End, Evidence, Host, Ordered, Start},
    error::{Failure, StepError},
    event::{Change, StepIndex},
    handler::{AnyValue, Attempted, Codec, Handlers},
    machine::{MAX_STEPS, Machine, OnUndoFailure, Phase},
    plan::{Plan, PlanStep, UndoPlan},
    retry::RetryPolicy,
    saga::Definition,
};

/// Most compensations in one batch; a higher stack is unwound in several.
pub(super) const MOST: usize = MAX_STEPS;

tokio::task_local! {
    /// The stacks whose compensations the current code is part of.
    static INSIDE: RefCell<Vec<usize>>;
}

/// Unwinds until nothing is left that this call has not attempted.
pub(super) async fn unwind(shared: Arc<Shared>, what: Compensate) -> Result<(), CompensationError> {
    let stack = Arc::as_ptr(&shared) as usize;
    let outer = INSIDE.try_with(|inside| inside.borrow().clone()).unwrap_or_default();
    let nested = outer.contains(&stack);
    let mut inside = outer;
    inside.push(stack);
    INSIDE.scope(RefCell::new(inside), unwind_here(shared, what, nested)).await
}

async fn unwind_here(
    shared: Arc<Shared>,
    what: Compensate,
    nested: bool,
) -> Result<(), CompensationError> {
    let (mut attempted, mut failures) = (HashSet::new(), Vec::new());
    loop {
        if !nested {
            shared.settled().await;
        }
        let batch = shared.take(&what, &attempted);
        if batch.is_empty() {
            // Another call may have been faster.
            if nested || shared.is_settled() {
                return CompensationError::unless_empty(failures);
            }
            continue;
        }
        attempted.extend(batch.numbers());
        failures.extend(batch.run(&what).await);
        if what.halt && !failures.is_empty() {
            return CompensationError::unless_empty(failures);
        }
    }
}

/// Compensations taken from the stack to be run, oldest first. They are put back when it is dropped.
pub(super) struct Batch {
    shared: Arc<Shared>,
    items: Vec<(u64, Compensation)>,
    /// Whether they were seen to their end.
    ended: bool,
}

impl Batch {
    pub(super) fn new(shared: Arc<Shared>, items: Vec<(u64, Compensation)>) -> Self {
        Self { shared, items, ended: false }
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.items.iter().map(|(number, _)| *number)
    }

    async fn run(mut self, what: &Compensate) -> Vec<CompensationFailure> {
        let Some(start) = start(&self.items, what) else {
            // Not for a batch within the limits; it stays on the stack.
            return Vec::new();
        };
        let items = self.items.iter().map(|(number, one)| Watched::new(*number, one)).collect();
        let host = Recorder { shared: self.shared.clone(), items, given_up: Vec::new() };
        let mut drive = Drive::new(start, host);
        let reason = match drive.run().await {
            End::Broken(illegal) => Some(format!("defect in the library: {illegal}")),
            End::Ended | End::Drained => None,
            End::Unwritten(never) => match never {},
        };
        if let Some(reason) = reason {
            tracing::error!(reason, "the compensations stay on the stack");
        }
        let phases: Vec<_> =
            (0..).take(self.items.len()).map(|step| drive.machine().phase(step)).collect();
        self.ended = true;
        drive.host().conclude(&phases)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if !self.ended && !self.items.is_empty() {
            let names: Vec<_> = self.items.iter().map(|(_, one)| &*one.name).collect();
            tracing::error!(
                ?names,
                "dropped before their end: what has not succeeded stays on the stack"
            );
        }
        self.shared.put_back(self.items.iter().map(|(number, _)| *number));
    }
}

/// A saga of these steps, all done, that is cancelled.
fn start(items: &[(u64, Compensation)], what: &Compensate) -> Option<Start> {
    let sequential = what.parallel <= 1;
    let steps = items.iter().zip(0..).map(|((_, one), index)| step(one, index, sequential));
    let plan = Plan {
        saga: "compensations".to_owned(),
        version: 0,
        parallel: what.parallel,
        on_undo_failure: if what.halt { OnUndoFailure::Halt } else { OnUndoFailure::Continue },
        secret_inputs: Vec::new(),
        steps: steps.collect(),
        source: None,
    };
    let graph = Arc::new(plan.graph().ok()?);
    let mut machine = Machine::new(graph.clone());
    // In any number at once: that they were done is history.
    for step in (0..).take(items.len()) {
        machine.apply(Change::ActionStarted(step)).ok()?;
        machine.apply(Change::ActionDone(step)).ok()?;
    }
    machine.apply(Change::CancelRequested).ok()?;
    let definition = Arc::new(Definition {
        plan: Arc::new(plan),
        graph,
        handlers: items.iter().map(|(_, one)| Arc::new(handlers(one))).collect(),
        input: Codec::of::<()>(),
        tag: u64::MAX,
    });
    let scope = definition.scope(Box::new(()), None);
    Some(Start::new(definition, scope, machine))
}

fn step(compensation: &Compensation, index: StepIndex, sequential: bool) -> PlanStep {
    let before = if sequential { index.checked_sub(1) } else { None };
    PlanStep {
        name: compensation.name.to_string(),
        after: before.into_iter().collect(),
        undo: UndoPlan::Run {
            retry: compensation.retry.clone(),
            timeout_ms: compensation
                .timeout
                .map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
            idempotent: true,
            allow_skip: compensation.allow_skip,
        },
        unknown: None,
        probe: false,
        idempotent: true,
        secret: false,
        pivot: false,
        retry: RetryPolicy::none(),
        timeout_ms: None,
    }
}

fn handlers(compensation: &Compensation) -> Handlers {
    let undo = compensation.undo.clone();
    Handlers {
        act: Box::new(|_| Box::pin(async { Attempted::Acted(Ok(Box::new(()))) })),
        undo: Some(Box::new(move |_| {
            let undoing = undo();
            Box::pin(async move { Attempted::Undone(undoing.await) })
        })),
        probe: None,
        output: Codec::of::<()>(),
    }
}

/// Nothing is written, so nothing can fail.
enum Never {}

/// Keeps the stack's records while the driver works.
struct Recorder {
    shared: Arc<Shared>,
    items: Vec<Watched>,
    /// Steps in the order in which their last attempt failed.
    given_up: Vec<StepIndex>,
}

/// One compensation at work.
struct Watched {
    number: u64,
    name: Arc<str>,
    data: Option<Arc<serde_json::Value>>,
    started: Option<(usize, Stopwatch)>,
    attempts: u32,
    failure: Option<Failure>,
}

impl Watched {
    fn new(number: u64, compensation: &Compensation) -> Self {
        let Compensation { name, data, .. } = compensation.clone();
        Self { number, name, data, started: None, attempts: 0, failure: None }
    }
}

impl Recorder {
    fn started(&mut self, step: StepIndex) {
        let item = &mut self.items[usize::from(step)];
        item.attempts += 1;
        if let Some((place, _)) = item.started {
            self.shared.amend(place, |record| {
                record.retries += 1;
                record.status = Some(CompensationStatus::Running);
            });
            return;
        }
        let place = self.shared.record(CompensationRecord {
            name: item.name.to_string(),
            executed: false,
            status: Some(CompensationStatus::Running),
            executed_at: Some(Timestamp::now()),
            error: None,
            duration: None,
            retries: 0,
            data: item.data.as_deref().cloned(),
        });
        item.started = Some((place, Stopwatch::start()));
    }

    fn ended(&mut self, step: StepIndex, failure: Option<&Failure>) {
        let item = &mut self.items[usize::from(step)];
        item.failure = failure.cloned();
        if let Some((place, watch)) = item.started {
            self.shared.amend(place, |record| {
                record.duration = Some(watch.elapsed());
                record.error = failure.map(ToString::to_string);
                record.executed = failure.is_none();
                record.status = Some(match failure {
                    None => CompensationStatus::Completed,
                    Some(_) => CompensationStatus::Failed,
                });
            });
        }
        match failure {
            None => self.shared.done(item.number),
            Some(_) => {
                self.given_up.retain(|&other| other != step);
                self.given_up.push(step);
            }
        }
    }

    /// Tells what failed for good.
    fn conclude(&mut self, phases: &[Phase]) -> Vec<CompensationFailure> {
        let mut failures = Vec::new();
        for &step in &self.given_up {
            let item = &mut self.items[usize::from(step)];
            let Some(failure) = item.failure.take() else { continue };
            if phases[usize::from(step)] == Phase::UndoSkipped {
                self.shared.done(item.number);
                if let Some((place, _)) = item.started {
                    self.shared.amend(place, |record| {
                        record.status = Some(CompensationStatus::Skipped);
                    });
                }
            } else {
                let (name, data, attempts) = (item.name.clone(), item.data.clone(), item.attempts);
                failures.push(CompensationFailure { name, attempts, failure, data });
            }
        }
        failures
    }
}

impl Host for Recorder {
    type Error = Never;

    fn encode(&mut self, _: &Codec, _: &AnyValue) -> Result<Option<Box<RawValue>>, StepError> {
        Ok(None)
    }

    fn record(&mut self, change: Change, evidence: Evidence<'_>) {
        match change {
            Change::UndoStarted(step) => self.started(step),
            Change::UndoDone(step) => self.ended(step, None),
            Change::UndoFailed { step, .. } => self.ended(step, evidence.failure),
            _ => {}
        }
    }

    async fn flush(
        &mut self,
        _: &Machine,
        _: impl FnOnce() -> Option<String> + Send,
    ) -> Result<(), Never> {
        Ok(())
    }

    fn poll_order(&mut self, _: &mut Context<'_>) -> Poll<Ordered> {
        Poll::Pending
    }
}
