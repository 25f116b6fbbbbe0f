//! The definitions that a worker hosts, and which of them fits a call.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use compensation::AnySaga;

/// Definitions by name; several of one name in the order in which they were given.
#[derive(Default)]
pub(super) struct Host {
    sagas: BTreeMap<String, Vec<AnySaga>>,
    closing: AtomicBool,
}

impl Host {
    pub(super) fn add(&mut self, saga: AnySaga) {
        self.sagas.entry(saga.name().to_owned()).or_default().push(saga);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sagas.is_empty()
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.sagas.keys().map(String::as_str).collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &AnySaga> {
        self.sagas.values().flatten()
    }

    /// The definition that such a saga was started with, or else the last of that name.
    pub(super) fn find(&self, saga: &str, fingerprint: u64) -> Option<&AnySaga> {
        let known = self.sagas.get(saga)?;
        let same = known.iter().rev().find(|known| known.plan().fingerprint() == fingerprint);
        same.or(known.last())
    }

    /// The worker is being stopped.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}
