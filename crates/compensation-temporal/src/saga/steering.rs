//! A saga as its workflow knows it: its course, and what the server's attempts add to that.

use std::collections::BTreeMap;

use compensation::{
    Order, Refusal,
    machine::{Change, Command, Illegal, Phase, Task},
    remote::Course,
};
use serde_json::value::RawValue;

use super::{
    limits::SagaLimits,
    order::{SagaOrder, Senseless},
    report::SagaReport,
    wire::{FORMAT, MAX_CALL_BYTES, Start, StepCall},
};

/// Attempts of a step that are known of: the server makes those after the first, and tells of the last one only.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    pub(super) action: u32,
    pub(super) probe: u32,
    pub(super) undo: u32,
}

pub(super) struct Steering {
    pub(super) course: Course,
    pub(super) limits: SagaLimits,
    /// An order, not a failure, turned the saga back.
    pub(super) recalled: bool,
    /// Grows with each order that was taken.
    pub(super) orders: u64,
    input: Box<RawValue>,
    attempts: Vec<Attempts>,
}

/// Why an order was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Senseless(#[from] Senseless),
    #[error("{}", Refusal(.0.clone()))]
    Illegal(#[from] Illegal),
}

impl Steering {
    pub(super) fn new(start: Start) -> Result<Self, String> {
        let Start { format, saga_id, plan, input, limits } = start;
        if format > FORMAT {
            return Err(format!(
                "the input has format {format}, which this version does not know: upgrade the worker"
            ));
        }
        let attempts = vec![Attempts::default(); plan.steps.len()];
        let course = Course::new(plan, saga_id)
            .map_err(|error| format!("the plan makes no sense: {error}"))?;
        Ok(Self { course, limits, recalled: false, orders: 0, input, attempts })
    }

    /// What an attempt is told. `Err`: it would be too much for the server.
    pub(super) fn call(&self, command: Command) -> Result<StepCall, String> {
        let call = self.course.call(command, &self.input);
        let before = self.attempts(command);
        let cancelled = self.course.machine().is_backward();
        let mut call = StepCall::new(&self.course.plan().saga, call, before, cancelled);
        if size(&call) > MAX_CALL_BYTES && matches!(command.task, Task::Undo(_)) {
            // Its own output is what an undo can't do without.
            let own = call.outputs.remove(&call.step);
            call.outputs =
                own.map(|own| (call.step.clone(), own)).into_iter().collect::<BTreeMap<_, _>>();
        }
        match size(&call) {
            bytes if bytes > MAX_CALL_BYTES => Err(format!(
                "the saga's input and the outputs that the step may read have {bytes} bytes: at most \
                 {MAX_CALL_BYTES} can be sent to a worker"
            )),
            _ => Ok(call),
        }
    }

    fn attempts(&self, command: Command) -> u32 {
        let attempts = self.attempts.get(usize::from(command.step)).copied().unwrap_or_default();
        match command.task {
            Task::Act => attempts.action,
            Task::Probe => attempts.probe,
            Task::Undo(_) => attempts.undo,
        }
    }

    pub(super) fn count(&mut self, command: Command, made: u32) {
        if let Some(attempts) = self.attempts.get_mut(usize::from(command.step)) {
            let count = match command.task {
                Task::Act => &mut attempts.action,
                Task::Probe => &mut attempts.probe,
                Task::Undo(_) => &mut attempts.undo,
            };
            *count = count.saturating_add(made);
        }
    }

    /// Whether that order would be taken now.
    pub(super) fn check(&self, order: &SagaOrder) -> Result<(), Refused> {
        let change = order.change(self.course.plan())?;
        Ok(self.course.machine().clone().apply(change)?)
    }

    /// Takes an order.
    pub(super) fn order(&mut self, order: &SagaOrder) -> Result<(), Refused> {
        let change = order.change(self.course.plan())?;
        self.course.order(change, order.given(), order.output.clone())?;
        self.recalled |= change == Change::CancelRequested;
        self.orders += 1;
        Ok(())
    }

    /// The workflow is cancelled. Nothing changes where the saga can't be undone now.
    pub(super) fn cancel(&mut self) -> bool {
        let order = Order::new("Temporal", "the workflow was cancelled");
        let taken = self.course.order(Change::CancelRequested, order, None).is_ok();
        self.recalled |= taken;
        taken
    }

    pub(super) fn report(&self) -> SagaReport {
        SagaReport::of(&self.course, &self.attempts)
    }

    /// What Temporal's UI shows of the saga: what is done, undone, and left.
    pub(super) fn details(&self) -> String {
        let report = self.course.report();
        let mut text = format!("**{}**", report.status());
        if let Some(reason) = report.reason() {
            text.push_str(": ");
            text.push_str(&reason);
        }
        let groups: [(&str, fn(Phase) -> bool); 4] = [
            ("done", |phase| phase == Phase::Done),
            ("undone", |phase| matches!(phase, Phase::Undone | Phase::UndoSkipped)),
            ("waits for a person", |phase| {
                matches!(phase, Phase::Parked(_) | Phase::UndoParked(_))
            }),
            ("in work", |phase| {
                phase.is_live()
                    || matches!(phase, Phase::Retrying | Phase::ProbeDue | Phase::UndoRetrying)
            }),
        ];
        for (title, belongs) in groups {
            let names: Vec<_> =
                report.steps().filter(|(_, phase)| belongs(*phase)).map(|(name, _)| name).collect();
            if !names.is_empty() {
                text.push_str(&format!("\n\n{title}: {}", names.join(", ")));
            }
        }
        text
    }
}

fn size(call: &StepCall) -> usize {
    serde_json::to_vec(call).map_or(usize::MAX, |bytes| bytes.len())
}
