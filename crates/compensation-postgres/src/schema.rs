//! The tables, and how a schema shows that it has them.

use compensation::repository::{ErrorKind, RepositoryError};
use tokio_postgres::{Client, Error};

use crate::{connection::Target, error::classify};

/// What is done to come from each version to the next. The first makes everything; entries are never changed,
/// only added.
const STEPS: [&str; 1] = [concat!(
    include_str!("tables/sagas.sql"),
    include_str!("tables/records.sql"),
    include_str!("tables/barrier.sql")
)];

/// The schema that this program knows.
const VERSION: i32 = STEPS.len() as i32;

/// What is in the schema.
enum Found {
    Nothing { schema: bool },
    Ours(i32),
    SomethingElse,
}

/// Makes the tables where there are none, and what is missing in those of an older version; refuses schemas that
/// are not ours. Nothing of a refused schema changes.
pub(crate) async fn prepare(
    client: &mut Client,
    target: &Target,
    create: bool,
) -> Result<(), RepositoryError> {
    let failed = |error| classify("open", target.place(), error);
    let found = look(client, target).await.map_err(failed)?;
    match (judge(found, target)?, create) {
        (Some(VERSION), _) => Ok(()),
        (None, false) => Err(refused(format!(
            "there is no store in schema `{}` of {}: check both names, or let it be made",
            target.schema,
            target.place()
        ))),
        (Some(older), false) => Err(refused(format!(
            "can't open schema `{}` of {}: an older version of this program made it (schema {older}, and \
             this one needs {VERSION}): open it once with a role that may change the tables",
            target.schema,
            target.place()
        ))),
        (None | Some(_), true) => make(client, target).await,
    }
}

async fn look(client: &Client, target: &Target) -> Result<Found, Error> {
    let schema = &target.schema;
    let row = client
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
                EXISTS (SELECT FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
                    WHERE nspname = $1 AND relname = 'compensation_schema' AND relkind = 'r'),
                EXISTS (SELECT FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
                    WHERE nspname = $1)",
            &[schema],
        )
        .await?;
    Ok(match (row.get(0), row.get(1), row.get(2)) {
        (_, true, _) => {
            let version = format!("SELECT max(version) FROM \"{schema}\".compensation_schema");
            Found::Ours(
                client.query_one(&version, &[]).await?.get::<_, Option<i32>>(0).unwrap_or(0),
            )
        }
        (schema, false, false) => Found::Nothing { schema },
        (_, false, true) => Found::SomethingElse,
    })
}

/// The version of what is there; `None` where there is nothing.
fn judge(found: Found, target: &Target) -> Result<Option<i32>, RepositoryError> {
    let (schema, place) = (&target.schema, target.place());
    match found {
        Found::Nothing { .. } => Ok(None),
        Found::Ours(version @ 1..=VERSION) => Ok(Some(version)),
        Found::Ours(newer) => Err(refused(format!(
            "can't open schema `{schema}` of {place}: a newer version of this program wrote it (schema \
             {newer}, and this one knows {VERSION}): use that version"
        ))),
        Found::SomethingElse => Err(refused(format!(
            "can't open schema `{schema}` of {place}: it holds another program's tables: choose another \
             schema"
        ))),
    }
}

fn refused(why: String) -> RepositoryError {
    RepositoryError::new(ErrorKind::Permanent, why)
}

async fn make(client: &mut Client, target: &Target) -> Result<(), RepositoryError> {
    let failed = |error| classify("make tables in", target.place(), error);
    let schema = &target.schema;
    let making = client.transaction().await.map_err(failed)?;
    // Several copies may start at once: one makes the tables, the others wait and find them.
    making.batch_execute("SET LOCAL lock_timeout TO '60s'").await.map_err(failed)?;
    making
        .execute("SELECT pg_advisory_xact_lock(hashtext('compensation'), hashtext($1))", &[schema])
        .await
        .map_err(failed)?;
    let found = look(making.client(), target).await.map_err(failed)?;
    let missing = matches!(found, Found::Nothing { schema: false });
    let from = judge(found, target)?.unwrap_or(0);
    if missing {
        let create = format!("CREATE SCHEMA \"{schema}\"");
        making.batch_execute(&create).await.map_err(failed)?;
    }
    for (step, version) in STEPS.iter().zip(1..).skip(from.unsigned_abs() as usize) {
        making.batch_execute(step).await.map_err(failed)?;
        making
            .execute("INSERT INTO compensation_schema (version) VALUES ($1)", &[&version])
            .await
            .map_err(failed)?;
    }
    making.commit().await.map_err(failed)
}
