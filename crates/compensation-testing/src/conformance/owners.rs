//! Who may run a saga, and what becomes of it when its owner dies.

use compensation::{
    Status,
    repository::{Acquired, ErrorKind},
};

use super::kit::{Kit, append, create, id, saga};
use crate::suite::tests;

tests![
    what_is_owned_can_not_be_claimed,
    what_is_released_can_be_claimed,
    what_is_claimed_is_not_claimed_twice,
    claims_are_oldest_first_and_bounded,
    what_has_ended_is_not_claimed,
    a_claim_brings_the_whole_record,
    the_sagas_of_a_dead_owner_are_let_go,
    the_sagas_of_a_living_owner_are_left_alone,
    an_entry_can_be_written_by_who_took_over,
    what_nobody_has_can_not_be_acquired,
    what_a_living_owner_has_can_not_be_acquired,
    ones_own_saga_can_be_acquired_again,
    what_a_dead_owner_had_can_be_acquired,
    a_stuck_saga_can_be_acquired_mended_and_ended,
    what_was_acquired_and_released_has_no_owner,
    an_id_is_free_for_others_while_its_owner_lives,
];

async fn what_is_owned_can_not_be_claimed(kit: Kit) {
    kit.create("a").await;
    assert!(kit.store.claim(10).await.expect("a claim").is_empty());
    assert!(kit.another().claim(10).await.expect("a claim").is_empty());
}

async fn what_is_released_can_be_claimed(kit: Kit) {
    let key = kit.create("a").await;
    kit.store.release(vec![key]).await.expect("a release");
    assert_eq!(kit.store.recover().await.expect("a recovery"), 1);
    let other = kit.another();
    let claimed = other.claim(10).await.expect("a claim");
    assert_eq!(claimed.len(), 1);
    let error = kit.store.append(append(key, 1, Status::Running)).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::NotOwner);
}

async fn what_is_claimed_is_not_claimed_twice(kit: Kit) {
    let mut keys = Vec::new();
    for number in 0..40 {
        keys.push(kit.create(&format!("saga-{number}")).await);
    }
    kit.store.release(keys.clone()).await.expect("a release");
    let (one, two) = (kit.another(), kit.another());
    let mut claimed = Vec::new();
    loop {
        let (first, second) = tokio::join!(one.claim(3), two.claim(3));
        let both = [first.expect("a claim"), second.expect("a claim")].concat();
        if both.is_empty() {
            break;
        }
        claimed.extend(both.into_iter().map(|saga| saga.key));
    }
    claimed.sort_unstable();
    keys.sort_unstable();
    assert_eq!(claimed, keys);
}

async fn claims_are_oldest_first_and_bounded(kit: Kit) {
    let mut keys = Vec::new();
    for text in ["a", "b", "c"] {
        keys.push(kit.create(text).await);
    }
    kit.store.release(vec![keys[2], keys[0], keys[1]]).await.expect("a release");
    let claimed = kit.store.claim(2).await.expect("a claim");
    assert_eq!(claimed.iter().map(|saga| saga.key).collect::<Vec<_>>(), keys[..2]);
}

async fn what_has_ended_is_not_claimed(kit: Kit) {
    for status in [Status::Completed, Status::Compensated, Status::Stuck, Status::Abandoned] {
        kit.ended(status.as_str(), status, 2_000).await;
    }
    assert_eq!(kit.store.recover().await.expect("a recovery"), 0);
    assert!(kit.store.claim(10).await.expect("a claim").is_empty());
}

async fn a_claim_brings_the_whole_record(kit: Kit) {
    let key = kit.create("a").await;
    kit.store.append(append(key, 1, Status::Compensating)).await.expect("an entry");
    let before = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    kit.store.release(vec![key]).await.expect("a release");
    let claimed = kit.another().claim(1).await.expect("a claim").remove(0);
    assert_eq!(claimed.journal, before.journal);
    assert_eq!(claimed.plan, before.plan);
    assert_eq!(claimed.input, before.input);
    assert_eq!(claimed.summary, before.summary);
}

