//! A test activity as closures: what sagas take as actions, undos and probes.

use compensation::{Probed, StepContext, UndoContext, machine::Effect};

use super::TestActivity;
use crate::injector::Answer;

impl TestActivity {
    /// The action of a [`Builder::step`](compensation::Builder::step): executes for the step's
    /// [idempotency key](StepContext::idempotency_key). Its output is the receipt. See the example
    /// [above](Self).
    pub fn action<I: 'static>(
        &self,
    ) -> impl Fn(StepContext<I>) -> Answer<String> + Clone + Send + Sync + use<I> {
        let this = self.clone();
        move |cx| {
            let (this, key) = (this.clone(), cx.idempotency_key());
            Box::pin(async move { this.execute(&key).await })
        }
    }

    /// The undo of such a step. That there is nothing to undo is well where the saga does not know whether
    /// there is.
    pub fn undo<I: 'static>(
        &self,
    ) -> impl Fn(UndoContext<I>, Option<String>) -> Answer + Clone + Send + Sync + use<I> {
        let this = self.clone();
        move |cx, receipt| {
            let (this, key) = (this.clone(), cx.idempotency_key());
            let due = cx.effect() == Effect::Sure;
            Box::pin(async move { this.take_back(&key, due, receipt.as_deref()).await })
        }
    }

    /// The probe of such a step: whether the effect is there. It goes by `probe` and its name.
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// use compensation::Saga;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let car = TestActivity::new("car");
    /// car.injector().fail("car reply");
    /// let mut trip = Saga::<()>::builder("trip");
    /// trip.step("car", car.action()).undo(car.undo()).probe(car.probe()).add();
    /// assert!(trip.build()?.run(()).await.is_completed());
    /// car.recorder().assert_order(["car", "probe car"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn probe<I: 'static>(
        &self,
    ) -> impl Fn(StepContext<I>) -> Answer<Probed<String>> + Clone + Send + Sync + use<I> {
        let this = self.clone();
        move |cx| {
            let (this, key) = (this.clone(), cx.idempotency_key());
            Box::pin(async move { this.look(key).await })
        }
    }

    /// Executing for that key, as a function without arguments: for [`SagaStep`](compensation::SagaStep).
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// use compensation::{SagaStep, execute_saga};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let car = TestActivity::new("car");
    /// let step = SagaStep::new("car", car.execute_call("trip-1"))
    ///     .with_compensation(car.compensate_call("trip-1"));
    /// assert!(execute_saga([step]).await.is_ok());
    /// assert!(car.is_in_effect("trip-1"));
    /// # }
    /// ```
    pub fn execute_call(
        &self,
        key: &str,
    ) -> impl Fn() -> Answer<String> + Clone + Send + Sync + use<> {
        let (this, key) = (self.clone(), key.to_owned());
        move || {
            let (this, key) = (this.clone(), key.clone());
            Box::pin(async move { this.execute(&key).await })
        }
    }

    /// Compensating for that key, as a function without arguments: for
    /// [`SagaManager::add_compensation`](compensation::SagaManager::add_compensation).
    ///
    /// A function without arguments is not told whether there is something to undo. That the activity was
    /// called is enough: a call that failed before its effect may be compensated.
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// use compensation::SagaManager;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (saga, car) = (SagaManager::new(), TestActivity::new("car"));
    /// saga.add_compensation("car", car.compensate_call("trip-1"));
    /// assert!(car.execute("trip-1").await.is_ok());
    /// assert!(saga.compensate().await.is_ok());
    /// assert!(!car.is_in_effect("trip-1"));
    /// # }
    /// ```
    pub fn compensate_call(&self, key: &str) -> impl Fn() -> Answer + Clone + Send + Sync + use<> {
        let (this, key) = (self.clone(), key.to_owned());
        move || {
            let (this, key) = (this.clone(), key.clone());
            Box::pin(async move { this.compensate(&key).await })
        }
    }
}
