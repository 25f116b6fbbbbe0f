//! Letters to sagas: who is given them, how they are answered, and what becomes of them.

use compensation::{
    Status, Timestamp,
    repository::{Acquired, KEEP_ANSWERS, Letter, Posted, Reply},
};

use super::kit::{Kit, append, create, id};
use crate::suite::tests;

tests![
    a_letter_to_a_saga_that_is_not_there_is_told,
    a_letter_waits_in_the_inbox_of_who_owns_its_saga,
    a_letter_is_not_in_the_inbox_of_others_while_the_owner_lives,
    a_letter_to_a_saga_that_nobody_owns_is_in_every_inbox,
    a_letter_to_a_saga_that_is_over_is_in_every_inbox,
    a_letter_to_the_saga_of_a_dead_owner_is_in_the_inbox_of_the_living,
    a_letter_that_a_dead_owner_took_is_handed_out_again,
    a_letter_is_taken_more_than_once_and_not_after_its_answer,
    a_letter_whose_poster_died_still_waits,
    letters_are_handed_out_oldest_first_and_bounded,
    a_letter_is_handed_out_until_it_is_answered,
    a_letter_is_stored_once_by_its_key,
    the_answer_is_read_by_who_asked,
    the_first_answer_stays,
    an_answer_to_a_letter_that_has_gone_is_harmless,
    a_letter_that_nobody_took_can_be_withdrawn,
    a_letter_that_was_taken_can_not_be_withdrawn,
    a_letter_that_was_answered_can_be_forgotten,
    a_letter_that_is_not_there_counts_as_withdrawn,
    answers_that_nobody_fetched_are_forgotten_in_time,
    letters_that_are_not_answered_are_never_forgotten,
    letters_go_with_their_saga,
    bodies_and_answers_come_back_as_they_were,
    letters_leave_the_saga_as_it_is,
];

fn letter(key: &str, saga: &str, at: i64) -> Letter {
    let body = format!("body of {key}");
    Letter { key: key.to_owned(), saga: id(saga), at: Timestamp::from_millis(at), body }
}

impl Kit {
    async fn post(&self, key: &str, saga: &str) -> Letter {
        let letter = letter(key, saga, 5_000);
        let posted = self.store.post(letter.clone()).await.expect("an answer");
        assert_eq!(posted, Posted::Waits);
        letter
    }
}

async fn a_letter_to_a_saga_that_is_not_there_is_told(kit: Kit) {
    let posted = kit.store.post(letter("l", "nobody", 1)).await.expect("an answer");
    assert_eq!(posted, Posted::Absent);
    assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Absent);
}

async fn a_letter_waits_in_the_inbox_of_who_owns_its_saga(kit: Kit) {
    let owner = kit.another();
    create(&*owner, "a").await;
    let posted = kit.post("l", "a").await;
    assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Waits);
    assert_eq!(owner.inbox(10).await.expect("letters"), [posted]);
    assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Waits, "nobody took it");
}

async fn a_letter_is_not_in_the_inbox_of_others_while_the_owner_lives(kit: Kit) {
    let owner = kit.another();
    create(&*owner, "a").await;
    kit.post("l", "a").await;
    assert_eq!(kit.store.inbox(10).await.expect("letters"), []);
    assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Waits);
    drop(owner);
}

async fn a_letter_to_a_saga_that_nobody_owns_is_in_every_inbox(kit: Kit) {
    let key = kit.create("a").await;
    kit.store.release(vec![key]).await.expect("a release");
    let posted = kit.post("l", "a").await;
    assert_eq!(kit.another().inbox(10).await.expect("letters"), std::slice::from_ref(&posted));
    assert_eq!(kit.store.inbox(10).await.expect("letters"), [posted]);
}

async fn a_letter_to_a_saga_that_is_over_is_in_every_inbox(kit: Kit) {
    for status in [Status::Completed, Status::Stuck] {
        kit.ended(status.as_str(), status, 2_000).await;
        let posted = kit.post(&format!("l-{status}"), status.as_str()).await;
        let other = kit.another();
        let found = other.inbox(10).await.expect("letters");
        assert!(found.contains(&posted), "{status}: {found:?}");
    }
}

