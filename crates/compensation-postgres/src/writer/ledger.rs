//! What the writer knows of its own sagas without asking the server.
//!
//! Only an owner's session writes to sagas that it owns, and every write proves that it still does. So its
//! knowledge of them is as good as the tables'.

use std::collections::HashMap;

use compensation::repository::Head;

#[derive(Default)]
pub(super) struct Ledger(HashMap<i64, Held>);

/// A saga that this owner owns.
pub(super) struct Held {
    pub(super) entries: u32,
    pub(super) head: Head,
}

impl Ledger {
    pub(super) fn get(&self, key: i64) -> Option<&Held> {
        self.0.get(&key)
    }

    pub(super) fn own(&mut self, key: i64, held: Held) {
        self.0.insert(key, held);
    }

    pub(super) fn lose(&mut self, key: i64) {
        self.0.remove(&key);
    }

    /// An entry was written.
    pub(super) fn grow(&mut self, key: i64, head: &Head) {
        if !head.status.is_open() {
            self.lose(key);
        } else if let Some(held) = self.0.get_mut(&key) {
            held.entries += 1;
            held.head = head.clone();
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes over what the tables say. Returns what this owner owns there and nobody here knows of: it was
    /// taken by a write whose answer was lost.
    pub(super) fn replace(&mut self, found: HashMap<i64, Held>) -> Vec<i64> {
        let strays: Vec<_> =
            found.keys().filter(|key| !self.0.contains_key(key)).copied().collect();
        self.0 = found;
        strays.iter().for_each(|&key| self.lose(key));
        strays
    }
}
