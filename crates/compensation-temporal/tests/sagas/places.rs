//! The same definitions in three places: in process, on SQLite, on Temporal. Each goes through every standard scenario.

use std::sync::Arc;

use compensation::SagaId;
use compensation_sqlite::SqliteRepository;
use compensation_testing::scenarios::{self, Driver, DurableEngine, Finish, InProcess, Play};

use crate::harness::{hosting, sagas};

/// Each scenario is a saga of its own, with a worker of its own.
struct OnTemporal;

impl Driver for OnTemporal {
    fn name(&self) -> &str {
        "`TemporalSagas`"
    }

    async fn run(&self, play: &Play) -> Finish {
        let definition = play.definition().expect("a scenario's steps make a definition");
        let id = SagaId::random();
        let sagas = sagas(id.as_str()).await;
        let _worker = hosting(id.as_str(), [definition.clone().into()]);
        let outcome = sagas.run(definition, &id, &()).await.expect("the saga runs");
        let finish = Finish::of(outcome.report());
        let report = sagas.report(&id).await.expect("it can be asked after");
        assert_eq!(Finish::of(&report), finish, "the report says the same as the outcome");
        finish
    }
}

/// A place where sagas run, as data.
enum Place {
    Process,
    Sqlite(Box<DurableEngine>),
    Temporal,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_standard_scenario_ends_as_it_should_in_every_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteRepository::open(directory.path().join("sagas.db")).expect("a store");
    let sqlite = Box::new(DurableEngine::on(Arc::new(store)));
    for place in [Place::Process, Place::Sqlite(sqlite), Place::Temporal] {
        match place {
            Place::Process => scenarios::assert_all(&InProcess).await,
            Place::Sqlite(engine) => scenarios::assert_all(&*engine).await,
            Place::Temporal => scenarios::assert_all(&OnTemporal).await,
        }
    }
}
