//! An owner that others could prove dead, though it is not: it wakes up, and must do no harm.

use compensation::{
    Status,
    repository::{Created, ErrorKind},
};

use super::kit::{Kit, append, create, id, saga};
use crate::suite::tests;

tests![
    what_an_owner_had_that_was_cut_off_is_taken_over,
    an_owner_that_was_cut_off_writes_no_more_to_what_others_own,
    an_owner_that_was_cut_off_parks_and_lets_go_nothing_that_others_own,
    what_an_owner_begins_after_it_was_cut_off_is_its_own,
];

async fn what_an_owner_had_that_was_cut_off_is_taken_over(kit: Kit) {
    let slow = kit.another();
    let key = create(&*slow, "a").await;
    kit.fixture.cut_off();
    let next = kit.another();
    next.recover().await.expect("a recovery");
    let claimed = next.claim(10).await.expect("a claim");
    assert_eq!(claimed.iter().map(|saga| saga.key).collect::<Vec<_>>(), [key]);
    next.append(append(key, 1, Status::Completed)).await.expect("an end");
    drop(slow);
}

async fn an_owner_that_was_cut_off_writes_no_more_to_what_others_own(kit: Kit) {
    let slow = kit.another();
    let key = create(&*slow, "a").await;
    kit.fixture.cut_off();
    let next = kit.another();
    next.recover().await.expect("a recovery");
    next.claim(10).await.expect("a claim");
    let mut late = append(key, 1, Status::Completed);
    late.entry.body = "[late]".to_owned();
    let error = slow.append(late).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::NotOwner, "{error}");
    next.append(append(key, 1, Status::Running)).await.expect("its own");
    let found = next.load(&id("a")).await.expect("a load").expect("a saga");
    let bodies: Vec<_> = found.journal.iter().map(|entry| entry.body.as_str()).collect();
    assert_eq!(bodies, ["[0]", "[1]"]);
}

async fn an_owner_that_was_cut_off_parks_and_lets_go_nothing_that_others_own(kit: Kit) {
    let slow = kit.another();
    let key = create(&*slow, "a").await;
    kit.fixture.cut_off();
    let next = kit.another();
    next.recover().await.expect("a recovery");
    next.claim(10).await.expect("a claim");
    let error = slow.park(key, "why".to_owned()).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::NotOwner, "{error}");
    slow.release(vec![key]).await.expect("nothing to let go");
    next.append(append(key, 1, Status::Completed)).await.expect("still its own");
}

async fn what_an_owner_begins_after_it_was_cut_off_is_its_own(kit: Kit) {
    let slow = kit.another();
    create(&*slow, "a").await;
    kit.fixture.cut_off();
    let next = kit.another();
    next.recover().await.expect("a recovery");
    // It may be refused, for a store need not take it back; what it is given is its own.
    match slow.create(saga("b")).await {
        Ok(created) => {
            let Created::New(key) = created else { panic!("new") };
            next.recover().await.expect("a recovery");
            assert!(next.claim(10).await.expect("a claim").iter().all(|saga| saga.key != key));
            slow.append(append(key, 1, Status::Completed)).await.expect("its own");
        }
        Err(error) => assert!(next.load(&id("b")).await.expect("a load").is_none(), "{error}"),
    }
}
