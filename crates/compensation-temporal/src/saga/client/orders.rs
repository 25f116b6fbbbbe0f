//! Operators' orders, as updates of the workflow: what makes no sense is refused, and leaves no trace.

use compensation::{Order, SagaId};
use serde_json::value::RawValue;
use temporalio_client::{WorkflowExecuteUpdateOptions, errors::WorkflowUpdateError};

use super::{SagasError, TemporalSagas, clock, is_open};
use crate::saga::{
    json::SagaJson,
    order::{SagaOrder, Verb},
    workflow::SagaWorkflow,
};

impl TemporalSagas {
    /// Orders that a saga be undone: a running or a stuck one. To cancel its workflow by other means does the same,
    /// without a name or a reason, and without a word where it can't be done.
    ///
    /// # Errors
    /// [`SagasError::Refused`] once its pivot is done or in flight, or where it is being undone or over already; else as
    /// [`retry`](Self::retry).
    pub async fn cancel(&self, id: &SagaId, order: Order) -> Result<(), SagasError> {
        self.order(id, given(Verb::Cancel, None, order)).await
    }

    /// Orders another attempt, with a fresh budget, of what is parked.
    ///
    /// # Errors
    /// [`SagasError::Refused`] where the step is not parked or there is none of that name; [`SagasError::NotFound`];
    /// [`SagasError::NoAnswer`]: the order may then still be taken; [`SagasError::Server`].
    pub async fn retry(&self, id: &SagaId, step: &str, order: Order) -> Result<(), SagasError> {
        self.order(id, given(Verb::Retry, Some(step), order)).await
    }

    /// Orders to go on without a parked undo, or without a parked step after the pivot and all that waits for it.
    ///
    /// # Errors
    /// As [`retry`](Self::retry).
    pub async fn skip(&self, id: &SagaId, step: &str, order: Order) -> Result<(), SagasError> {
        self.order(id, given(Verb::Skip, Some(step), order)).await
    }

    /// Declares that a parked step has been done by hand. Its output may be given as JSON, for later steps that read
    /// it. It is not checked here: a step that can't read it fails.
    ///
    /// # Errors
    /// As [`retry`](Self::retry); [`SagasError::Refused`] also where it is the step's undo that is parked.
    pub async fn mark_done(
        &self,
        id: &SagaId,
        step: &str,
        output: Option<Box<RawValue>>,
        order: Order,
    ) -> Result<(), SagasError> {
        self.order(id, SagaOrder { output, ..given(Verb::Done, Some(step), order) }).await
    }

    /// Declares that a parked undo has been done by hand.
    ///
    /// # Errors
    /// As [`retry`](Self::retry); [`SagasError::Refused`] also where it is the step itself that is parked.
    pub async fn mark_undone(
        &self,
        id: &SagaId,
        step: &str,
        order: Order,
    ) -> Result<(), SagasError> {
        self.order(id, given(Verb::Undone, Some(step), order)).await
    }

    /// Gives a saga up, on the word of a person: nothing of it will run any more.
    ///
    /// # Errors
    /// [`SagasError::Refused`] where something of it is in flight; else as [`retry`](Self::retry).
    pub async fn abandon(&self, id: &SagaId, order: Order) -> Result<(), SagasError> {
        self.order(id, given(Verb::Abandon, None, order)).await
    }

    async fn order(&self, id: &SagaId, order: SagaOrder) -> Result<(), SagasError> {
        let handle = self.handle(id);
        let options = WorkflowExecuteUpdateOptions::default();
        let answer = handle.execute_update(SagaWorkflow::order, SagaJson(order), options);
        match clock::within(clock::PATIENCE, answer).await {
            Some(Ok(())) => Ok(()),
            Some(Err(WorkflowUpdateError::Failed(failure))) => {
                Err(SagasError::Refused { id: id.clone(), why: failure.message })
            }
            Some(Err(WorkflowUpdateError::NotFound(_))) => match is_open(id, &handle).await? {
                true => Err(SagasError::NoAnswer(id.clone())),
                false => Err(SagasError::Refused { id: id.clone(), why: "it is over".to_owned() }),
            },
            Some(Err(other)) => Err(SagasError::Server(other.to_string())),
            None => Err(SagasError::NoAnswer(id.clone())),
        }
    }
}

fn given(verb: Verb, step: Option<&str>, order: Order) -> SagaOrder {
    let Order { by, why } = order;
    SagaOrder { verb, step: step.map(str::to_owned), output: None, by, why }
}
