//! One attempt of a step, probe or undo: from what the saga knows to a call, and from what came of it to
//! what the library is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use compensation::{MAX_OUTPUT_BYTES, Probed, StepContext, StepError, StepRef, UndoContext};
use serde_json::Value;

use super::{
    Call, Failed, Runner,
    http::Told,
    shell,
    vars::{Facts, Undoing, Vars},
};
use crate::file::{Input, Output};

/// What all steps of one saga share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) runner: Arc<Runner>,
    pub(crate) saga: String,
    pub(crate) dir: String,
    pub(crate) secrets: Vec<String>,
    /// Every step's name and handle, in the order of writing; there once the saga is built.
    pub(crate) steps: OnceLock<Vec<(String, StepRef<Value>)>>,
}

/// One step's calls.
#[derive(Debug)]
pub(crate) struct StepCalls {
    pub(crate) shared: Arc<Shared>,
    pub(crate) act: Call,
    pub(crate) not_done: Vec<u16>,
    pub(crate) undo: Option<Call>,
    pub(crate) probe: Option<(Call, Vec<u16>)>,
    pub(crate) output: Output,
    pub(crate) env: BTreeMap<String, String>,
    /// Places of the steps that this one comes after and that have an output.
    pub(crate) before: Vec<usize>,
}

impl StepCalls {
    pub(crate) async fn act(self: Arc<Self>, cx: StepContext<Input>) -> Result<Value, StepError> {
        match self.attempt(&self.act, &cx).await {
            Ok(output) => Ok(output),
            Err(Failed::Ended { code, message }) if self.not_done.contains(&code) => {
                Err(StepError::not_done(message))
            }
            Err(failed) => Err(failed.into()),
        }
    }

    pub(crate) async fn probe(
        self: Arc<Self>,
        cx: StepContext<Input>,
    ) -> Result<Probed<Value>, StepError> {
        let Some((probe, not_done)) = &self.probe else {
            return Err(StepError::unknown("the step has no probe").terminal());
        };
        match self.attempt(probe, &cx).await {
            Ok(output) => Ok(Probed::Done(output)),
            Err(Failed::Ended { code, .. }) if not_done.contains(&code) => Ok(Probed::NotDone),
            Err(failed) => Err(failed.into()),
        }
    }

    pub(crate) async fn undo(
        self: Arc<Self>,
        cx: UndoContext<Input>,
        output: Option<Value>,
    ) -> Result<(), StepError> {
        let Some(undo) = &self.undo else {
            return Err(StepError::unknown("the step has no undo").terminal());
        };
        let facts = Facts {
            saga: &self.shared.saga,
            id: cx.saga_id().as_str(),
            step: cx.step_name(),
            attempt: cx.attempt(),
            key: cx.idempotency_key(),
            input: cx.input(),
            outputs: self.outputs(|step| cx.output(step).ok()),
            undo: Some(Undoing { effect: cx.effect(), output: output.as_ref() }),
        };
        // A request of its own: a server that keeps answers by key must not repeat the action's.
        let key = format!("{}:undo", facts.key);
        self.call(undo, &facts, &key, None).await?;
        Ok(())
    }

    /// An action or a probe: what it says is an output.
    async fn attempt(&self, call: &Call, cx: &StepContext<Input>) -> Result<Value, Failed> {
        let facts = Facts {
            saga: &self.shared.saga,
            id: cx.saga_id().as_str(),
            step: cx.step_name(),
            attempt: cx.attempt(),
            key: cx.idempotency_key(),
            input: cx.input(),
            outputs: self.outputs(|step| cx.output(step).ok()),
            undo: None,
        };
        let limit = (self.output != Output::None).then_some(MAX_OUTPUT_BYTES);
        let said = self.call(call, &facts, &facts.key, limit).await?;
        output(self.output, said)
    }

    async fn call(
        &self,
        call: &Call,
        facts: &Facts<'_>,
        key: &str,
        limit: Option<usize>,
    ) -> Result<Vec<u8>, Failed> {
        let Shared { runner, dir, secrets, .. } = &*self.shared;
        let vars = Vars::of(facts, &self.env).map_err(Failed::never)?;
        match call {
            Call::Shell(command) => shell::run(command, dir, &vars, limit).await,
            Call::Http(request) => {
                let value = |name: &str| match vars.get(name) {
                    Some(value) => Some(value.clone()),
                    None if secrets.iter().any(|secret| secret == name) => std::env::var(name).ok(),
                    None => None,
                };
                request.send(&runner.client, &Told { value: &value, key }, limit).await
            }
        }
    }

    fn outputs<'a>(
        &'a self,
        read: impl Fn(&StepRef<Value>) -> Option<&'a Value>,
    ) -> Vec<(&'a str, Option<&'a Value>)> {
        let steps = self.shared.steps.get().map_or(&[][..], Vec::as_slice);
        let before = self.before.iter().filter_map(|&place| steps.get(place));
        before.map(|(name, step)| (name.as_str(), read(step))).collect()
    }
}

/// What a call said, as an output.
pub(crate) fn output(kind: Output, said: Vec<u8>) -> Result<Value, Failed> {
    let value = match kind {
        Output::None => Value::Null,
        Output::Text => {
            let text = String::from_utf8(said).map_err(|error| {
                Failed::Unusable(format!(
                    "its output is not UTF-8 text, from byte {} on (`output: none` throws it away)",
                    error.utf8_error().valid_up_to()
                ))
            })?;
            Value::String(text.trim_end_matches(['\n', '\r']).to_owned())
        }
        Output::Json => serde_json::from_slice(&said)
            .map_err(|error| Failed::Unusable(format!("its output is no JSON: {error}")))?,
    };
    match &value {
        Value::String(text) if text.contains('\0') => {
            Err(Failed::Unusable("its output holds a NUL byte, which no variable can".to_owned()))
        }
        _ => Ok(value),
    }
}

impl From<Failed> for StepError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::NotStarted { message, retryable: true } => Self::not_done(message),
            Failed::NotStarted { message, retryable: false } => Self::not_done(message).terminal(),
            Failed::Ended { message, .. } | Failed::Lost(message) => Self::unknown(message),
            Failed::Unusable(message) => Self::unknown(message).terminal(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newlines_at_the_end_of_a_text_are_no_part_of_it() {
        let said = output(Output::Text, b"a\nb\r\n\n".to_vec());
        assert_eq!(said, Ok(Value::String("a\nb".to_owned())));
    }

    #[test]
    fn text_that_is_not_utf_8_is_refused_with_the_place() {
        let said = output(Output::Text, b"ab\xff".to_vec());
        let message =
            "its output is not UTF-8 text, from byte 2 on (`output: none` throws it away)";
        assert_eq!(said, Err(Failed::Unusable(message.to_owned())));
    }

    #[test]
    fn json_is_read_and_what_is_none_is_refused() {
        assert_eq!(
            output(Output::Json, b"{\"a\":1}\n".to_vec()),
            Ok(serde_json::json!({ "a": 1 }))
        );
        assert!(matches!(output(Output::Json, b"{".to_vec()), Err(Failed::Unusable(_))));
    }

    #[test]
    fn a_nul_byte_is_refused_where_it_arises() {
        assert!(matches!(output(Output::Text, b"a\0b".to_vec()), Err(Failed::Unusable(_))));
        assert!(matches!(
            output(Output::Json, br#""a\u0000b""#.to_vec()),
            Err(Failed::Unusable(_))
        ));
    }
}
