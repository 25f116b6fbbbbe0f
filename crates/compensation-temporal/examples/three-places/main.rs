//! One definition, run in three places: in this process, on a SQLite file, and on Temporal.
//!
//! `three-places process|sqlite|temporal [failing]` books a trip there; `three-places worker` does the work for
//! Temporal. See the README for the server.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::{env, error::Error, process::ExitCode};

use compensation::{Engine, Outcome, Saga, SagaId, StepContext, StepError, UndoContext};
use compensation_sqlite::SqliteRepository;
use compensation_temporal::{SagaWorker, TemporalSagas};
use serde::{Deserialize, Serialize};

const USAGE: &str = "usage: three-places process|sqlite|temporal [failing] | three-places worker";
const QUEUE: &str = "three-places";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Request {
    who: String,
    seats: u32,
}

async fn reserve_car(cx: StepContext<Request>) -> Result<String, StepError> {
    println!("a car for {} ({})", cx.input().who, cx.idempotency_key());
    Ok("CAR-17".to_owned())
}

async fn cancel_car(_: UndoContext<Request>, car: Option<String>) -> Result<(), StepError> {
    println!("no car after all: {car:?}");
    Ok(())
}

async fn book_flight(cx: StepContext<Request>) -> Result<String, StepError> {
    match cx.input().seats {
        0 => Err(StepError::not_done("no seat is free").terminal()),
        seats => Ok(format!("FLIGHT-{seats}")),
    }
}

async fn cancel_flight(_: UndoContext<Request>, _: Option<String>) -> Result<(), StepError> {
    Ok(())
}

fn trip() -> Result<Saga<Request>, Box<dyn Error>> {
    let mut trip = Saga::<Request>::builder("book-trip");
    trip.step("reserve-car", reserve_car).undo(cancel_car).add();
    trip.step("book-flight", book_flight).undo(cancel_flight).add();
    Ok(trip.build()?)
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let (place, seats) = match args[..] {
        ["worker"] => return work().await,
        [place] => (place, 1),
        [place, "failing"] => (place, 0),
        _ => return Err(USAGE.into()),
    };
    let request = Request { who: "Ada".to_owned(), seats };
    let id = SagaId::random();
    let trip = trip()?;
    let outcome = match place {
        "process" => trip.run_as(id, request).await,
        "sqlite" => {
            let store = SqliteRepository::open("three-places.db")?;
            let engine = Engine::open(store).register(trip).start().await?;
            let outcome = engine.run("book-trip", id, &request).await?;
            engine.drain().await;
            outcome
        }
        "temporal" => {
            let sagas = TemporalSagas::connect(&address(), QUEUE).await?;
            println!("started saga {id}");
            sagas.run(trip, &id, &request).await?
        }
        _ => return Err(USAGE.into()),
    };
    tell(&outcome);
    Ok(())
}

async fn work() -> Result<(), Box<dyn Error>> {
    let sagas = TemporalSagas::connect(&address(), QUEUE).await?;
    println!("waiting for trips; ctrl-c stops");
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    Ok(SagaWorker::new(QUEUE).host(trip()?).run(sagas.client().clone(), stop).await?)
}

fn address() -> String {
    env::var("TEMPORAL_ADDRESS").unwrap_or_else(|_| "127.0.0.1:7233".to_owned())
}

fn tell(outcome: &Outcome) {
    let report = outcome.report();
    println!("{}", report.status());
    if let Some(reason) = report.reason() {
        println!("because {reason}");
    }
    for (step, phase) in report.steps() {
        println!("  {step}: {phase}");
    }
}
