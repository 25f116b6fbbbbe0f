//! Starting sagas and appending to them.

use std::sync::Arc;

use compensation::{
    Status, Timestamp,
    repository::{Append, Created, Entry, ErrorKind},
};

use super::kit::{Kit, append, create, head, id, saga};
use crate::suite::tests;

tests![
    a_saga_that_is_created_is_loaded_as_it_was_given,
    an_id_is_given_out_once,
    of_two_owners_that_create_one_id_one_wins,
    entries_come_back_in_order,
    an_entry_written_twice_is_there_once,
    an_entry_that_says_something_else_is_refused,
    an_entry_that_would_leave_a_gap_is_refused,
    an_entry_can_not_be_written_by_another_owner,
    the_end_of_a_saga_ends_ownership,
    the_last_entry_written_twice_is_harmless,
    parking_sets_the_head_and_lets_go,
    parking_what_another_owns_is_refused,
    texts_come_back_byte_for_byte,
    a_reason_that_changes_is_kept,
    many_sagas_written_at_once_are_all_kept,
];

async fn a_saga_that_is_created_is_loaded_as_it_was_given(kit: Kit) {
    let key = kit.create("a").await;
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert_eq!(found.key, key);
    assert_eq!(&*found.plan, r#"{"saga":"trip"}"#);
    assert_eq!(found.input, "41");
    assert_eq!(&*found.summary.name, "trip");
    assert_eq!(found.summary.head, head(Status::Running));
    assert_eq!(found.summary.created, Timestamp::from_millis(1_000));
    assert!(found.summary.owned);
    assert_eq!(found.journal, [saga("a").entry]);
}

async fn an_id_is_given_out_once(kit: Kit) {
    kit.create("a").await;
    let mut other = saga("a");
    other.input = "42".to_owned();
    assert_eq!(kit.store.create(other).await.expect("an answer"), Created::Existing);
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert_eq!(found.input, "41");
}

async fn of_two_owners_that_create_one_id_one_wins(kit: Kit) {
    let other = kit.another();
    for round in 0..20 {
        let text = format!("round-{round}");
        let (one, two) = tokio::join!(kit.store.create(saga(&text)), other.create(saga(&text)));
        let new = [one, two].map(|created| created.expect("an answer") != Created::Existing);
        assert_eq!(new.iter().filter(|&&new| new).count(), 1);
    }
}

async fn entries_come_back_in_order(kit: Kit) {
    let key = kit.create("a").await;
    for seq in 1..=12 {
        kit.store.append(append(key, seq, Status::Running)).await.expect("an entry");
    }
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    let bodies: Vec<_> = found.journal.iter().map(|entry| entry.body.clone()).collect();
    assert_eq!(bodies, (0..=12).map(|seq| format!("[{seq}]")).collect::<Vec<_>>());
    assert_eq!(found.journal[12].at, Timestamp::from_millis(1_012));
    assert_eq!(found.summary.updated, Timestamp::from_millis(1_012));
    assert_eq!(found.summary.created, Timestamp::from_millis(1_000));
}

async fn an_entry_written_twice_is_there_once(kit: Kit) {
    let key = kit.create("a").await;
    for seq in [1, 1, 2, 1, 0] {
        let entry = append(key, seq, Status::Running);
        kit.store.append(entry).await.expect("an entry");
    }
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert_eq!(found.journal.len(), 3);
}

async fn an_entry_that_says_something_else_is_refused(kit: Kit) {
    let key = kit.create("a").await;
    kit.store.append(append(key, 1, Status::Running)).await.expect("an entry");
    let mut other = append(key, 1, Status::Running);
    other.entry.body = "[9]".to_owned();
    let error = kit.store.append(other).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Permanent);
}

async fn an_entry_that_would_leave_a_gap_is_refused(kit: Kit) {
    let key = kit.create("a").await;
    let error = kit.store.append(append(key, 2, Status::Running)).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Permanent);
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert_eq!(found.journal.len(), 1);
}

