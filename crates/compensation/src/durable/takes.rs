//! Sagas that an engine is taking from its store. Between the store's answer and a saga's entry into the table the
//! saga may have been driven here by somebody else, and let go: what the answer says is then out of date.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::watch;

use crate::id::SagaId;

/// Every taking that is under way.
pub(super) struct Takes(watch::Sender<State>);

#[derive(Default)]
struct State {
    /// Counts what happens, so that it has an order.
    now: u64,
    /// When each taking under way began.
    begun: BTreeSet<u64>,
    /// When sagas left the table last, since the oldest of those began.
    left: HashMap<SagaId, u64>,
    /// Who is at work on sagas that may be owned and are not in the table, between takings too.
    busy: usize,
}

/// Somebody at such work, however long. Remembers nothing of sagas that leave meanwhile.
pub(super) struct Busy(watch::Sender<State>);

/// One taking, from before the store is asked until what it gave has entered the table.
pub(super) struct Taking {
    takes: watch::Sender<State>,
    begun: u64,
}

impl Takes {
    pub(super) fn new() -> Self {
        Self(watch::channel(State::default()).0)
    }

    /// To be called before the store is asked.
    pub(super) fn begin(&self) -> Taking {
        let mut begun = 0;
        self.0.send_modify(|state| {
            state.now += 1;
            begun = state.now;
            state.begun.insert(begun);
        });
        Taking { takes: self.0.clone(), begun }
    }

    /// To be held by whoever takes several times, or waits in between.
    pub(super) fn busy(&self) -> Busy {
        self.0.send_modify(|state| state.busy += 1);
        Busy(self.0.clone())
    }

    /// A saga has left the table.
    pub(super) fn left(&self, id: &SagaId) {
        self.0.send_if_modified(|state| {
            if !state.begun.is_empty() {
                state.now += 1;
                state.left.insert(id.clone(), state.now);
            }
            // Nobody waits for this.
            false
        });
    }

    /// Waits until none is under way, and nobody is busy.
    pub(super) async fn none(&self) {
        // The sender lives as long as this.
        let _ =
            self.0.subscribe().wait_for(|state| state.begun.is_empty() && state.busy == 0).await;
    }
}

impl Taking {
    /// Whether a saga left the table since this began, so that what the store said of it may be out of date.
    pub(super) fn is_outdated(&self, id: &SagaId) -> bool {
        self.takes.borrow().left.get(id).is_some_and(|left| *left > self.begun)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|state| state.busy -= 1);
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.takes.send_modify(|state| {
            let was_oldest = state.begun.first() == Some(&self.begun);
            state.begun.remove(&self.begun);
            match state.begun.first().copied() {
                None => state.left.clear(),
                Some(oldest) if was_oldest => state.left.retain(|_, left| *left > oldest),
                Some(_) => {}
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_left_is_forgotten_once_no_taking_is_old_enough_to_ask_for_it() {
        let (takes, id) = (Takes::new(), SagaId::new("a").expect("an id"));
        let old = takes.begin();
        takes.left(&id);
        let young = takes.begin();
        assert!(old.is_outdated(&id) && !young.is_outdated(&id));
        drop(old);
        assert!(takes.0.borrow().left.is_empty());
        drop(young);
        takes.left(&id);
        assert!(takes.0.borrow().left.is_empty());
    }
}
