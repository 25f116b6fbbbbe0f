//! What all pages share.

use std::sync::{Arc, OnceLock};

use compensation::Engine;
use tokio::sync::Semaphore;

use crate::{options::Options, rates::Rates, secret, sessions::Sessions};

/// Pages that follow what happens, at once; further ones are as they were loaded.
const FOLLOWERS: usize = 64;

pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) sessions: Sessions,
    pub(crate) rates: Rates,
    pub(crate) followers: Arc<Semaphore>,
    form: OnceLock<String>,
}

/// What handlers are given.
pub(crate) type Shared = axum::extract::State<Arc<State>>;

impl State {
    pub(crate) fn new(engine: Engine, options: Options) -> Self {
        Self {
            engine,
            options,
            sessions: Sessions::default(),
            rates: Rates::default(),
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
            form: OnceLock::new(),
        }
    }

    /// Begins to take samples for the rates, if there is a runtime already; else the first page does.
    pub(crate) fn begin(self: &Arc<Self>) {
        if tokio::runtime::Handle::try_current().is_ok() {
            self.rates.begin(self);
        }
    }

    /// What each form carries, and no other site can know. `None` where the system has no randomness to give:
    /// then no form is taken.
    pub(crate) fn form(&self) -> Option<&str> {
        if self.form.get().is_none() {
            // Whoever is first decides.
            let _ = self.form.set(secret::random()?);
        }
        self.form.get().map(String::as_str)
    }

    /// Whether a form is one of this console's.
    pub(crate) fn is_own_form(&self, given: &str) -> bool {
        self.form().is_some_and(|form| secret::same(form, given))
    }

    pub(crate) fn link(&self, place: &str) -> String {
        self.options.link(place)
    }
}
