//! A trip: a car, a hotel and a flight, and what takes them back.

use std::time::Duration;

use compensation_temporal::{
    ActivityPolicy, CompensationExecutionRecord, CompensationManager, NotDone, Report, Retry, step,
};
use serde::{Deserialize, Serialize};
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
    activities::{ActivityContext, ActivityError},
};
use temporalio_workflow::common::error::ApplicationFailure;

/// The task queue of the example.
pub(crate) const QUEUE: &str = "book-trip";

/// What the traveller wants, and what goes wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) traveller: String,
    pub(crate) trouble: Trouble,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trouble {
    None,
    /// There is no seat.
    NoSeat,
    /// The airline takes a quarter of a minute: time to cancel, or to kill the worker.
    SlowAirline,
    /// There is no seat, and the hotel does not answer when it is to be cancelled.
    NoSeatAndDeafHotel,
}

/// One thing to cancel. The number is missing where the reply to the booking was lost: then there may be
/// nothing to cancel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cancel {
    request: Request,
    number: Option<String>,
}

/// The workflow. The manager is part of its state, so that the query sees it.
#[workflow]
#[derive(Default)]
pub(crate) struct BookTrip {
    saga: CompensationManager<WorkflowContext<BookTrip>>,
}

#[workflow_methods]
impl BookTrip {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        request: Request,
    ) -> WorkflowResult<Vec<String>> {
        let saga = ctx.state(|trip| trip.saga.clone());
        let result = book(ctx, &saga, request).await;
        // Undoes everything if it is an error, and closes as failed or as cancelled.
        saga.finish(ctx, result).await
    }

    #[query]
    pub(crate) fn records(&self, _: &WorkflowContextView) -> Vec<CompensationExecutionRecord> {
        self.saga.records()
    }

    /// What the last rollback did.
    #[query]
    pub(crate) fn report(&self, _: &WorkflowContextView) -> Option<Report> {
        self.saga.report()
    }

    /// No further step, and everything is taken back; a booking under way goes on to its end first.
    #[signal]
    pub(crate) fn compensate(&mut self, _: &mut SyncWorkflowContext<Self>, why: String) {
        self.saga.ask_to_compensate(why);
    }

    /// The same, and a booking under way is asked to stop.
    #[signal]
    pub(crate) fn cancel(&mut self, _: &mut SyncWorkflowContext<Self>, why: String) {
        self.saga.ask_to_cancel(why);
    }
}

async fn book(
    ctx: &WorkflowContext<BookTrip>,
    saga: &CompensationManager<WorkflowContext<BookTrip>>,
    request: Request,
) -> WorkflowResult<Vec<String>> {
    // What takes a booking back is told its number, as soon as there is one.
    let cancel = {
        let request = request.clone();
        move |number: Option<&String>| Cancel { request: request.clone(), number: number.cloned() }
    };

    let car =
        step("car", Agency::reserve_car, request.clone()).undo(Agency::cancel_car, cancel.clone());
    let car = saga.step(ctx, car).await?;

    let hotel = step("hotel", Agency::book_hotel, request.clone())
        .undo(Agency::cancel_hotel, cancel.clone())
        .undo_retry(Retry::times(3).first(Duration::from_millis(200)));
    let hotel = saga.step(ctx, hotel).await?;

    // An activity that beats learns of a cancel, and a dead worker is found soon.
    let beats = ActivityPolicy {
        heartbeat: Some(Duration::from_secs(3)),
        ..ActivityPolicy::within(Duration::from_secs(60))
    };
    let flight = step("flight", Agency::book_flight, request)
        .policy(beats)
        // A refusal means that nothing was booked: there is nothing to cancel.
        .not_done(NotDone::on_refusals())
        .undo(Agency::cancel_flight, cancel);
    let flight = saga.step(ctx, flight).await?;
    Ok(vec![car, hotel, flight])
}

/// What is done in the world outside.
pub(crate) struct Agency;

#[activities]
impl Agency {
    #[activity]
    pub(crate) async fn reserve_car(
        _: ActivityContext,
        request: Request,
    ) -> Result<String, ActivityError> {
        say(format!("a car for {}", request.traveller));
        Ok("CAR-17".to_owned())
    }

    #[activity]
    pub(crate) async fn cancel_car(
        _: ActivityContext,
        cancel: Cancel,
    ) -> Result<(), ActivityError> {
        say(format!("no car after all: {:?}", cancel.number));
        Ok(())
    }

    #[activity]
    pub(crate) async fn book_hotel(
        _: ActivityContext,
        request: Request,
    ) -> Result<String, ActivityError> {
        say(format!("a room for {}", request.traveller));
        Ok("ROOM-4".to_owned())
    }

    #[activity]
    pub(crate) async fn cancel_hotel(
        ctx: ActivityContext,
        cancel: Cancel,
    ) -> Result<(), ActivityError> {
        if cancel.request.trouble == Trouble::NoSeatAndDeafHotel {
            say(format!("the hotel does not answer (attempt {})", ctx.info().attempt));
            let failure = ApplicationFailure::new("the hotel does not answer");
            return Err(ActivityError::application(failure));
        }
        say(format!("no room after all: {:?}", cancel.number));
        Ok(())
    }

    #[activity]
    pub(crate) async fn book_flight(
        ctx: ActivityContext,
        request: Request,
    ) -> Result<String, ActivityError> {
        match request.trouble {
            Trouble::None => {}
            Trouble::NoSeat | Trouble::NoSeatAndDeafHotel => {
                say("no seat is free".to_owned());
                return Err(ActivityError::application(ApplicationFailure::non_retryable(
                    "no seat is free",
                )));
            }
            Trouble::SlowAirline => {
                say("the airline takes its time".to_owned());
                for _ in 0..30 {
                    ctx.record_heartbeat(()).await?;
                    if ctx.is_cancelled() {
                        say("the airline was told to stop".to_owned());
                        return Err(ActivityError::cancelled());
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
        say(format!("a seat for {}", request.traveller));
        Ok("SEAT-9A".to_owned())
    }

    #[activity]
    pub(crate) async fn cancel_flight(
        _: ActivityContext,
        cancel: Cancel,
    ) -> Result<(), ActivityError> {
        say(format!("no seat after all: {:?}", cancel.number));
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn say(text: String) {
    println!("{text}");
}
