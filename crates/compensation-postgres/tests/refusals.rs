//! Databases that a store refuses, and how it says so. No refusal changes anything, and none tells a password.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod base;

use base::{Base, connect};
use compensation::{
    SagaId, Status, Timestamp,
    repository::{Entry, ErrorKind, Head, NewSaga, Repository as _, RepositoryError},
};
use compensation_postgres::{PostgresOptions, PostgresRepository};
use loopback_postgres::PASSWORD;

fn text(error: &RepositoryError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(&format!(" {cause} {cause:?}"));
        next = cause.source();
    }
    text
}

fn encoded(password: &str) -> String {
    password.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn guarded(base: &Base, password: &str) -> String {
    format!("postgres://guarded:{password}@127.0.0.1:{}/postgres?sslmode=disable", base.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_not_told() {
    let base = Base::new();
    let url = guarded(&base, "wrong-secret");
    let error = base.options().open(&url).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.to_string().contains("refuses the role or its password"), "{error}");
    assert!(!text(&error).contains("wrong-secret"), "{}", text(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_password_is_used_and_never_told() {
    let base = Base::new();
    let url = guarded(&base, &encoded(PASSWORD));
    // It may log in, and may do nothing there.
    let error = base.options().open(&url).await.expect_err("a refusal");
    assert!(error.to_string().contains("permission denied"), "{error}");
    assert!(error.to_string().contains("grant the role"), "{error}");
    let given = base.options().password(PASSWORD);
    let shown = format!("{given:?}");
    let same = given.open(&guarded(&base, "")).await.expect_err("a refusal");
    assert!(same.to_string().contains("permission denied"), "{same}");
    for told in [text(&error), text(&same), shown] {
        for part in ["p@ss", "w/o", "%41", "p%40ss", &encoded(PASSWORD)] {
            assert!(!told.contains(part), "{told}");
        }
    }
    // As somebody may write it who does not know of percent-encoding.
    let raw = base.options().open(&guarded(&base, PASSWORD)).await.expect_err("a refusal");
    for part in ["p@ss", "ss:w", "w/o", "rd#"] {
        assert!(!text(&raw).contains(part), "{}", text(&raw));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_shows_itself_without_its_password() {
    let base = Base::new();
    let store = base.options().password("hush-hush").open(&base.url()).await.expect("a store");
    assert!(!format!("{store:?}").contains("hush"), "{store:?}");
    assert_eq!(store.place(), format!("postgres://tester@127.0.0.1:{}/postgres", base.port()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_privileges_are_enough() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    let (schema, role) = (base.schema(), format!("least_{}", base.schema()));
    drop(base.options().open(&base.url()).await.expect("tables"));
    client
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN;
             GRANT USAGE ON SCHEMA {schema} TO {role};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
             REVOKE INSERT, UPDATE, DELETE ON {schema}.compensation_schema FROM {role};"
        ))
        .await
        .expect("grants");
    let store = base.options().create(false).open(&base.url_of(&role)).await.expect("a store");
    let new = NewSaga {
        id: SagaId::new("a").expect("an id"),
        name: "trip".into(),
        plan: "{}".into(),
        input: "1".to_owned(),
        head: Head { status: Status::Running, reason: None },
        entry: Entry { at: Timestamp::from_millis(1), body: "[]".to_owned() },
    };
    store.create(new).await.expect("a start");
    assert_eq!(store.recover().await.expect("a recovery"), 0);
    assert_eq!(store.counts().await.expect("counts").get(Status::Running), 1);
    drop(store);
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.expect("an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_read_the_tables_is_told_what_it_lacks() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    let role = format!("least_{}", base.schema());
    drop(base.options().open(&base.url()).await.expect("tables"));
    client.batch_execute(&format!("CREATE ROLE {role} LOGIN")).await.expect("a role");
    let error = base.options().open(&base.url_of(&role)).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.to_string().contains("permission denied for schema"), "{error}");
    client.batch_execute(&format!("DROP ROLE {role}")).await.expect("an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_another_program_is_refused_and_left_as_it_is() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    let schema = base.schema();
    let foreign = format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.saga (name text)");
    client.batch_execute(&foreign).await.expect("tables");
    let error = base.options().open(&base.url()).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.to_string().contains("another program's tables"), "{error}");
    let left = "SELECT count(*) FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
        WHERE nspname = $1";
    let left: i64 = client.query_one(left, &[&schema]).await.expect("a count").get(0);
    assert_eq!(left, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused_by_its_version() {
    let base = Base::new();
    let client = connect(&base.url()).await.expect("a connection");
    drop(base.options().open(&base.url()).await.expect("tables"));
    let newer = format!("INSERT INTO {}.compensation_schema VALUES (999)", base.schema());
    client.batch_execute(&newer).await.expect("a version");
    let error = base.options().open(&base.url()).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.to_string().contains("a newer version of this program"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_there_is_not_made_where_nobody_asked() {
    let base = Base::new();
    let error = base.options().create(false).open(&base.url()).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.to_string().contains("there is no store in schema"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_or_a_server_that_is_not_there_is_told() {
    let base = Base::new();
    let none = format!("postgres://tester@127.0.0.1:{}/nowhere", base.port());
    let error = PostgresRepository::open(&none).await.expect_err("a refusal");
    assert!(error.to_string().contains("create the database"), "{error}");
    let error =
        PostgresRepository::open("postgres://tester@127.0.0.1:1/x").await.expect_err("none");
    assert_eq!(error.kind(), ErrorKind::Temporary);
    assert!(error.to_string().contains("check that the server runs"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_that_the_server_does_not_have_is_not_done_without() {
    let base = Base::new();
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("postgres://tester@127.0.0.1:{}/postgres?sslmode={mode}", base.port());
        let error = base.options().open(&url).await.expect_err("a refusal");
        assert!(error.to_string().to_lowercase().contains("tls"), "{error}");
    }
    let url = format!("postgres://tester@127.0.0.1:{}/postgres?sslmode=prefer", base.port());
    base.options().open(&url).await.expect("without encryption, then");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_copies_that_start_at_once_make_the_tables_once() {
    let base = Base::new();
    let mut copies = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (options, url): (PostgresOptions, _) = (base.options(), base.url());
        copies.spawn(async move { options.open(&url).await.map(drop) });
    }
    while let Some(copy) = copies.join_next().await {
        copy.expect("no panic").expect("a store");
    }
}