async fn a_letter_to_the_saga_of_a_dead_owner_is_in_the_inbox_of_the_living(kit: Kit) {
    let owner = kit.another();
    create(&*owner, "a").await;
    let posted = kit.post("l", "a").await;
    drop(owner);
    assert_eq!(kit.store.inbox(10).await.expect("letters"), [posted]);
}

async fn a_letter_that_a_dead_owner_took_is_handed_out_again(kit: Kit) {
    let owner = kit.another();
    create(&*owner, "a").await;
    let posted = kit.post("l", "a").await;
    assert!(owner.take("l").await.expect("an answer"));
    drop(owner);
    let acquired = kit.store.acquire(&id("a")).await.expect("an answer");
    assert!(matches!(acquired, Acquired::Owned(_)));
    assert_eq!(kit.store.inbox(10).await.expect("letters"), [posted]);
}

async fn a_letter_whose_poster_died_still_waits(kit: Kit) {
    kit.create("a").await;
    let poster = kit.another();
    poster.post(letter("l", "a", 1)).await.expect("an answer");
    drop(poster);
    assert_eq!(kit.store.inbox(10).await.expect("letters").len(), 1);
}

async fn letters_are_handed_out_oldest_first_and_bounded(kit: Kit) {
    kit.create("a").await;
    for key in ["z", "y", "x"] {
        kit.post(key, "a").await;
    }
    let letters = kit.store.inbox(2).await.expect("letters");
    assert_eq!(letters.iter().map(|letter| &*letter.key).collect::<Vec<_>>(), ["z", "y"]);
}

async fn a_letter_is_handed_out_until_it_is_answered(kit: Kit) {
    kit.create("a").await;
    kit.post("l", "a").await;
    for _ in 0..2 {
        assert_eq!(kit.store.inbox(10).await.expect("letters").len(), 1);
        kit.store.take("l").await.expect("an answer");
    }
    kit.store.answer("l", "done".to_owned()).await.expect("an answer");
    assert_eq!(kit.store.inbox(10).await.expect("letters"), []);
}

async fn a_letter_is_taken_more_than_once_and_not_after_its_answer(kit: Kit) {
    kit.create("a").await;
    assert!(!kit.store.take("l").await.expect("an answer"), "there is none");
    kit.post("l", "a").await;
    for _ in 0..2 {
        assert!(kit.store.take("l").await.expect("an answer"));
        assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Taken);
    }
    kit.store.answer("l", "done".to_owned()).await.expect("an answer");
    assert!(!kit.store.take("l").await.expect("an answer"));
    assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Answered("done".to_owned()));
}

async fn a_letter_is_stored_once_by_its_key(kit: Kit) {
    kit.create("a").await;
    kit.post("l", "a").await;
    let mut again = letter("l", "a", 9_000);
    again.body = "something else".to_owned();
    assert_eq!(kit.store.post(again).await.expect("an answer"), Posted::Waits);
    let letters = kit.store.inbox(10).await.expect("letters");
    assert_eq!(letters, [letter("l", "a", 5_000)]);
    kit.store.answer("l", "done".to_owned()).await.expect("an answer");
    kit.post("l", "a").await;
    assert_eq!(kit.store.inbox(10).await.expect("letters"), []);
}

async fn the_answer_is_read_by_who_asked(kit: Kit) {
    let owner = kit.another();
    create(&*owner, "a").await;
    kit.post("l", "a").await;
    owner.take("l").await.expect("an answer");
    owner.answer("l", "done".to_owned()).await.expect("an answer");
    let answered = Reply::Answered("done".to_owned());
    assert_eq!(kit.store.reply("l").await.expect("a reply"), answered);
    assert_eq!(kit.store.reply("l").await.expect("a reply"), answered);
}

async fn the_first_answer_stays(kit: Kit) {
    kit.create("a").await;
    kit.post("l", "a").await;
    for answer in ["one", "two"] {
        kit.store.answer("l", answer.to_owned()).await.expect("an answer");
    }
    let reply = kit.store.reply("l").await.expect("a reply");
    assert_eq!(reply, Reply::Answered("one".to_owned()));
}

async fn an_answer_to_a_letter_that_has_gone_is_harmless(kit: Kit) {
    kit.store.answer("l", "done".to_owned()).await.expect("an answer");
    assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Absent);
}