async fn the_sagas_of_a_dead_owner_are_let_go(kit: Kit) {
    let dead = kit.another();
    for text in ["a", "b"] {
        create(&*dead, text).await;
    }
    drop(dead);
    assert_eq!(kit.store.recover().await.expect("a recovery"), 2);
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert!(!found.summary.owned);
    assert_eq!(kit.store.claim(10).await.expect("a claim").len(), 2);
}

async fn the_sagas_of_a_living_owner_are_left_alone(kit: Kit) {
    let living = kit.another();
    let key = create(&*living, "a").await;
    assert_eq!(kit.store.recover().await.expect("a recovery"), 0);
    assert!(kit.store.claim(10).await.expect("a claim").is_empty());
    living.append(append(key, 1, Status::Running)).await.expect("it is still its own");
}

async fn an_entry_can_be_written_by_who_took_over(kit: Kit) {
    let dead = kit.another();
    let key = create(&*dead, "a").await;
    dead.append(append(key, 1, Status::Running)).await.expect("an entry");
    drop(dead);
    kit.store.recover().await.expect("a recovery");
    kit.store.claim(1).await.expect("a claim");
    kit.store.append(append(key, 2, Status::Completed)).await.expect("an entry");
}

async fn what_nobody_has_can_not_be_acquired(kit: Kit) {
    let acquired = kit.store.acquire(&id("a")).await.expect("an answer");
    assert!(matches!(acquired, Acquired::Absent));
}

async fn what_a_living_owner_has_can_not_be_acquired(kit: Kit) {
    kit.create("a").await;
    let acquired = kit.another().acquire(&id("a")).await.expect("an answer");
    let Acquired::Held(who) = acquired else { panic!("{acquired:?}") };
    assert!(!who.is_empty());
}

async fn ones_own_saga_can_be_acquired_again(kit: Kit) {
    let key = kit.create("a").await;
    let acquired = kit.store.acquire(&id("a")).await.expect("an answer");
    assert!(matches!(acquired, Acquired::Owned(saga) if saga.key == key));
    kit.store.append(append(key, 1, Status::Running)).await.expect("still its own");
}

async fn what_a_dead_owner_had_can_be_acquired(kit: Kit) {
    let dead = kit.another();
    create(&*dead, "a").await;
    drop(dead);
    let acquired = kit.store.acquire(&id("a")).await.expect("an answer");
    assert!(matches!(acquired, Acquired::Owned(saga) if saga.summary.owned));
}

async fn a_stuck_saga_can_be_acquired_mended_and_ended(kit: Kit) {
    let key = kit.ended("a", Status::Stuck, 2_000).await;
    let other = kit.another();
    let acquired = other.acquire(&id("a")).await.expect("an answer");
    assert!(matches!(acquired, Acquired::Owned(_)));
    other.append(append(key, 2, Status::Compensating)).await.expect("an order");
    other.append(append(key, 3, Status::Compensated)).await.expect("an end");
    let counts = kit.store.counts().await.expect("counts");
    assert_eq!((counts.get(Status::Stuck), counts.get(Status::Compensated)), (0, 1));
}

async fn what_was_acquired_and_released_has_no_owner(kit: Kit) {
    let key = kit.ended("a", Status::Completed, 2_000).await;
    let other = kit.another();
    other.acquire(&id("a")).await.expect("an answer");
    other.release(vec![key]).await.expect("a release");
    let acquired = kit.store.acquire(&id("a")).await.expect("an answer");
    assert!(matches!(acquired, Acquired::Owned(_)));
}

async fn an_id_is_free_for_others_while_its_owner_lives(kit: Kit) {
    kit.create("a").await;
    let created = kit.another().create(saga("b")).await;
    assert!(created.is_ok());
}
