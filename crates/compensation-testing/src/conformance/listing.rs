//! Listings held against a plain account of what a query means: any query, in pages of any size, has every saga
//! that it is for, once, in order.

use compensation::{
    SagaId, Status, Timestamp,
    repository::{Created, Entry, Head, NewSaga, Query},
};
use fastrand::Rng;

use super::kit::Kit;
use crate::suite::tests;

tests![any_query_has_every_saga_that_it_is_for_once_and_in_order];

/// Queries that are asked.
const ROUNDS: usize = 2_000;

const MINUTE: i64 = 60_000;

/// What a query can ask of a saga.
struct Known {
    id: String,
    name: String,
    status: Status,
    reason: Option<String>,
    created: i64,
}

fn any(rng: &mut Rng, number: usize) -> Known {
    // Clocks differ by up to half an hour from one saga to the next.
    let created = number as i64 * 10 * MINUTE + rng.i64(0..=30) * MINUTE;
    Known {
        id: format!("{}-{number}", ["Order", "trip", "x"][rng.usize(..3)]),
        name: ["trip", "order", "rare"][(rng.f64().powi(3) * 3.0) as usize].to_owned(),
        status: Status::ALL[rng.usize(..Status::ALL.len())],
        reason: rng.bool().then(|| ["Card refused", "no ROOM"][rng.usize(..2)].to_owned()),
        created,
    }
}

fn asked(rng: &mut Rng, sagas: usize) -> Query {
    let moment = |rng: &mut Rng| {
        let at = rng.i64(-10..sagas as i64 * 10 + 50) * MINUTE;
        rng.bool().then(|| Timestamp::from_millis(at))
    };
    let statuses = rng.usize(..4);
    let texts = ["order", "-1", "card", "ROOM", "nothing"];
    Query {
        status: (0..statuses).map(|_| Status::ALL[rng.usize(..Status::ALL.len())]).collect(),
        name: rng.bool().then(|| ["trip", "order", "rare", "never"][rng.usize(..4)].to_owned()),
        text: rng.bool().then(|| texts[rng.usize(..texts.len())].to_owned()),
        created_from: moment(rng),
        created_before: moment(rng),
        oldest_first: rng.bool(),
        after: None,
        limit: rng.usize(1..20),
    }
}

fn is_meant(query: &Query, saga: &Known) -> bool {
    let holds = |text: &String, part: &String| text.to_lowercase().contains(&part.to_lowercase());
    (query.status.is_empty() || query.status.contains(&saga.status))
        && query.name.as_ref().is_none_or(|name| *name == saga.name)
        && query.text.as_ref().is_none_or(|text| {
            holds(&saga.id, text) || saga.reason.as_ref().is_some_and(|reason| holds(reason, text))
        })
        && query.created_from.is_none_or(|from| saga.created >= from.as_millis())
        && query.created_before.is_none_or(|before| saga.created < before.as_millis())
}

async fn any_query_has_every_saga_that_it_is_for_once_and_in_order(kit: Kit) {
    let store = kit.store.clone();
    let mut rng = Rng::with_seed(7);
    let mut known: Vec<_> = (0..300).map(|number| any(&mut rng, number)).collect();
    for saga in &known {
        let new = NewSaga {
            id: SagaId::new(saga.id.as_str()).expect("an id"),
            name: saga.name.as_str().into(),
            // Of one definition there are several versions.
            plan: format!("{{\"saga\":\"{}\",\"of\":{}}}", saga.name, rng.u32(..4)).into(),
            input: String::new(),
            head: Head { status: saga.status, reason: saga.reason.clone() },
            entry: Entry { at: Timestamp::from_millis(saga.created), body: "[]".to_owned() },
        };
        let created = store.create(new).await.expect("a start");
        assert!(matches!(created, Created::New(_)));
    }
    // Gaps among the keys, where finished sagas were forgotten.
    let before = Timestamp::from_millis(1_000 * MINUTE);
    store.purge(before, 20).await.expect("a purge");
    let all = Query { limit: 1_000, ..Query::default() };
    let kept = store.list(all).await.expect("a page").sagas;
    known.retain(|saga| kept.iter().any(|kept| kept.id.as_str() == saga.id));
    for round in 0..ROUNDS {
        let query = asked(&mut rng, known.len());
        let mut wanted: Vec<_> =
            known.iter().filter(|saga| is_meant(&query, saga)).map(|saga| &*saga.id).collect();
        if !query.oldest_first {
            wanted.reverse();
        }
        let (mut found, mut next) = (Vec::new(), query.clone());
        loop {
            let page = store.list(next.clone()).await.expect("a page");
            assert!(page.sagas.len() <= query.limit, "{round}: {query:?}");
            found.extend(page.sagas.into_iter().map(|saga| saga.id.to_string()));
            let Some(after) = page.next else { break };
            next.after = Some(after);
        }
        assert_eq!(found, wanted, "{round}: {query:?}");
    }
}
