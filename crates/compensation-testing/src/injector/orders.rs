//! What a test may order of an injector: which names fail, when and how.

use std::time::Duration;

use tokio::sync::watch;

use super::{
    FailureInjector,
    rule::{Fault, Rule},
    state::{Named, State},
};

impl FailureInjector {
    /// Gives a name its one rule, in place of those that it has.
    ///
    /// ```
    /// # use compensation_testing::{FailureInjector, Rule};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.set("charge-card", Rule::on([2]).not_done());
    /// assert!(injector.check("charge-card").await.is_ok());
    /// assert!(injector.check("charge-card").await.is_err());
    /// # }
    /// ```
    pub fn set(&self, name: &str, rule: Rule) {
        self.change(name, |named| named.rules = vec![rule]);
    }

    /// Gives a name one more rule. The first of its rules that is about a call decides.
    ///
    /// ```
    /// # use compensation_testing::{FailureInjector, Rule};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.set("charge-card", Rule::on([1]).unknown());
    /// injector.add("charge-card", Rule::on([2]).terminal());
    /// assert!(injector.check("charge-card").await.unwrap_err().is_retryable());
    /// assert!(!injector.check("charge-card").await.unwrap_err().is_retryable());
    /// # }
    /// ```
    pub fn add(&self, name: &str, rule: Rule) {
        self.change(name, |named| named.rules.push(rule));
    }

    /// Every call of that name fails. As `set(name, Rule::always())`.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.fail("charge-card");
    /// assert!(injector.check("charge-card").await.is_err());
    /// # }
    /// ```
    pub fn fail(&self, name: &str) {
        self.set(name, Rule::always());
    }

    /// The first `calls` calls of that name fail, the later ones succeed. Calls made before count too.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.fail_times("charge-card", 1);
    /// assert!(injector.check("charge-card").await.is_err());
    /// assert!(injector.check("charge-card").await.is_ok());
    /// # }
    /// ```
    pub fn fail_times(&self, name: &str, calls: u32) {
        self.set(name, Rule::times(calls));
    }

    /// The calls of that name with these numbers fail, counted from 1.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.fail_on("charge-card", [2]);
    /// assert!(injector.check("charge-card").await.is_ok());
    /// assert!(injector.check("charge-card").await.is_err());
    /// # }
    /// ```
    pub fn fail_on(&self, name: &str, attempts: impl IntoIterator<Item = u32>) {
        self.set(name, Rule::on(attempts));
    }

    /// No call of that name fails by a rule any more.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.fail("charge-card");
    /// injector.never_fail("charge-card");
    /// assert!(injector.check("charge-card").await.is_ok());
    /// # }
    /// ```
    pub fn never_fail(&self, name: &str) {
        self.set(name, Rule::never());
    }

    /// Every call of that name panics.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.panic("charge-card");
    /// assert!(tokio::spawn(injector.call("charge-card")()).await.unwrap_err().is_panic());
    /// # }
    /// ```
    pub fn panic(&self, name: &str) {
        self.set(name, Rule::always().panics());
    }

    /// Calls of that name give no answer until [`release`](Self::release); then they succeed.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.hang("charge-card");
    /// let (answer, ()) = tokio::join!(injector.check("charge-card"), async {
    ///     injector.until_hanging("charge-card").await;
    ///     injector.release("charge-card");
    /// });
    /// assert!(answer.is_ok());
    /// # }
    /// ```
    pub fn hang(&self, name: &str) {
        self.set(name, Rule::always().hangs());
    }

    /// Calls of that name that hang succeed now, and none hangs any more until the name gets another rule.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.hang("charge-card");
    /// injector.release("charge-card");
    /// assert!(injector.check("charge-card").await.is_ok());
    /// # }
    /// ```
    pub fn release(&self, name: &str) {
        if let Some(named) = self.state().names.get(name) {
            named.gate.send_replace(true);
        }
    }

    /// Every call of that name waits so long before its answer, whatever that is. The time is tokio's: it
    /// passes at once where the clock is paused.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.delay("charge-card", std::time::Duration::from_millis(1));
    /// assert!(injector.check("charge-card").await.is_ok());
    /// # }
    /// ```
    pub fn delay(&self, name: &str, span: Duration) {
        self.state().named(name).delay = span;
    }

    /// Failures of unknown outcome happen in this order, over all names: a call fails if its name is the
    /// next one, and that is then the one after it. Other calls go by their rules. A name may stand there
    /// several times. Further calls of this function add to the end.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.fail_in_order(["a", "b"]);
    /// assert!(injector.check("b").await.is_ok(), "it is not its turn yet");
    /// assert!(injector.check("a").await.is_err());
    /// assert!(injector.check("a").await.is_ok());
    /// assert!(injector.check("b").await.is_err());
    /// # }
    /// ```
    pub fn fail_in_order<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) {
        self.fail_in_order_with(Fault::Unknown, names);
    }

    /// The same with failures of another kind.
    ///
    /// ```
    /// # use compensation_testing::{FailureInjector, Fault};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.fail_in_order_with(Fault::NotDoneTerminal, ["a", "b"]);
    /// assert!(!injector.check("a").await.unwrap_err().is_retryable());
    /// # }
    /// ```
    pub fn fail_in_order_with<S: AsRef<str>>(
        &self,
        fault: Fault,
        names: impl IntoIterator<Item = S>,
    ) {
        let names: Vec<_> = names.into_iter().map(|name| (name.as_ref().into(), fault)).collect();
        self.state().order.extend(names);
    }

    /// Forgets everything: rules, delays, the order of failures, and all counts. Calls that hang succeed.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.fail("a");
    /// injector.reset();
    /// assert!(injector.check("a").await.is_ok());
    /// # }
    /// ```
    pub fn reset(&self) {
        *self.state() = State::default();
        self.shared.changed.notify_waiters();
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Named)) {
        let mut state = self.state();
        let named = state.named(name);
        change(named);
        if *named.gate.borrow() {
            // What new rules let hang does hang.
            named.gate = watch::Sender::default();
        }
    }
}
