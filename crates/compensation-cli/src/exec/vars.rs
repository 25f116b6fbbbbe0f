//! What a call is told of its saga: variables for commands, values for the `$NAME`s of HTTP requests.

use std::collections::BTreeMap;

use compensation::machine::Effect;
use serde_json::Value;

use crate::file::{Input, names};

/// The facts of one attempt.
pub(super) struct Facts<'a> {
    pub(super) saga: &'a str,
    pub(super) id: &'a str,
    pub(super) step: &'a str,
    pub(super) attempt: u32,
    pub(super) key: String,
    pub(super) input: &'a Input,
    /// The steps that this one comes after, and their outputs.
    pub(super) outputs: Vec<(&'a str, Option<&'a Value>)>,
    /// For an undo.
    pub(super) undo: Option<Undoing<'a>>,
}

/// What an undo is told beside.
pub(super) struct Undoing<'a> {
    pub(super) effect: Effect,
    /// The output of its own step, if that is known.
    pub(super) output: Option<&'a Value>,
}

/// Values by name.
#[derive(Debug, Default)]
pub(super) struct Vars {
    set: BTreeMap<String, String>,
    /// Names without a value, which must not be inherited from this program's own environment.
    unset: Vec<String>,
}

impl Vars {
    /// `Err` says which value can't be handed on.
    pub(super) fn of(facts: &Facts<'_>, env: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut vars = Self { set: env.clone(), unset: Vec::new() };
        for (name, value) in facts.input.iter() {
            vars.set.insert(names::of_input(name), text(value));
        }
        let [id, name, step, attempt, key] = names::FACTS;
        let told = [
            (id, facts.id.to_owned()),
            (name, facts.saga.to_owned()),
            (step, facts.step.to_owned()),
            (attempt, facts.attempt.to_string()),
            (key, facts.key.clone()),
        ];
        vars.set.extend(told.map(|(name, value)| (name.to_owned(), value)));
        for (step, output) in &facts.outputs {
            vars.output(names::of_output(step), *output);
        }
        match &facts.undo {
            None => vars.unset.extend([names::EFFECT.to_owned(), names::OUTPUT.to_owned()]),
            Some(undoing) => {
                let effect = match undoing.effect {
                    Effect::Sure => "sure",
                    Effect::Maybe => "maybe",
                };
                vars.set.insert(names::EFFECT.to_owned(), effect.to_owned());
                vars.output(names::OUTPUT.to_owned(), undoing.output);
                vars.output(names::of_output(facts.step), undoing.output);
            }
        }
        match vars.set.iter().find(|(_, value)| value.contains('\0')) {
            Some((name, _)) => Err(format!("{name} holds a NUL byte, which no variable can")),
            None => Ok(vars),
        }
    }

    /// These and no others.
    pub(super) fn plain(set: BTreeMap<String, String>) -> Self {
        Self { set, unset: Vec::new() }
    }

    /// `null` is what a step without an output leaves, so it counts as none.
    fn output(&mut self, name: String, output: Option<&Value>) {
        match output {
            None | Some(Value::Null) => self.unset.push(name),
            Some(value) => {
                self.set.insert(name, text(value));
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.set.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.set.iter()
    }

    pub(super) fn unset(&self) -> &[String] {
        &self.unset
    }
}

/// A string as it is, everything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn vars(input: &Input, output: &Value, undo: Option<Undoing<'_>>) -> Result<Vars, String> {
        let facts = Facts {
            saga: "trip",
            id: "t-1",
            step: "send mail",
            attempt: 2,
            key: "trip:t-1:send mail".to_owned(),
            input,
            outputs: vec![("find-car", Some(output)), ("gone", None)],
            undo,
        };
        Vars::of(&facts, &BTreeMap::from([("EXTRA".to_owned(), "e".to_owned())]))
    }

    fn input(value: Value) -> Input {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn an_action_gets_inputs_facts_and_outputs_by_their_names() {
        let input = input(json!({ "tenant": "acme", "count": 3, "tags": ["a"] }));
        let vars = vars(&input, &json!("car 7"), None).expect("no NUL");
        let get = |name| vars.get(name).map(String::as_str);
        assert_eq!(get("TENANT"), Some("acme"));
        assert_eq!(get("COUNT"), Some("3"));
        assert_eq!(get("TAGS"), Some("[\"a\"]"));
        assert_eq!(get("EXTRA"), Some("e"));
        assert_eq!(get("SAGA_ID"), Some("t-1"));
        assert_eq!(get("SAGA_NAME"), Some("trip"));
        assert_eq!(get("SAGA_STEP"), Some("send mail"));
        assert_eq!(get("SAGA_ATTEMPT"), Some("2"));
        assert_eq!(get("SAGA_IDEMPOTENCY_KEY"), Some("trip:t-1:send mail"));
        assert_eq!(get("OUTPUT_FIND_CAR"), Some("car 7"));
        assert_eq!(vars.unset(), ["OUTPUT_GONE", "SAGA_EFFECT", "OUTPUT"]);
    }

    #[test]
    fn an_undo_gets_its_own_steps_output_and_whether_the_effect_is_sure() {
        let output = json!({ "id": 5 });
        let undo = Undoing { effect: Effect::Sure, output: Some(&output) };
        let vars = vars(&input(json!({})), &Value::Null, Some(undo)).expect("no NUL");
        let get = |name| vars.get(name).map(String::as_str);
        assert_eq!(get("OUTPUT"), Some("{\"id\":5}"));
        assert_eq!(get("OUTPUT_SEND_MAIL"), Some("{\"id\":5}"));
        assert_eq!(get("SAGA_EFFECT"), Some("sure"));
    }

    #[test]
    fn an_undo_of_what_may_have_happened_has_no_output() {
        let undo = Undoing { effect: Effect::Maybe, output: None };
        let vars = vars(&input(json!({})), &Value::Null, Some(undo)).expect("no NUL");
        assert_eq!(vars.get("SAGA_EFFECT").map(String::as_str), Some("maybe"));
        assert!(vars.unset().contains(&"OUTPUT".to_owned()));
    }

    #[test]
    fn a_nul_byte_is_refused_by_name() {
        let refused = vars(&input(json!({ "tenant": "a\0b" })), &Value::Null, None);
        let said = refused.expect_err("a NUL");
        assert_eq!(said, "TENANT holds a NUL byte, which no variable can");
    }
}
