//! Books a trip on Temporal, and takes back what it has booked when something goes wrong.
//!
//! `book-trip worker` does the work; `book-trip start [ok|failing|cancelled|slow|stuck]` starts a trip, and shows how
//! it ends. See the README for the server.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod trip;

use std::{env, error::Error, time::Duration};

use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, WorkflowCancelOptions,
    WorkflowGetResultOptions, WorkflowQueryOptions, WorkflowStartOptions,
    errors::WorkflowGetResultError,
};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use temporalio_workflow::common::error::IncomingError;
use trip::{Agency, BookTrip, QUEUE, Request, Trouble};

const USAGE: &str = "usage: book-trip worker | book-trip start [ok|failing|cancelled|slow|stuck]";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let (trouble, cancel) = match args[..] {
        ["worker"] => return work().await,
        ["start"] | ["start", "ok"] => (Trouble::None, false),
        ["start", "failing"] => (Trouble::NoSeat, false),
        ["start", "cancelled"] => (Trouble::SlowAirline, true),
        ["start", "slow"] => (Trouble::SlowAirline, false),
        ["start", "stuck"] => (Trouble::NoSeatAndDeafHotel, false),
        _ => return Err(USAGE.into()),
    };
    start(trouble, cancel).await
}

async fn connect() -> Result<Client, Box<dyn Error>> {
    let address = env::var("TEMPORAL_ADDRESS").unwrap_or_else(|_| "127.0.0.1:7233".to_owned());
    let options = ConnectionOptions::new(format!("http://{address}").parse::<url::Url>()?)
        .connect_timeout(Duration::from_secs(5))
        .build();
    let connection = Connection::connect(options).await.map_err(|error| {
        format!("no server at {address} ({error}): start one with `temporal server start-dev`")
    })?;
    Ok(Client::new(connection, ClientOptions::new("default").build())?)
}

async fn work() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let options = WorkerOptions::new(QUEUE)
        .register_workflow::<BookTrip>()?
        .register_activities(Agency)
        .build();
    let mut worker = Worker::new(&runtime, connect().await?, options)?;
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

async fn start(trouble: Trouble, cancel: bool) -> Result<(), Box<dyn Error>> {
    let client = connect().await?;
    let request = Request { traveller: "Ada".to_owned(), trouble };
    let id = format!("trip-{}", std::process::id());
    let options = WorkflowStartOptions::new(QUEUE, &id).build();
    let trip = client.start_workflow(BookTrip::run, request, options).await?;
    println!("started {id}");
    if cancel {
        tokio::time::sleep(Duration::from_secs(3)).await;
        println!("cancelling");
        trip.cancel(WorkflowCancelOptions::default()).await?;
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
