//! One task drives one saga to its end, and tells whoever waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::{
    error::EngineError,
    journal::{Journal, Place, Unwritten},
    notice::Subject,
    record,
    registry::{Fit, Registered},
    table::Inner,
};
use crate::{
    clock::Timestamp,
    drive::{Drive, End, Ordered, Refused, Start, Wish, guarded},
    event::{Change, StepIndex},
    handler::{AnyValue, Edits, Scope},
    id::SagaId,
    machine::{Effect, Machine},
    outcome::{Order, Outcome},
    repository::StoredSaga,
    saga::Definition,
    status::Status,
    told::Told,
};

pub(super) type Ended = Result<Outcome, EngineError>;

/// Why a saga whose definition has changed can't be undone.
const PAST_PIVOT: &str = "its definition has changed after its pivot, where nothing is undone: register \
                          the definition that it was started with";

/// A saga ready to be driven.
pub(super) struct Ready {
    drive: Drive<Journal>,
    /// It was over when it was acquired.
    idle: bool,
    /// Its definition has changed under it: it may only be undone.
    changed: bool,
}

/// A saga that nobody has started yet.
pub(super) fn fresh(
    inner: &Inner,
    registered: &Registered,
    id: SagaId,
    input: (String, AnyValue),
    orders: mpsc::UnboundedReceiver<Ordered>,
    created: watch::Sender<bool>,
) -> Ready {
    let Registered { definition, text } = registered;
    let (input, value) = input;
    let place = Place::New { plan: text.clone(), input, created };
    // Its moment is that of its first write.
    let subject = Subject {
        id: id.clone(),
        saga: definition.plan.saga.as_str().into(),
        created: Timestamp::now(),
    };
    let journal = Journal::new(
        inner.desk.clone(),
        subject,
        definition.plan.clone(),
        place,
        orders,
        Status::Running,
    );
    let scope = definition.scope(value, Some(id));
    let start = Start::new(definition.clone(), scope, Machine::new(definition.graph.clone()));
    Ready { drive: Drive::new(start, journal), idle: false, changed: false }
}

/// A saga that the store has and this engine owns. `Err`: why it can't be driven.
pub(super) fn stored(
    inner: &Inner,
    saga: &StoredSaga,
    orders: mpsc::UnboundedReceiver<Ordered>,
    order: Option<&Ordered>,
) -> Result<Ready, String> {
    let told = record::read(saga).map_err(|unreadable| unreadable.to_string())?;
    record::agrees(saga, &told)?;
    let (definition, scope, edits, changed) = match functions(inner, saga, &told) {
        Ok(functions) => functions,
        // To give a saga up nothing of it need be run.
        Err(_) if order.is_some_and(gives_up) => nothing_but_the_plan(saga, &told),
        Err(reason) => return Err(reason),
    };
    let entries = u32::try_from(saga.journal.len()).map_err(|error| error.to_string())?;
    let journal = Journal::new(
        inner.desk.clone(),
        Subject::of(&saga.summary),
        told.plan.clone(),
        Place::Stored { key: saga.key, entries },
        orders,
        saga.summary.head.status,
    );
    let Told { machine, failures, abandoned, letters, .. } = told;
    let open = machine.status().is_open();
    let mut drive = Drive::new(
        Start { definition, scope, machine, failures, abandoned, edits, letters },
        journal,
    );
    drive.interrupt();
    let mut ready = Ready { drive, idle: !open, changed };
    if open && !order.is_some_and(gives_up) {
        ready.undo_if_changed()?;
    }
    Ok(ready)
}

fn gives_up(order: &Ordered) -> bool {
    matches!(order, Ordered::Change(wish, _) if wish.change == Change::Abandoned)
}

/// What carries a stored saga out, and what people gave its steps; whether it may only be undone.
type Functions = (Arc<Definition>, Arc<Scope>, Option<Arc<Edits>>, bool);

fn functions(inner: &Inner, saga: &StoredSaga, told: &Told) -> Result<Functions, String> {
    let (definition, changed) = match inner.registry.fit(&saga.plan, told) {
        Fit::Runs(definition) => (definition, false),
        Fit::Undoes(definition) => (definition, true),
        Fit::None(reason) => return Err(reason),
    };
    let scope = scope(&definition, saga, told)?;
    let edits = edits(&definition, told)?;
    Ok((definition, scope, edits, changed))
}

fn nothing_but_the_plan(saga: &StoredSaga, told: &Told) -> Functions {
    let definition = super::registry::without_functions(told);
    let scope = definition.scope(Box::new(()), Some(saga.summary.id.clone()));
    (definition, scope, None, true)
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
            None if is_done(&told.machine, index) => {
                if let Ok(output) = codec.decode("null") {
                    scope.keep(index, output);
                }
            }
            None => {}
        }
    }
    Ok(scope)
}

/// What people gave steps in place of the saga's input. (An output in place of another is the step's output in
/// what is read back.)
fn edits(definition: &Definition, told: &Told) -> Result<Option<Arc<Edits>>, String> {
    let mut edits = None;
    for (step, input) in &told.inputs {
        let input = definition.input.decode(input.get()).map_err(|error| {
            let name = &told.plan.steps[usize::from(*step)].name;
            format!("the input that step `{name}` was given can't be read: {error}")
        })?;
        edits.get_or_insert_with(Edits::default).set_input(*step, input);
    }
    Ok(edits.map(Arc::new))
}

