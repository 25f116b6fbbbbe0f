//! An activity with an effect in memory: what a test runs sagas on to see what is left of them.

mod ledger;
mod wrap;

use std::sync::Arc;

use compensation::{Part, Probed, StepError};

use crate::{
    injector::FailureInjector,
    mock::Mocks,
    recorder::{CompensationRecorder, label},
};
use ledger::Ledger;

pub use ledger::Violation;

/// Something with an effect, kept in memory as a set of keys: executing for a key puts it there, compensating
/// takes it away. Both are idempotent. Cheap to clone; clones share the effects.
///
/// It can be made to fail at four points, by names for its [`injector`](Self::injector): `a` before the
/// effect and `a reply` after it (the effect is there, and its reply is lost), `undo a` and
/// `undo a reply` around the compensation. Its calls are recorded as those of a
/// [`MockStep`](crate::MockStep).
///
/// What no saga may do to it fails, and is kept as a [`Violation`]: compensating what was never executed, or
/// is still being executed, and executing what has been compensated. [`lenient`](Self::lenient) allows it.
///
/// ```
/// use compensation::{Saga, SagaId};
/// use compensation_testing::TestActivity;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (car, hotel) = (TestActivity::new("car"), TestActivity::new("hotel"));
/// let mut trip = Saga::<()>::builder("trip");
/// trip.step("car", car.action()).undo(car.undo()).add();
/// trip.step("hotel", hotel.action()).undo(hotel.undo()).add();
/// let trip = trip.build()?;
///
/// assert!(trip.run_as(SagaId::new("1")?, ()).await.is_completed());
/// assert!(car.is_in_effect("trip:1:car"));
///
/// hotel.injector().fail("hotel reply"); // booked, but nobody is told
/// assert!(!trip.run_as(SagaId::new("2")?, ()).await.is_completed());
/// assert_eq!(hotel.effects("trip:2:hotel"), 1);
/// assert_eq!(hotel.in_effect(), ["trip:1:hotel"]);
/// hotel.assert_sound();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TestActivity {
    name: Arc<str>,
    mocks: Mocks,
    ledger: Ledger,
}

