//! Sagas that fail in every way that there is, as data: steps, what fails and how, and what must come of it.
//!
//! [`standard`] is the list. It is run by a [`Driver`]: this module has one for each way in which
//! `compensation` runs sagas, and yours may be another one, to prove that your own way of running them
//! keeps the same promises.
//!
//! ```
//! use compensation::execute_saga;
//! use compensation_testing::scenarios::{self, Driver, Finish, Play};
//!
//! /// Runs steps by `execute_saga`, and says nothing of what could not be undone.
//! struct Mine;
//!
//! impl Driver for Mine {
//!     fn name(&self) -> &str {
//!         "mine"
//!     }
//!
//!     async fn run(&self, play: &Play) -> Finish {
//!         match execute_saga(play.steps().iter().map(|step| step.saga_step())).await {
//!             Ok(()) => Finish::completed(),
//!             Err(error) => Finish::compensated(error.step()),
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let wrong = scenarios::run_all(&Mine).await.unwrap_err();
//! assert_eq!(
//!     wrong[0].to_string(),
//!     "`an undo fails for good`, run by mine: it ended compensated after `c` failed, and was \
//!      expected to end stuck after `c` failed, with `b` not undone"
//! );
//! # }
//! ```

mod driver;
mod drivers;
mod play;
mod standard;

use std::{collections::BTreeSet, fmt, time::Duration};

use compensation::{Part, Report, Status, machine::Phase};

use crate::injector::Rule;

pub use driver::{Driver, NotAsExpected, assert_all, run_all};
pub use drivers::{DurableEngine, InProcess, Manager, StepList};
pub use play::{Play, PlayStep};
pub use standard::standard;

/// A saga of steps that come one after the other, what fails in it, and what must come of that.
///
/// ```
/// use compensation_testing::{Rule, scenarios::{Finish, InProcess, Scenario}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let refused = Scenario::new("the card is refused", ["reserve", "charge"])
///     .step_fails("charge", Rule::always().not_done())
///     .expect(["reserve", "charge", "undo reserve"], Finish::compensated("charge"));
/// assert!(refused.run(&InProcess).await.is_ok());
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a scenario does nothing until it is run"]
pub struct Scenario {
    name: String,
    steps: Vec<String>,
    rules: Vec<(String, Rule)>,
    limits: Vec<(String, Duration)>,
    undo_attempts: u32,
    order: Vec<String>,
    finish: Finish,
}

impl Scenario {
    /// A scenario in which nothing fails, each undo has one attempt, and everything is expected to be done in
    /// the order of the steps.
    ///
    /// ```
    /// # use compensation_testing::scenarios::{Finish, Scenario};
    /// let scenario = Scenario::new("all is well", ["a", "b"]);
    /// assert_eq!(scenario.order(), ["a", "b"]);
    /// assert_eq!(scenario.finish(), &Finish::completed());
    /// ```
    pub fn new<S: Into<String>>(
        name: impl Into<String>,
        steps: impl IntoIterator<Item = S>,
    ) -> Self {
        let steps: Vec<String> = steps.into_iter().map(Into::into).collect();
        Self {
            name: name.into(),
            order: steps.clone(),
            steps,
            rules: Vec::new(),
            limits: Vec::new(),
            undo_attempts: 1,
            finish: Finish::completed(),
        }
    }

    /// The action of that step fails by this rule.
    ///
    /// ```
    /// # use compensation_testing::{Rule, scenarios::{Finish, InProcess, Scenario}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let scenario = Scenario::new("refused", ["a"])
    ///     .step_fails("a", Rule::always().not_done())
    ///     .expect(["a"], Finish::compensated("a"));
    /// assert!(scenario.run(&InProcess).await.is_ok());
    /// # }
    /// ```
    pub fn step_fails(mut self, step: &str, rule: Rule) -> Self {
        self.rules.push((step.to_owned(), rule));
        self
    }

    /// The undo of that step fails by this rule.
    ///
    /// ```
    /// # use compensation_testing::{Rule, scenarios::{Finish, InProcess, Scenario}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let scenario = Scenario::new("not to be undone", ["a"])
    ///     .step_fails("a", Rule::always())
    ///     .undo_fails("a", Rule::always())
    ///     .expect(["a", "undo a"], Finish::stuck("a", ["a"]));
    /// assert!(scenario.run(&InProcess).await.is_ok());
    /// # }
    /// ```
    pub fn undo_fails(mut self, step: &str, rule: Rule) -> Self {
        self.rules.push((format!("undo {step}"), rule));
        self
    }

    /// An attempt of that step's action may take so long.
    ///
    /// ```
    /// # use compensation_testing::{Rule, scenarios::{Finish, InProcess, Scenario}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let scenario = Scenario::new("no answer", ["a"])
    ///     .step_fails("a", Rule::always().hangs())
    ///     .limit("a", std::time::Duration::from_millis(1))
    ///     .expect(["a", "undo a"], Finish::compensated("a"));
    /// assert!(scenario.run(&InProcess).await.is_ok());
    /// # }
    /// ```
    pub fn limit(mut self, step: &str, limit: Duration) -> Self {
        self.limits.push((step.to_owned(), limit));
        self
    }

