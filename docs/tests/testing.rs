//! What [the chapter on testing](../testing.md) shows: every piece of Rust in it stands in this file, and every
//! output is produced here.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use compensation::{Saga, StepContext, StepError, UndoContext};
use compensation_testing::checker::{Check, CheckError, Line};

const CHAPTER: &str = include_str!("../testing.md");

#[derive(Clone, Default)]
struct Bank(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    /// What was paid, by key.
    paid: BTreeMap<String, u32>,
    /// Keys that were paid back.
    closed: BTreeSet<String>,
}

impl Bank {
    fn new(_: &Line) -> Self {
        Self::default()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().expect("no panic")
    }

    /// Takes the money, once for each key; the receipt is the key.
    fn pay(&self, key: &str, amount: u32) -> Result<String, StepError> {
        self.books().paid.insert(key.to_owned(), amount);
        Ok(key.to_owned())
    }

    /// Gives back what was paid under that key, if anything was.
    fn pay_back(&self, key: &str) {
        self.books().paid.remove(key);
    }

    fn payments(&self) -> i64 {
        self.books().paid.len() as i64
    }
}

fn order(bank: &Bank) -> Saga<u32> {
    let mut order = Saga::builder("order");
    let (pay, pay_back) = (bank.clone(), bank.clone());
    order
        .step("pay", move |cx: StepContext<u32>| {
            let paid = pay.pay(&cx.idempotency_key(), *cx.input());
            async move { paid }
        })
        .undo(move |_: UndoContext<u32>, receipt: Option<String>| {
            if let Some(receipt) = receipt {
                pay_back.pay_back(&receipt);
            }
            async { Ok::<_, StepError>(()) }
        })
        .add();
    order
        .step("ship", |_: StepContext<u32>| async { Ok::<_, StepError>(()) })
        .no_undo("what has been shipped is sent back by the customer")
        .add();
    order.build().expect("a sound saga")
}

#[test]
fn a_check_without_invariants_holds_the_library_to_its_promises() {
    Check::new(Bank::new, order, 250).run();
}

#[test]
fn a_lost_reply_is_found() {
    let check = || Check::new(Bank::new, order, 250).effect("pay", Bank::payments);
    let Err(CheckError::Broken(failure)) = check().check() else { panic!("a bug is there") };
    shown(&failure.to_string());
    assert!(check().replay(failure.schedule()).check().is_err());
}

/// The saga whose undo goes by the key.
fn order_by_key(bank: &Bank) -> Saga<u32> {
    let mut order = Saga::builder("order");
    let (pay, pay_back) = (bank.clone(), bank.clone());
    order
        .step("pay", move |cx: StepContext<u32>| {
            let paid = pay.pay(&cx.idempotency_key(), *cx.input());
            async move { paid }
        })
        .undo(move |cx: UndoContext<u32>, _| {
            pay_back.pay_back(&cx.idempotency_key());
            async { Ok::<_, StepError>(()) }
        })
        .add();
    order
        .step("ship", |_: StepContext<u32>| async { Ok::<_, StepError>(()) })
        .no_undo("what has been shipped is sent back by the customer")
        .add();
    order.build().expect("a sound saga")
}

#[test]
fn a_late_payment_is_found() {
    let check = Check::new(Bank::new, order_by_key, 250).effect("pay", Bank::payments);
    let Err(CheckError::Broken(failure)) = check.check() else { panic!("a bug is there") };
    shown(&failure.to_string());
}

impl Bank {
    fn pay_unless_closed(&self, key: &str, amount: u32) -> Result<String, StepError> {
        if self.books().closed.contains(key) {
            return Err(StepError::not_done("the order was cancelled").terminal());
        }
        self.pay(key, amount)
    }

    fn pay_back_and_close(&self, key: &str) {
        self.books().closed.insert(key.to_owned());
        self.pay_back(key);
    }
}

/// The saga whose payments don't come after their undo.
fn order_once(bank: &Bank) -> Saga<u32> {
    let mut order = Saga::builder("order");
    let (pay, pay_back) = (bank.clone(), bank.clone());
    order
        .step("pay", move |cx: StepContext<u32>| {
            let paid = pay.pay_unless_closed(&cx.idempotency_key(), *cx.input());
            async move { paid }
        })
        .undo(move |cx: UndoContext<u32>, _| {
            pay_back.pay_back_and_close(&cx.idempotency_key());
            async { Ok::<_, StepError>(()) }
        })
        .add();
    order
        .step("ship", |_: StepContext<u32>| async { Ok::<_, StepError>(()) })
        .no_undo("what has been shipped is sent back by the customer")
        .add();
    order.build().expect("a sound saga")
}

#[test]
fn an_order_is_paid_or_not_whatever_befalls_it() {
    let coverage = Check::new(Bank::new, order_once, 250)
        .effect("pay", Bank::payments)
        .no_residue("the customer's money", |bank| bank.books().paid.clone())
        .run();
    shown(&coverage.to_string());
}

/// The chapter shows that output.
#[track_caller]
fn shown(output: &str) {
    let block = format!("```text\n{}\n```", output.trim_end());
    assert!(CHAPTER.contains(&block), "docs/testing.md does not show:\n{block}");
}

#[test]
fn every_piece_of_rust_in_the_chapter_stands_in_this_file() {
    let source = include_str!("testing.rs");
    let blocks: Vec<_> = CHAPTER.split("```rust\n").skip(1).collect();
    assert!(blocks.len() > 5, "the chapter has lost its code");
    for block in blocks {
        let code = block.split("\n```").next().expect("a first part");
        assert!(source.contains(code), "not in docs/tests/testing.rs:\n{code}");
    }
}
