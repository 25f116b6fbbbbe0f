//! Rules of the injector as plain data: which calls fail, and how.

use std::collections::BTreeSet;

/// What happens to a call that is to fail.
///
/// ```
/// use compensation_testing::{Fault, Rule};
/// assert_eq!(Rule::always().with(Fault::NotDone), Rule::always().not_done());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error that leaves open whether there was an effect; worth another attempt.
    Unknown,
    /// The same, not worth another attempt.
    UnknownTerminal,
    /// An error that says that there was no effect; worth another attempt.
    NotDone,
    /// The same, not worth another attempt.
    NotDoneTerminal,
    /// A panic.
    Panic,
    /// No answer until [`release`](crate::FailureInjector::release), and then success.
    Hang,
}

/// Which calls of a name fail, and how: by an error of unknown outcome, unless said otherwise.
///
/// ```
/// use compensation_testing::{FailureInjector, Rule};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let injector = FailureInjector::new();
/// injector.set("charge-card", Rule::times(1).not_done().terminal());
/// let refused = injector.check("charge-card").await.unwrap_err();
/// assert!(!refused.is_retryable());
/// assert!(injector.check("charge-card").await.is_ok());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a rule does nothing until it is given to an injector"]
pub struct Rule {
    calls: Calls,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Calls {
    All,
    First(u32),
    These(BTreeSet<u32>),
}

impl Rule {
    /// Every call fails.
    ///
    /// ```
    /// # use compensation_testing::Rule;
    /// assert!(Rule::always().covers(1_000));
    /// ```
    pub fn always() -> Self {
        Self::of(Calls::All)
    }

    /// No call fails.
    ///
    /// ```
    /// # use compensation_testing::Rule;
    /// assert!(!Rule::never().covers(1));
    /// ```
    pub fn never() -> Self {
        Self::times(0)
    }

    /// The first `calls` calls fail, the later ones succeed.
    ///
    /// ```
    /// # use compensation_testing::Rule;
    /// assert!(Rule::times(2).covers(2) && !Rule::times(2).covers(3));
    /// ```
    pub fn times(calls: u32) -> Self {
        Self::of(Calls::First(calls))
    }

    /// The calls of these numbers fail, counted from 1.
    ///
    /// ```
    /// # use compensation_testing::Rule;
    /// let rule = Rule::on([1, 3]);
    /// assert!(rule.covers(1) && !rule.covers(2) && rule.covers(3));
    /// ```
    pub fn on(attempts: impl IntoIterator<Item = u32>) -> Self {
        Self::of(Calls::These(attempts.into_iter().collect()))
    }

    fn of(calls: Calls) -> Self {
        Self { calls, fault: Fault::Unknown }
    }

    /// They fail so.
    ///
    /// ```
    /// # use compensation_testing::{Fault, Rule};
    /// assert_eq!(Rule::always().with(Fault::Hang).fault(), Fault::Hang);
    /// ```
    pub fn with(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// They fail with an error that leaves open whether there was an effect.
    ///
    /// ```
    /// # use compensation_testing::{Fault, Rule};
    /// assert_eq!(Rule::always().unknown().fault(), Fault::Unknown);
    /// ```
    pub fn unknown(self) -> Self {
        self.with(Fault::Unknown)
    }

    /// They fail with an error that says that there was no effect.
    ///
    /// ```
    /// # use compensation_testing::{Fault, Rule};
    /// assert_eq!(Rule::always().not_done().fault(), Fault::NotDone);
    /// ```
    pub fn not_done(self) -> Self {
        self.with(Fault::NotDone)
    }

    /// Their error is not worth another attempt. Changes nothing for panics and for calls that hang.
    ///
    /// ```
    /// # use compensation_testing::{Fault, Rule};
    /// assert_eq!(Rule::always().not_done().terminal().fault(), Fault::NotDoneTerminal);
    /// ```
    pub fn terminal(self) -> Self {
        let fault = match self.fault {
            Fault::Unknown => Fault::UnknownTerminal,
            Fault::NotDone => Fault::NotDoneTerminal,
            other => other,
        };
        self.with(fault)
    }

    /// They panic.
    ///
    /// ```
    /// # use compensation_testing::{Fault, Rule};
    /// assert_eq!(Rule::always().panics().fault(), Fault::Panic);
    /// ```
    pub fn panics(self) -> Self {
        self.with(Fault::Panic)
    }

    /// They give no answer until [`release`](crate::FailureInjector::release).
    ///
    /// ```
    /// # use compensation_testing::{Fault, Rule};
    /// assert_eq!(Rule::always().hangs().fault(), Fault::Hang);
    /// ```
    pub fn hangs(self) -> Self {
        self.with(Fault::Hang)
    }

    /// Whether it is about the call of that number, from 1.
    ///
    /// ```
    /// # use compensation_testing::Rule;
    /// assert!(Rule::times(2).covers(2) && !Rule::on([1]).covers(2));
    /// ```
    #[must_use]
    pub fn covers(&self, attempt: u32) -> bool {
        match &self.calls {
            Calls::All => true,
            Calls::First(calls) => attempt <= *calls,
            Calls::These(calls) => calls.contains(&attempt),
        }
    }

    /// How the calls that it is about fail.
    ///
    /// ```
    /// # use compensation_testing::{Fault, Rule};
    /// assert_eq!(Rule::always().fault(), Fault::Unknown);
    /// ```
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.fault
    }
}
