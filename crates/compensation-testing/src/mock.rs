//! Steps and compensations that only record their calls, and fail as an injector is told. They yield what sagas
//! take: closures, `SagaStep`, `Compensation`.

use std::sync::Arc;

use compensation::{Compensation, Part, SagaStep, StepContext, StepError, UndoContext};

use crate::{
    injector::{Answer, FailureInjector},
    recorder::{CompensationRecorder, label},
};

/// A recorder and an injector, and mocks that share them. Cheap to clone; clones share both.
///
/// ```
/// use compensation::Saga;
/// use compensation_testing::Mocks;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mocks = Mocks::new();
/// let mut trip = Saga::<String>::builder("trip");
/// for step in [mocks.step("reserve-car"), mocks.step("book-hotel"), mocks.step("charge-card")] {
///     trip.step(step.name(), step.action()).undo(step.undo()).add();
/// }
/// let trip = trip.build()?;
///
/// mocks.injector().fail("charge-card");
/// let outcome = trip.run("Ada".to_owned()).await;
/// assert!(!outcome.is_completed());
/// mocks.recorder().assert_compensated(["charge-card", "book-hotel", "reserve-car"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mocks {
    recorder: CompensationRecorder,
    injector: FailureInjector,
}

impl Mocks {
    /// Mocks with a recorder and an injector of their own.
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// assert!(Mocks::new().recorder().events().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Mocks with these.
    ///
    /// ```
    /// # use compensation_testing::{CompensationRecorder, FailureInjector, Mocks};
    /// let injector = FailureInjector::new();
    /// let mocks = Mocks::with(&CompensationRecorder::new(), &injector);
    /// injector.fail("a");
    /// # let _ = mocks;
    /// ```
    #[must_use]
    pub fn with(recorder: &CompensationRecorder, injector: &FailureInjector) -> Self {
        Self { recorder: recorder.clone(), injector: injector.clone() }
    }

    /// What records their calls.
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mocks = Mocks::new();
    /// assert!(mocks.step("reserve").action_call()().await.is_ok());
    /// mocks.recorder().assert_order(["reserve"]);
    /// # }
    /// ```
    #[must_use]
    pub fn recorder(&self) -> &CompensationRecorder {
        &self.recorder
    }

    /// What lets them fail. An action goes by its step's name, what undoes it by `undo` and that name.
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mocks = Mocks::new();
    /// mocks.injector().fail("reserve");
    /// assert!(mocks.step("reserve").action_call()().await.is_err());
    /// # }
    /// ```
    #[must_use]
    pub fn injector(&self) -> &FailureInjector {
        &self.injector
    }

    /// A mock of a step.
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// assert_eq!(Mocks::new().step("reserve-car").name(), "reserve-car");
    /// ```
    #[must_use]
    pub fn step(&self, name: impl Into<String>) -> MockStep {
        MockStep { name: name.into().into(), output: (), mocks: self.clone() }
    }

    /// A mock of a compensation.
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// assert_eq!(Mocks::new().compensation("reserve-car").name(), "reserve-car");
    /// ```
    #[must_use]
    pub fn compensation(&self, name: impl Into<String>) -> MockCompensation {
        MockCompensation { name: name.into().into(), mocks: self.clone() }
    }

    /// A recorded call that may be made to fail.
    async fn call(&self, part: Part, name: &str) -> Result<(), StepError> {
        let checked = async { self.injector.check(&label(part, name)).await };
        self.recorder.record(part, name, checked).await
    }
}

/// A step that does nothing: its action and its undo are recorded, and fail as the injector is told. Made by
/// [`Mocks::step`], or for a recorder and an injector at hand by [`new`](Self::new).
///
/// Its action goes by its name, for the injector and in orders; its undo by `undo` and its name.
///
/// ```
/// use compensation::execute_saga;
/// use compensation_testing::{CompensationRecorder, FailureInjector, MockStep};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (recorder, injector) = (CompensationRecorder::new(), FailureInjector::new());
/// let step = |name: &str| MockStep::new(name, &recorder, &injector).saga_step();
/// injector.fail("charge-card");
/// let error = execute_saga([step("reserve-car"), step("charge-card")]).await.unwrap_err();
/// assert_eq!(error.step(), "charge-card");
/// recorder.assert_order(["reserve-car", "charge-card", "undo charge-card", "undo reserve-car"]);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MockStep<T = ()> {
    name: Arc<str>,
    output: T,
    mocks: Mocks,
}

impl MockStep {
    /// A mock of the step of that name.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        recorder: &CompensationRecorder,
        injector: &FailureInjector,
    ) -> Self {
        Mocks::with(recorder, injector).step(name)
    }

    /// The same with an output.
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// use compensation::Saga;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let reserve = Mocks::new().step("reserve").returning(17);
    /// let mut trip = Saga::<()>::builder("trip");
    /// let seat = trip.step("reserve", reserve.action()).undo(reserve.undo()).add();
    /// let outcome = trip.build()?.run(()).await;
    /// assert_eq!(outcome.output(&seat), Some(17));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn returning<T>(self, output: T) -> MockStep<T> {
        MockStep { name: self.name, output, mocks: self.mocks }
    }
}

