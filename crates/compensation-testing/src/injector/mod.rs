//! Failures on order, by name. Its lock is never held across an await, and never while user code runs.

mod orders;
mod rule;
mod state;
mod wrap;

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use compensation::StepError;

use crate::{clock, injected::InjectedError};
use state::{Fate, Hanging, Named, Shared, State};

pub use rule::{Fault, Rule};
pub use wrap::Answer;

/// Fails calls on order, each known by a name. Without an order every call succeeds. Cheap to clone; all clones
/// are one injector, usable from several tasks.
///
/// A test gives the rules, and the code under test calls [`check`](Self::check), or is made of closures
/// that do ([`call`](Self::call), [`action`](Self::action), [`undo`](Self::undo)).
///
/// ```
/// use compensation_testing::{FailureInjector, InjectedError, Rule};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let injector = FailureInjector::new();
/// injector.fail_times("charge-card", 1);
/// let error = injector.check("charge-card").await.unwrap_err();
/// assert_eq!(InjectedError::find(error.source()), Some(&InjectedError::new("charge-card", 1)));
/// assert!(injector.check("charge-card").await.is_ok());
/// assert_eq!(injector.calls("charge-card"), 2);
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct FailureInjector {
    shared: Arc<Shared>,
}

impl FailureInjector {
    /// An injector without rules.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// assert!(FailureInjector::new().failures().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a call of that name, and answers it as ordered.
    ///
    /// # Errors
    /// The failure that was ordered. It holds an [`InjectedError`].
    ///
    /// # Panics
    /// Where that was ordered.
    ///
    /// # Cancel safety
    /// May be dropped at any time; the call stays counted.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.fail("charge-card");
    /// let error = injector.check("charge-card").await.unwrap_err();
    /// assert_eq!(error.to_string(), "injected failure of `charge-card` at attempt 1");
    /// # }
    /// ```
    pub async fn check(&self, name: &str) -> Result<(), StepError> {
        let (attempt, delay) = self.enter(name);
        if !delay.is_zero() {
            clock::sleep(delay).await;
        }
        let fate = self.state().fate(name, attempt);
        match fate {
            Fate::Succeeds => Ok(()),
            Fate::Fails(error) => Err(error),
            Fate::Panics(text) => panic!("{text}"),
            Fate::Hangs(mut gate) => {
                let _hanging = Hanging::new(&self.shared, name);
                // An error is the end of the sender, by `reset`: then nothing hangs any more either.
                let _ = gate.wait_for(|open| *open).await;
                Ok(())
            }
        }
    }

    /// How often that name was called.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// let _ = injector.check("a").await;
    /// assert_eq!((injector.calls("a"), injector.calls("b")), (1, 0));
    /// # }
    /// ```
    #[must_use]
    pub fn calls(&self, name: &str) -> u32 {
        self.state().names.get(name).map_or(0, |named| named.calls)
    }

    /// Every name that was called, and how often.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// let _ = injector.check("a").await;
    /// assert_eq!(injector.counts()["a"], 1);
    /// # }
    /// ```
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u32> {
        let state = self.state();
        let called = state.names.iter().filter(|(_, named)| named.calls > 0);
        called.map(|(name, named)| (name.to_string(), named.calls)).collect()
    }

    /// The errors and panics so far, in the order in which they happened.
    ///
    /// ```
    /// # use compensation_testing::{FailureInjector, InjectedError};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.fail("a");
    /// let _ = injector.check("a").await;
    /// assert_eq!(injector.failures(), [InjectedError::new("a", 1)]);
    /// # }
    /// ```
    #[must_use]
    pub fn failures(&self) -> Vec<InjectedError> {
        self.state().failures.clone()
    }

    /// Waits until that name was called so often, for tests that must do something in the midst of a saga.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// let task = tokio::spawn(injector.call("a")());
    /// injector.until_called("a", 1).await;
    /// # assert!(task.await.is_ok());
    /// # }
    /// ```
    pub async fn until_called(&self, name: &str, calls: u32) {
        self.until(name, |named| named.calls >= calls).await;
    }

    /// Waits until a call of that name hangs.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.hang("a");
    /// let task = tokio::spawn(injector.call("a")());
    /// injector.until_hanging("a").await;
    /// assert!(!task.is_finished());
    /// # }
    /// ```
    pub async fn until_hanging(&self, name: &str) {
        self.until(name, |named| named.hanging > 0).await;
    }

    async fn until(&self, name: &str, reached: impl Fn(&Named) -> bool) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change falls in between.
            changed.as_mut().enable();
            if reached(self.state().named(name)) {
                return;
            }
            changed.await;
        }
    }

    fn enter(&self, name: &str) -> (u32, Duration) {
        let mut state = self.state();
        let named = state.named(name);
        named.calls += 1;
        let entered = (named.calls, named.delay);
        drop(state);
        self.shared.changed.notify_waiters();
        entered
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}
