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
    outcome::{Applied, Edit, Order},
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
    pub(crate) wish: Option<&'a Wish>,
}

/// An order to a saga that is being driven.
pub(crate) enum Ordered {
    /// Let a change happen, if it is legal; the answer comes once it is durable.
    Change(Box<Wish>, Option<oneshot::Sender<Answer>>),
    /// Start nothing more, and end when nothing is in flight.
    Drain,
}

/// What is ordered.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) change: Change,
    /// By whom, and why; nobody where the library orders it itself.
    pub(crate) order: Option<Order>,
    pub(crate) edit: Edit,
    /// The letter that it came by, from another process.
    pub(crate) letter: Option<String>,
}

/// The answer to an order.
pub(crate) type Answer = Result<Applied, Refused>;

impl Wish {
    /// A change, ordered by nobody.
    pub(crate) fn of(change: Change) -> Self {
        Self { change, order: None, edit: Edit::default(), letter: None }
    }
}

/// Why an order changed nothing.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It makes no sense as the saga stands.
    Illegal(Illegal),
    /// The output given with it is not of the step's type.
    BadOutput(serde_json::Error),
    /// The input given with it is not what the definition takes.
    BadInput(serde_json::Error),
    /// An output was given for a retry that is not one of the step's undo.
    NotItsUndo,
    /// The saga's definition has changed, and it can't be undone by the new one.
    Changed(&'static str),
}