    /// Each undo has so many attempts.
    ///
    /// ```
    /// # use compensation_testing::{Rule, scenarios::{Finish, InProcess, Scenario}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let scenario = Scenario::new("undone at last", ["a"])
    ///     .step_fails("a", Rule::always())
    ///     .undo_fails("a", Rule::times(1))
    ///     .undo_attempts(2)
    ///     .expect(["a", "undo a", "undo a"], Finish::compensated("a"));
    /// assert!(scenario.run(&InProcess).await.is_ok());
    /// # }
    /// ```
    pub fn undo_attempts(mut self, attempts: u32) -> Self {
        self.undo_attempts = attempts;
        self
    }

    /// What must come of it: the order of all calls, each by its
    /// [label](crate::RecordedCall::label), and the end.
    ///
    /// ```
    /// # use compensation_testing::{Rule, scenarios::{Finish, InProcess, Scenario}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let wrong = Scenario::new("nothing fails", ["a"]).expect(["b"], Finish::completed());
    /// assert!(wrong.run(&InProcess).await.is_err());
    /// # }
    /// ```
    pub fn expect<S: Into<String>>(
        mut self,
        order: impl IntoIterator<Item = S>,
        finish: Finish,
    ) -> Self {
        self.order = order.into_iter().map(Into::into).collect();
        self.finish = finish;
        self
    }

    /// Its name: what happens in it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its steps' names, in order.
    #[must_use]
    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// What fails, and how: by the names that the [injector](crate::FailureInjector) has for it.
    pub fn rules(&self) -> &[(String, Rule)] {
        &self.rules
    }

    /// The order of calls that is expected.
    #[must_use]
    pub fn order(&self) -> &[String] {
        &self.order
    }

    /// The end that is expected.
    #[must_use]
    pub fn finish(&self) -> &Finish {
        &self.finish
    }
}

/// How a saga ended, as far as every way of running one can tell.
///
/// ```
/// use compensation::Status;
/// use compensation_testing::scenarios::Finish;
///
/// let finish = Finish::stuck("charge", ["hotel", "car"]);
/// assert_eq!(finish.status, Status::Stuck);
/// assert_eq!(finish, Finish::stuck("charge", ["car", "hotel"]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Completed, compensated or stuck.
    pub status: Status,
    /// The step that failed first.
    pub failed: Option<String>,
    /// The steps that may have had an effect and could not be undone.
    pub not_undone: BTreeSet<String>,
}

impl Finish {
    /// How the saga of that report ended: for drivers that have one.
    ///
    /// ```
    /// # use compensation_testing::scenarios::{self, Finish};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let saga = scenarios::standard()[0].play().definition().unwrap();
    /// assert_eq!(Finish::of(saga.run(()).await.report()), Finish::completed());
    /// # }
    /// ```
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut failures =
            report.failures().iter().filter(|failure| failure.part() == Part::Action);
        let parked = report.steps().filter(|(_, phase)| matches!(phase, Phase::UndoParked(_)));
        Self {
            status: report.status(),
            failed: failures.next().map(|failure| failure.step().to_owned()),
            not_undone: parked.map(|(name, _)| name.to_owned()).collect(),
        }
    }

    /// Every step is done.
    #[must_use]
    pub fn completed() -> Self {
        Self { status: Status::Completed, failed: None, not_undone: BTreeSet::new() }
    }

    /// That step failed, and everything that may have had an effect is undone.
    #[must_use]
    pub fn compensated(failed: impl Into<String>) -> Self {
        let failed = Some(failed.into());
        Self { status: Status::Compensated, failed, not_undone: BTreeSet::new() }
    }

    /// That step failed, and those could not be undone.
    #[must_use]
    pub fn stuck<S: Into<String>>(
        failed: impl Into<String>,
        not_undone: impl IntoIterator<Item = S>,
    ) -> Self {
        let not_undone = not_undone.into_iter().map(Into::into).collect();
        Self { status: Status::Stuck, failed: Some(failed.into()), not_undone }
    }

    /// That step failed: compensated if nothing is left that could not be undone, and else stuck.
    ///
    /// ```
    /// # use compensation_testing::scenarios::Finish;
    /// let left: [&str; 0] = [];
    /// assert_eq!(Finish::rolled_back("charge", left), Finish::compensated("charge"));
    /// assert_eq!(Finish::rolled_back("charge", ["car"]), Finish::stuck("charge", ["car"]));
    /// ```
    #[must_use]
    pub fn rolled_back<S: Into<String>>(
        failed: impl Into<String>,
        not_undone: impl IntoIterator<Item = S>,
    ) -> Self {
        let stuck = Self::stuck(failed, not_undone);
        let status = match stuck.not_undone.is_empty() {
            true => Status::Compensated,
            false => Status::Stuck,
        };
        Self { status, ..stuck }
    }
}

impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(failed) = &self.failed {
            write!(f, " after `{failed}` failed")?;
        }
        if !self.not_undone.is_empty() {
            let names: Vec<_> = self.not_undone.iter().map(|name| format!("`{name}`")).collect();
            write!(f, ", with {} not undone", names.join(", "))?;
        }
        Ok(())
    }
}
