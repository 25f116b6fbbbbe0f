//! The ways in which `compensation` itself runs sagas, as drivers of scenarios.

use std::{collections::BTreeSet, sync::Arc};

use compensation::{
    Certainty, CompensationError, Engine, SagaId, SagaManager, StepError, execute_saga,
    repository::{MemoryRepository, Repository},
};

use super::{Driver, Finish, Play, PlayStep};

/// [`SagaManager`] by hand: steps are run one after the other, and their compensations registered.
///
/// ```
/// use compensation_testing::scenarios::{self, Manager};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// scenarios::assert_all(&Manager).await;
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Manager;

impl Driver for Manager {
    fn name(&self) -> &str {
        "`SagaManager`"
    }

    async fn run(&self, play: &Play) -> Finish {
        let saga = SagaManager::new();
        for step in play.steps() {
            let ended = act(&step).await;
            let undo = step.compensation();
            match ended {
                Ok(()) => saga.add(undo),
                Err(error) => {
                    if error.certainty() == Certainty::Unknown {
                        saga.add(undo);
                    }
                    let failed = saga.compensate().await.err();
                    return Finish::rolled_back(step.name(), names(failed.as_ref()));
                }
            }
        }
        Finish::completed()
    }
}

/// Runs an action by itself, so that its panic is an error.
async fn act(step: &PlayStep) -> Result<(), StepError> {
    tokio::spawn(step.action()()).await.unwrap_or_else(|panic| Err(StepError::unknown(panic)))
}

/// [`execute_saga`]: a saga as a list of steps.
///
/// ```
/// use compensation_testing::scenarios::{self, StepList};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// scenarios::assert_all(&StepList).await;
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct StepList;

impl Driver for StepList {
    fn name(&self) -> &str {
        "`execute_saga`"
    }

    async fn run(&self, play: &Play) -> Finish {
        match execute_saga(play.steps().iter().map(PlayStep::saga_step)).await {
            Ok(()) => Finish::completed(),
            Err(error) => Finish::rolled_back(error.step(), names(error.rollback())),
        }
    }
}

fn names(failed: Option<&CompensationError>) -> BTreeSet<String> {
    let failures = failed.map(CompensationError::errors).unwrap_or_default();
    failures.iter().map(|failure| failure.name().to_owned()).collect()
}

/// [`Saga::run`](compensation::Saga::run): a definition in process.
///
/// ```
/// use compensation_testing::scenarios::{self, InProcess};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// scenarios::assert_all(&InProcess).await;
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct InProcess;

impl Driver for InProcess {
    fn name(&self) -> &str {
        "`Saga::run`"
    }

    async fn run(&self, play: &Play) -> Finish {
        let saga = play.definition().expect("a scenario's steps make a definition");
        Finish::of(saga.run(()).await.report())
    }
}

/// The durable [`Engine`] on a store.
///
/// ```
/// use std::sync::Arc;
/// use compensation::repository::MemoryRepository;
/// use compensation_testing::scenarios::{self, DurableEngine};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let store = Arc::new(MemoryRepository::new()); // or another one
/// scenarios::assert_all(&DurableEngine::on(store)).await;
/// # }
/// ```
#[derive(Clone)]
pub struct DurableEngine {
    store: Arc<dyn Repository>,
}

impl DurableEngine {
    /// On that store, where each scenario is one saga with a random id.
    #[must_use]
    pub fn on(store: Arc<dyn Repository>) -> Self {
        Self { store }
    }

    /// On a store in memory.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::on(Arc::new(MemoryRepository::new()))
    }
}

impl Driver for DurableEngine {
    fn name(&self) -> &str {
        "`Engine`"
    }

    async fn run(&self, play: &Play) -> Finish {
        let saga = play.definition().expect("a scenario's steps make a definition");
        let engine = Engine::open_shared(self.store.clone()).register(saga).without_recovery();
        let engine = engine.start().await.expect("the store works");
        let id = SagaId::random();
        let outcome = engine.run("scenario", id.clone(), &()).await.expect("the saga runs");
        let finished = Finish::of(outcome.report());
        let stored = engine.report(&id).await.expect("the saga is stored");
        assert_eq!(Finish::of(&stored), finished, "the record says the same as the engine");
        engine.drain().await;
        finished
    }
}