impl<T: Clone + Send + Sync + 'static> MockStep<T> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its action, for [`Builder::step`](compensation::Builder::step).
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// use compensation::Saga;
    /// let reserve = Mocks::new().step("reserve");
    /// let mut trip = Saga::<String>::builder("trip");
    /// trip.step(reserve.name(), reserve.action()).undo(reserve.undo()).add();
    /// assert!(trip.build().is_ok());
    /// ```
    pub fn action<I: 'static>(
        &self,
    ) -> impl Fn(StepContext<I>) -> Answer<T> + Clone + Send + Sync + use<I, T> {
        let call = self.action_call();
        move |_| call()
    }

    /// Its undo, for [`StepBuilder::undo`](compensation::StepBuilder::undo).
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// use compensation::Saga;
    /// let reserve = Mocks::new().step("reserve").returning(17);
    /// let mut trip = Saga::<String>::builder("trip");
    /// let seat = |_| async { Ok::<_, std::io::Error>(17) };
    /// trip.step("reserve", seat).undo(reserve.undo()).add();
    /// assert!(trip.build().is_ok());
    /// ```
    pub fn undo<I: 'static>(
        &self,
    ) -> impl Fn(UndoContext<I>, Option<T>) -> Answer + Clone + Send + Sync + use<I, T> {
        let call = self.undo_call();
        move |_, _| call()
    }

    /// Its action as a function without arguments, for [`SagaStep::new`].
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let reserve = Mocks::new().step("reserve").returning(17);
    /// assert_eq!(reserve.action_call()().await.ok(), Some(17));
    /// # }
    /// ```
    pub fn action_call(&self) -> impl Fn() -> Answer<T> + Clone + Send + Sync + use<T> {
        let this = self.clone();
        move || {
            let this = this.clone();
            Box::pin(async move {
                this.mocks.call(Part::Action, &this.name).await?;
                Ok(this.output)
            })
        }
    }

    /// Its undo as a function without arguments, for
    /// [`SagaManager::add_compensation`](compensation::SagaManager::add_compensation) and
    /// [`SagaStep::with_compensation`].
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mocks = Mocks::new();
    /// assert!(mocks.step("reserve").undo_call()().await.is_ok());
    /// mocks.recorder().assert_compensated(["reserve"]);
    /// # }
    /// ```
    pub fn undo_call(&self) -> impl Fn() -> Answer + Clone + Send + Sync + use<T> {
        self.mocks.compensation(&*self.name).undo_call()
    }

    /// Both, for [`execute_saga`](compensation::execute_saga).
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mocks = Mocks::new();
    /// mocks.injector().fail("reserve");
    /// assert!(compensation::execute_saga([mocks.step("reserve").saga_step()]).await.is_err());
    /// mocks.recorder().assert_order(["reserve", "undo reserve"]);
    /// # }
    /// ```
    #[must_use]
    pub fn saga_step(&self) -> SagaStep {
        SagaStep::new(&*self.name, self.action_call()).with_compensation(self.undo_call())
    }

    /// Its undo, for [`SagaManager::add`](compensation::SagaManager::add).
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use compensation::SagaManager;
    /// let (saga, mocks) = (SagaManager::new(), Mocks::new());
    /// saga.add(mocks.step("reserve").compensation());
    /// assert!(saga.compensate().await.is_ok());
    /// mocks.recorder().assert_compensated(["reserve"]);
    /// # }
    /// ```
    #[must_use]
    pub fn compensation(&self) -> Compensation {
        Compensation::new(&*self.name, self.undo_call())
    }
}

/// A compensation that does nothing but record its calls, and fail as the injector is told. Made by
/// [`Mocks::compensation`], or by [`new`](Self::new).
///
/// For the injector and in orders it goes by `undo` and its name, as the undo of a [`MockStep`] does.
///
/// ```
/// use compensation::SagaManager;
/// use compensation_testing::{CompensationRecorder, FailureInjector, MockCompensation};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (recorder, injector) = (CompensationRecorder::new(), FailureInjector::new());
/// let saga = SagaManager::new();
/// for name in ["seat", "room"] {
///     let mock = MockCompensation::new(name, &recorder, &injector);
///     saga.add_compensation(mock.name(), mock.undo_call());
/// }
/// injector.fail("undo room");
/// assert_eq!(saga.compensate().await.unwrap_err().errors()[0].name(), "room");
/// recorder.assert_order(["undo room", "undo seat"]);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MockCompensation {
    name: Arc<str>,
    mocks: Mocks,
}

impl MockCompensation {
    /// A mock of the compensation of that name.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        recorder: &CompensationRecorder,
        injector: &FailureInjector,
    ) -> Self {
        Mocks::with(recorder, injector).compensation(name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does, for [`SagaManager::add_compensation`](compensation::SagaManager::add_compensation).
    pub fn undo_call(&self) -> impl Fn() -> Answer + Clone + Send + Sync + use<> {
        let this = self.clone();
        move || {
            let this = this.clone();
            Box::pin(async move { this.mocks.call(Part::Undo, &this.name).await })
        }
    }

    /// It, for [`SagaManager::add`](compensation::SagaManager::add), where it may be given a budget.
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// use compensation::{RetryPolicy, SagaManager};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (saga, mocks) = (SagaManager::new(), Mocks::new());
    /// let twice = RetryPolicy::new(2).first(std::time::Duration::ZERO);
    /// mocks.injector().fail_times("undo seat", 1);
    /// saga.add(mocks.compensation("seat").compensation().retry(twice));
    /// assert!(saga.compensate().await.is_ok());
    /// mocks.recorder().assert_order(["undo seat", "undo seat"]);
    /// # }
    /// ```
    #[must_use]
    pub fn compensation(&self) -> Compensation {
        Compensation::new(&*self.name, self.undo_call())
    }
}
