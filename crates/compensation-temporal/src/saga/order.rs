//! What a person may order of a saga that runs as a workflow.

use std::fmt;

use compensation::{Order, Plan, machine::Change};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An order with who gives it and why; the input of the update `order` of a [`SagaWorkflow`](crate::SagaWorkflow).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SagaOrder {
    /// What is ordered.
    pub verb: Verb,
    /// Of which step; not for [`Verb::Cancel`] and [`Verb::Abandon`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// With [`Verb::Done`], the step's output for later steps that read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Box<RawValue>>,
    /// Who gives the order.
    pub by: String,
    /// Why.
    pub why: String,
}

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verb {
    /// Undo the saga.
    Cancel,
    /// Attempt again what is parked.
    Retry,
    /// Go on without what is parked.
    Skip,
    /// The step that is parked was done by hand.
    Done,
    /// The undo that is parked was done by hand.
    Undone,
    /// Give the saga up.
    Abandon,
}

/// Why an order makes no sense, whatever the saga's state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Senseless {
    #[error("to {0} a saga is to {0} one of its steps: name it")]
    NoStep(Verb),
    #[error("there is no step `{step}`: the steps are {known}")]
    UnknownStep { step: String, known: String },
}

impl SagaOrder {
    /// What it means to the machine.
    pub(super) fn change(&self, plan: &Plan) -> Result<Change, Senseless> {
        let step = || {
            let name = self.step.as_ref().ok_or(Senseless::NoStep(self.verb))?;
            plan.find(name).ok_or_else(|| {
                let known: Vec<_> =
                    plan.steps.iter().map(|step| format!("`{}`", step.name)).collect();
                Senseless::UnknownStep { step: name.clone(), known: known.join(", ") }
            })
        };
        Ok(match self.verb {
            Verb::Cancel => Change::CancelRequested,
            Verb::Retry => Change::RetryOrdered(step()?),
            Verb::Skip => Change::SkipOrdered(step()?),
            Verb::Done => Change::DoneDeclared(step()?),
            Verb::Undone => Change::UndoneDeclared(step()?),
            Verb::Abandon => Change::Abandoned,
        })
    }

    pub(super) fn given(&self) -> Order {
        Order::new(self.by.clone(), self.why.clone())
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Done => "mark as done",
            Self::Undone => "mark as undone",
            Self::Abandon => "abandon",
        })
    }
}
