//! What goes wrong with a server while an engine runs on it: nothing is lost, and nothing runs again that is
//! recorded as done.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod base;

use std::{sync::Arc, time::Duration};

use base::{
    Base, connect,
    trip::{Shop, check, id, make_effects, trip},
};
use compensation::{
    Engine, Outcome, SagaId, Status, Timestamp,
    repository::{
        Append, Created, Entry, ErrorKind, Head, NewSaga, Query, Repository, RepositoryError,
        SagaKey,
    },
};
use compensation_postgres::{PostgresOptions, PostgresRepository};
use loopback_postgres::{SUPERUSER, Server, Syncs};
use tokio::task::JoinSet;
use tokio_postgres::Client;

const SAGAS: usize = 150;

async fn engine(url: &str, schema: &str) -> (Engine, Arc<PostgresRepository>) {
    let store = PostgresOptions::new().schema(schema).open(url).await.expect("a store");
    let store = Arc::new(store);
    let saga = trip(&Shop::new(url, schema));
    let engine = Engine::open_shared(store.clone()).register(saga).start().await;
    (engine.expect("an engine"), store)
}

/// Runs sagas, and does something as every fiftieth has ended. A start whose outcome is not known is asked again.
async fn run(engine: &Engine, mut meanwhile: impl AsyncFnMut()) {
    let mut sagas = JoinSet::new();
    for number in 0..SAGAS {
        let engine = engine.clone();
        sagas.spawn(async move {
            loop {
                match engine.run("trip", id(number), &1).await {
                    Ok(Outcome::Completed(_)) => return,
                    Ok(other) => panic!("{other:?}"),
                    Err(error) if error.may_pass() => {}
                    // Another owner has it for a moment: this store's next one.
                    Err(compensation::EngineError::Store(error))
                        if error.kind() == ErrorKind::NotOwner => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    let mut ended = 0;
    while let Some(saga) = sagas.join_next().await {
        saga.expect("no panic");
        ended += 1;
        if ended % 50 == 0 && ended < SAGAS {
            meanwhile().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_and_starts_again_loses_and_repeats_nothing() {
    let server = Server::start(Syncs::No).unwrap_or_else(|why| panic!("{why}"));
    let url = server.url(SUPERUSER, "postgres");
    make_effects(&connect(&url).await.expect("a connection"), "sagas").await;
    let (engine, store) = engine(&url, "sagas").await;
    run(&engine, async || {
        server.crash().expect("a crash");
        server.start_again().expect("a start");
    })
    .await;
    engine.drain().await;
    check(&*store, &connect(&url).await.expect("a connection"), "sagas", SAGAS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_first_after_a_restart_of_the_server_takes_nothing_from_the_living() {
    let server = Server::start(Syncs::No).unwrap_or_else(|why| panic!("{why}"));
    let url = server.url(SUPERUSER, "postgres");
    let open = async || {
        let options = PostgresOptions::new().schema("sagas").silence(Duration::from_secs(3_600));
        options.open(&url).await.expect("a store")
    };
    let (first, other) = (open().await, open().await);
    let (kept, lost) = (created(&other, "kept").await, created(&other, "lost").await);
    // The saga of an owner that has had its time and not come back.
    let gone = "INSERT INTO sagas.owner (id, backend, backend_since, silence, process)
        VALUES (4711, 1, now(), '0 s', 'gone')";
    let client = connect(&url).await.expect("a connection");
    client.execute(gone, &[]).await.expect("an owner");
    let give = "UPDATE sagas.saga SET owner = 4711 WHERE id = 'lost'";
    client.execute(give, &[]).await.expect("a saga");
    server.crash().expect("a crash");
    server.start_again().expect("a start");
    until_it_passes(async || first.recover().await).await.expect("a recovery");
    let claimed = first.claim(10).await.expect("a claim");
    assert_eq!(claimed.iter().map(|saga| saga.key).collect::<Vec<_>>(), [lost]);
    until_it_passes(async || other.append(entry(kept, 1)).await).await.expect("still its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_and_repeat_nothing() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    make_effects(&client, base.schema()).await;
    let name = base.schema().to_owned();
    let url = format!("{}&application_name={name}", base.url());
    let (engine, store) = engine(&url, base.schema()).await;
    run(&engine, async || {
        // One at least, also where all were cut a moment ago.
        until_it_passes(async || store.list(Query::default()).await).await.expect("a page");
        let cut =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
        let cut = client.query(cut, &[&name]).await.expect("an answer");
        assert!(!cut.is_empty());
    })
    .await;
    engine.drain().await;
    check(&*store, &client, base.schema(), SAGAS).await;
}

/// Lets every so manyth write of entries fail so.
async fn inject(client: &Client, schema: &str, each: u32, code: &str) {
    let inject = format!(
        "CREATE SEQUENCE {schema}.faults;
         CREATE FUNCTION {schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
            IF nextval('{schema}.faults') % {each} = 0 THEN
                RAISE EXCEPTION 'injected' USING ERRCODE = '{code}';
            END IF;
            RETURN NULL;
         END $$;
         CREATE TRIGGER fails AFTER INSERT ON {schema}.journal FOR EACH STATEMENT
            EXECUTE FUNCTION {schema}.fail()"
    );
    client.batch_execute(&inject).await.expect("a trigger");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_the_server_undoes_because_of_others_are_written_again() {
    for code in ["40001", "40P01"] {
        let base = Base::new();
        let client = connect(&base.url()).await.expect("a connection");
        make_effects(&client, base.schema()).await;
        let (engine, store) = engine(&base.url(), base.schema()).await;
        inject(&client, base.schema(), 3, code).await;
        run(&engine, async || {}).await;
        engine.drain().await;
        check(&*store, &client, base.schema(), SAGAS).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_for_a_while_delays_sagas_and_loses_none() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    make_effects(&client, base.schema()).await;
    let (engine, store) = engine(&base.url(), base.schema()).await;
    inject(&client, base.schema(), 4, "53100").await;
    let mut notices = engine.subscribe();
    let told = tokio::spawn(async move {
        while let Ok(notice) = notices.recv().await {
            if let compensation::News::StoreFailing { message } = &notice.news {
                return message.clone();
            }
        }
        String::new()
    });
    run(&engine, async || {}).await;
    engine.drain().await;
    drop(engine);
    let message = told.await.expect("no panic");
    assert!(message.contains("its disk is full"), "{message}");
    check(&*store, &client, base.schema(), SAGAS).await;
}

fn new(text: &str) -> NewSaga {
    NewSaga {
        id: SagaId::new(text).expect("an id"),
        name: "trip".into(),
        plan: "{}".into(),
        input: "1".to_owned(),
        head: Head { status: Status::Running, reason: None },
        entry: Entry { at: Timestamp::from_millis(1), body: "[]".to_owned() },
    }
}

async fn created(store: &PostgresRepository, text: &str) -> SagaKey {
    match store.create(new(text)).await.expect("a start") {
        Created::New(key) => key,
        Created::Existing => panic!("there already"),
    }
}

fn entry(key: SagaKey, seq: u32) -> Append {
    let entry = Entry { at: Timestamp::from_millis(2), body: format!("[{seq}]") };
    Append { key, seq, entry, head: Head { status: Status::Running, reason: None } }
}

async fn cut(client: &Client, schema: &str) {
    let cut = format!("SELECT pg_terminate_backend(backend), backend FROM {schema}.owner");
    let cut = client.query(&cut, &[]).await.expect("a cut");
    let cut: Vec<i32> = cut.iter().map(|row| row.get(1)).collect();
    let left = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY ($1)";
    while client.query_one(left, &[&cut]).await.expect("sessions").get::<_, i64>(0) > 0 {
        tokio::task::yield_now().await;
    }
}

/// The first call on a connection that was cut may fail; which one does is chance.
async fn until_it_passes<T>(
    mut call: impl AsyncFnMut() -> Result<T, RepositoryError>,
) -> Result<T, RepositoryError> {
    loop {
        match call().await {
            Err(error) if error.kind() == ErrorKind::Temporary => {}
            other => return other,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_connection_was_cut_keeps_its_sagas_if_nobody_took_them() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    let store = base.options().open(&base.url()).await.expect("a store");
    let key = created(&store, "a").await;
    cut(&client, base.schema()).await;
    until_it_passes(async || store.append(entry(key, 1)).await).await.expect("still its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_sagas_were_taken_while_it_was_cut_off_can_not_write_to_them() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    let (one, two) = (
        base.options().open(&base.url()).await.expect("a store"),
        base.options().open(&base.url()).await.expect("a store"),
    );
    let key = created(&one, "a").await;
    assert_eq!(two.recover().await.expect("a recovery"), 0);
    cut(&client, base.schema()).await;
    until_it_passes(async || {
        two.recover().await?;
        let claimed = two.claim(1).await?;
        if claimed.len() == 1 {
            return Ok(());
        }
        Err(RepositoryError::new(ErrorKind::Temporary, "not yet"))
    })
    .await
    .expect("a claim");
    let refused = until_it_passes(async || one.append(entry(key, 1)).await).await;
    assert_eq!(refused.expect_err("a refusal").kind(), ErrorKind::NotOwner);
    two.append(entry(key, 1)).await.expect("its own");
    // It has become another owner, whose own sagas are its own.
    let next = created(&one, "b").await;
    one.append(entry(next, 1)).await.expect("its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_was_found_dead_while_its_session_lived_can_not_write() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    let store = base.options().open(&base.url()).await.expect("a store");
    let key = created(&store, "a").await;
    let mark = format!("UPDATE {}.owner SET dead = true", base.schema());
    client.execute(&mark, &[]).await.expect("a death");
    let refused = store.append(entry(key, 1)).await.expect_err("a refusal");
    assert_eq!(refused.kind(), ErrorKind::NotOwner);
    assert_eq!(store.recover().await.expect("a recovery"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_write_whose_data_the_server_refuses_fails_alone() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    let store = base.options().open(&base.url()).await.expect("a store");
    let check = format!("ALTER TABLE {}.saga ADD CHECK (input <> 'bad')", base.schema());
    client.batch_execute(&check).await.expect("a rule");
    let mut bad = new("bad");
    bad.input = "bad".to_owned();
    let (first, refused, last) =
        tokio::join!(store.create(new("a")), store.create(bad), store.create(new("b")));
    assert!(matches!(first, Ok(Created::New(_))));
    assert!(matches!(last, Ok(Created::New(_))));
    assert_eq!(refused.expect_err("a refusal").kind(), ErrorKind::Permanent);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_without_a_connection_to_spare_wait_and_then_are_told() {
    let base = Base::new();
    let mut client = connect(&base.url()).await.expect("a connection");
    let store = base.options().readers(1).open(&base.url()).await.expect("a store");
    created(&store, "a").await;
    let lock = client.transaction().await.expect("a transaction");
    let locked = format!("LOCK TABLE {}.plan IN ACCESS EXCLUSIVE MODE", base.schema());
    lock.batch_execute(&locked).await.expect("a lock");
    let (first, second) = (store.list(Query::default()), store.list(Query::default()));
    let (mut first, mut second) = (first, second);
    // One has the only connection and waits for the lock; the other one waits for the connection.
    let error = tokio::select! {
        told = &mut first => told,
        told = &mut second => told,
    };
    let error = error.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Temporary);
    assert!(error.to_string().contains("every connection for readers is busy"), "{error}");
    lock.rollback().await.expect("an end");
    assert_eq!(store.list(Query::default()).await.expect("a page").sagas.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_connection_to_spare_is_told_and_may_have_one_later() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    let role = format!("limited_{}", base.schema());
    let limited = format!("CREATE ROLE {role} LOGIN SUPERUSER CONNECTION LIMIT 0");
    client.batch_execute(&limited).await.expect("a role");
    // Superusers have no limits; the store must not need one.
    let url = base.url_of(&role);
    client.batch_execute(&format!("ALTER ROLE {role} NOSUPERUSER")).await.expect("a role");
    let error = base.options().open(&url).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Temporary, "{error}");
    client.batch_execute(&format!("DROP ROLE {role}")).await.expect("an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_another_owner_has_written_are_not_taken_for_ones_own() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    let (one, two) = (
        base.options().open(&base.url()).await.expect("a store"),
        base.options().open(&base.url()).await.expect("a store"),
    );
    let key = created(&one, "a").await;
    let mark = format!("UPDATE {}.owner SET dead = true", base.schema());
    client.execute(&mark, &[]).await.expect("a death");
    assert_eq!(two.recover().await.expect("a recovery"), 1);
    assert_eq!(two.claim(1).await.expect("a claim").len(), 1);
    let mut last = entry(key, 1);
    last.head.status = Status::Completed;
    two.append(last.clone()).await.expect("its own");
    // The first one wakes up, and is about to write the very same.
    let refused = one.append(last.clone()).await.expect_err("a refusal");
    assert_eq!(refused.kind(), ErrorKind::NotOwner);
    two.append(last).await.expect("its own words, again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_on_the_server_is_not_taken_for_a_refusal_for_good() {
    // Out of file descriptors; made read-only, as hosts do where a disk fills up; a failure of the system that has
    // no code of its own, as where a quota is used up.
    for code in ["53000", "25006", "XX000"] {
        let base = Base::new();
        let client = connect(&base.url()).await.expect("a connection");
        let store = base.options().open(&base.url()).await.expect("a store");
        let key = created(&store, "a").await;
        inject(&client, base.schema(), 1, code).await;
        let refused = store.append(entry(key, 1)).await.expect_err("a refusal");
        assert!(refused.kind().may_pass(), "{code}: {refused}");
        let mend = format!("DROP TRIGGER fails ON {}.journal", base.schema());
        client.batch_execute(&mend).await.expect("an end");
        store.append(entry(key, 1)).await.expect("still its own");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_locked_out_for_a_while_delays_its_writes_and_loses_none() {
    let server = Server::start(Syncs::No).unwrap_or_else(|why| panic!("{why}"));
    let client = connect(&server.url(SUPERUSER, "postgres")).await.expect("a connection");
    let role =
        "CREATE ROLE app LOGIN; GRANT CREATE ON DATABASE postgres TO app; GRANT pg_monitor TO app";
    client.batch_execute(role).await.expect("a role");
    let options = PostgresOptions::new().schema("sagas");
    let store = options.open(&server.url("app", "postgres")).await.expect("a store");
    let key = created(&store, "a").await;
    client.batch_execute("ALTER ROLE app NOLOGIN").await.expect("a lock");
    cut(&client, "sagas").await;
    // The first error may still be of the connection that was cut.
    let mut told = String::new();
    for _ in 0..100 {
        let error = store.append(entry(key, 1)).await.expect_err("an error");
        assert_eq!(error.kind(), ErrorKind::Temporary, "{error}");
        told = error.to_string();
        if told.contains("refuses the role") {
            break;
        }
    }
    assert!(told.contains("refuses the role or its password"), "{told}");
    client.batch_execute("ALTER ROLE app LOGIN").await.expect("an end");
    until_it_passes(async || store.append(entry(key, 1)).await).await.expect("still its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_somebody_locks_delay_writes_and_everybody_is_told() {
    let base = Base::new();
    let mut client = connect(&base.url()).await.expect("a connection");
    let store = base.options().open(&base.url()).await.expect("a store");
    let mut keys = Vec::new();
    for text in ["a", "b", "c"] {
        keys.push(created(&store, text).await);
    }
    let locks = client.transaction().await.expect("a transaction");
    let lock = format!("LOCK TABLE {0}.journal, {0}.saga", base.schema());
    locks.batch_execute(&lock).await.expect("a lock");
    // The first goes alone, and what follows waits for it, and is written together.
    let (first, second, third, new) = tokio::join!(
        store.append(entry(keys[0], 1)),
        store.append(entry(keys[1], 1)),
        store.append(entry(keys[2], 1)),
        store.create(new("d"))
    );
    for told in [first, second, third, new.map(drop)] {
        assert_eq!(told.expect_err("a lock").kind(), ErrorKind::Temporary);
    }
    locks.rollback().await.expect("an end");
    for key in keys {
        store.append(entry(key, 1)).await.expect("its own");
    }
}
