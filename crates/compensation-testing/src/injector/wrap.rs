//! Closures and futures that ask an injector: what sagas take as actions and undos.

use std::{future::Future, pin::Pin};

use compensation::{StepContext, StepError, UndoContext};

use super::FailureInjector;

/// The future of one call of a closure that the testing kit makes.
///
/// ```
/// use compensation_testing::{Answer, FailureInjector};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let answer: Answer = FailureInjector::new().call("reserve")();
/// assert!(answer.await.is_ok());
/// # }
/// ```
pub type Answer<T = ()> = Pin<Box<dyn Future<Output = Result<T, StepError>> + Send>>;

impl FailureInjector {
    /// A function without arguments that does nothing but [`check`](Self::check) that name: for
    /// [`SagaManager::add_compensation`](compensation::SagaManager::add_compensation) and
    /// [`SagaStep`](compensation::SagaStep).
    ///
    /// ```
    /// use compensation::{SagaStep, execute_saga};
    /// use compensation_testing::FailureInjector;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let injector = FailureInjector::new();
    /// injector.fail("charge");
    /// let error = execute_saga([
    ///     SagaStep::new("reserve", injector.call("reserve"))
    ///         .with_compensation(injector.call("undo reserve")),
    ///     SagaStep::new("charge", injector.call("charge")),
    /// ])
    /// .await
    /// .unwrap_err();
    /// assert_eq!(error.step(), "charge");
    /// assert_eq!(injector.calls("undo reserve"), 1);
    /// # }
    /// ```
    pub fn call(&self, name: &str) -> impl Fn() -> Answer + Clone + Send + Sync + use<> {
        let (this, name) = (self.clone(), name.to_owned());
        move || {
            let (this, name) = (this.clone(), name.clone());
            Box::pin(async move { this.check(&name).await })
        }
    }

    /// The same as the action of a [`Builder::step`](compensation::Builder::step).
    ///
    /// ```
    /// use compensation::Saga;
    /// use compensation_testing::FailureInjector;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let injector = FailureInjector::new();
    /// injector.fail("charge");
    /// let mut trip = Saga::<u32>::builder("trip");
    /// trip.step("reserve", injector.action("reserve")).undo(injector.undo("undo reserve")).add();
    /// trip.step("charge", injector.action("charge")).no_undo("a test").add();
    /// let outcome = trip.build()?.run(7).await;
    /// assert!(!outcome.is_completed());
    /// assert_eq!(injector.calls("undo reserve"), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn action<I: 'static>(
        &self,
        name: &str,
    ) -> impl Fn(StepContext<I>) -> Answer + Clone + Send + Sync + use<I> {
        let call = self.call(name);
        move |_| call()
    }

    /// The same as the undo of a step; see [`action`](Self::action).
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// use compensation::Saga;
    /// let injector = FailureInjector::new();
    /// let mut trip = Saga::<()>::builder("trip");
    /// let reserve = |_| async { Ok::<_, std::io::Error>(17) };
    /// trip.step("reserve", reserve).undo(injector.undo("undo reserve")).add();
    /// assert!(trip.build().is_ok());
    /// ```
    pub fn undo<I: 'static, T: 'static>(
        &self,
        name: &str,
    ) -> impl Fn(UndoContext<I>, Option<T>) -> Answer + Clone + Send + Sync + use<I, T> {
        let call = self.call(name);
        move |_, _| call()
    }

    /// Does `work`, unless that name fails first: the failure comes before the effect.
    ///
    /// # Errors
    /// What was ordered, or what `work` ends with.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// use compensation::StepError;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (injector, mut seats) = (FailureInjector::new(), 0);
    /// injector.fail("reserve");
    /// let reserve = async {
    ///     seats += 1;
    ///     Ok::<_, StepError>(())
    /// };
    /// assert!(injector.before("reserve", reserve).await.is_err());
    /// assert_eq!(seats, 0);
    /// # }
    /// ```
    pub async fn before<T, E: Into<StepError>>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, StepError> {
        self.check(name).await?;
        work.await.map_err(Into::into)
    }

    /// Does `work`, and then fails if that name does: the effect is there, and its reply is lost.
    ///
    /// # Errors
    /// What `work` ends with, or what was ordered.
    ///
    /// ```
    /// # use compensation_testing::FailureInjector;
    /// use compensation::StepError;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (injector, mut seats) = (FailureInjector::new(), 0);
    /// injector.fail("reserve");
    /// let reserve = async {
    ///     seats += 1;
    ///     Ok::<_, StepError>(())
    /// };
    /// assert!(injector.after("reserve", reserve).await.is_err());
    /// assert_eq!(seats, 1);
    /// # }
    /// ```
    pub async fn after<T, E: Into<StepError>>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, StepError> {
        let done = work.await.map_err(Into::into)?;
        self.check(name).await?;
        Ok(done)
    }
}
