//! A saga file, checked and with its defaults filled in. This is what is stored with each saga, so that
//! any copy of this program can finish it without the file.

use std::collections::BTreeMap;

use compensation::{
    RetryPolicy,
    machine::{OnUndoFailure, UnknownPolicy},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

/// The form of this data. A program that does not know it leaves the saga alone.
pub(crate) const FORM: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) form: u32,
    /// Where commands run: the absolute directory of the file.
    pub(crate) dir: String,
    pub(crate) saga: String,
    pub(crate) version: u32,
    pub(crate) input: Vec<String>,
    pub(crate) secrets: Vec<String>,
    /// Inputs that are not shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) secret_inputs: Vec<String>,
    pub(crate) parallel: Option<u16>,
    pub(crate) on_undo_failure: OnUndoFailure,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) after: Vec<String>,
    pub(crate) call: Call,
    pub(crate) undo: Undo,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) idempotent: bool,
    pub(crate) output: Output,
    pub(crate) unknown: UnknownPolicy,
    pub(crate) probe: Option<Probe>,
    /// Exit codes or statuses that mean that the step had no effect.
    pub(crate) not_done: Vec<u16>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) pivot: bool,
    /// Whether its output is not shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) secret: bool,
}

/// How something is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Call {
    /// By a command of `/bin/sh`.
    Run(String),
    /// By an HTTP request.
    Http(Http),
}

/// One HTTP request; its texts are templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Body,
    /// Statuses that mean success, beside 2xx.
    pub(crate) done: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Body {
    Empty,
    Text(String),
    Json(Value),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Undo {
    Call {
        call: Call,
        timeout_ms: Option<u64>,
        retry: Option<RetryPolicy>,
        idempotent: bool,
        allow_skip: bool,
    },
    None {
        because: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    pub(crate) call: Call,
    /// Exit codes or statuses that mean that the step had no effect.
    pub(crate) not_done: Vec<u16>,
}

/// What is made of what a call says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Output {
    /// Kept as text, without newlines at its end.
    #[default]
    Text,
    /// Read as JSON.
    Json,
    /// Thrown away.
    None,
}

impl Model {
    /// As it is stored.
    pub(crate) fn source(&self) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(self)
    }

    /// As it was stored; `None` where this is no saga file of a form known here.
    pub(crate) fn of_source(source: &RawValue) -> Option<Self> {
        let model: Self = serde_json::from_str(source.get()).ok()?;
        (model.form == FORM).then_some(model)
    }

    /// The step of that name.
    pub(crate) fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// For each step, the steps that it comes after, directly or not, in the order of writing. Names of
    /// steps that do not exist are passed over.
    pub(crate) fn ancestors(&self) -> Vec<Vec<usize>> {
        let place = |name: &String| self.steps.iter().position(|step| step.name == *name);
        let after: Vec<Vec<usize>> =
            self.steps.iter().map(|step| step.after.iter().filter_map(place).collect()).collect();
        let reach = |from: usize| {
            let mut reached = vec![false; after.len()];
            let mut left = vec![from];
            while let Some(step) = left.pop() {
                for &before in &after[step] {
                    if !std::mem::replace(&mut reached[before], true) {
                        left.push(before);
                    }
                }
            }
            (0..reached.len()).filter(|&step| reached[step]).collect()
        };
        (0..self.steps.len()).map(reach).collect()
    }
}
