//! A saga as its events tell it: the machine's state, and the evidence of what happened.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::value::RawValue;

use crate::{
    event::{Change, Event, StepIndex},
    id::SagaId,
    machine::{Graph, GraphError, Machine, Phase},
    outcome::{Order, Outputs, Part, Record, Report, StepFailure},
    plan::Plan,
};

/// What is known of a saga.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) plan: Arc<Plan>,
    pub(crate) graph: Arc<Graph>,
    pub(crate) machine: Machine,
    pub(crate) outputs: Vec<Option<Box<RawValue>>>,
    pub(crate) failures: Vec<StepFailure>,
    pub(crate) abandoned: Option<Order>,
    /// What people gave steps in place of the saga's input.
    pub(crate) inputs: BTreeMap<StepIndex, Box<RawValue>>,
    /// Letters whose orders were carried out.
    pub(crate) letters: Vec<String>,
}

impl Told {
    /// Of a saga to which nothing has happened yet.
    pub(crate) fn new(plan: Plan) -> Result<Self, GraphError> {
        let graph = Arc::new(plan.graph()?);
        Ok(Self {
            outputs: plan.steps.iter().map(|_| None).collect(),
            plan: Arc::new(plan),
            machine: Machine::new(graph.clone()),
            graph,
            failures: Vec::new(),
            abandoned: None,
            inputs: BTreeMap::new(),
            letters: Vec::new(),
        })
    }

    /// Takes in what an event means to the machine. `Err`: why it means nothing.
    pub(crate) fn apply(&mut self, event: &Event) -> Result<Change, String> {
        let change = self.as_meant(event.change().map_err(|error| error.to_string())?);
        self.machine.apply(change).map_err(|error| error.to_string())?;
        Ok(change)
    }

    /// `done_declared` was once said of parked undos as well. It keeps that meaning in what is stored.
    fn as_meant(&self, change: Change) -> Change {
        match change {
            Change::DoneDeclared(step)
                if usize::from(step) < self.plan.steps.len()
                    && matches!(self.machine.phase(step), Phase::UndoParked(_)) =>
            {
                Change::UndoneDeclared(step)
            }
            change => change,
        }
    }

    /// Keeps the evidence of a change that the machine has taken.
    pub(crate) fn keep(&mut self, change: Change, event: Event) {
        self.letters.extend(event.letter);
        if change == Change::Abandoned {
            self.abandoned = event.by.zip(event.why).map(|(by, why)| Order { by, why });
            return;
        }
        // The machine took the change, so the step exists.
        let Some(index) = change.step() else { return };
        let step = usize::from(index);
        if let Some(input) = event.input {
            self.inputs.insert(index, input);
        }
        if event.output.is_some() {
            self.outputs[step] = event.output;
        }
        if let Some(failure) = event.failure {
            let part = match change {
                Change::ProbeFailed { .. } => Part::Probe,
                Change::UndoFailed { .. } => Part::Undo,
                _ => Part::Action,
            };
            let step = self.plan.steps[step].name.as_str().into();
            self.failures.push(StepFailure { step, part, failure });
        }
    }

    /// The record for people; `held` says why nobody runs it, where the machine does not.
    pub(crate) fn report(self, id: SagaId, held: Option<String>) -> Report {
        Report::new(Record {
            plan: self.plan,
            id: Some(id),
            machine: self.machine,
            outputs: Outputs::Stored(self.outputs),
            failures: self.failures,
            abandoned: self.abandoned,
            held,
        })
    }
}