async fn an_entry_can_not_be_written_by_another_owner(kit: Kit) {
    let key = kit.create("a").await;
    let other = kit.another();
    let error = other.append(append(key, 1, Status::Running)).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::NotOwner);
    kit.store.append(append(key, 1, Status::Running)).await.expect("the owner may");
}

async fn the_end_of_a_saga_ends_ownership(kit: Kit) {
    for (text, status) in [
        ("completed", Status::Completed),
        ("compensated", Status::Compensated),
        ("stuck", Status::Stuck),
        ("abandoned", Status::Abandoned),
    ] {
        let key = kit.create(text).await;
        kit.store.append(append(key, 1, status)).await.expect("an entry");
        let found = kit.store.load(&id(text)).await.expect("a load").expect("a saga");
        assert!(!found.summary.owned, "{text}");
        assert_eq!(found.summary.head, head(status));
        let more = kit.store.append(append(key, 2, status)).await.expect_err("a refusal");
        assert_eq!(more.kind(), ErrorKind::NotOwner, "{text}");
    }
}

async fn the_last_entry_written_twice_is_harmless(kit: Kit) {
    let key = kit.create("a").await;
    for _ in 0..2 {
        kit.store.append(append(key, 1, Status::Completed)).await.expect("an entry");
    }
    assert_eq!(kit.store.counts().await.expect("counts").get(Status::Completed), 1);
}

async fn parking_sets_the_head_and_lets_go(kit: Kit) {
    let key = kit.create("a").await;
    kit.store.park(key, "nobody can run it".to_owned()).await.expect("parked");
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert_eq!(found.summary.head.status, Status::Stuck);
    assert_eq!(found.summary.head.reason.as_deref(), Some("nobody can run it"));
    assert!(!found.summary.owned);
    assert_eq!(found.journal.len(), 1);
}

async fn parking_what_another_owns_is_refused(kit: Kit) {
    let key = kit.create("a").await;
    let error = kit.another().park(key, "why".to_owned()).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::NotOwner);
}

async fn texts_come_back_byte_for_byte(kit: Kit) {
    let odd = "quote ' \" ; -- \\ \u{0} \u{1F9ED} \r\n".repeat(10);
    let large = "x".repeat(1024 * 1024);
    let mut new = saga("a");
    new.input = format!("{odd}{large}");
    let Created::New(key) = kit.store.create(new.clone()).await.expect("a start") else {
        panic!("there already");
    };
    let entry = Entry { at: Timestamp::from_millis(5), body: format!("{large}{odd}") };
    let append = Append { key, seq: 1, entry: entry.clone(), head: head(Status::Running) };
    kit.store.append(append).await.expect("an entry");
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert!(found.input == new.input);
    assert!(found.journal[1] == entry);
}

async fn a_reason_that_changes_is_kept(kit: Kit) {
    let key = kit.create("a").await;
    for (seq, why) in [(1, "first"), (2, "second")] {
        let mut entry = append(key, seq, Status::Compensating);
        entry.head.reason = Some(why.to_owned());
        kit.store.append(entry).await.expect("an entry");
    }
    let found = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert_eq!(found.summary.head.reason.as_deref(), Some("second"));
    assert_eq!(kit.store.counts().await.expect("counts").get(Status::Compensating), 1);
}

async fn many_sagas_written_at_once_are_all_kept(kit: Kit) {
    let store = kit.store.clone();
    let tasks: Vec<_> = (0..300)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let key = create(&*store, &format!("saga-{number}")).await;
                for seq in 1..=3 {
                    let status = if seq == 3 { Status::Completed } else { Status::Running };
                    store.append(append(key, seq, status)).await.expect("an entry");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    for number in 0..300 {
        let found = store.load(&id(&format!("saga-{number}"))).await.expect("a load");
        assert_eq!(found.expect("a saga").journal.len(), 4);
    }
    assert_eq!(store.counts().await.expect("counts").get(Status::Completed), 300);
}
