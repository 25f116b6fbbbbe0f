//! A definition as data: everything but the functions. It is stored with each durable saga, so that the
//! saga can be listed, judged and undone by whoever finds it later.
//!
//! This is the stored form. Fields may be added with a default; none changes its meaning. A field that is
//! not known makes the record unreadable: an older program must not half-understand a saga.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    event::StepIndex,
    machine::{Graph, GraphError, GraphSpec, OnUndoFailure, StepSpec, UnknownPolicy},
    retry::RetryPolicy,
};

/// A saga's definition without its functions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The definition's name.
    pub saga: String,
    /// The definition's version, as its author counts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub version: u32,
    /// Most attempts in flight at once.
    pub parallel: u16,
    /// What the other undos do once one has spent its budget.
    #[serde(default)]
    pub on_undo_failure: OnUndoFailure,
    /// Keys of the input whose values are secret; `*` is the whole input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret_inputs: Vec<String>,
    /// The steps, in the order of writing.
    pub steps: Vec<PlanStep>,
    /// What the definition was made from, where that is data itself (a saga file).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<RawValue>>,
}

/// One step of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanStep {
    /// Its name, unique in the saga.
    pub name: String,
    /// The steps that must be done before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepIndex>,
    /// How it is undone.
    pub undo: UndoPlan,
    /// What an unknown outcome means, where that is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownPolicy>,
    /// Whether it has a probe.
    #[serde(default, skip_serializing_if = "is_false")]
    pub probe: bool,
    /// Whether its action may be attempted again.
    pub idempotent: bool,
    /// Whether nothing is undone once it is done.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pivot: bool,
    /// Whether its output is secret.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
    /// The budget of its action.
    pub retry: RetryPolicy,
    /// The longest that one attempt of its action or probe may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// How a step is undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum UndoPlan {
    /// By a function of its own.
    Run {
        /// The budget of the undo.
        retry: RetryPolicy,
        /// The longest that one attempt may take, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
        /// Whether it may be attempted again.
        idempotent: bool,
        /// Whether it is passed over once its budget is spent.
        #[serde(default, skip_serializing_if = "is_false")]
        allow_skip: bool,
    },
    /// Not at all, for the reason given.
    None {
        /// Why there is nothing to undo.
        because: String,
    },
}

impl Plan {
    /// The shape that the machine walks.
    ///
    /// # Errors
    /// Where the shape makes no sense; see [`GraphError`].
    pub fn graph(&self) -> Result<Graph, GraphError> {
        Graph::new(GraphSpec {
            steps: self.steps.iter().map(PlanStep::spec).collect(),
            parallel: self.parallel,
            on_undo_failure: self.on_undo_failure,
        })
    }

    /// The index of the step of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<StepIndex> {
        let place = self.steps.iter().position(|step| step.name == name)?;
        StepIndex::try_from(place).ok()
    }

    /// A number that two plans share if a saga of the one may go on with the functions of the other: it
    /// covers names, order, undos and the author's version, and leaves out budgets and timeouts.
    ///
    /// FNV-1a, 64 bit, so that it is the same on every machine and for every release.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Fnv::new();
        hash.text(&self.saga);
        hash.number(u64::from(self.version));
        for step in &self.steps {
            hash.text(&step.name);
            hash.number(step.after.len() as u64);
            step.after.iter().for_each(|&before| hash.number(u64::from(before)));
            hash.number(u64::from(matches!(step.undo, UndoPlan::Run { .. })));
            hash.number(u64::from(step.pivot));
        }
        if let Some(source) = &self.source {
            hash.text(source.get());
        }
        hash.0
    }
}

impl PlanStep {
    /// The longest that one attempt of its action may take.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// The longest that one attempt of its undo may take.
    #[must_use]
    pub fn undo_timeout(&self) -> Option<Duration> {
        match self.undo {
            UndoPlan::Run { timeout_ms, .. } => timeout_ms.map(Duration::from_millis),
            UndoPlan::None { .. } => None,
        }
    }

    fn spec(&self) -> StepSpec {
        let (undo, undo_idempotent, allow_skip, undo_attempts) = match &self.undo {
            UndoPlan::Run { retry, idempotent, allow_skip, .. } => {
                (true, *idempotent, *allow_skip, retry.attempts())
            }
            UndoPlan::None { .. } => (false, true, false, Some(1)),
        };
        StepSpec {
            after: self.after.clone(),
            undo,
            probe: self.probe,
            unknown: self.unknown,
            idempotent: self.idempotent,
            undo_idempotent,
            pivot: self.pivot,
            allow_skip,
            attempts: self.retry.attempts(),
            undo_attempts,
        }
    }
}

/// FNV-1a, 64 bit.
pub(crate) struct Fnv(pub(crate) u64);

impl Fnv {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// Its length comes first, so that no two rows of texts run together.
    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}
