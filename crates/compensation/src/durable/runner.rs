//! One task drives one saga to its end, and tells whoever waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::{
    error::EngineError,
    journal::{Journal, Place, Unwritten},
    record::{self, Told},
    registry::{Fit, Registered},
    table::Inner,
};
use crate::{
    drive::{Drive, End, Ordered, Start},
    event::Change,
    handler::{AnyValue, Scope},
    id::SagaId,
    machine::Machine,
    outcome::{Order, Outcome},
    repository::{SagaKey, StoredSaga},
    saga::Definition,
    status::Status,
};

pub(super) type Ended = Result<Outcome, EngineError>;

/// A saga ready to be driven.
pub(super) struct Ready {
    drive: Drive<Journal>,
    /// It was over when it was acquired.
    idle: bool,
}

/// A saga that nobody has started yet.
pub(super) fn fresh(
    inner: &Inner,
    registered: &Registered,
    id: SagaId,
    input: (String, AnyValue),
    orders: mpsc::UnboundedReceiver<Ordered>,
    created: oneshot::Sender<()>,
) -> Ready {
    let Registered { definition, text } = registered;
    let (input, value) = input;
    let place = Place::New { plan: text.clone(), input, created: Some(created) };
    let journal = Journal::new(
        inner.desk.clone(),
        id.clone(),
        definition.plan.saga.as_str().into(),
        definition.plan.clone(),
        place,
        orders,
        Status::Running,
    );
    let start = Start {
        definition: definition.clone(),
        scope: definition.scope(value, Some(id)),
        machine: Machine::new(definition.graph.clone()),
        failures: Vec::new(),
        abandoned: None,
    };
    Ready { drive: Drive::new(start, journal), idle: false }
}

/// A saga that the store has and this engine owns. `Err`: why it can't be driven.
pub(super) fn stored(
    inner: &Inner,
    saga: &StoredSaga,
    orders: mpsc::UnboundedReceiver<Ordered>,
) -> Result<Ready, String> {
    let told = record::read(saga).map_err(|unreadable| unreadable.to_string())?;
    let (definition, changed) = match inner.registry.fit(&saga.plan, &told) {
        Fit::Runs(definition) => (definition, false),
        Fit::Undoes(definition) => (definition, !told.machine.is_backward()),
        Fit::None(reason) => return Err(reason),
    };
    let id = saga.summary.id.clone();
    let scope = scope(&definition, saga, &told)?;
    let entries = u32::try_from(saga.journal.len()).map_err(|error| error.to_string())?;
    let journal = Journal::new(
        inner.desk.clone(),
        id,
        saga.summary.name.clone(),
        told.plan.clone(),
        Place::Stored { key: saga.key, entries },
        orders,
        saga.summary.head.status,
    );
    let Told { machine, failures, abandoned, .. } = told;
    let open = machine.status().is_open();
    let mut drive = Drive::new(Start { definition, scope, machine, failures, abandoned }, journal);
    if open && changed {
        undo_changed(&mut drive)?;
    }
    drive.interrupt();
    Ok(Ready { drive, idle: !open })
}

/// A saga whose definition has changed under it does not go on: it is undone.
fn undo_changed(drive: &mut Drive<Journal>) -> Result<(), String> {
    let (reply, mut refused) = oneshot::channel();
    drive.take(Ordered::Change {
        change: Change::CancelRequested,
        order: Some(Order {
            by: "compensation".to_owned(),
            why: "its definition has changed".to_owned(),
        }),
        output: None,
        reply: Some(reply),
    });
    match refused.try_recv() {
        Ok(Err(_)) => Err("its definition has changed after its pivot, where nothing is undone: \
                           register the definition that it was started with"
            .to_owned()),
        _ => Ok(()),
    }
}

/// Input and outputs, as the functions know them.
fn scope(
    definition: &Arc<Definition>,
    saga: &StoredSaga,
    told: &Told,
) -> Result<Arc<Scope>, String> {
    let input = definition
        .input
        .decode(&saga.input)
        .map_err(|error| format!("its input is not what the definition takes: {error}"))?;
    let scope = definition.scope(input, Some(saga.summary.id.clone()));
    for (step, index) in told.plan.steps.iter().zip(0..) {
        let place = usize::from(index);
        let codec = definition.handlers[place].output;
        match &told.outputs[place] {
            Some(text) => match codec.decode(text.get()) {
                Ok(output) => scope.keep(index, output),
                Err(error) => {
                    return Err(format!(
                        "the output of step `{}` can't be read: {error}",
                        step.name
                    ));
                }
            },
            // Outputs like `()` are not written down.
            None if told.machine.phase(index).has_output() => {
                if let Ok(output) = codec.decode("null") {
                    scope.keep(index, output);
                }
            }
            None => {}
        }
    }
    Ok(scope)
}

impl Ready {
    /// Whether there was nothing left to drive when it was acquired.
    pub(super) fn idle(&self) -> bool {
        self.idle
    }

    /// Takes an order before anything else happens.
    pub(super) fn order(&mut self, ordered: Ordered) {
        self.drive.take(ordered);
    }

    /// Drives the saga in a task of its own until it ends.
    pub(super) fn spawn(self, inner: Arc<Inner>, id: SagaId, permit: OwnedSemaphorePermit) {
        inner.runtime.clone().spawn(async move {
            let (ended, stray) = self.run(&inner, &id).await;
            drop(permit);
            inner.finished(&id, ended);
            if let Some(key) = stray {
                // Only now: whoever claims it must not find it in the table.
                inner.stray(key);
            }
        });
    }

    /// Drives it. Returns the word for those who wait, and what is left to be let go.
    async fn run(mut self, inner: &Arc<Inner>, id: &SagaId) -> (Option<Ended>, Option<SagaKey>) {
        let end = self.drive.run().await;
        let key = self.drive.host().key();
        match end {
            End::Ended => {
                // Every end releases the saga, except where there was nothing to write.
                if let (Some(key), true) = (key, self.idle) {
                    inner.release(key).await;
                }
                (Some(self.outcome(None)), None)
            }
            End::Drained => {
                if let Some(key) = key {
                    inner.release(key).await;
                }
                (Some(Err(EngineError::Closing)), None)
            }
            End::Unwritten(Unwritten::Existing) => (None, None),
            End::Unwritten(Unwritten::Refused(error)) => {
                if key.is_some() {
                    tracing::error!(saga = %id, %error, "the saga waits until the store works again");
                }
                (Some(Err(error.into())), key)
            }
            End::Broken(illegal) => {
                let reason = format!("defect in the library: {illegal}");
                if let Some(key) = key {
                    inner.park(key, id, reason.clone()).await;
                }
                (Some(self.outcome(Some(reason))), None)
            }
        }
    }

    fn outcome(&mut self, held: Option<String>) -> Ended {
        Outcome::of(self.drive.report(held)).ok_or(EngineError::Closing)
    }
}