impl TestActivity {
    /// An activity of that name, with a recorder and an injector of its own.
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// assert!(TestActivity::new("reserve").in_effect().is_empty());
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Mocks::new().activity(name)
    }

    /// The same with everything allowed that is a [`Violation`] otherwise.
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let reserve = TestActivity::new("reserve").lenient();
    /// assert!(reserve.compensate("trip-1").await.is_ok());
    /// # }
    /// ```
    #[must_use]
    pub fn lenient(self) -> Self {
        Self { ledger: self.ledger.lenient(), ..self }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What lets it fail.
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let reserve = TestActivity::new("reserve");
    /// reserve.injector().fail("reserve reply");
    /// assert!(reserve.execute("trip-1").await.is_err());
    /// assert!(reserve.is_in_effect("trip-1"));
    /// # }
    /// ```
    #[must_use]
    pub fn injector(&self) -> &FailureInjector {
        self.mocks.injector()
    }

    /// What records its calls.
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let reserve = TestActivity::new("reserve");
    /// assert!(reserve.execute("trip-1").await.is_ok());
    /// reserve.recorder().assert_order(["reserve"]);
    /// # }
    /// ```
    #[must_use]
    pub fn recorder(&self) -> &CompensationRecorder {
        self.mocks.recorder()
    }

    /// Brings the effect about for a key, and gives a receipt: the key. For a key that is in effect already
    /// it changes nothing.
    ///
    /// # Errors
    /// What was injected, or a [`Violation`].
    ///
    /// # Cancel safety
    /// Dropped, it may have had its effect or not.
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let reserve = TestActivity::new("reserve");
    /// for _ in 0..2 {
    ///     assert!(reserve.execute("trip-1").await.is_ok());
    /// }
    /// assert_eq!((reserve.executions("trip-1"), reserve.effects("trip-1")), (2, 1));
    /// # }
    /// ```
    pub async fn execute(&self, key: &str) -> Result<String, StepError> {
        let work = async {
            let executing = self.ledger.begin(key).map_err(forbidden)?;
            self.injector().check(&self.name).await?;
            executing.take_effect();
            self.reply(Part::Action).await?;
            Ok(key.to_owned())
        };
        self.recorder().record(Part::Action, &self.name, work).await
    }

    /// Takes the effect of a key back. Where there is none any more it changes nothing.
    ///
    /// # Errors
    /// What was injected, or a [`Violation`].
    ///
    /// # Cancel safety
    /// Dropped, it may have taken the effect back or not.
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let reserve = TestActivity::new("reserve");
    /// assert!(reserve.execute("trip-1").await.is_ok());
    /// assert!(reserve.compensate("trip-1").await.is_ok());
    /// assert!(!reserve.is_in_effect("trip-1"));
    /// # }
    /// ```
    pub async fn compensate(&self, key: &str) -> Result<(), StepError> {
        self.take_back(key, true, None).await
    }

    async fn take_back(
        &self,
        key: &str,
        due: bool,
        receipt: Option<&str>,
    ) -> Result<(), StepError> {
        let work = async {
            self.ledger.admit_undo(key, due, receipt).map_err(forbidden)?;
            self.injector().check(&label(Part::Undo, &self.name)).await?;
            self.ledger.revert(key);
            self.reply(Part::Undo).await
        };
        self.recorder().record(Part::Undo, &self.name, work).await
    }

    /// Finds out whether the effect of a key is there.
    async fn look(&self, key: String) -> Result<Probed<String>, StepError> {
        let work = async {
            self.injector().check(&label(Part::Probe, &self.name)).await?;
            Ok(if self.is_in_effect(&key) { Probed::Done(key) } else { Probed::NotDone })
        };
        self.recorder().record(Part::Probe, &self.name, work).await
    }

    async fn reply(&self, part: Part) -> Result<(), StepError> {
        self.injector().check(&format!("{} reply", label(part, &self.name))).await
    }

    /// Whether it has had its effect for that key, and that has not been taken back.
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let reserve = TestActivity::new("reserve");
    /// assert!(reserve.execute("trip-1").await.is_ok());
    /// assert!(reserve.is_in_effect("trip-1") && !reserve.is_in_effect("trip-2"));
    /// assert_eq!(reserve.in_effect(), ["trip-1"]);
    /// # }
    /// ```
    #[must_use]
    pub fn is_in_effect(&self, key: &str) -> bool {
        self.ledger.is_in_effect(key)
    }

    /// The keys for which it is in effect, sorted.
    #[must_use]
    pub fn in_effect(&self) -> Vec<String> {
        self.ledger.in_effect()
    }

    /// How often the effect came about for that key: once, however often it was executed, unless it was
    /// taken back in between.
    #[must_use]
    pub fn effects(&self, key: &str) -> u32 {
        self.ledger.effects(key)
    }

    /// How often it was executed for that key, with success or without.
    #[must_use]
    pub fn executions(&self, key: &str) -> u32 {
        self.ledger.executions(key)
    }

    /// How often it was compensated for that key, with success or without.
    ///
    /// ```
    /// # use compensation_testing::TestActivity;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let reserve = TestActivity::new("reserve");
    /// assert!(reserve.execute("trip-1").await.is_ok());
    /// for _ in 0..2 {
    ///     assert!(reserve.compensate("trip-1").await.is_ok());
    /// }
    /// assert_eq!(reserve.compensations("trip-1"), 2);
    /// # }
    /// ```
    #[must_use]
    pub fn compensations(&self, key: &str) -> u32 {
        self.ledger.compensations(key)
    }

    /// What was done to it that no saga may do.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.ledger.violations()
    }

    /// There is no [`Violation`].
    ///
    /// # Panics
    /// With all that there are.
    ///
    /// ```should_panic
    /// # use compensation_testing::TestActivity;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let reserve = TestActivity::new("reserve");
    /// let _ = reserve.compensate("trip-1").await;
    /// reserve.assert_sound();
    /// # }
    /// ```
    #[track_caller]
    pub fn assert_sound(&self) {
        let all: Vec<_> = self.violations().iter().map(ToString::to_string).collect();
        assert!(all.is_empty(), "{}", all.join("; "));
    }
}

impl Mocks {
    /// An activity with this recorder and this injector.
    ///
    /// ```
    /// # use compensation_testing::Mocks;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mocks = Mocks::new();
    /// assert!(mocks.activity("reserve").execute("trip-1").await.is_ok());
    /// mocks.recorder().assert_order(["reserve"]);
    /// # }
    /// ```
    #[must_use]
    pub fn activity(&self, name: impl Into<String>) -> TestActivity {
        let name: Arc<str> = name.into().into();
        TestActivity { name: name.clone(), mocks: self.clone(), ledger: Ledger::new(name) }
    }
}

/// A violation is nothing to try again.
fn forbidden(violation: Violation) -> StepError {
    StepError::not_done(violation).terminal()
}
