//! Recipe: an undo that may run twice, or before its action, made safe by a barrier in the database.
//!
//! Action and undo each write a row under the idempotency key, in the transaction of their effect. An action that finds
//! the undo's row comes too late and does nothing; an undo that finds no row of its action leaves one, so that an
//! action still on its way finds it.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use rusqlite::{Connection, TransactionBehavior};

/// An account whose bookings have barriers.
struct Account(Connection);

#[derive(Debug, PartialEq, Eq)]
enum Booked {
    Now,
    Before,
    /// The undo was here first.
    TooLate,
}

impl Account {
    fn new() -> Self {
        let database = Connection::open_in_memory().expect("a database");
        let tables = "
            CREATE TABLE account (balance INTEGER NOT NULL);
            INSERT INTO account VALUES (100);
            CREATE TABLE barrier (key TEXT NOT NULL, part TEXT NOT NULL, PRIMARY KEY (key, part));";
        database.execute_batch(tables).expect("tables");
        Self(database)
    }

    fn balance(&self) -> i64 {
        let find = "SELECT balance FROM account";
        self.0.query_row(find, (), |row| row.get(0)).expect("a balance")
    }

    /// The action: takes an amount, once for each key.
    fn take(&mut self, key: &str, amount: i64) -> rusqlite::Result<Booked> {
        let booking = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let put = "INSERT OR IGNORE INTO barrier VALUES (?1, ?2)";
        if booking.execute(put, (key, "action"))? == 0 {
            // This attempt's row was there: an earlier attempt's, or the undo's, which writes both.
            let undone = "SELECT count(*) FROM barrier WHERE key = ?1 AND part = 'undo'";
            let undone: i64 = booking.query_row(undone, [key], |row| row.get(0))?;
            return Ok(if undone > 0 { Booked::TooLate } else { Booked::Before });
        }
        booking.execute("UPDATE account SET balance = balance - ?1", [amount])?;
        booking.commit()?;
        Ok(Booked::Now)
    }

    /// The undo: gives back what was taken under that key, if anything was, once.
    fn give_back(&mut self, key: &str, amount: i64) -> rusqlite::Result<()> {
        let undoing = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let put = "INSERT OR IGNORE INTO barrier VALUES (?1, ?2)";
        let acted = undoing.execute(put, (key, "action"))? == 0;
        let first = undoing.execute(put, (key, "undo"))? == 1;
        if acted && first {
            undoing.execute("UPDATE account SET balance = balance + ?1", [amount])?;
        }
        undoing.commit()
    }
}

#[test]
fn an_action_that_runs_twice_has_one_effect() {
    let mut account = Account::new();
    assert_eq!(account.take("trip:1:pay", 30), Ok(Booked::Now));
    assert_eq!(account.take("trip:1:pay", 30), Ok(Booked::Before));
    assert_eq!(account.balance(), 70);
}

#[test]
fn an_undo_that_runs_twice_has_one_effect() {
    let mut account = Account::new();
    account.take("trip:1:pay", 30).expect("booked");
    account.give_back("trip:1:pay", 30).expect("undone");
    account.give_back("trip:1:pay", 30).expect("undone");
    assert_eq!(account.balance(), 100);
}

#[test]
fn an_undo_before_its_action_has_no_effect_and_stops_the_action() {
    let mut account = Account::new();
    account.give_back("trip:1:pay", 30).expect("nothing to undo");
    assert_eq!(account.take("trip:1:pay", 30), Ok(Booked::TooLate));
    assert_eq!(account.balance(), 100);
}
