//! Several copies of one program share sagas: `docs/postgres.md` walks through it.
//!
//! `copies start N` books N trips: each order and its saga in one transaction. `copies work` runs sagas until
//! all are over; start as many as you like, and kill some. The database is the one of `DATABASE_URL`.

#![allow(clippy::print_stdout, reason = "an example that shows what it does")]

use std::{env, error::Error, process, time::Duration};

use compensation::{
    Engine, RetryPolicy, Saga, SagaId, StepContext, StepError, UndoContext,
    barrier::{Act, Undo},
};
use compensation_postgres::{Barrier, PostgresRepository};
use tokio_postgres::{Client, NoTls};

/// The program's own tables.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS orders (number integer PRIMARY KEY, guest text NOT NULL);
CREATE TABLE IF NOT EXISTS seats (number serial PRIMARY KEY, taken_for integer NOT NULL, by_process integer)";

async fn connect() -> Result<Client, tokio_postgres::Error> {
    // The program has checked at its start that it is there.
    let url = env::var("DATABASE_URL").unwrap_or_default();
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    // A copy that is stopped in the middle of a transaction must not stop the others for ever.
    client.batch_execute("SET idle_in_transaction_session_timeout TO '5s'").await?;
    Ok(client)
}

/// Takes a seat, once however often it is attempted: the seat and the output are committed together.
async fn seat(cx: StepContext<i32>) -> Result<i32, StepError> {
    let mut shop = connect().await?;
    let (barrier, key) = (Barrier::new(), cx.idempotency_key());
    let tx = shop.transaction().await?;
    match barrier.act(&tx, &key).await? {
        Act::Now => {}
        Act::Before(seat) => return seat.ok_or_else(|| StepError::unknown("no seat was kept")),
        Act::TooLate => return Err(StepError::not_done("it has been undone").terminal()),
    }
    let take = "INSERT INTO seats (taken_for, by_process) VALUES ($1, $2) RETURNING number";
    let seat: i32 = tx.query_one(take, &[cx.input(), &process::id().cast_signed()]).await?.get(0);
    barrier.keep(&tx, &key, &seat).await?;
    tx.commit().await?;
    Ok(seat)
}

/// Gives the seat back, if one was taken.
async fn free(cx: UndoContext<i32>, _: Option<i32>) -> Result<(), StepError> {
    let mut shop = connect().await?;
    let tx = shop.transaction().await?;
    if let Undo::Now(Some(seat)) = Barrier::new().undo::<i32>(&tx, &cx.idempotency_key()).await? {
        tx.execute("DELETE FROM seats WHERE number = $1", &[&seat]).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Takes its time. Every tenth trip can't be paid for, and its seat is given back.
async fn pay(cx: StepContext<i32>) -> Result<(), StepError> {
    tokio::time::sleep(Duration::from_millis(700)).await;
    println!("process {}: {}, attempt {}", process::id(), cx.saga_id(), cx.attempt());
    match cx.input() % 10 {
        0 => Err(StepError::not_done("the card was refused").terminal()),
        _ => Ok(()),
    }
}

fn trip() -> Result<Saga<i32>, Box<dyn Error>> {
    let mut trip = Saga::<i32>::builder("trip");
    let seat = trip.step("seat", seat).undo(free).retry(RetryPolicy::new(5)).add();
    trip.step("pay", pay).no_undo("the bank refunds").after(&seat).add();
    Ok(trip.build()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url =
        env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL to the address of a database")?;
    let store = PostgresRepository::open(&url).await?;
    let words: Vec<_> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["start", number] => start(&store, number.parse()?).await,
        ["work"] => work(store).await,
        _ => Err("usage: copies start N | copies work".into()),
    }
}

async fn start(store: &PostgresRepository, number: i32) -> Result<(), Box<dyn Error>> {
    let mut shop = connect().await?;
    shop.batch_execute(TABLES).await?;
    let trip = trip()?;
    for number in 1..=number {
        let order = shop.transaction().await?;
        order.execute("INSERT INTO orders VALUES ($1, 'Ada')", &[&number]).await?;
        let saga = trip.prepare(SagaId::new(format!("order-{number}"))?, &number)?;
        store.start_in(&order, saga).await?;
        order.commit().await?; // the order and its saga, or neither
    }
    println!("{number} trips are ordered");
    Ok(())
}

async fn work(store: PostgresRepository) -> Result<(), Box<dyn Error>> {
    let engine = Engine::open(store).register(trip()?).max_concurrent(4).start().await?;
    loop {
        engine.idle().await?;
        let counts = engine.counts().await?;
        let open = compensation::Status::ALL.into_iter().filter(|status| status.is_open());
        if open.map(|status| counts.get(status)).sum::<u64>() == 0 {
            break;
        }
        // Another copy has the rest. Should it die, this one takes them over.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    engine.drain().await;
    Ok(())
}
