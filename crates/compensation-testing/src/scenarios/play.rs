//! One performance of a scenario: its steps as mocks, with fresh records and with its faults in place.

use std::time::Duration;

use compensation::{Compensation, DefinitionError, RetryPolicy, Saga, SagaStep, StepError};

use super::Scenario;
use crate::{
    clock,
    injector::Answer,
    mock::{MockStep, Mocks},
};

/// One performance of a [`Scenario`]: what a [`Driver`](super::Driver) is to run. Made by [`Scenario::play`].
///
/// ```
/// use compensation_testing::scenarios;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let play = scenarios::standard()[0].play();
/// for step in play.steps() {
///     assert!(step.action()().await.is_ok());
/// }
/// play.mocks().recorder().assert_order(play.scenario().order());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Play {
    scenario: Scenario,
    mocks: Mocks,
}

impl Scenario {
    /// A performance of it, with a recorder and an injector of its own.
    #[must_use]
    pub fn play(&self) -> Play {
        let mocks = Mocks::new();
        for (name, rule) in &self.rules {
            mocks.injector().add(name, rule.clone());
        }
        Play { scenario: self.clone(), mocks }
    }
}

impl Play {
    /// What is performed.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// What records the calls, and lets them fail.
    #[must_use]
    pub fn mocks(&self) -> &Mocks {
        &self.mocks
    }

    /// The steps, to be run one after the other.
    #[must_use]
    pub fn steps(&self) -> Vec<PlayStep> {
        let step = |name: &String| {
            let limits = self.scenario.limits.iter();
            let limit = limits.rev().find(|(step, _)| step == name).map(|(_, limit)| *limit);
            let mock = self.mocks.step(name);
            PlayStep { mock, limit, undo_attempts: self.scenario.undo_attempts }
        };
        self.scenario.steps.iter().map(step).collect()
    }

    /// The scenario as a definition, for drivers that take one.
    ///
    /// # Errors
    /// Where the scenario is none that can be defined: without steps, or with two of one name.
    ///
    /// ```
    /// # use compensation_testing::scenarios;
    /// let play = scenarios::standard()[0].play();
    /// assert_eq!(play.definition()?.name(), "scenario");
    /// # Ok::<(), compensation::DefinitionError>(())
    /// ```
    pub fn definition(&self) -> Result<Saga<()>, DefinitionError> {
        let mut saga = Saga::builder("scenario");
        for PlayStep { mock, limit, undo_attempts } in self.steps() {
            let step = saga.step(mock.name(), mock.action()).undo(mock.undo());
            let step = step.undo_retry(undo_retry(undo_attempts));
            match limit {
                Some(limit) => step.timeout(limit).add(),
                None => step.add(),
            };
        }
        saga.build()
    }
}

/// One step of a [`Play`].
///
/// ```
/// use compensation_testing::scenarios;
///
/// let play = scenarios::standard()[0].play();
/// let first = &play.steps()[0];
/// assert_eq!((first.name(), first.mock().name(), first.limit()), ("a", "a", None));
/// assert_eq!(first.undo_retry().attempts(), Some(1));
/// assert_eq!(first.saga_step().name(), "a");
/// ```
#[derive(Clone, Debug)]
pub struct PlayStep {
    mock: MockStep,
    limit: Option<Duration>,
    undo_attempts: u32,
}

impl PlayStep {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.mock.name()
    }

    /// Its functions, without limits and budgets: for a driver that has its own.
    #[must_use]
    pub fn mock(&self) -> &MockStep {
        &self.mock
    }

    /// The longest that an attempt of its action may take.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// The budget of attempts of its undo, with waits of a millisecond.
    #[must_use]
    pub fn undo_retry(&self) -> RetryPolicy {
        undo_retry(self.undo_attempts)
    }

    /// Its action under its time limit: for a driver that has none. The limit is an error of unknown outcome.
    ///
    /// ```
    /// # use compensation_testing::scenarios;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let play = scenarios::standard()[0].play();
    /// assert!(play.steps()[0].action()().await.is_ok());
    /// # }
    /// ```
    pub fn action(&self) -> impl Fn() -> Answer + Clone + Send + Sync + use<> {
        let (call, limit) = (self.mock.action_call(), self.limit);
        move || {
            let answer = call();
            let Some(limit) = limit else { return answer };
            Box::pin(async move {
                let answer = clock::within(limit, answer).await;
                answer.unwrap_or_else(|| Err(StepError::unknown("no answer within the limit")))
            })
        }
    }

    /// Its undo with its budget.
    ///
    /// ```
    /// # use compensation_testing::scenarios;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let play = scenarios::standard()[0].play();
    /// let saga = compensation::SagaManager::new();
    /// saga.add(play.steps()[0].compensation());
    /// assert!(saga.compensate().await.is_ok());
    /// # }
    /// ```
    #[must_use]
    pub fn compensation(&self) -> Compensation {
        self.mock.compensation().retry(self.undo_retry())
    }

    /// Both, for [`execute_saga`](compensation::execute_saga).
    #[must_use]
    pub fn saga_step(&self) -> SagaStep {
        SagaStep::new(self.name(), self.action()).with_built_compensation(self.compensation())
    }
}

fn undo_retry(attempts: u32) -> RetryPolicy {
    RetryPolicy::new(attempts).first(Duration::from_millis(1)).without_jitter()
}
