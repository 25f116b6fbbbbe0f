//! Performing scenarios with a driver, and judging what came of it.

use std::{error::Error, fmt, future::Future, time::Duration};

use super::{Finish, Play, Scenario, standard};
use crate::clock;

/// The longest that a driver may take for one scenario; on a paused clock no time at all.
const LIMIT: Duration = Duration::from_secs(60);

/// A way of running sagas. Implement it for your own, as in the example of the [module](super), and give it
/// to [`assert_all`].
pub trait Driver {
    /// What it is called where it did not do as expected.
    fn name(&self) -> &str;

    /// Runs the steps of a play one after the other, undoes what must be undone, and tells how it ended. It
    /// is to undo a step whose error leaves open whether it had its effect, and to take a panic for such an
    /// error.
    fn run(&self, play: &Play) -> impl Future<Output = Finish> + Send;
}

/// A driver that did not do what a scenario expects.
///
/// ```
/// use compensation_testing::scenarios::{InProcess, Scenario, Finish};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let wrong = Scenario::new("nothing fails", ["a"]).expect(["a", "undo a"], Finish::completed());
/// let error = wrong.run(&InProcess).await.unwrap_err();
/// assert_eq!((error.scenario(), error.driver()), ("nothing fails", "`Saga::run`"));
/// assert!(error.to_string().contains("> 2  undo a     -"));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct NotAsExpected {
    scenario: String,
    driver: String,
    problems: Vec<String>,
}

impl NotAsExpected {
    /// The scenario.
    #[must_use]
    pub fn scenario(&self) -> &str {
        &self.scenario
    }

    /// The driver.
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Everything that was not as expected.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for NotAsExpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, driver, problems } = self;
        write!(f, "`{scenario}`, run by {driver}: {}", problems.join("\n"))
    }
}

impl Error for NotAsExpected {}

impl Scenario {
    /// Performs it with that driver, and compares what came of it with what is expected: the order of calls, that
    /// nothing was done twice, and the end.
    ///
    /// # Errors
    /// [`NotAsExpected`], with everything that differs.
    ///
    /// ```
    /// use compensation_testing::scenarios::{StepList, standard};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// for scenario in standard() {
    ///     assert!(scenario.run(&StepList).await.is_ok(), "{}", scenario.name());
    /// }
    /// # }
    /// ```
    pub async fn run(&self, driver: &impl Driver) -> Result<(), NotAsExpected> {
        let play = self.play();
        let mut problems = Vec::new();
        match clock::within(LIMIT, driver.run(&play)).await {
            None => problems.push(format!("it has not ended within {LIMIT:?}")),
            Some(finish) if finish != *self.finish() => {
                let expected = self.finish();
                problems.push(format!("it ended {finish}, and was expected to end {expected}"));
            }
            Some(_) => {}
        }
        let recorder = play.mocks().recorder();
        let checks = [recorder.verify_order(self.order()), recorder.verify_each_once()];
        problems.extend(checks.into_iter().filter_map(Result::err).map(|other| other.to_string()));
        if problems.is_empty() {
            return Ok(());
        }
        Err(NotAsExpected {
            scenario: self.name().to_owned(),
            driver: driver.name().to_owned(),
            problems,
        })
    }
}

/// Performs every [standard](standard) scenario with that driver.
///
/// # Errors
/// Everything that was not as expected.
///
/// ```
/// use compensation_testing::scenarios::{self, InProcess};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// assert!(scenarios::run_all(&InProcess).await.is_ok());
/// # }
/// ```
pub async fn run_all(driver: &impl Driver) -> Result<(), Vec<NotAsExpected>> {
    let mut all = Vec::new();
    for scenario in standard() {
        all.extend(scenario.run(driver).await.err());
    }
    if all.is_empty() { Ok(()) } else { Err(all) }
}

/// The same as an assertion.
///
/// # Panics
/// With everything that was not as expected.
///
/// ```
/// use compensation_testing::scenarios::{self, DurableEngine};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// scenarios::assert_all(&DurableEngine::in_memory()).await;
/// # }
/// ```
pub async fn assert_all(driver: &impl Driver) {
    if let Err(all) = run_all(driver).await {
        let all: Vec<_> = all.iter().map(ToString::to_string).collect();
        panic!("{}", all.join("\n\n"));
    }
}
