//! Recipe: a row in the database and a call to somebody else, of which both happen or neither.
//!
//! The row is written first, as reserved, for it can be taken back. The call is the pivot: what it did can't be.
//! After it the row is confirmed, which is retried until it succeeds.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use compensation::{Engine, Outcome, Probed, Saga, SagaId, StepContext, StepError, UndoContext};
use compensation_sqlite::SqliteRepository;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    number: u32,
    amount: u32,
}

/// The shop's own database.
#[derive(Clone)]
struct Shop(Arc<Mutex<Connection>>);

impl Shop {
    fn new() -> Self {
        let database = Connection::open_in_memory().expect("a database");
        let tables = "CREATE TABLE orders (number INTEGER PRIMARY KEY, state TEXT NOT NULL)";
        database.execute_batch(tables).expect("tables");
        Self(Arc::new(Mutex::new(database)))
    }

    fn write(&self, sql: &str, number: u32) -> Result<usize, StepError> {
        let database = self.0.lock().expect("no panic");
        Ok(database.execute(sql, [number])?)
    }

    fn state(&self, number: u32) -> Option<String> {
        let database = self.0.lock().expect("no panic");
        let find = "SELECT state FROM orders WHERE number = ?1";
        database.query_row(find, [number], |row| row.get(0)).ok()
    }
}

/// The partner: charges once for each key, and loses its reply when it is told to.
#[derive(Clone, Default)]
struct Partner {
    charged: Arc<Mutex<Vec<String>>>,
    lost_replies: Arc<AtomicU32>,
    refuses: bool,
}

impl Partner {
    async fn charge(&self, key: &str) -> Result<(), StepError> {
        if self.refuses {
            return Err(StepError::not_done("the card was refused").terminal());
        }
        let mut charged = self.charged.lock().expect("no panic");
        if !charged.iter().any(|known| known == key) {
            charged.push(key.to_owned());
        }
        if self
            .lost_replies
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
        {
            return Err(StepError::unknown("the connection was lost"));
        }
        Ok(())
    }

    async fn has_charged(&self, key: &str) -> bool {
        self.charged.lock().expect("no panic").iter().any(|known| known == key)
    }
}

fn order(shop: &Shop, partner: &Partner) -> Saga<Order> {
    let mut saga = Saga::builder("order");
    let (reserve, cancel, confirm) = (shop.clone(), shop.clone(), shop.clone());
    // Both may run twice: the row is there or not, and nothing else.
    saga.step("reserve", move |cx: StepContext<Order>| {
        let (shop, number) = (reserve.clone(), cx.input().number);
        async move { shop.write("INSERT OR IGNORE INTO orders VALUES (?1, 'reserved')", number) }
    })
    .undo(move |cx: UndoContext<Order>, _| {
        let (shop, number) = (cancel.clone(), cx.input().number);
        async move { shop.write("DELETE FROM orders WHERE number = ?1", number) }
    })
    .add();
    let (charge, ask) = (partner.clone(), partner.clone());
    saga.step("charge", move |cx: StepContext<Order>| {
        let partner = charge.clone();
        async move { partner.charge(&cx.idempotency_key()).await }
    })
    .no_undo("refunds are made by people")
    // Nobody knows whether a lost reply was a charge: the partner is asked.
    .probe(move |cx: StepContext<Order>| {
        let partner = ask.clone();
        async move {
            let charged = partner.has_charged(&cx.idempotency_key()).await;
            Ok::<_, StepError>(if charged { Probed::Done(()) } else { Probed::NotDone })
        }
    })
    .pivot()
    .add();
    saga.step("confirm", move |cx: StepContext<Order>| {
        let (shop, number) = (confirm.clone(), cx.input().number);
        async move { shop.write("UPDATE orders SET state = 'paid' WHERE number = ?1", number) }
    })
    .no_undo("the card is charged")
    .retry_forever()
    .add();
    saga.build().expect("a sound saga")
}

async fn run(shop: &Shop, partner: &Partner) -> Outcome {
    let folder = tempfile::tempdir().expect("a directory");
    let store = SqliteRepository::open(folder.path().join("sagas.db")).expect("a store");
    let engine = Engine::open(store).register(order(shop, partner)).start().await.expect("a start");
    let order = Order { number: 7, amount: 100 };
    let id = SagaId::new("order-7").expect("an id");
    let outcome = engine.run("order", id, &order).await.expect("an outcome");
    engine.drain().await;
    assert_eq!(order.amount, 100);
    outcome
}

#[tokio::test]
async fn a_charge_whose_reply_was_lost_is_found_and_the_order_is_paid() {
    let (shop, partner) = (Shop::new(), Partner::default());
    partner.lost_replies.store(1, Ordering::SeqCst);
    assert!(run(&shop, &partner).await.is_completed());
    assert_eq!(partner.charged.lock().expect("no panic").len(), 1);
    assert_eq!(shop.state(7).as_deref(), Some("paid"));
}

#[tokio::test]
async fn a_charge_that_is_refused_leaves_no_order() {
    let (shop, partner) = (Shop::new(), Partner { refuses: true, ..Partner::default() });
    assert!(matches!(run(&shop, &partner).await, Outcome::Compensated(_)));
    assert_eq!(shop.state(7), None);
}
