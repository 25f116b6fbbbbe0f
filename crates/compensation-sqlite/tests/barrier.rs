//! The barrier in a SQLite transaction: repeated calls, undos of what never happened, actions that come late.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use compensation::barrier::{Act, Undo};
use compensation_sqlite::Barrier;
use rusqlite::{Connection, Transaction, TransactionBehavior};

fn database() -> Connection {
    let database = Connection::open_in_memory().expect("a database");
    Barrier::make_table(&database).expect("a table");
    Barrier::make_table(&database).expect("the same table");
    database
}

/// Does something in a transaction of its own.
fn within<T>(database: &mut Connection, work: impl FnOnce(&Transaction<'_>) -> T) -> T {
    let begun = database.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.expect("a transaction");
    let done = work(&transaction);
    transaction.commit().expect("an end");
    done
}

fn act(database: &mut Connection) -> Act<u32> {
    within(database, |tx| Barrier::act(tx, "k").expect("an answer"))
}

fn undo(database: &mut Connection) -> Undo<u32> {
    within(database, |tx| Barrier::undo(tx, "k").expect("an answer"))
}

#[test]
fn an_action_is_let_through_once_and_finds_its_output_again() {
    let mut database = database();
    within(&mut database, |tx| {
        assert_eq!(Barrier::act::<u32>(tx, "k"), Ok(Act::Now));
        Barrier::keep(tx, "k", &17).expect("kept");
    });
    assert_eq!(act(&mut database), Act::Before(Some(17)));
}

#[test]
fn an_action_that_was_rolled_back_is_let_through_again() {
    let mut database = database();
    for _ in 0..2 {
        let tx = database.transaction().expect("a transaction");
        assert_eq!(Barrier::act::<u32>(&tx, "k"), Ok(Act::Now));
        tx.rollback().expect("an end");
    }
}

#[test]
fn an_undo_is_let_through_once_with_the_output() {
    let mut database = database();
    within(&mut database, |tx| {
        Barrier::act::<u32>(tx, "k").expect("an answer");
        Barrier::keep(tx, "k", &17).expect("kept");
    });
    assert_eq!(undo(&mut database), Undo::Now(Some(17)));
    assert_eq!(undo(&mut database), Undo::Before);
}

#[test]
fn an_undo_before_its_action_has_nothing_to_do_and_stops_it() {
    let mut database = database();
    assert_eq!(undo(&mut database), Undo::Nothing);
    assert_eq!(undo(&mut database), Undo::Before);
    assert_eq!(act(&mut database), Act::TooLate);
}

#[test]
fn an_action_that_comes_again_after_its_undo_is_too_late() {
    let mut database = database();
    act(&mut database);
    assert_eq!(undo(&mut database), Undo::Now(None));
    assert_eq!(act(&mut database), Act::TooLate);
}

#[test]
fn an_output_of_another_type_is_an_error() {
    let mut database = database();
    within(&mut database, |tx| {
        Barrier::act::<u32>(tx, "k").expect("an answer");
        Barrier::keep(tx, "k", &"text").expect("kept");
        assert!(Barrier::act::<u32>(tx, "k").is_err());
    });
}

#[test]
fn what_was_left_long_ago_can_be_forgotten() {
    let mut database = database();
    act(&mut database);
    assert_eq!(Barrier::forget(&database, Duration::from_secs(3_600), 10), Ok(0));
    within(&mut database, |tx| {
        let old = "UPDATE compensation_barrier SET since = 0";
        tx.execute(old, ()).expect("older");
    });
    assert_eq!(Barrier::forget(&database, Duration::from_secs(3_600), 10), Ok(1));
    assert_eq!(act(&mut database), Act::Now);
}

#[test]
fn an_action_is_not_forgotten_before_its_undo() {
    let mut database = database();
    act(&mut database);
    undo(&mut database);
    within(&mut database, |tx| {
        let old = "UPDATE compensation_barrier SET since = 0 WHERE part = 0";
        tx.execute(old, ()).expect("older");
    });
    assert_eq!(Barrier::forget(&database, Duration::from_secs(3_600), 10), Ok(0));
    assert_eq!(act(&mut database), Act::TooLate);
}
