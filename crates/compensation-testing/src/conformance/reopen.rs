//! What is there when all owners have gone, and somebody opens the store again.

use compensation::{
    Status, Timestamp,
    repository::{Acquired, Letter, Query, Reply},
};

use super::kit::{Kit, append, head, id};
use crate::suite::tests;

tests![
    what_was_written_is_there_when_all_owners_have_gone,
    what_was_open_can_be_taken_over_when_all_owners_have_gone,
    letters_and_answers_are_there_when_all_owners_have_gone,
    new_sagas_come_after_those_of_owners_that_have_gone,
];

impl Kit {
    /// Lets the last owner go, and opens the store again.
    fn reopened(self) -> Self {
        let Self { fixture, store } = self;
        drop(store);
        let store = fixture.owner();
        Self { fixture, store }
    }
}

async fn what_was_written_is_there_when_all_owners_have_gone(kit: Kit) {
    for status in [Status::Completed, Status::Compensated, Status::Stuck, Status::Abandoned] {
        kit.ended(status.as_str(), status, 2_000).await;
    }
    let key = kit.create("open").await;
    kit.store.append(append(key, 1, Status::Compensating)).await.expect("an entry");
    let before = kit.store.list(Query::default()).await.expect("a page");
    let counts = kit.store.counts().await.expect("counts");
    let kit = kit.reopened();
    let mut after = kit.store.list(Query::default()).await.expect("a page");
    assert!(!after.sagas[0].owned, "its owner has gone");
    after.sagas[0].owned = true;
    assert_eq!(after, before);
    assert_eq!(kit.store.counts().await.expect("counts"), counts);
    let found = kit.store.load(&id("stuck")).await.expect("a load").expect("a saga");
    assert_eq!(found.summary.head, head(Status::Stuck));
    assert_eq!(found.journal.len(), 2);
}

async fn what_was_open_can_be_taken_over_when_all_owners_have_gone(kit: Kit) {
    let key = kit.create("a").await;
    kit.store.append(append(key, 1, Status::Running)).await.expect("an entry");
    let kit = kit.reopened();
    assert_eq!(kit.store.recover().await.expect("a recovery"), 1);
    let claimed = kit.store.claim(10).await.expect("a claim").remove(0);
    assert_eq!((claimed.key, claimed.journal.len()), (key, 2));
    kit.store.append(append(key, 2, Status::Completed)).await.expect("an end");
    let kit = kit.reopened();
    let acquired = kit.store.acquire(&id("a")).await.expect("an answer");
    assert!(matches!(acquired, Acquired::Owned(saga) if saga.journal.len() == 3));
}

async fn letters_and_answers_are_there_when_all_owners_have_gone(kit: Kit) {
    kit.create("a").await;
    let letter = |key: &str| Letter {
        key: key.to_owned(),
        saga: id("a"),
        at: Timestamp::from_millis(5_000),
        body: "please".to_owned(),
    };
    for key in ["answered", "waits"] {
        kit.store.post(letter(key)).await.expect("an answer");
    }
    kit.store.answer("answered", "done".to_owned()).await.expect("an answer");
    let kit = kit.reopened();
    let reply = kit.store.reply("answered").await.expect("a reply");
    assert_eq!(reply, Reply::Answered("done".to_owned()));
    assert_eq!(kit.store.inbox(10).await.expect("letters"), [letter("waits")]);
}

async fn new_sagas_come_after_those_of_owners_that_have_gone(kit: Kit) {
    let old = kit.ended("old", Status::Completed, 2_000).await;
    let kit = kit.reopened();
    assert!(kit.create("new").await > old);
    let page = kit.store.list(Query::default()).await.expect("a page");
    let ids: Vec<_> = page.sagas.iter().map(|saga| saga.id.to_string()).collect();
    assert_eq!(ids, ["new", "old"]);
}
