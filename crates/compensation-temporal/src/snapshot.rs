//! What is left to undo as plain data, for a workflow that continues as new.

use ::compensation::records::RecordId;
use serde::{Deserialize, Serialize};

use crate::{
    compensation::{Undo, UndoPolicy},
    entry::{Entry, Execution, Progress},
    error::ManagerError,
    manager::CompensationManager,
    payload::StoredPayload,
    stop::Stop,
};

/// The format that this version writes. Older ones are read for ever.
const FORMAT: u32 = 1;

/// All that a [`CompensationManager`] knows, as data. Put it into the input of the next run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    format: u32,
    registered: u64,
    entries: Vec<StoredEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop: Option<Stop>,
    #[serde(default)]
    changes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredEntry {
    number: u64,
    name: String,
    undo: StoredUndo,
    policy: UndoPolicy,
    execution: Execution,
    progress: Progress,
    #[serde(default)]
    changed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record_id: Option<RecordId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredUndo {
    Activity { activity: String, input: Vec<StoredPayload> },
    Nothing(String),
}

impl<C> CompensationManager<C> {
    /// Everything that is registered, how it stands, and what a [signal](Self::ask_to_compensate) has asked for, as
    /// data.
    ///
    /// # Errors
    /// [`ManagerError::Closure`] where a closure is left to be run, which is no data;
    /// [`ManagerError::Compensating`] and [`ManagerError::InFlight`] while something is under way.
    pub fn snapshot(&self) -> Result<Snapshot, ManagerError> {
        self.check_idle()?;
        let stack = self.stack.borrow();
        let entries = stack.entries.iter().map(store).collect::<Result<_, _>>()?;
        Ok(Snapshot {
            format: FORMAT,
            registered: stack.registered,
            entries,
            stop: stack.stop.clone(),
            changes: stack.changes,
        })
    }

    /// Takes over what an earlier run left. Savepoints made in that run stay valid.
    ///
    /// # Errors
    /// [`ManagerError::NotEmpty`] where something is registered already; [`ManagerError::Format`] for a snapshot of a
    /// newer version.
    pub fn restore(&self, snapshot: Snapshot) -> Result<(), ManagerError> {
        if snapshot.format > FORMAT {
            return Err(ManagerError::Format(snapshot.format));
        }
        let mut stack = self.stack.borrow_mut();
        if !stack.entries.is_empty() {
            return Err(ManagerError::NotEmpty);
        }
        stack.registered = snapshot.registered;
        stack.entries = snapshot.entries.into_iter().map(load).collect();
        stack.changes = snapshot.changes;
        drop(stack);
        if let Some(stop) = snapshot.stop {
            self.ask(stop);
        }
        Ok(())
    }
}

fn store<C>(entry: &Entry<C>) -> Result<StoredEntry, ManagerError> {
    let undo = match &entry.undo {
        Undo::Activity { activity, input } => StoredUndo::Activity {
            activity: activity.clone(),
            input: input.iter().cloned().map(Into::into).collect(),
        },
        Undo::Nothing(why) => StoredUndo::Nothing(why.clone()),
        Undo::Closure(_) if entry.is_over() => StoredUndo::Nothing("it is over".to_owned()),
        Undo::Closure(_) => return Err(ManagerError::Closure(entry.name.clone())),
    };
    let Entry { number, execution, changed, record_id, .. } = *entry;
    let (name, policy, progress) =
        (entry.name.clone(), entry.policy.clone(), entry.progress.clone());
    Ok(StoredEntry { number, name, undo, policy, execution, progress, changed, record_id })
}

fn load<C>(stored: StoredEntry) -> Entry<C> {
    let StoredEntry { number, name, undo, policy, execution, progress, changed, record_id } =
        stored;
    let undo = match undo {
        StoredUndo::Activity { activity, input } => {
            Undo::Activity { activity, input: input.into_iter().map(Into::into).collect() }
        }
        StoredUndo::Nothing(why) => Undo::Nothing(why),
    };
    let running = None;
    Entry { number, name, undo, policy, execution, progress, running, changed, record_id }
}
