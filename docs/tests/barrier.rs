//! Recipe: an undo that may run twice, or before its action, made safe by the barrier of compensation-sqlite. On
//! PostgreSQL it is the same, with `compensation_postgres::Barrier`.
//!
//! Action and undo each ask the barrier in the transaction of their effect. An action that finds its undo's row comes
//! too late and does nothing; an undo that finds no row of its action has nothing to undo.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use compensation::barrier::{Act, Undo};
use compensation_sqlite::Barrier;
use rusqlite::{Connection, TransactionBehavior};

/// An account whose bookings have barriers.
struct Account(Connection);

impl Account {
    fn new() -> Self {
        let database = Connection::open_in_memory().expect("a database");
        let tables =
            "CREATE TABLE account (balance INTEGER NOT NULL); INSERT INTO account VALUES (100)";
        database.execute_batch(tables).expect("tables");
        Barrier::make_table(&database).expect("a barrier");
        Self(database)
    }

    fn balance(&self) -> i64 {
        let find = "SELECT balance FROM account";
        self.0.query_row(find, (), |row| row.get(0)).expect("a balance")
    }

    /// The action: takes an amount, once for each key.
    fn take(&mut self, key: &str, amount: i64) -> rusqlite::Result<Act<i64>> {
        let booking = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = Barrier::act(&booking, key)?;
        if found == Act::Now {
            booking.execute("UPDATE account SET balance = balance - ?1", [amount])?;
            Barrier::keep(&booking, key, &amount)?;
        }
        booking.commit()?;
        Ok(found)
    }

    /// The undo: gives back what was taken under that key, if anything was, once.
    fn give_back(&mut self, key: &str) -> rusqlite::Result<()> {
        let undoing = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Undo::Now(Some(taken)) = Barrier::undo::<i64>(&undoing, key)? {
            undoing.execute("UPDATE account SET balance = balance + ?1", [taken])?;
        }
        undoing.commit()
    }
}

#[test]
fn an_action_that_runs_twice_has_one_effect() {
    let mut account = Account::new();
    assert_eq!(account.take("trip:1:pay", 30), Ok(Act::Now));
    assert_eq!(account.take("trip:1:pay", 30), Ok(Act::Before(Some(30))));
    assert_eq!(account.balance(), 70);
}

#[test]
fn an_undo_that_runs_twice_has_one_effect() {
    let mut account = Account::new();
    account.take("trip:1:pay", 30).expect("booked");
    account.give_back("trip:1:pay").expect("undone");
    account.give_back("trip:1:pay").expect("undone");
    assert_eq!(account.balance(), 100);
}

#[test]
fn an_undo_before_its_action_has_no_effect_and_stops_the_action() {
    let mut account = Account::new();
    account.give_back("trip:1:pay").expect("nothing to undo");
    assert_eq!(account.take("trip:1:pay", 30), Ok(Act::TooLate));
    assert_eq!(account.balance(), 100);
}
