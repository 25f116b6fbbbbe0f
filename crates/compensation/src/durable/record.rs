//! The text of journal entries, and a saga's record read back from them.

use crate::{
    clock::Timestamp,
    event::{self, Change, Event},
    machine::Machine,
    plan::Plan,
    repository::{Entry, StoredSaga},
    told::Told,
};

/// The body of the entry that holds these events.
pub(super) fn write(events: &[(Event, u32)]) -> String {
    event::write(events.iter().map(|(event, _)| event))
}

/// Why a record can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("its plan can't be read: {0}")]
    Plan(serde_json::Error),
    #[error("its plan makes no sense: {0}")]
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
    let mut told = Told::new(plan).map_err(Unreadable::Graph)?;
    for (entry, number) in saga.journal.iter().zip(0..) {
        hear(&mut told, entry, number, &mut watch)?;
    }
    Ok(told)
}

/// Whether a saga's end, as its head says it, is in its journal. Both are written at once: where they part, entries
/// are lost, so nobody drives it, and nobody may guess.
pub(super) fn agrees(saga: &StoredSaga, told: &Told) -> Result<(), String> {
    let (head, journal) = (saga.summary.head.status, told.machine.status());
    if head.is_final() && head != journal {
        return Err(format!(
            "the store says that it is {head}, and its journal that it is {journal}"
        ));
    }
    Ok(())
}

fn hear(
    told: &mut Told,
    entry: &Entry,
    number: usize,
    watch: &mut impl FnMut(Timestamp, Change, &Event, &Machine),
) -> Result<(), Unreadable> {
    let events: Vec<Event> = serde_json::from_str(&entry.body)
        .map_err(|error| Unreadable::Entry { entry: number, error })?;
    for event in events {
        let nonsense = |why| Unreadable::Nonsense { entry: number, why };
        let change = told.apply(&event).map_err(nonsense)?;
        watch(entry.at, change, &event, &told.machine);
        told.keep(change, event);
    }
    Ok(())
}