async fn a_letter_that_nobody_took_can_be_withdrawn(kit: Kit) {
    let owner = kit.another();
    create(&*owner, "a").await;
    kit.post("l", "a").await;
    assert!(kit.store.withdraw("l").await.expect("an answer"));
    assert_eq!(owner.inbox(10).await.expect("letters"), []);
    assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Absent);
}

async fn a_letter_that_was_taken_can_not_be_withdrawn(kit: Kit) {
    let owner = kit.another();
    create(&*owner, "a").await;
    kit.post("l", "a").await;
    owner.take("l").await.expect("an answer");
    assert!(!kit.store.withdraw("l").await.expect("an answer"));
    // Also once its taker is dead: nobody knows what became of it before the saga's record is read.
    drop(owner);
    assert!(!kit.store.withdraw("l").await.expect("an answer"));
    assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Taken);
}

async fn a_letter_that_was_answered_can_be_forgotten(kit: Kit) {
    kit.create("a").await;
    kit.post("l", "a").await;
    kit.store.take("l").await.expect("an answer");
    kit.store.answer("l", "done".to_owned()).await.expect("an answer");
    assert!(kit.store.withdraw("l").await.expect("an answer"));
    assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Absent);
}

async fn a_letter_that_is_not_there_counts_as_withdrawn(kit: Kit) {
    assert!(kit.store.withdraw("l").await.expect("an answer"));
}

async fn answers_that_nobody_fetched_are_forgotten_in_time(kit: Kit) {
    kit.create("a").await;
    kit.post("old", "a").await;
    kit.store.answer("old", "done".to_owned()).await.expect("an answer");
    let kept = 5_000 + KEEP_ANSWERS.as_millis() as i64;
    kit.store.post(letter("next", "a", kept)).await.expect("an answer");
    assert_ne!(kit.store.reply("old").await.expect("a reply"), Reply::Absent);
    kit.store.post(letter("last", "a", kept + 1)).await.expect("an answer");
    assert_eq!(kit.store.reply("old").await.expect("a reply"), Reply::Absent);
}

async fn letters_that_are_not_answered_are_never_forgotten(kit: Kit) {
    kit.create("a").await;
    kit.post("old", "a").await;
    kit.store.take("old").await.expect("an answer");
    let late = 5_000 + 100 * KEEP_ANSWERS.as_millis() as i64;
    kit.store.post(letter("l", "a", late)).await.expect("an answer");
    assert_eq!(kit.store.reply("old").await.expect("a reply"), Reply::Taken);
}

async fn letters_go_with_their_saga(kit: Kit) {
    kit.ended("a", Status::Completed, 2_000).await;
    kit.create("b").await;
    kit.post("l", "a").await;
    kit.post("m", "b").await;
    kit.store.purge(Timestamp::from_millis(3_000), 10).await.expect("a purge");
    assert_eq!(kit.store.reply("l").await.expect("a reply"), Reply::Absent);
    assert_eq!(kit.store.reply("m").await.expect("a reply"), Reply::Waits);
    assert_eq!(kit.store.inbox(10).await.expect("letters").len(), 1);
}

async fn bodies_and_answers_come_back_as_they_were(kit: Kit) {
    kit.create("a").await;
    for (key, text) in [("empty", String::new()), ("long", "ä\u{1F600}\n".repeat(100_000))] {
        let sent = Letter { body: text.clone(), ..letter(key, "a", 5_000) };
        kit.store.post(sent.clone()).await.expect("an answer");
        assert_eq!(kit.store.inbox(10).await.expect("letters"), [sent]);
        kit.store.answer(key, text.clone()).await.expect("an answer");
        assert_eq!(kit.store.reply(key).await.expect("a reply"), Reply::Answered(text));
    }
}

async fn letters_leave_the_saga_as_it_is(kit: Kit) {
    let key = kit.create("a").await;
    let before = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    kit.post("l", "a").await;
    kit.store.take("l").await.expect("an answer");
    kit.store.answer("l", "done".to_owned()).await.expect("an answer");
    let after = kit.store.load(&id("a")).await.expect("a load").expect("a saga");
    assert_eq!(after.summary, before.summary);
    assert_eq!(after.journal, before.journal);
    kit.store.append(append(key, 1, Status::Running)).await.expect("an entry");
}
