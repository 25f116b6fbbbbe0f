//! What a saga of a file is started with: one JSON value for each input that the file names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The inputs of one saga, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Input(BTreeMap<String, Value>);

impl Input {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }

    /// From what the command line says: `KEY=VALUE` each, and a JSON object.
    pub(crate) fn read(pairs: &[String], object: Option<&str>) -> Result<Self, String> {
        let mut inputs = match object {
            None => BTreeMap::new(),
            Some(text) => serde_json::from_str(text)
                .map_err(|error| format!("--input-json takes a JSON object: {error}"))?,
        };
        for pair in pairs {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("--input takes KEY=VALUE, and `{pair}` has no `=`"))?;
            if inputs.insert(key.to_owned(), Value::String(value.to_owned())).is_some() {
                return Err(format!("the input `{key}` is given twice"));
            }
        }
        Ok(Self(inputs))
    }

    /// Whether these are just the inputs that a saga takes.
    pub(crate) fn check(&self, saga: &str, takes: &[String]) -> Result<(), String> {
        let list = |names: &[&String]| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let missing: Vec<_> = takes.iter().filter(|key| !self.0.contains_key(*key)).collect();
        let unknown: Vec<_> = self.0.keys().filter(|key| !takes.contains(key)).collect();
        let mut wrong = Vec::new();
        if !missing.is_empty() {
            let say: Vec<_> = missing.iter().map(|key| format!("--input {key}=VALUE")).collect();
            wrong.push(format!(
                "saga `{saga}` needs the input {}: say {}",
                list(&missing),
                say.join(" ")
            ));
        }
        if !unknown.is_empty() {
            let all: Vec<_> = takes.iter().collect();
            let takes = if all.is_empty() { "no input".to_owned() } else { list(&all) };
            wrong.push(format!("saga `{saga}` has no input {}: it takes {takes}", list(&unknown)));
        }
        if let Some((key, _)) = self.0.iter().find(|(_, value)| has_nul(value)) {
            wrong.push(format!("the input `{key}` holds a NUL byte, which no variable can"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// In JSON a NUL is written in other characters, so only a bare string can hold one.
fn has_nul(value: &Value) -> bool {
    matches!(value, Value::String(text) if text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pairs(pairs: &[&str]) -> Vec<String> {
        pairs.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn pairs_are_texts_and_an_object_keeps_its_types() {
        let input = Input::read(&pairs(&["a=1=2"]), Some(r#"{"b":[3]}"#)).expect("good");
        assert_eq!(serde_json::to_value(input).expect("plain"), json!({ "a": "1=2", "b": [3] }));
    }

    #[test]
    fn the_same_key_twice_is_refused() {
        for (given, object) in [(&["a=1", "a=1"][..], None), (&["a=1"][..], Some(r#"{"a":1}"#))] {
            let said = Input::read(&pairs(given), object);
            assert_eq!(said, Err("the input `a` is given twice".to_owned()));
        }
    }

    #[test]
    fn missing_and_unknown_inputs_are_named() {
        let input = Input::read(&pairs(&["nam=x"]), None).expect("good");
        let takes = ["name".to_owned(), "size".to_owned()];
        assert_eq!(
            input.check("trip", &takes),
            Err("saga `trip` needs the input `name`, `size`: say --input name=VALUE --input size=VALUE; \
                 saga `trip` has no input `nam`: it takes `name`, `size`"
                .to_owned())
        );
    }

    #[test]
    fn a_nul_byte_is_refused() {
        let input = Input::read(&[], Some(r#"{"a":"\u0000"}"#)).expect("JSON");
        assert!(input.check("trip", &["a".to_owned()]).is_err());
    }
}
