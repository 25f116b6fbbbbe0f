//! A saga as its workflow knows it: its course, and what the server's attempts add to that.

use compensation::{
    Order, OrderError, Refusal,
    machine::{Change, Command, Illegal, Phase, Task},
    remote::Course,
};
use serde_json::value::RawValue;

use super::{
    limits::SagaLimits,
    order::{SagaOrder, Senseless},
    report::SagaReport,
    wire::{FORMAT, MAX_CALL_BYTES, MAX_SENT_BYTES, Start, StepCall},
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
    /// Bytes that activities were sent.
    sent: usize,
}

/// Steps of one kind that are named on Temporal's pages.
const NAMED: usize = 20;

/// Kinds of steps on Temporal's pages, and which phases belong to each.
const GROUPS: [(&str, Belongs); 4] = [
    ("done", |phase| phase == Phase::Done),
    ("undone", |phase| matches!(phase, Phase::Undone | Phase::UndoSkipped)),
    ("waits for a person", |phase| matches!(phase, Phase::Parked(_) | Phase::UndoParked(_))),
    ("in work", |phase| {
        phase.is_live() || matches!(phase, Phase::Retrying | Phase::ProbeDue | Phase::UndoRetrying)
    }),
];

type Belongs = fn(Phase) -> bool;

/// Why an order was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Senseless(#[from] Senseless),
    #[error(transparent)]
    Unkept(#[from] OrderError),
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
        Ok(Self { course, limits, recalled: false, orders: 0, input, attempts, sent: 0 })
    }

    /// What an attempt is told. `Err`: it would be too much for the server.
    pub(super) fn call(&mut self, command: Command) -> Result<StepCall, String> {
        let call = self.course.call(command, &self.input);
        let before = self.attempts(command);
        let cancelled = self.course.machine().is_backward();
        let mut call = StepCall::new(&self.course.plan().saga, call, before, cancelled);
        if self.is_too_much(size(&call)) && matches!(command.task, Task::Undo(_)) {
            // Its own output is what an undo can't do without.
            call.outputs.retain(|name, _| *name == call.step);
        }
        let bytes = size(&call);
        let undoes = matches!(command.task, Task::Undo(_));
        if bytes > MAX_CALL_BYTES {
            return Err(format!(
                "the saga's input and the outputs that the step may read have {bytes} bytes: at most \
                 {MAX_CALL_BYTES} can be sent to a worker"
            ));
        }
        if self.is_too_much(bytes) && !undoes {
            return Err(format!(
                "the saga's steps were told more than {MAX_SENT_BYTES} bytes in all: with more its history \
                 would outgrow the server, and nothing could be undone"
            ));
        }
        self.sent = self.sent.saturating_add(bytes);
        Ok(call)
    }

    fn is_too_much(&self, bytes: usize) -> bool {
        bytes > MAX_CALL_BYTES || self.sent.saturating_add(bytes) > MAX_SENT_BYTES
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

    /// Whether that order would be taken now. What was taken once is not held against these limits again: a
    /// replay must come to the same.
    pub(super) fn check(&self, order: &SagaOrder) -> Result<(), Refused> {
        order.given().check()?;
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
        for (title, belongs) in GROUPS {
            let names: Vec<_> =
                report.steps().filter(|(_, phase)| belongs(*phase)).map(|(name, _)| name).collect();
            let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
            match names.len() {
                0 => {}
                all if all <= NAMED => text.push_str(&format!("\n\n{title}: {shown}")),
                all => text.push_str(&format!("\n\n{title}: {shown} and {} more", all - NAMED)),
            }
        }
        text
    }
}

fn size(call: &StepCall) -> usize {
    serde_json::to_vec(call).map_or(usize::MAX, |bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use compensation::{Saga, StepContext, StepError, UndoContext, machine::Effect, remote::Ended};

    use super::*;

    const OUTPUT: usize = 400 * 1024;

    /// A saga of many steps, each with an undo, under way.
    fn steering(steps: usize) -> Steering {
        let mut saga = Saga::<()>::builder("large");
        for step in 0..steps {
            saga.step(format!("s{step}"), |_: StepContext<()>| async { Ok::<_, StepError>(0) })
                .undo(|_: UndoContext<()>, _| async { Ok::<_, StepError>(()) })
                .add();
        }
        let plan = saga.build().expect("a sound saga").plan().clone();
        let saga_id = compensation::SagaId::new("7").expect("an id");
        let input = RawValue::NULL.to_owned();
        let start = Start { format: FORMAT, saga_id, plan, input, limits: SagaLimits::default() };
        Steering::new(start).expect("a sound start")
    }

    /// Does steps until one is refused; how many were done, and why not the next.
    fn go(steering: &mut Steering) -> (usize, String) {
        let output = RawValue::from_string(format!("\"{}\"", "x".repeat(OUTPUT))).expect("JSON");
        for done in 0.. {
            let command = steering.course.next().expect("more to do");
            steering.course.start(command).expect("given out");
            if let Err(why) = steering.call(command) {
                let failure = StepError::not_done(why.clone()).terminal().into();
                steering.course.end(command, Ended::Failed(failure)).expect("in flight");
                return (done, why);
            }
            steering.course.end(command, Ended::Done(output.clone())).expect("in flight");
        }
        unreachable!("the loop has no end")
    }

    #[test]
    fn a_step_that_would_be_told_too_much_is_refused_and_its_saga_undone_with_less() {
        let mut steering = steering(30);
        let (done, why) = go(&mut steering);
        assert!(why.contains("at most 2031616 can be sent"), "{why}");
        for undone in (0..done).rev() {
            let command = steering.course.next().expect("an undo");
            assert_eq!(command.task, Task::Undo(Effect::Sure));
            steering.course.start(command).expect("given out");
            let call =
                steering.call(command).expect("an undo is never refused for others' outputs");
            assert!(call.outputs.contains_key(&format!("s{undone}")));
            steering.course.end(command, Ended::Undone).expect("in flight");
        }
        assert_eq!(steering.course.machine().status(), compensation::Status::Compensated);
    }

    #[test]
    fn a_saga_stops_before_its_history_outgrows_the_server() {
        let mut steering = steering(30);
        steering.sent = MAX_SENT_BYTES - OUTPUT;
        let (done, why) = go(&mut steering);
        assert_eq!(done, 1, "{why}");
        assert!(why.contains("its history would outgrow the server"), "{why}");
    }

    #[test]
    fn details_name_what_is_done_and_count_what_is_too_much_to_name() {
        let mut steering = steering(25);
        for _ in 0..23 {
            let command = steering.course.next().expect("more to do");
            steering.course.start(command).expect("given out");
            let output = RawValue::NULL.to_owned();
            steering.course.end(command, Ended::Done(output)).expect("in flight");
        }
        let details = steering.details();
        assert!(details.starts_with("**running**\n\ndone: s0, s1,"), "{details}");
        assert!(details.ends_with("s19 and 3 more"), "{details}");
    }
}
