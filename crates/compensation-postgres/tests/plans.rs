//! What the server reads for what is asked of it, while the tables are young and it knows nothing of them yet.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod base;

use base::{
    Base, connect,
    trip::{Shop, id, make_effects, trip},
};
use compensation::Engine;
use tokio::task::JoinSet;

const SAGAS: usize = 300;

/// Entries read of an index. A session tells them at its end.
const READ: &str = "SELECT coalesce(sum(idx_tup_read), 0)::int8 FROM pg_stat_user_indexes
    WHERE schemaname = $1 AND indexrelname = $2";

const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";

#[tokio::test(flavor = "multi_thread")]
async fn a_write_does_not_read_all_that_its_owner_ever_had() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    make_effects(&client, base.schema()).await;
    let options = base.options().application(base.schema());
    let store = options.open(&base.url()).await.expect("a store");
    let saga = trip(&Shop::new(&base.url(), base.schema()));
    let engine = Engine::open(store).register(saga).start().await.expect("an engine");
    let mut sagas = JoinSet::new();
    for number in 0..SAGAS {
        let engine = engine.clone();
        sagas.spawn(async move { engine.run("trip", id(number), &1).await.expect("an outcome") });
    }
    while let Some(ended) = sagas.join_next().await {
        assert!(ended.expect("no panic").is_completed());
    }
    engine.drain().await;
    drop(engine);
    loop {
        let row = client.query_one(SESSIONS, &[&base.schema()]).await.expect("sessions");
        if row.get::<_, i64>(0) == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let of = async |index: &str| -> i64 {
        client.query_one(READ, &[&base.schema(), &index]).await.expect("figures").get(0)
    };
    // By key, each saga's row is found a few times. What its owner had is looked at when an engine starts.
    assert!(of("saga_pkey").await >= SAGAS as i64);
    let owned = of("saga_driven").await;
    assert!(owned < 4 * SAGAS as i64, "{owned} entries read");
}
