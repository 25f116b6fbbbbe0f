//! Many writers at once, and texts of every size.

use std::sync::Arc;

use compensation::{
    Status, Timestamp,
    repository::{Append, Created, Entry, Head, Pending, Query, Repository},
};

use super::kit::{Kit, append, head, id, saga};
use crate::suite::tests;

tests![
    thirty_two_writers_on_four_owners_lose_nothing,
    of_thirty_two_who_claim_at_once_each_saga_goes_to_one,
    of_thirty_two_who_append_the_same_entry_all_are_told_that_it_is_there,
    a_text_of_eight_mebibytes_is_kept,
    empty_texts_are_kept_as_such,
    a_long_journal_comes_back_whole,
];

/// What may pass is tried again, as an engine does: stores may be busy.
async fn persist<'a, T>(mut ask: impl FnMut() -> Pending<'a, T>) -> T {
    loop {
        match ask().await {
            Ok(told) => return told,
            Err(error) => assert!(error.kind().may_pass(), "{error}"),
        }
    }
}

async fn one_saga(store: Arc<dyn Repository>, text: String) {
    let Created::New(key) = persist(|| store.create(saga(&text))).await else {
        panic!("`{text}` is there already");
    };
    for seq in 1..=4 {
        let status = if seq == 4 { Status::Completed } else { Status::Running };
        persist(|| store.append(append(key, seq, status))).await;
    }
}

async fn thirty_two_writers_on_four_owners_lose_nothing(kit: Kit) {
    let owners: Vec<_> = (0..4).map(|_| kit.another()).collect();
    let writers: Vec<_> = (0..32)
        .map(|writer| tokio::spawn(one_saga(owners[writer % 4].clone(), format!("saga-{writer}"))))
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    for writer in 0..32 {
        let found = kit.store.load(&id(&format!("saga-{writer}"))).await.expect("a load");
        let bodies: Vec<_> =
            found.expect("a saga").journal.into_iter().map(|entry| entry.body).collect();
        assert_eq!(bodies, ["[0]", "[1]", "[2]", "[3]", "[4]"]);
    }
    assert_eq!(kit.store.counts().await.expect("counts").get(Status::Completed), 32);
    let all = Query { limit: 100, ..Query::default() };
    assert_eq!(kit.store.list(all).await.expect("a page").sagas.len(), 32);
}

async fn of_thirty_two_who_claim_at_once_each_saga_goes_to_one(kit: Kit) {
    let mut keys = Vec::new();
    for number in 0..64 {
        keys.push(kit.create(&format!("saga-{number}")).await);
    }
    kit.store.release(keys.clone()).await.expect("a release");
    let owners: Vec<_> = (0..4).map(|_| kit.another()).collect();
    let claims: Vec<_> = (0..32)
        .map(|claim| {
            let owner = owners[claim % 4].clone();
            tokio::spawn(async move { persist(|| owner.claim(2)).await })
        })
        .collect();
    let mut claimed = Vec::new();
    for claim in claims {
        claimed.extend(claim.await.expect("no panic").into_iter().map(|saga| saga.key));
    }
    // A store may pass over what others are about to take; whoever asks next gets the rest.
    for owner in owners.iter().cycle().take(64) {
        claimed.extend(persist(|| owner.claim(64)).await.into_iter().map(|saga| saga.key));
    }
    claimed.sort_unstable();
    keys.sort_unstable();
    assert_eq!(claimed, keys);
}

async fn of_thirty_two_who_append_the_same_entry_all_are_told_that_it_is_there(kit: Kit) {
    let key = kit.create("a").await;
    let writers: Vec<_> = (0..32)
        .map(|_| {
            let store = kit.store.clone();
            tokio::spawn(
                async move { persist(|| store.append(append(key, 1, Status::Running))).await },
            )
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert_eq!(found.journal.len(), 2);
}

async fn a_text_of_eight_mebibytes_is_kept(kit: Kit) {
    let huge = "\u{1F9ED} and more ".repeat(8 * 1024 * 1024 / 13);
    let mut new = saga("a");
    (new.input, new.plan) = (huge.clone(), huge.as_str().into());
    let Created::New(key) = kit.store.create(new).await.expect("a start") else { panic!("new") };
    let entry = Entry { at: Timestamp::from_millis(5), body: huge.clone() };
    let head = Head { status: Status::Completed, reason: Some(huge.clone()) };
    kit.store.append(Append { key, seq: 1, entry, head }).await.expect("an entry");
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    // Not `assert_eq!`, which would print them.
    assert!(found.input == huge && *found.plan == *huge && found.journal[1].body == huge);
    assert!(found.summary.head.reason.as_deref() == Some(huge.as_str()));
}

async fn empty_texts_are_kept_as_such(kit: Kit) {
    let mut new = saga("a");
    (new.name, new.plan, new.input) = ("".into(), "".into(), String::new());
    new.head.reason = Some(String::new());
    new.entry.body = String::new();
    let Created::New(key) = kit.store.create(new).await.expect("a start") else { panic!("new") };
    let entry = Entry { at: Timestamp::from_millis(5), body: String::new() };
    let open = Head { status: Status::Compensating, reason: Some(String::new()) };
    kit.store.append(Append { key, seq: 1, entry, head: open.clone() }).await.expect("an entry");
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert_eq!((&*found.summary.name, &*found.plan, &*found.input), ("", "", ""));
    assert_eq!(found.summary.head, open);
    assert!(found.journal.iter().all(|entry| entry.body.is_empty()));
    assert_eq!(found.journal.len(), 2);
}

async fn a_long_journal_comes_back_whole(kit: Kit) {
    let key = kit.create("a").await;
    for seq in 1..2_000 {
        kit.store.append(append(key, seq, Status::Running)).await.expect("an entry");
    }
    let mut last = append(key, 2_000, Status::Stuck);
    last.head = head(Status::Stuck);
    kit.store.append(last).await.expect("the last entry");
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    let bodies: Vec<_> = found.journal.into_iter().map(|entry| entry.body).collect();
    assert_eq!(bodies, (0..=2_000).map(|seq| format!("[{seq}]")).collect::<Vec<_>>());
}
