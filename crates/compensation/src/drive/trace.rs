//! The spans of a saga for `tracing`: the saga, each step while it may still be undone, and every attempt.
//! Without a subscriber that wants them they cost a look at a flag each.

use std::fmt::Display;

use tracing::{Span, field::Empty, info_span};

use crate::{
    event::StepIndex,
    machine::{Command, Task},
    plan::Plan,
};

/// The spans of one saga that is being driven.
pub(super) struct Trace {
    saga: Span,
    /// One for each step that was begun here; open until the saga's drive ends, so that an undo may refer to
    /// it. Empty where nobody watches.
    steps: Vec<Span>,
}

impl Trace {
    pub(super) fn new(plan: &Plan, id: Option<impl Display>) -> Self {
        let saga = info_span!(target: "compensation", "saga", saga = %plan.saga, id = Empty, status = Empty);
        if let (Some(id), false) = (id, saga.is_disabled()) {
            saga.record("id", tracing::field::display(id));
        }
        Self { saga, steps: Vec::new() }
    }

    /// The saga's span.
    pub(super) fn saga(&self) -> Span {
        self.saga.clone()
    }

    /// The span of an attempt. That of an undo stands beside its step's, which it follows from: it is no part
    /// of the step, it takes it back.
    pub(super) fn attempt(&mut self, plan: &Plan, command: Command) -> Span {
        if self.saga.is_disabled() {
            return Span::none();
        }
        let Command { step, task, attempt, .. } = command;
        let name = plan.steps.get(usize::from(step)).map_or("", |step| step.name.as_str());
        let of = self.step(plan, step, name);
        match task {
            Task::Act => {
                info_span!(target: "compensation", parent: of, "action", step = name, attempt, outcome = Empty, error = Empty)
            }
            Task::Probe => {
                info_span!(target: "compensation", parent: of, "probe", step = name, attempt, outcome = Empty, error = Empty)
            }
            Task::Undo(_) => {
                let undo = info_span!(target: "compensation", parent: &self.saga, "undo", undoes = name, attempt, outcome = Empty, error = Empty);
                undo.follows_from(of);
                undo
            }
        }
    }

    fn step(&mut self, plan: &Plan, step: StepIndex, name: &str) -> Span {
        if self.steps.is_empty() {
            self.steps.resize(plan.steps.len(), Span::none());
        }
        let Some(span) = self.steps.get_mut(usize::from(step)) else { return Span::none() };
        if span.is_none() {
            *span = info_span!(target: "compensation", parent: &self.saga, "step", step = name);
        }
        span.clone()
    }

    /// The drive is over: no step is open any more, and the saga's span says how it stands.
    pub(super) fn ended(&mut self, status: &str) {
        self.steps.clear();
        self.saga.record("status", status);
    }
}
