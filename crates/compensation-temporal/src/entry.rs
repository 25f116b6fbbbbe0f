//! One registered compensation: what undoes, what is known of its activity, and how the undo stands.

use std::{
    cell::RefCell,
    rc::Weak,
    time::{SystemTime, UNIX_EPOCH},
};

use ::compensation::{
    CompensationExecutionRecord, CompensationStatus, Timestamp, records::RecordId,
};
use serde::{Deserialize, Serialize};
use temporalio_workflow::WorkflowCancellationToken;

use crate::{
    compensation::{Undo, UndoPolicy},
    mirror::Mirror,
    report::Report,
    slot::Slot,
    stop::Stop,
};

/// What is known of the activity that is to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Execution {
    /// Nobody has said anything, or its reply was lost: it may have had its effect.
    Unknown,
    /// It is done.
    Done,
    /// It is known to have had no effect.
    NotDone,
}

pub(crate) struct Entry<C> {
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) undo: Undo<C>,
    pub(crate) policy: UndoPolicy,
    pub(crate) execution: Execution,
    pub(crate) progress: Progress,
    /// The activity of a step, until it has ended.
    pub(crate) running: Option<Running>,
    /// The stack's count of changes when its progress changed last.
    pub(crate) changed: u64,
    /// Its record in the mirror, once there is one.
    pub(crate) record_id: Option<RecordId>,
}

/// An activity of a step that has not ended.
pub(crate) struct Running {
    /// Gone when the step's future was dropped.
    pub(crate) slot: Weak<Slot>,
    pub(crate) token: WorkflowCancellationToken,
}

/// How an undo stands, as data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    pub(crate) status: CompensationStatus,
    /// Attempts that are known of.
    pub(crate) attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started: Option<SystemTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<SystemTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Why it was passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl<C> Entry<C> {
    pub(crate) fn record(&self) -> CompensationExecutionRecord {
        let Progress { status, attempts, started, ended, error, .. } = &self.progress;
        let span = started.zip(*ended).and_then(|(from, to)| to.duration_since(from).ok());
        CompensationExecutionRecord {
            activity_name: self.name.clone(),
            status: *status,
            executed_at: started.map(timestamp),
            duration: span,
            error: error.clone(),
            retries: attempts.saturating_sub(1),
        }
    }

    /// It is undone, or passed over: nothing that it captured is kept.
    pub(crate) fn forget_undo(&mut self) -> Undo<C> {
        std::mem::replace(&mut self.undo, Undo::Nothing("it is over".to_owned()))
    }

    /// Whether its name may be given to something else: nothing of it is left to undo.
    pub(crate) fn is_over(&self) -> bool {
        self.progress.status.is_final()
            || (self.execution == Execution::NotDone && self.running.is_none())
    }
}

pub(crate) fn timestamp(moment: SystemTime) -> Timestamp {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What is registered, oldest first.
pub(crate) struct Stack<C> {
    pub(crate) entries: Vec<Entry<C>>,
    pub(crate) registered: u64,
    pub(crate) compensating: bool,
    /// How often the progress of an entry has changed.
    pub(crate) changes: u64,
    /// What a signal has asked for.
    pub(crate) stop: Option<Stop>,
    /// Cancelled by it; made once somebody wants one.
    pub(crate) stop_token: Option<WorkflowCancellationToken>,
    /// What the last rollback did.
    pub(crate) report: Option<Report>,
    pub(crate) mirror: Option<Mirror>,
}

impl<C> Default for Stack<C> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            registered: 0,
            compensating: false,
            changes: 0,
            stop: None,
            stop_token: None,
            report: None,
            mirror: None,
        }
    }
}

pub(crate) type Shared<C> = RefCell<Stack<C>>;

impl<C> Stack<C> {
    /// The last of that name.
    pub(crate) fn find(&mut self, name: &str) -> Option<&mut Entry<C>> {
        self.entries.iter_mut().rev().find(|entry| entry.name == name)
    }

    pub(crate) fn at(&mut self, number: u64) -> Option<&mut Entry<C>> {
        let place = self.entries.binary_search_by_key(&number, |entry| entry.number).ok()?;
        self.entries.get_mut(place)
    }

    /// The same, for a change of its progress.
    pub(crate) fn change(&mut self, number: u64) -> Option<&mut Entry<C>> {
        self.changes += 1;
        let changed = self.changes;
        let entry = self.at(number)?;
        entry.changed = changed;
        Some(entry)
    }
}
