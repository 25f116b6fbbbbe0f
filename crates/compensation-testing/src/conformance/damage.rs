//! One saga is spoilt in the store: it is told, or refused with an error, and no other saga suffers.

use compensation::{
    Status,
    repository::{Acquired, ErrorKind, Query, RepositoryError, StoredSaga},
};

use super::{
    Damage,
    kit::{Kit, append, create, id},
};
use crate::suite::tests;

tests![
    a_spoilt_entry_is_not_read_as_what_it_was_or_as_nothing,
    a_missing_entry_is_noticed,
    a_spoilt_plan_is_not_read_as_what_it_was_or_as_nothing,
    other_sagas_are_read_listed_and_written_beside_a_spoilt_one,
    other_sagas_are_taken_over_beside_spoilt_ones,
    a_spoilt_saga_can_be_parked,
];

const ALL: [Damage; 3] = [Damage::Entry(1), Damage::Missing(1), Damage::Plan];

/// A saga of three entries.
async fn three(kit: &Kit, text: &str) -> StoredSaga {
    let key = kit.create(text).await;
    for seq in 1..=2 {
        kit.store.append(append(key, seq, Status::Running)).await.expect("an entry");
    }
    kit.store.load(&id(text)).await.expect("a load").expect("a saga")
}

/// Damage is told in the saga's own texts, which are no JSON then, or by an error.
fn is_noticed(read: Result<Option<StoredSaga>, RepositoryError>, before: &StoredSaga) {
    let after = match read {
        Ok(found) => found.expect("it is not taken for one that never was"),
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Permanent, "{error}"),
    };
    let texts = |saga: &StoredSaga| {
        let bodies = saga.journal.iter().map(|entry| entry.body.clone());
        std::iter::once(saga.plan.to_string()).chain(bodies).collect::<Vec<_>>()
    };
    let (before, after) = (texts(before), texts(&after));
    let odd: Vec<_> = after.iter().filter(|text| !before.contains(text)).collect();
    assert!(!odd.is_empty(), "the damage is hidden: {after:?}");
    assert!(odd.iter().all(|text| !text.starts_with(['[', '{'])), "it looks sound: {odd:?}");
}

async fn noticed(kit: Kit, damage: Damage) {
    let before = three(&kit, "a").await;
    kit.fixture.damage(&id("a"), damage);
    is_noticed(kit.store.load(&id("a")).await, &before);
    is_noticed(kit.another().load(&id("a")).await, &before);
}

async fn a_spoilt_entry_is_not_read_as_what_it_was_or_as_nothing(kit: Kit) {
    noticed(kit, Damage::Entry(1)).await;
}

async fn a_missing_entry_is_noticed(kit: Kit) {
    noticed(kit, Damage::Missing(1)).await;
}

async fn a_spoilt_plan_is_not_read_as_what_it_was_or_as_nothing(kit: Kit) {
    noticed(kit, Damage::Plan).await;
}

async fn other_sagas_are_read_listed_and_written_beside_a_spoilt_one(kit: Kit) {
    for (damage, round) in ALL.into_iter().zip(0..) {
        let [bad, good] = ["bad", "good"].map(|text| format!("{text}-{round}"));
        three(&kit, &bad).await;
        // With a plan of its own: plans are shared by those that have the same.
        let before = {
            let mut new = super::kit::saga(&good);
            new.plan = r#"{"saga":"another"}"#.into();
            kit.store.create(new).await.expect("a start");
            kit.store.load(&id(&good)).await.expect("a load").expect("a saga")
        };
        kit.fixture.damage(&id(&bad), damage);
        let after = kit.store.load(&id(&good)).await.expect("a load").expect("a saga");
        assert_eq!((&after.plan, &after.journal), (&before.plan, &before.journal));
        let page = kit.store.list(Query::default()).await.expect("a page");
        assert!(page.sagas.iter().any(|saga| saga.id == id(&good)), "{damage:?}");
        kit.store.append(append(after.key, 1, Status::Completed)).await.expect("an entry");
    }
}

async fn other_sagas_are_taken_over_beside_spoilt_ones(kit: Kit) {
    let dead = kit.another();
    let mut keys = Vec::new();
    for text in ["a", "b", "c", "d"] {
        let key = create(&*dead, text).await;
        for seq in 1..=2 {
            dead.append(append(key, seq, Status::Running)).await.expect("an entry");
        }
        keys.push(key);
    }
    for (text, damage) in [("a", Damage::Entry(1)), ("c", Damage::Missing(1))] {
        kit.fixture.damage(&id(text), damage);
    }
    drop(dead);
    kit.store.recover().await.expect("a recovery");
    let mut claimed = Vec::new();
    loop {
        let more = kit.store.claim(1).await.expect("a claim");
        if more.is_empty() {
            break;
        }
        claimed.extend(more.into_iter().map(|saga| saga.key));
    }
    assert!(claimed.contains(&keys[1]) && claimed.contains(&keys[3]), "{claimed:?} of {keys:?}");
    for key in [keys[1], keys[3]] {
        kit.store.append(append(key, 3, Status::Completed)).await.expect("an end");
    }
}

async fn a_spoilt_saga_can_be_parked(kit: Kit) {
    for (damage, round) in ALL.into_iter().zip(0..) {
        let text = format!("saga-{round}");
        let key = three(&kit, &text).await.key;
        kit.fixture.damage(&id(&text), damage);
        kit.store.park(key, "it can't be read".to_owned()).await.expect("parked");
        let counts = kit.store.counts().await.expect("counts");
        assert_eq!(counts.get(Status::Stuck), round + 1);
        // Where it can be acquired at all, a person may give it up.
        let acquired = kit.store.acquire(&id(&text)).await;
        assert!(!matches!(acquired, Ok(Acquired::Absent | Acquired::Held(_))), "{acquired:?}");
    }
}
