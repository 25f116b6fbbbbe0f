//! A saga of three steps whose effects are rows of a table outside of the store's schema.

#![allow(dead_code, reason = "each test uses what it needs")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::HashMap, sync::Arc};

use compensation::{
    Saga, SagaId, StepContext, StepError,
    barrier::Act,
    repository::{Query, Repository},
};
use compensation_postgres::Barrier;
use tokio::sync::Mutex;
use tokio_postgres::Client;

use super::connect;

/// The table of effects beside a schema.
pub(crate) fn effects(schema: &str) -> String {
    format!("public.effects_{schema}")
}

pub(crate) async fn make_effects(client: &Client, schema: &str) {
    let make = format!("CREATE TABLE {} (key text, process integer)", effects(schema));
    client.batch_execute(&make).await.expect("a table");
}

/// Where steps have their effects: a connection that is made anew when it is lost.
#[derive(Clone)]
pub(crate) struct Shop {
    url: Arc<str>,
    schema: Arc<str>,
    client: Arc<Mutex<Option<Client>>>,
}

impl Shop {
    pub(crate) fn new(url: &str, schema: &str) -> Self {
        Self { url: url.into(), schema: schema.into(), client: Arc::default() }
    }

    /// An effect without a barrier: it may be had at each attempt.
    async fn plain(&self, key: &str) -> Result<(), StepError> {
        let mut place = self.client.lock().await;
        let client = ready(&mut place, &self.url).await?;
        let put = format!("INSERT INTO {} VALUES ($1, $2)", effects(&self.schema));
        client.execute(&put, &[&key, &std::process::id().cast_signed()]).await?;
        Ok(())
    }

    /// An effect that is had once.
    async fn once(&self, key: &str) -> Result<u32, StepError> {
        let mut place = self.client.lock().await;
        let client = ready(&mut place, &self.url).await?;
        let barrier = Barrier::in_schema(&self.schema)?;
        let tx = client.transaction().await?;
        match barrier.act(&tx, key).await? {
            Act::Now => {}
            Act::Before(output) => return output.ok_or_else(|| StepError::unknown("no output")),
            Act::TooLate => return Err(StepError::not_done("undone").terminal()),
        }
        let put = format!("INSERT INTO {} VALUES ($1, $2)", effects(&self.schema));
        tx.execute(&put, &[&key, &std::process::id().cast_signed()]).await?;
        barrier.keep(&tx, key, &7_u32).await?;
        tx.commit().await?;
        Ok(7)
    }
}

async fn ready<'a>(place: &'a mut Option<Client>, url: &str) -> Result<&'a mut Client, StepError> {
    if place.as_ref().is_none_or(Client::is_closed) {
        let client = connect(url).await?;
        // What a stopped process has locked must not stop the others.
        client.batch_execute("SET idle_in_transaction_session_timeout TO '1s'").await?;
        *place = Some(client);
    }
    place.as_mut().ok_or_else(|| StepError::not_done("no connection"))
}

/// The saga. Its attempts are made again for as long as it takes.
pub(crate) fn trip(shop: &Shop) -> Saga<u32> {
    let mut trip = Saga::<u32>::builder("trip");
    let mut before = None;
    for (name, once) in [("car", false), ("hotel", true), ("flight", false)] {
        let shop = shop.clone();
        let step = trip
            .step(name, move |cx: StepContext<u32>| {
                let shop = shop.clone();
                async move {
                    let key = cx.idempotency_key();
                    if once { shop.once(&key).await.map(drop) } else { shop.plain(&key).await }
                }
            })
            .no_undo("a test")
            .retry(compensation::RetryPolicy::forever().first(std::time::Duration::from_millis(20)))
            .unknown(compensation::machine::UnknownPolicy::Retry);
        let step = match &before {
            Some(before) => step.after(before),
            None => step,
        };
        before = Some(step.add());
    }
    trip.build().expect("a sound saga")
}

/// Every saga of the store is completed; no step had its effect more often than its start was written down, and
/// one behind a barrier had it once.
pub(crate) async fn check(store: &dyn Repository, client: &Client, schema: &str, sagas: usize) {
    let had = format!("SELECT key, count(*) FROM {} GROUP BY key", effects(schema));
    let had: HashMap<String, i64> = client
        .query(&had, &[])
        .await
        .expect("effects")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let all = store.list(Query { limit: sagas + 1, ..Query::default() }).await.expect("a page");
    assert_eq!(all.sagas.len(), sagas);
    for saga in all.sagas {
        assert_eq!(saga.head.status, compensation::Status::Completed, "{saga:?}");
        let stored = store.load(&saga.id).await.expect("a load").expect("a saga");
        let journal: String = stored.journal.iter().map(|entry| entry.body.as_str()).collect();
        for (step, name) in ["car", "hotel", "flight"].into_iter().enumerate() {
            let starts =
                journal.matches(&format!(r#"{{"e":"action_started","s":{step}}}"#)).count();
            let dones = journal.matches(&format!(r#"{{"e":"action_done","s":{step}"#)).count();
            let had = had.get(&format!("trip:{}:{name}", saga.id)).copied().unwrap_or_default();
            let most = if name == "hotel" { 1 } else { starts as i64 };
            assert!(had >= 1 && had <= most, "{}: {name}: {had} effects, {starts} starts", saga.id);
            assert_eq!(dones, 1, "{}: {name}", saga.id);
        }
    }
}

pub(crate) fn id(number: usize) -> SagaId {
    SagaId::new(format!("trip-{number}")).expect("an id")
}
