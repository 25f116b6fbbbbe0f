//! Word of every saga that parks, to a command or a URL. Telling is a saga itself: its one step is attempted, with
//! a time limit, until somebody has heard it. It runs beside the console and never holds it up.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use compensation::{
    Engine, EngineError, Outcome, RetryPolicy, Saga, SagaId, StepContext, StepError,
};
use compensation_metrics::{Park, Parks};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{Context, drive, session::hide_variables};
use crate::{
    args::Serve,
    error::Error,
    exec::{self, Runner},
};

/// The longest that one attempt may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The longest wait between attempts; the first is a second.
const WAIT: Duration = Duration::from_secs(300);

/// Sagas that are told of at once, by each hook.
const AT_ONCE: usize = 8;

/// What is told of a saga that waits for a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Word {
    event: String,
    id: String,
    saga: String,
    reason: String,
    created: String,
    parked: String,
}

impl Word {
    /// What is declared secret is masked, as wherever a saga is shown.
    async fn of(engine: &Engine, park: &Park) -> Self {
        let reason = match engine.history(&park.id).await {
            Ok(mut history) => {
                hide_variables(&mut history.mask, history.report.plan());
                history.mask.text(&park.reason)
            }
            // Parked because it can't be read: no step of it had a word in that.
            Err(EngineError::Held { .. }) => park.reason.clone(),
            Err(error) => format!("its record can't be read now: {error}"),
        };
        Self {
            event: "saga.stuck".to_owned(),
            id: park.id.to_string(),
            saga: park.saga.clone(),
            reason,
            created: park.created.to_string(),
            parked: park.at.to_string(),
        }
    }

    /// The same key at each attempt, and for each park another one.
    fn key(&self) -> String {
        format!("stuck:{}:{}", self.id, self.parked)
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let pairs = [
            ("SAGA_ID", &self.id),
            ("SAGA_NAME", &self.saga),
            ("SAGA_REASON", &self.reason),
            ("SAGA_CREATED", &self.created),
            ("SAGA_PARKED", &self.parked),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.replace('\0', " "))).into()
    }
}

/// Begins to tell, if anybody wants to know. Ends when what is returned is dropped.
pub(super) fn start(
    context: &Context,
    engine: &Engine,
    serve: &Serve,
) -> Result<JoinSet<()>, Error> {
    let mut hooks = JoinSet::new();
    let runner = &context.runner;
    if let Some(command) = &serve.on_stuck {
        let (command, runner) = (command.clone(), runner.clone());
        let telling = telling("command", move |word: Word, _| {
            let (command, runner) = (command.clone(), runner.clone());
            async move { runner.run(&command, &word.variables()).await.map_err(StepError::from) }
        })?;
        hooks.spawn(tell(engine.clone(), telling, context.json));
    }
    if let Some(url) = &serve.on_stuck_url {
        exec::check_url(url).map_err(|why| Error::input(format!("--on-stuck-url: {why}")))?;
        let (url, runner) = (url.clone(), runner.clone());
        let telling = telling("URL", move |word: Word, _| {
            let (url, runner) = (url.clone(), runner.clone());
            async move { send(&runner, &url, &word).await }
        })?;
        hooks.spawn(tell(engine.clone(), telling, context.json));
    }
    Ok(hooks)
}

async fn send(runner: &Runner, url: &str, word: &Word) -> Result<(), StepError> {
    let body = serde_json::to_string(word).map_err(StepError::unknown)?;
    Ok(runner.post(url, &word.key(), body).await?)
}

fn telling<F: Future<Output = Result<(), StepError>> + Send + 'static>(
    what: &str,
    tell: impl Fn(Word, u32) -> F + Send + Sync + 'static,
) -> Result<Arc<Saga<Word>>, Error> {
    let mut telling = Saga::<Word>::builder(format!("tell a {what} of a stuck saga"));
    let retry = RetryPolicy::forever().first(Duration::from_secs(1)).max(WAIT);
    telling
        .step("tell", move |cx: StepContext<Word>| {
            let told = tell(cx.input().clone(), cx.attempt());
            let (id, attempt) = (cx.input().id.clone(), cx.attempt());
            async move {
                let told = told.await;
                if let Err(error) = &told {
                    complain(&id, attempt, error);
                }
                told
            }
        })
        .retry(retry)
        .timeout(LIMIT)
        .no_undo("what is said is said")
        .add();
    let built = telling.build();
    built.map(Arc::new).map_err(|error| Error::other(format!("the hook can't be made: {error}")))
}

/// Not at each attempt, or a hook that is down for a day would fill a log.
fn complain(id: &str, attempt: u32, error: &StepError) {
    if attempt.is_power_of_two() {
        let line = format!("{id} is stuck, and the hook failed (attempt {attempt}): {error}");
        crate::print::note(crate::print::Tone::Bad, &line);
    }
}

async fn tell(engine: Engine, telling: Arc<Saga<Word>>, quiet: bool) {
    let mut parks = Parks::watch(&engine);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut under_way = JoinSet::new();
    loop {
        // What waits here is kept by `Parks`, and in the store.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let park = parks.next().await;
        while under_way.try_join_next().is_some() {}
        let word = Word::of(&engine, &park).await;
        let Ok(id) = SagaId::new(format!("told:{}", word.parked)) else { continue };
        let telling = telling.clone();
        under_way.spawn(async move {
            let told = telling.run_as(id, word).await;
            if let (Outcome::Completed(_), false) = (&told, quiet) {
                drive::note(&format!("{}: told that it is stuck", park.id));
            }
            drop(place);
        });
    }
}
