//! `resume`: drives what dead processes left to its end.

use compensation::{Engine, EngineError, Order, SagaId, Status, repository::Query};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Context, drive,
    orders::{signed, user},
    session::{Session, check_secrets, exit, file_of},
};
use crate::{
    args::Ordered,
    error::{Error, Exit},
    print::{self, Tone},
};

/// Sagas looked up in one go.
const PAGE: usize = 500;

pub(super) async fn resume(
    context: &Context,
    ids: Vec<SagaId>,
    order: Ordered,
) -> Result<Exit, Error> {
    // Services and containers that resume what was left often have no name; the number they always have.
    let number = || format!("uid {}", rustix::process::getuid().as_raw());
    let order = Ordered { by: Some(order.by.or_else(user).unwrap_or_else(number)), ..order };
    let order = signed(order)?;
    let session = Session::open(context).await?;
    let ids = if ids.is_empty() { left(&session).await? } else { ids };
    let mut sagas = Vec::new();
    for id in &ids {
        let saga = session.load(id).await?;
        let model = file_of(&saga)?;
        if !saga.summary.head.status.is_final() {
            check_secrets(&model)?;
        }
        sagas.push(saga.summary);
    }
    sagas.iter().for_each(|saga| drive::say_waits(context, saga));
    let work = async {
        let mut sagas = JoinSet::new();
        for id in ids.clone() {
            let (engine, order) = (session.engine.clone(), order.clone());
            sagas.spawn(async move { one(&engine, &id, order).await });
        }
        while let Some(ended) = sagas.join_next().await {
            match ended.unwrap_or(Err(EngineError::Closing)) {
                Ok(()) | Err(EngineError::Held { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    drive::to_the_end(context, &session, &ids, work).await?;
    result(context, &session, &ids).await
}

/// Has a saga driven on, and waits for its end. One that is over, or waits for a person, is shown as it stands.
async fn one(engine: &Engine, id: &SagaId, order: Order) -> Result<(), EngineError> {
    match engine.resume_by(id, order).await {
        Ok(_) | Err(EngineError::Refused { .. }) => {}
        Err(error) => return Err(error),
    }
    // Should whoever drives it die meanwhile, it is taken over.
    engine.finish(id).await.map(drop)
}

/// Every open saga of a file that nobody runs.
async fn left(session: &Session) -> Result<Vec<SagaId>, Error> {
    let mut query = Query {
        status: vec![Status::Running, Status::Compensating],
        limit: PAGE,
        ..Query::default()
    };
    let mut ids = Vec::new();
    loop {
        let page = session.engine.list(query.clone()).await?;
        for saga in page.sagas.into_iter().filter(|saga| !saga.owned) {
            match file_of(&session.load(&saga.id).await?) {
                Ok(_) => ids.push(saga.id),
                Err(error) => print::note(Tone::Plain, &format!("passed over: {error}")),
            }
        }
        query.after = page.next;
        if page.next.is_none() {
            // Listed newest first; the oldest has waited longest.
            ids.reverse();
            return Ok(ids);
        }
    }
}

async fn result(context: &Context, session: &Session, ids: &[SagaId]) -> Result<Exit, Error> {
    let mut worst = Exit::Ok;
    let mut records = Vec::new();
    for id in ids {
        let record = session.record(id).await?;
        worst = worst.worse(exit(record.stored.summary.head.status));
        records.push(record);
    }
    if context.json {
        let sagas: Vec<_> = records.iter().map(print::Record::brief_json).collect();
        print::say_json(&json!({ "sagas": sagas, "exit": worst.code() }))?;
    } else if records.is_empty() {
        print::say("nothing to resume\n")?;
    } else {
        let steps = records.len() == 1;
        let all: String = records.iter().map(|record| print::brief(record, steps)).collect();
        print::say(&all)?;
    }
    Ok(worst)
}
