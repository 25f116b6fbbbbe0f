//! The records of a saga's undos, read from its plan and journal. Nothing of them is stored anywhere else.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, value::RawValue};

use crate::{
    clock::Timestamp,
    compensation_status::CompensationStatus,
    durable::record::{self, Unreadable},
    error::Failure,
    event::{Change, Event, StepIndex},
    machine::{Machine, Park, Phase},
    plan::{Fnv, UndoPlan},
    records::{RecordId, UndoRecord},
    repository::StoredSaga,
    status::Status,
    told::Told,
};

/// One record for each step that has an undo, in the order of the plan.
pub(super) fn derive(saga: &StoredSaga) -> Result<Vec<UndoRecord>, Unreadable> {
    let mut history = UndoHistory::default();
    let told = record::read_with(saga, |at, change, event, machine| {
        history.hear(at, change, event, machine);
    })?;
    Ok(history.records(saga, &told))
}

fn value(output: &RawValue) -> Value {
    // A number beyond what this program can count in is shown as it is written.
    serde_json::from_str(output.get()).unwrap_or_else(|_| output.get().into())
}

/// What the journal says of times, attempts and errors, which the machine does not keep.
#[derive(Default)]
pub(in crate::durable) struct UndoHistory {
    steps: Vec<Track>,
    /// When all steps were done.
    completed: Option<Timestamp>,
    /// When the saga turned back.
    turned: Option<Timestamp>,
    /// When it was given up.
    abandoned: Option<Timestamp>,
}

/// One step's part of it.
#[derive(Clone, Default)]
struct Track {
    /// When the step was last heard of.
    heard: Option<Timestamp>,
    /// When its action was done.
    done: Option<Timestamp>,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    attempts: u32,
    error: Option<String>,
    reason: Option<String>,
}

impl UndoHistory {
    /// One record for each step that has an undo, in the order of the plan.
    pub(in crate::durable) fn records(&self, saga: &StoredSaga, told: &Told) -> Vec<UndoRecord> {
        let mut hash = Fnv::new();
        hash.text(saga.summary.id.as_str());
        let steps = told.plan.steps.iter().zip(0..);
        let undoable = steps.filter(|(step, _)| matches!(step.undo, UndoPlan::Run { .. }));
        let derived = undoable.map(|(plan, step)| {
            let id = RecordId::derived(saga.summary.created, step, hash.0);
            let mut record = UndoRecord::with_id(id, saga.summary.id.as_str(), plan.name.as_str());
            record.revision = saga.journal.len() as u64;
            record.metadata = BTreeMap::from([("saga".to_owned(), told.plan.saga.clone())]);
            record.compensation_data =
                told.outputs[usize::from(step)].as_deref().map_or(Value::Null, value);
            self.tell(&mut record, told, step);
            record
        });
        derived.collect()
    }

    /// Takes in a change, with the machine as it is after it.
    pub(in crate::durable) fn hear(
        &mut self,
        at: Timestamp,
        change: Change,
        event: &Event,
        machine: &Machine,
    ) {
        if machine.is_backward() {
            self.turned.get_or_insert(at);
        } else if machine.status() == Status::Completed {
            self.completed = Some(at);
        }
        let Some(step) = change.step() else {
            if change == Change::Abandoned {
                self.abandoned = Some(at);
            }
            return;
        };
        let place = usize::from(step);
        if place >= self.steps.len() {
            self.steps.resize(place + 1, Track::default());
        }
        self.steps[place].hear(at, change, event, machine.phase(step));
    }

    /// Fills in how an undo stands, and since when.
    fn tell(&self, record: &mut UndoRecord, told: &Told, step: StepIndex) {
        let track = self.steps.get(usize::from(step)).cloned().unwrap_or_default();
        let made = record.created_at();
        record.started_at = track.started;
        record.completed_at = track.ended;
        record.retries = track.attempts.saturating_sub(1);
        record.error = track.error;
        record.reason = track.reason;
        record.updated_at = track.heard.unwrap_or(made);
        let is_abandoned = told.machine.status() == Status::Abandoned;
        record.status = match told.machine.phase(step) {
            Phase::Undoing | Phase::UndoRetrying if !is_abandoned => CompensationStatus::Running,
            Phase::Undone => CompensationStatus::Completed,
            Phase::UndoSkipped => CompensationStatus::Skipped,
            Phase::UndoParked(park) => {
                if park != Park::UndoFailed {
                    record.error = Some(park.to_string());
                }
                // It may have been parked by the failure of another step.
                record.completed_at = record.completed_at.or(self.turned);
                CompensationStatus::Failed
            }
            // Given up while it waited for its next attempt.
            Phase::Undoing | Phase::UndoRetrying => {
                record.completed_at = record.completed_at.or(self.abandoned);
                CompensationStatus::Failed
            }
            phase => match self.needless(told, step, phase) {
                Some((why, since)) => {
                    record.reason = Some(why);
                    record.completed_at = since;
                    record.updated_at = record.updated_at.max(since.unwrap_or(made));
                    CompensationStatus::Skipped
                }
                None => CompensationStatus::Pending,
            },
        };
        record.duration = record.started_at.zip(record.completed_at).map(|(start, end)| {
            let millis = end.as_millis().saturating_sub(start.as_millis()).max(0);
            Duration::from_millis(millis.unsigned_abs())
        });
    }

    /// Why an undo that was not attempted will not be, and since when.
    fn needless(
        &self,
        told: &Told,
        step: StepIndex,
        phase: Phase,
    ) -> Option<(String, Option<Timestamp>)> {
        let machine = &told.machine;
        let heard = |step: usize| self.steps.get(step);
        let because = |why: &str, since| Some((why.to_owned(), since));
        match phase {
            Phase::Waiting if machine.is_backward() => {
                return because("its step was never started", self.turned);
            }
            Phase::Failed => {
                let since = heard(usize::from(step)).and_then(|track| track.heard);
                return because("its step had no effect", since);
            }
            _ => {}
        }
        if let Some(order) = &told.abandoned {
            return Some((format!("given up by {}: {}", order.by, order.why), self.abandoned));
        }
        // A saga that is past its pivot never turns back.
        if let Some(pivot) = told.graph.pivot().filter(|&it| machine.phase(it) == Phase::Done) {
            let since = heard(usize::from(pivot)).and_then(|track| track.done);
            return because("the saga is past its pivot", since);
        }
        match machine.status() {
            Status::Completed => because("the saga completed", self.completed),
            _ => None,
        }
    }
}

impl Track {
    fn hear(&mut self, at: Timestamp, change: Change, event: &Event, phase: Phase) {
        self.heard = Some(at);
        if let Change::UndoStarted(_) = change {
            self.attempts += 1;
            self.started.get_or_insert(at);
        }
        if let Change::UndoFailed { .. } = change {
            self.error = event.failure.as_ref().map(Failure::to_string);
        }
        match phase {
            Phase::Done => self.done = Some(at),
            Phase::Undoing | Phase::UndoRetrying => self.ended = None,
            Phase::Undone => (self.ended, self.error) = (Some(at), None),
            Phase::UndoSkipped | Phase::UndoParked(_) => self.ended = Some(at),
            _ => return,
        }
        self.reason = match (phase, event.by.as_ref().zip(event.why.as_ref())) {
            (Phase::Undone, Some((by, why))) => Some(format!("declared done by {by}: {why}")),
            (Phase::UndoSkipped, Some((by, why))) => Some(format!("skipped by {by}: {why}")),
            (Phase::UndoSkipped, None) => Some("its definition lets it be skipped".to_owned()),
            _ => None,
        };
    }
}
