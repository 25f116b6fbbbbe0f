//! Books a trip on Temporal, and takes back what it has booked when something goes wrong.
//!
//! `book-trip worker` does the work; `book-trip start [ok|failing|cancelled|recalled|slow|stuck]` starts a trip, and
//! shows how it ends. See the README for the server.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

mod connect;
mod trip;

use std::{env, error::Error, process::ExitCode, time::Duration};

use connect::connect;
use temporalio_client::{
    WorkflowCancelOptions, WorkflowGetResultOptions, WorkflowQueryOptions, WorkflowSignalOptions,
    WorkflowStartOptions, errors::WorkflowGetResultError,
};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use temporalio_workflow::common::error::IncomingError;
use trip::{Agency, BookTrip, QUEUE, Request, Trouble};

const USAGE: &str =
    "usage: book-trip worker | book-trip start [ok|failing|cancelled|recalled|slow|stuck]";

/// What is done to a trip under way.
#[derive(Clone, Copy, PartialEq)]
enum Meddling {
    None,
    /// It is cancelled.
    Cancel,
    /// It is asked to compensate, by the signal.
    Recall,
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
    let (trouble, meddling) = match args[..] {
        ["worker"] => return work().await,
        ["start"] | ["start", "ok"] => (Trouble::None, Meddling::None),
        ["start", "failing"] => (Trouble::NoSeat, Meddling::None),
        ["start", "cancelled"] => (Trouble::SlowAirline, Meddling::Cancel),
        ["start", "recalled"] => (Trouble::SlowAirline, Meddling::Recall),
        ["start", "slow"] => (Trouble::SlowAirline, Meddling::None),
        ["start", "stuck"] => (Trouble::NoSeatAndDeafHotel, Meddling::None),
        _ => return Err(USAGE.into()),
    };
    start(trouble, meddling).await
}

/// The server's, by default the one that `temporal server start-dev` starts.
fn address() -> String {
    env::var("TEMPORAL_ADDRESS").unwrap_or_else(|_| "127.0.0.1:7233".to_owned())
}

async fn work() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let options = WorkerOptions::new(QUEUE)
        .register_workflow::<BookTrip>()?
        .register_activities(Agency)
        .build();
    let mut worker = Worker::new(&runtime, connect(&address()).await?, options)?;
    println!("waiting for trips");
    worker.run().await?;
    Ok(())
}

/// What the failure says, without the layers that Temporal wraps it into.
fn first(error: &IncomingError) -> String {
    match (error, error.cause()) {
        (IncomingError::Application(said), _) => said.to_string(),
        (_, Some(cause)) => first(cause),
        (other, None) => other.to_string(),
    }
}

async fn start(trouble: Trouble, meddling: Meddling) -> Result<(), Box<dyn Error>> {
    let client = connect(&address()).await?;
    let request = Request { traveller: "Ada".to_owned(), trouble };
    let id = format!("trip-{}", std::process::id());
    let options = WorkflowStartOptions::new(QUEUE, &id).build();
    let trip = client.start_workflow(BookTrip::run, request, options).await?;
    println!("started {id}");
    if meddling != Meddling::None {
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    match meddling {
        Meddling::None => {}
        Meddling::Cancel => {
            println!("cancelling");
            trip.cancel(WorkflowCancelOptions::default()).await?;
        }
        Meddling::Recall => {
            println!("asking to compensate");
            let why = "Ada is ill".to_owned();
            trip.signal(BookTrip::compensate, why, WorkflowSignalOptions::default()).await?;
        }
    }
    match trip.get_result(WorkflowGetResultOptions::default()).await {
        Ok(bookings) => println!("booked: {}", bookings.join(", ")),
        Err(WorkflowGetResultError::Failed(error)) => println!("not booked: {}", first(&error)),
        Err(error) => println!("not booked: {error}"),
    }
    for record in trip.query(BookTrip::records, (), WorkflowQueryOptions::default()).await? {
        let error = record.error.map(|error| format!(": {error}")).unwrap_or_default();
        println!("  the undo of {} is {}{error}", record.activity_name, record.status);
    }
    Ok(())
}
