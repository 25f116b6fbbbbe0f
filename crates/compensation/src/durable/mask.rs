//! What is declared secret, kept out of what is shown. It is stored as it is: whoever can read the store can read
//! it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    event::{Change, Event},
    plan::Plan,
    repository::{Entry, StoredSaga},
};

/// Stands for what is secret.
const MASKED: &str = "***";

/// The shortest text that is looked for inside other texts, in characters: of shorter ones too much else would
/// look like them.
const SHORTEST: usize = 4;

/// The name that stands for the whole input of a saga where it is declared secret.
const WHOLE: &str = "*";

/// What of one saga is declared secret: for front ends, which pass everything through it that they show.
///
/// Inputs and outputs that are secret are masked by their place. In free texts (errors, reasons, what a person
/// gave for a reason) each secret value of at least four characters is masked wherever it stands.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    inputs: Vec<String>,
    steps: BTreeSet<String>,
    values: Vec<String>,
}

impl Mask {
    /// What is secret of a stored saga. Of one whose record can't be read nothing is known to be secret but what
    /// its plan says, if that can be read.
    #[must_use]
    pub fn of(saga: &StoredSaga) -> Self {
        let plan = serde_json::from_str(&saga.plan);
        plan.map(|plan| Self::by(&plan, saga)).unwrap_or_default()
    }

    /// The same where its plan has been read.
    pub(super) fn by(plan: &Plan, saga: &StoredSaga) -> Self {
        let secret = plan.steps.iter().filter(|step| step.secret);
        let mut mask = Self {
            inputs: plan.secret_inputs.clone(),
            steps: secret.map(|step| step.name.clone()).collect(),
            values: Vec::new(),
        };
        if mask.is_empty() {
            return mask;
        }
        mask.learn_input(&saga.input);
        for entry in &saga.journal {
            mask.learn(entry, plan);
        }
        mask.sort();
        mask
    }

    /// A value that holds another one comes first, or its rest would show.
    fn sort(&mut self) {
        self.values.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        self.values.dedup();
    }

    /// Masks that value too, wherever it stands.
    pub fn hide(&mut self, value: &str) {
        self.learn_value(&value.into());
        self.sort();
    }

    /// Whether nothing is secret.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.steps.is_empty() && self.values.is_empty()
    }

    /// Whether the output of that step is secret.
    #[must_use]
    pub fn hides(&self, step: &str) -> bool {
        self.steps.contains(step)
    }

    /// A text without the secret values in it.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, value| {
            if text.contains(value.as_str()) { text.replace(value.as_str(), MASKED) } else { text }
        })
    }

    /// The saga's input, or one that a step was given in its place, as JSON.
    #[must_use]
    pub fn input(&self, json: &str) -> String {
        if self.inputs.is_empty() {
            return self.text(json);
        }
        match serde_json::from_str(json) {
            Ok(mut value) => {
                self.mask_input(&mut value);
                self.text(&value.to_string())
            }
            // Not what it should be: nobody knows where the secret is in it.
            Err(_) => Value::from(MASKED).to_string(),
        }
    }

    /// The output of that step, as JSON.
    #[must_use]
    pub fn output(&self, step: &str, json: &str) -> String {
        if self.hides(step) { Value::from(MASKED).to_string() } else { self.text(json) }
    }

    fn mask_input(&self, value: &mut Value) {
        match value {
            Value::Object(object) if !self.is_wholly_secret() => {
                for (key, value) in object.iter_mut() {
                    if self.inputs.contains(key) {
                        *value = MASKED.into();
                    }
                }
            }
            value => *value = MASKED.into(),
        }
    }

    fn is_wholly_secret(&self) -> bool {
        self.inputs.iter().any(|input| input == WHOLE)
    }

    fn learn_input(&mut self, json: &str) {
        let Ok(value) = serde_json::from_str::<Value>(json) else { return };
        match value {
            Value::Object(object) if !self.is_wholly_secret() => {
                for (key, value) in &object {
                    if self.inputs.contains(key) {
                        self.learn_value(value);
                    }
                }
            }
            value if !self.inputs.is_empty() => self.learn_value(&value),
            _ => {}
        }
    }

    /// What was secret once stays so, also where a person has replaced it.
    fn learn(&mut self, entry: &Entry, plan: &Plan) {
        for event in serde_json::from_str::<Vec<Event>>(&entry.body).unwrap_or_default() {
            let step = event.change().ok().and_then(Change::step);
            let name = step.and_then(|step| plan.steps.get(usize::from(step))).map(|it| &it.name);
            if let (Some(output), Some(name)) = (&event.output, name)
                && self.hides(name)
                && let Ok(value) = serde_json::from_str(output.get())
            {
                self.learn_value(&value);
            }
            if let Some(input) = &event.input {
                self.learn_input(input.get());
            }
        }
    }

    fn learn_value(&mut self, value: &Value) {
        match value {
            Value::Array(all) => all.iter().for_each(|value| self.learn_value(value)),
            Value::Object(all) => all.values().for_each(|value| self.learn_value(value)),
            Value::String(text) => {
                self.learn_text(text);
                text.lines().for_each(|line| self.learn_text(line));
                // As it stands inside JSON.
                let quoted = Value::from(text.as_str()).to_string();
                self.learn_text(quoted.trim_matches('"'));
            }
            Value::Number(number) => self.learn_text(&number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn learn_text(&mut self, text: &str) {
        if text.chars().count() >= SHORTEST {
            self.values.push(text.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(inputs: &[&str], steps: &[&str], values: &[Value]) -> Mask {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let steps = owned(steps).into_iter().collect();
        let mut mask = Mask { inputs: owned(inputs), steps, values: Vec::new() };
        values.iter().for_each(|value| mask.learn_value(value));
        mask
    }

    #[test]
    fn a_secret_input_is_masked_by_its_key_and_others_are_shown() {
        let mask = mask(&["card"], &[], &[]);
        assert_eq!(mask.input(r#"{"card":"4711","room":7}"#), r#"{"card":"***","room":7}"#);
        assert_eq!(mask.input("\"4711\""), "\"***\"", "it is not known where the secret is");
    }

    #[test]
    fn a_whole_input_may_be_secret() {
        assert_eq!(mask(&["*"], &[], &[]).input(r#"{"a":1}"#), "\"***\"");
    }

    #[test]
    fn a_secret_value_is_masked_inside_other_texts_unless_it_is_very_short() {
        let mask = mask(&[], &["a"], &["s3cr3t".into(), "no".into(), "two\nlines".into()]);
        assert_eq!(mask.text("token s3cr3t is no good: lines"), "token *** is no good: ***");
        assert_eq!(mask.output("a", "\"s3cr3t\""), "\"***\"");
        assert_eq!(mask.output("b", "\"the s3cr3t\""), "\"the ***\"");
    }
}
