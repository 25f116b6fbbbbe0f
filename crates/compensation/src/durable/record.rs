//! The text of journal entries, and a saga's record read back from them.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::value::RawValue;

use crate::{
    clock::Timestamp,
    event::{Change, Event, StepIndex},
    machine::{Graph, Machine},
    outcome::{Order, Outputs, Part, Record, Report, StepFailure},
    plan::Plan,
    repository::{Entry, StoredSaga},
};

/// The body of the entry that holds these events.
pub(super) fn write(events: &[(Event, u32)]) -> String {
    let mut body = String::with_capacity(64 * events.len());
    for (event, _) in events {
        body.push(if body.is_empty() { '[' } else { ',' });
        // Events are plain data whose texts are valid already; there is nothing that could fail.
        body.push_str(&serde_json::to_string(event).unwrap_or_default());
    }
    body.push(']');
    body
}

/// A saga as its record tells it.
pub(super) struct Told {
    pub(super) plan: Arc<Plan>,
    pub(super) graph: Arc<Graph>,
    pub(super) machine: Machine,
    pub(super) outputs: Vec<Option<Box<RawValue>>>,
    pub(super) failures: Vec<StepFailure>,
    pub(super) abandoned: Option<Order>,
    /// What people gave steps in place of the saga's input.
    pub(super) inputs: BTreeMap<StepIndex, Box<RawValue>>,
    /// Letters whose orders were carried out.
    pub(super) letters: Vec<String>,
}

/// Why a record can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("its plan can't be read: {0}")]
    Plan(serde_json::Error),
    #[error("its plan makes no sense: {0:?}")]
    Graph(crate::machine::GraphError),
    #[error("entry {entry} of its journal can't be read: {error}")]
    Entry { entry: usize, error: serde_json::Error },
    #[error("entry {entry} of its journal makes no sense: {why}")]
    Nonsense { entry: usize, why: String },
}

pub(super) fn read(saga: &StoredSaga) -> Result<Told, Unreadable> {
    read_with(saga, |_, _, _, _| {})
}

/// The same, with somebody who watches: told each change with its moment and evidence, and the machine as it
/// is after it.
pub(super) fn read_with(
    saga: &StoredSaga,
    mut watch: impl FnMut(Timestamp, Change, &Event, &Machine),
) -> Result<Told, Unreadable> {
    let plan: Plan = serde_json::from_str(&saga.plan).map_err(Unreadable::Plan)?;
    let graph = Arc::new(plan.graph().map_err(Unreadable::Graph)?);
    let mut told = Told {
        outputs: plan.steps.iter().map(|_| None).collect(),
        plan: Arc::new(plan),
        machine: Machine::new(graph.clone()),
        graph,
        failures: Vec::new(),
        abandoned: None,
        inputs: BTreeMap::new(),
        letters: Vec::new(),
    };
    for (entry, number) in saga.journal.iter().zip(0..) {
        told.hear(entry, number, &mut watch)?;
    }
    Ok(told)
}

impl Told {
    fn hear(
        &mut self,
        entry: &Entry,
        number: usize,
        watch: &mut impl FnMut(Timestamp, Change, &Event, &Machine),
    ) -> Result<(), Unreadable> {
        let events: Vec<Event> = serde_json::from_str(&entry.body)
            .map_err(|error| Unreadable::Entry { entry: number, error })?;
        for event in events {
            let nonsense = |why: String| Unreadable::Nonsense { entry: number, why };
            let change = event.change().map_err(|error| nonsense(error.to_string()))?;
            self.machine.apply(change).map_err(|error| nonsense(error.to_string()))?;
            watch(entry.at, change, &event, &self.machine);
            self.keep(change, event);
        }
        Ok(())
    }

    fn keep(&mut self, change: Change, event: Event) {
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
    pub(super) fn report(self, saga: &StoredSaga, held: Option<String>) -> Report {
        Report::new(Record {
            plan: self.plan,
            id: Some(saga.summary.id.clone()),
            machine: self.machine,
            outputs: Outputs::Stored(self.outputs),
            failures: self.failures,
            abandoned: self.abandoned,
            held,
        })
    }
}
