//! Loading, listing, counting and deleting.

use compensation::{
    Status, Timestamp,
    repository::{Created, Query},
};

use super::kit::{Kit, append, head, id, saga};
use crate::suite::tests;

tests![
    what_is_not_there_is_not_loaded,
    sagas_that_are_loaded_together_come_as_they_were_asked_for,
    a_listing_is_newest_first,
    a_listing_comes_in_pages_without_overlap,
    a_listing_can_be_limited_to_some_statuses,
    a_listing_can_be_limited_to_one_definition,
    a_listing_can_be_limited_to_a_text_in_id_or_reason,
    a_listing_can_be_limited_to_a_span_of_time,
    a_listing_can_be_oldest_first_in_pages,
    a_listing_tells_who_is_owned,
    counts_follow_every_change,
    purging_deletes_only_what_is_final_and_old,
    purging_is_bounded,
    a_purged_id_can_be_used_again,
];

async fn ids(kit: &Kit, query: Query) -> Vec<String> {
    let page = kit.store.list(query).await.expect("a page");
    page.sagas.iter().map(|saga| saga.id.to_string()).collect()
}

async fn what_is_not_there_is_not_loaded(kit: Kit) {
    kit.create("a").await;
    assert!(kit.store.load(&id("b")).await.expect("a load").is_none());
}

async fn sagas_that_are_loaded_together_come_as_they_were_asked_for(kit: Kit) {
    for text in ["a", "b", "c"] {
        let key = kit.create(text).await;
        kit.store.append(append(key, 1, Status::Completed)).await.expect("an entry");
    }
    let ids = ["c", "nobody", "a", "b"].map(id).to_vec();
    let found = kit.store.load_all(ids).await.expect("a load");
    let alone = async |text| kit.store.load(&id(text)).await.expect("a load").expect("a saga");
    for (together, text) in found.iter().zip(["c", "a", "b"]) {
        let alone = alone(text).await;
        assert_eq!((&together.summary, &together.journal), (&alone.summary, &alone.journal));
        assert_eq!((&together.plan, &together.input), (&alone.plan, &alone.input));
    }
    assert_eq!(found.len(), 3);
    assert!(kit.store.load_all(Vec::new()).await.expect("a load").is_empty());
}

async fn a_listing_is_newest_first(kit: Kit) {
    for text in ["a", "b", "c"] {
        kit.create(text).await;
    }
    assert_eq!(ids(&kit, Query::default()).await, ["c", "b", "a"]);
}

