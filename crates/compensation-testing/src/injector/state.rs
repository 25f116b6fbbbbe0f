//! What an injector knows of each name, and what it decides for each call. Waits for nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use compensation::StepError;
use tokio::sync::{Notify, watch};

use super::rule::{Fault, Rule};
use crate::injected::InjectedError;

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Told at every call, and whenever one begins or ceases to hang.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) names: BTreeMap<Arc<str>, Named>,
    /// What fails next, whatever the rules say.
    pub(super) order: VecDeque<(Arc<str>, Fault)>,
    pub(super) failures: Vec<InjectedError>,
}

#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) calls: u32,
    pub(super) rules: Vec<Rule>,
    pub(super) delay: Duration,
    pub(super) hanging: u32,
    /// Whether calls no longer hang; what hangs waits for that, or for the end of the sender.
    pub(super) gate: watch::Sender<bool>,
}

/// What is to become of one call.
pub(super) enum Fate {
    Succeeds,
    Fails(StepError),
    Panics(String),
    Hangs(watch::Receiver<bool>),
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Every change is made in one go, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn named(&mut self, name: &str) -> &mut Named {
        if !self.names.contains_key(name) {
            self.names.insert(name.into(), Named::default());
        }
        self.names.get_mut(name).expect("just put there")
    }

    pub(super) fn fate(&mut self, name: &str, attempt: u32) -> Fate {
        let fault = if self.order.front().is_some_and(|(next, _)| **next == *name) {
            self.order.pop_front().map(|(_, fault)| fault)
        } else {
            let mut rules = self.named(name).rules.iter();
            rules.find(|rule| rule.covers(attempt)).map(Rule::fault)
        };
        let error = InjectedError::new(name, attempt);
        let fate = match fault {
            None => return Fate::Succeeds,
            Some(Fault::Hang) => return Fate::Hangs(self.named(name).gate.subscribe()),
            Some(Fault::Panic) => Fate::Panics(error.to_string()),
            Some(Fault::Unknown) => Fate::Fails(error.clone().unknown()),
            Some(Fault::UnknownTerminal) => Fate::Fails(error.clone().terminal()),
            Some(Fault::NotDone) => Fate::Fails(error.clone().not_done()),
            Some(Fault::NotDoneTerminal) => Fate::Fails(error.clone().not_done().terminal()),
        };
        self.failures.push(error);
        fate
    }
}

/// Counts a call as hanging while it lives.
pub(super) struct Hanging<'a> {
    shared: &'a Shared,
    name: &'a str,
}

impl<'a> Hanging<'a> {
    pub(super) fn new(shared: &'a Shared, name: &'a str) -> Self {
        shared.state().named(name).hanging += 1;
        shared.changed.notify_waiters();
        Self { shared, name }
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let named = state.named(self.name);
        // A `reset` in between has forgotten it.
        named.hanging = named.hanging.saturating_sub(1);
        drop(state);
        self.shared.changed.notify_waiters();
    }
}
