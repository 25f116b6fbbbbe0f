//! What a driver asks of its surroundings: to write down what happened, and to pass orders on. In process
//! nothing is written; the durable engine journals.

use std::{
    future::Future,
    task::{Context, Poll},
};

use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::{
    error::{Failure, StepError},
    event::Change,
    handler::{AnyValue, Codec},
    machine::{Illegal, Machine},
    outcome::Order,
};

/// Where a saga is driven.
pub(crate) trait Host: Send {
    /// Why something could not be written down.
    type Error: Send;

    /// Puts an output into the form in which it is kept, if it is.
    fn encode(
        &mut self,
        codec: &Codec,
        output: &AnyValue,
    ) -> Result<Option<Box<RawValue>>, StepError>;

    /// Takes a change, to be made durable by the next [`flush`](Self::flush).
    fn record(&mut self, change: Change, evidence: Evidence<'_>);

    /// Makes durable what was recorded since the last time.
    fn flush(
        &mut self,
        machine: &Machine,
        reason: impl FnOnce() -> Option<String> + Send,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The next order, if there is one.
    fn poll_order(&mut self, cx: &mut Context<'_>) -> Poll<Ordered>;
}

/// What goes into the record beside a change.
#[derive(Default)]
pub(crate) struct Evidence<'a> {
    pub(crate) attempt: u32,
    pub(crate) output: Option<Box<RawValue>>,
    pub(crate) failure: Option<&'a Failure>,
    pub(crate) order: Option<&'a Order>,
}

/// An order to a saga that is being driven.
pub(crate) enum Ordered {
    /// Let a change happen, if it is legal; the answer comes once it is durable.
    Change {
        change: Change,
        order: Option<Order>,
        output: Option<Box<RawValue>>,
        reply: Option<oneshot::Sender<Result<(), Refused>>>,
    },
    /// Start nothing more, and end when nothing is in flight.
    Drain,
}

/// Why an order changed nothing.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It makes no sense as the saga stands.
    Illegal(Illegal),
    /// The output given with it is not of the step's type.
    BadOutput(serde_json::Error),
    /// The saga's definition has changed, and it can't be undone by the new one.
    Changed(&'static str),
}