/// Whether a step is recorded as done, or was when its undo started.
fn is_done(machine: &Machine, step: StepIndex) -> bool {
    machine.phase(step).has_output() && machine.effect(step) == Effect::Sure
}

impl Ready {
    /// A saga whose definition has changed under it does not go on: it is undone.
    fn undo_if_changed(&mut self) -> Result<(), String> {
        let machine = self.drive.machine();
        if !self.changed || !machine.status().is_open() || machine.is_backward() {
            return Ok(());
        }
        let (reply, mut refused) = oneshot::channel();
        let why = "its definition has changed".to_owned();
        let order = Some(Order { by: "compensation".to_owned(), why });
        let wish = Wish { order, ..Wish::of(Change::CancelRequested) };
        self.drive.take(Ordered::Change(Box::new(wish), Some(reply)));
        match refused.try_recv() {
            Ok(Err(_)) => Err(PAST_PIVOT.to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether an order would let a saga go on by a definition that is not its own, with no way back.
    fn leads_astray(&self, ordered: &Ordered) -> bool {
        let Ordered::Change(wish, _) = ordered else { return false };
        if !self.changed {
            return false;
        }
        let Some(mut after) = self.drive.after(wish.change) else { return false };
        let forward = after.status().is_open() && !after.is_backward();
        forward && after.apply(Change::CancelRequested).is_err()
    }

    /// Whether there was nothing left to drive when it was acquired.
    pub(super) fn idle(&self) -> bool {
        self.idle
    }

    /// Takes an order before anything else happens.
    pub(super) fn order(&mut self, ordered: Ordered) {
        if !self.leads_astray(&ordered) {
            self.drive.take(ordered);
            // Checked above: it can be undone.
            let _ = self.undo_if_changed();
        } else if let Ordered::Change(_, Some(reply)) = ordered {
            // Whoever asked may have gone.
            let _ = reply.send(Err(Refused::Changed(PAST_PIVOT)));
        }
    }

    /// Drives the saga in a task of its own until it ends.
    pub(super) fn spawn(mut self, inner: Arc<Inner>, id: SagaId, permit: OwnedSemaphorePermit) {
        if inner.is_closing() {
            self.drive.take(Ordered::Drain);
        }
        let driver = Driver { inner, id, ready: Some(self) };
        driver.inner.runtime.clone().spawn(async move {
            driver.run().await;
            drop(permit);
        });
    }

    /// Drives it. Returns the word for those who wait, and whether it must be looked after again.
    async fn run(&mut self, inner: &Arc<Inner>, id: &SagaId) -> (Option<Ended>, bool) {
        let end = self.drive.run().await;
        let key = self.drive.host().key();
        match end {
            End::Ended => {
                // Every end releases the saga, except where there was nothing to write.
                if let (Some(key), true) = (key, self.idle) {
                    inner.release(key, id).await;
                }
                (Some(self.outcome(None)), false)
            }
            End::Drained => {
                if let Some(key) = key {
                    inner.release(key, id).await;
                }
                (Some(Err(EngineError::Closing)), false)
            }
            End::Unwritten(Unwritten::Existing) => (None, false),
            End::Unwritten(Unwritten::Refused(error)) => {
                tracing::error!(saga = %id, %error, "the saga waits until the store works again");
                // Also where it could not be created: the answer may be lost, and the saga there.
                (Some(Err(error.into())), true)
            }
            End::Broken(illegal) => {
                // Nothing of it may go on once it is parked.
                self.drive.stop();
                let reason = format!("defect in the library: {illegal}");
                if let Some(key) = key {
                    let subject = self.drive.host().subject.clone();
                    inner.park(key, &subject, reason.clone()).await;
                }
                (Some(self.outcome(Some(reason))), false)
            }
        }
    }

    fn outcome(&mut self, held: Option<String>) -> Ended {
        Outcome::of(self.drive.report(held)).ok_or(EngineError::Closing)
    }
}

/// A saga's driver. Where it dies (a panic outside of every border, a runtime that shuts down) those who wait
/// are told, and the saga is looked after again.
struct Driver {
    inner: Arc<Inner>,
    id: SagaId,
    /// Taken once it has ended.
    ready: Option<Ready>,
}

impl Driver {
    async fn run(mut self) {
        let Some(ready) = &mut self.ready else { return };
        let (ended, stray) = ready.run(&self.inner, &self.id).await;
        self.end(ended, stray);
    }

    fn end(&mut self, ended: Option<Ended>, stray: bool) {
        let ready = self.ready.take();
        // What it holds of the user's may panic as it is dropped.
        if guarded(|| drop(ready)).is_err() {
            tracing::warn!(saga = %self.id, "something of a saga panicked while it was dropped");
        }
        // Whoever drains waits until it is among the strays.
        let _until_then = stray.then(|| self.inner.busy());
        self.inner.finished(&self.id, ended);
        if stray {
            // Only now: whoever looks after it must not find it in the table.
            self.inner.stray(&self.id);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.ready.is_some() {
            tracing::error!(saga = %self.id, "the driver of a saga died");
            self.end(Some(Err(EngineError::Closing)), true);
        }
    }
}