async fn a_listing_comes_in_pages_without_overlap(kit: Kit) {
    for number in 0..7 {
        kit.create(&format!("saga-{number}")).await;
    }
    let mut query = Query { limit: 3, ..Query::default() };
    let mut seen = Vec::new();
    loop {
        let page = kit.store.list(query.clone()).await.expect("a page");
        assert!(page.sagas.len() <= 3);
        seen.extend(page.sagas.iter().map(|saga| saga.id.to_string()));
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    assert_eq!(seen, (0..7).rev().map(|number| format!("saga-{number}")).collect::<Vec<_>>());
}

async fn a_listing_can_be_limited_to_some_statuses(kit: Kit) {
    kit.create("running").await;
    for status in [Status::Completed, Status::Compensated, Status::Stuck, Status::Abandoned] {
        kit.ended(status.as_str(), status, 2_000).await;
    }
    let only = |status: &[Status]| Query { status: status.to_vec(), ..Query::default() };
    assert_eq!(ids(&kit, only(&[Status::Stuck])).await, ["stuck"]);
    assert_eq!(ids(&kit, only(&[Status::Running, Status::Stuck])).await, ["stuck", "running"]);
    assert_eq!(
        ids(&kit, only(&[Status::Stuck, Status::Compensated])).await,
        ["stuck", "compensated"]
    );
    assert!(ids(&kit, only(&[Status::Compensating])).await.is_empty());
}

async fn a_listing_can_be_limited_to_one_definition(kit: Kit) {
    kit.create("a").await;
    let mut other = saga("b");
    (other.name, other.plan) = ("order".into(), r#"{"saga":"order"}"#.into());
    kit.store.create(other).await.expect("a start");
    let named = |name: &str| Query { name: Some(name.to_owned()), ..Query::default() };
    assert_eq!(ids(&kit, named("order")).await, ["b"]);
    assert_eq!(ids(&kit, named("trip")).await, ["a"]);
    assert!(ids(&kit, named("none")).await.is_empty());
}

async fn a_listing_can_be_limited_to_a_text_in_id_or_reason(kit: Kit) {
    kit.ended("order-1", Status::Stuck, 2_000).await;
    kit.create("Order-2").await;
    kit.create("trip%3").await;
    let with = |text: &str| Query { text: Some(text.to_owned()), ..Query::default() };
    assert_eq!(ids(&kit, with("ORDER-")).await, ["Order-2", "order-1"]);
    assert_eq!(ids(&kit, with("a Person")).await, ["order-1"]);
    assert_eq!(ids(&kit, with("%")).await, ["trip%3"]);
    assert!(ids(&kit, with("nowhere")).await.is_empty());
}

async fn a_listing_can_be_limited_to_a_span_of_time(kit: Kit) {
    for (text, at) in [("a", 1_000), ("b", 2_000), ("c", 3_000)] {
        let mut saga = saga(text);
        saga.entry.at = Timestamp::from_millis(at);
        kit.store.create(saga).await.expect("a start");
    }
    let span = |from: Option<i64>, before: Option<i64>| Query {
        created_from: from.map(Timestamp::from_millis),
        created_before: before.map(Timestamp::from_millis),
        ..Query::default()
    };
    assert_eq!(ids(&kit, span(Some(2_000), None)).await, ["c", "b"]);
    assert_eq!(ids(&kit, span(None, Some(2_000))).await, ["a"]);
    assert_eq!(ids(&kit, span(Some(1_001), Some(3_000))).await, ["b"]);
}

async fn a_listing_can_be_oldest_first_in_pages(kit: Kit) {
    for text in ["a", "b", "c"] {
        kit.create(text).await;
    }
    let mut query = Query { oldest_first: true, limit: 2, ..Query::default() };
    assert_eq!(ids(&kit, query.clone()).await, ["a", "b"]);
    query.after = kit.store.list(query.clone()).await.expect("a page").next;
    assert_eq!(ids(&kit, query).await, ["c"]);
}

async fn a_listing_tells_who_is_owned(kit: Kit) {
    let key = kit.create("free").await;
    kit.store.release(vec![key]).await.expect("a release");
    kit.create("owned").await;
    let page = kit.store.list(Query::default()).await.expect("a page");
    let owned: Vec<_> = page.sagas.iter().map(|saga| saga.owned).collect();
    assert_eq!(owned, [true, false]);
}

async fn counts_follow_every_change(kit: Kit) {
    let counts = |kit: &Kit| {
        let store = kit.store.clone();
        async move {
            let counts = store.counts().await.expect("counts");
            Status::ALL.map(|status| counts.get(status))
        }
    };
    assert_eq!(counts(&kit).await, [0; 6]);
    let (a, b) = (kit.create("a").await, kit.create("b").await);
    assert_eq!(counts(&kit).await, [2, 0, 0, 0, 0, 0]);
    kit.store.append(append(a, 1, Status::Compensating)).await.expect("an entry");
    kit.store.append(append(b, 1, Status::Completed)).await.expect("an entry");
    assert_eq!(counts(&kit).await, [0, 1, 1, 0, 0, 0]);
    kit.store.park(a, "why".to_owned()).await.expect("parked");
    assert_eq!(counts(&kit).await, [0, 0, 1, 0, 1, 0]);
    kit.create("c").await;
    kit.store.purge(Timestamp::from_millis(9_000), 10).await.expect("a purge");
    assert_eq!(counts(&kit).await, [1, 0, 0, 0, 1, 0]);
}

async fn purging_deletes_only_what_is_final_and_old(kit: Kit) {
    kit.ended("old", Status::Completed, 2_000).await;
    kit.ended("stuck", Status::Stuck, 2_000).await;
    kit.ended("young", Status::Compensated, 3_000).await;
    kit.create("open").await;
    let purged = kit.store.purge(Timestamp::from_millis(3_000), 10).await.expect("a purge");
    assert_eq!(purged, 1);
    assert_eq!(ids(&kit, Query::default()).await, ["open", "young", "stuck"]);
}

async fn purging_is_bounded(kit: Kit) {
    for number in 0..5 {
        kit.ended(&format!("saga-{number}"), Status::Completed, 2_000).await;
    }
    kit.create("open").await;
    let before = Timestamp::from_millis(3_000);
    assert_eq!(kit.store.purge(before, 3).await.expect("a purge"), 3);
    assert_eq!(kit.store.purge(before, 3).await.expect("a purge"), 2);
    assert_eq!(kit.store.purge(before, 3).await.expect("a purge"), 0);
}

async fn a_purged_id_can_be_used_again(kit: Kit) {
    kit.ended("a", Status::Completed, 2_000).await;
    kit.create("b").await;
    kit.store.purge(Timestamp::from_millis(3_000), 10).await.expect("a purge");
    assert!(kit.store.load(&id("a")).await.expect("a load").is_none());
    let created = kit.store.create(saga("a")).await.expect("an answer");
    assert!(matches!(created, Created::New(_)));
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert_eq!(found.journal.len(), 1);
    assert_eq!(found.summary.head, head(Status::Running));
}
