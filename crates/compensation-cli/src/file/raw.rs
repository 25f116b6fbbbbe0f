//! A saga file as it is written: its keys and their shapes. What they mean is checked elsewhere.

use std::{collections::BTreeMap, fmt};

use compensation::machine::{OnUndoFailure, UnknownPolicy};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::{model::Output, problem::Problem};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFile {
    pub(crate) saga: Spanned<String>,
    #[serde(default)]
    pub(crate) version: u32,
    #[serde(default)]
    pub(crate) input: Vec<Spanned<RawInput>>,
    #[serde(default)]
    pub(crate) secrets: Vec<Spanned<String>>,
    pub(crate) parallel: Option<Spanned<u16>>,
    #[serde(default)]
    pub(crate) on_undo_failure: OnUndoFailure,
    pub(crate) steps: Spanned<Vec<RawStep>>,
}

/// A name, or a mapping.
#[derive(Debug)]
pub(crate) struct RawInput {
    pub(crate) name: String,
    pub(crate) secret: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFullInput {
    name: String,
    #[serde(default)]
    secret: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStep {
    pub(crate) name: Spanned<String>,
    pub(crate) needs: Option<Vec<Spanned<String>>>,
    pub(crate) run: Option<Spanned<String>>,
    pub(crate) http: Option<Spanned<RawHttp>>,
    pub(crate) undo: Option<Spanned<RawUndo>>,
    pub(crate) because: Option<Spanned<String>>,
    pub(crate) timeout: Option<Spanned<String>>,
    pub(crate) retry: Option<Spanned<RawRetry>>,
    #[serde(default)]
    pub(crate) idempotent: bool,
    #[serde(default)]
    pub(crate) output: Output,
    pub(crate) unknown: Option<Spanned<UnknownPolicy>>,
    pub(crate) probe: Option<Spanned<RawProbe>>,
    #[serde(default)]
    pub(crate) not_done: Vec<Spanned<u16>>,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(crate) pivot: bool,
    #[serde(default)]
    pub(crate) secret: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHttp {
    pub(crate) method: String,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) json: Option<Value>,
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) done: Vec<Spanned<u16>>,
}

/// `none`, a command, or a mapping.
#[derive(Debug)]
pub(crate) enum RawUndo {
    None,
    Command(String),
    Full(Box<RawFullUndo>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFullUndo {
    pub(crate) run: Option<Spanned<String>>,
    pub(crate) http: Option<Spanned<RawHttp>>,
    pub(crate) timeout: Option<Spanned<String>>,
    pub(crate) retry: Option<Spanned<RawRetry>>,
    pub(crate) idempotent: Option<bool>,
    #[serde(default)]
    pub(crate) allow_skip: bool,
}

/// A command, or a mapping.
#[derive(Debug)]
pub(crate) enum RawProbe {
    Command(String),
    Full(Box<RawFullProbe>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFullProbe {
    pub(crate) run: Option<Spanned<String>>,
    pub(crate) http: Option<Spanned<RawHttp>>,
    pub(crate) not_done: Option<Vec<Spanned<u16>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRetry {
    pub(crate) attempts: RawAttempts,
    pub(crate) first: Option<String>,
    pub(crate) factor: Option<f32>,
    pub(crate) max: Option<String>,
}

#[derive(Debug)]
pub(crate) enum RawAttempts {
    Forever,
    Number(u32),
}

/// Reads the text of a saga file.
pub(crate) fn parse(file: &str, text: &str) -> Result<RawFile, Problem> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| Problem::new(file, error.location(), sentence(&error)))
}

/// The error without its place, which is said beside it.
fn sentence(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error as E;
    match error {
        E::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key `{field}`: known here are {}", expected.join(", "))
        }
        E::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        E::SerdeUnknownVariant { variant, expected, .. } => {
            format!("`{variant}` is not known here: say one of {}", expected.join(", "))
        }
        E::SerdeInvalidType { unexpected, expected, .. }
        | E::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("{unexpected} stands where {expected} is expected")
        }
        E::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` stands here twice")
        }
        E::InvalidScalar { ty, .. } | E::Unexpected { expected: ty, .. } => {
            format!("{} is expected here", in_words(ty))
        }
        E::InvalidBooleanStrict { .. } => "true or false is expected here".to_owned(),
        E::Eof { .. } => "the file is empty, or ends in the middle".to_owned(),
        E::MultipleDocuments { .. } => {
            "a second document begins here: a saga file holds one saga".to_owned()
        }
        other => plain(&other.to_string(), other.location()),
    }
}

/// What the parser expects, in the words of people who write files.
fn in_words(expected: &str) -> &str {
    match expected {
        "sequence start" => "a list",
        "mapping start" => "a mapping of keys to values",
        "string scalar" => "a text",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 on",
        "f32" => "a number",
        other => other,
    }
}

/// The parser's own words, without the place at their end.
fn plain(said: &str, at: Option<Location>) -> String {
    let Some(at) = at else { return said.to_owned() };
    let place = format!(" at line {}, column {}", at.line(), at.column());
    let start = format!("line {} column {}: ", at.line(), at.column());
    said.replace(&place, "").trim_start_matches(&start).to_owned()
}

impl<'de> Deserialize<'de> for RawInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let shape = "the name of an input, or a mapping with `name` and `secret`";
        Ok(match from.deserialize_any(CommandOr::new(shape))? {
            CommandOr { command: Some(name), .. } => Self { name, secret: false },
            CommandOr { full: Some(full), .. } => {
                let RawFullInput { name, secret } = *full;
                Self { name, secret }
            }
            _ => return Err(D::Error::custom(shape)),
        })
    }
}

impl<'de> Deserialize<'de> for RawUndo {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let shape = "a command, a mapping with `run` or `http`, or `none` with a `because`";
        Ok(match from.deserialize_any(CommandOr::new(shape))? {
            CommandOr { command: Some(none), .. } if none == "none" => Self::None,
            CommandOr { command: Some(command), .. } => Self::Command(command),
            CommandOr { full: Some(full), .. } => Self::Full(full),
            _ => return Err(D::Error::custom(shape)),
        })
    }
}

impl<'de> Deserialize<'de> for RawProbe {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let shape = "a command, or a mapping with `run` or `http`";
        Ok(match from.deserialize_any(CommandOr::new(shape))? {
            CommandOr { command: Some(command), .. } => Self::Command(command),
            CommandOr { full: Some(full), .. } => Self::Full(full),
            _ => return Err(D::Error::custom(shape)),
        })
    }
}

/// A command, or a mapping of the kind `F`.
struct CommandOr<F> {
    shape: &'static str,
    command: Option<String>,
    full: Option<Box<F>>,
}

impl<F> CommandOr<F> {
    fn new(shape: &'static str) -> Self {
        Self { shape, command: None, full: None }
    }

    fn command(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }
}

impl<'de, F: Deserialize<'de>> Visitor<'de> for CommandOr<F> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape)
    }

    fn visit_str<E: Error>(self, command: &str) -> Result<Self, E> {
        Ok(self.command(command))
    }

    // `true` and `false` are commands, though YAML takes them for something else.
    fn visit_bool<E: Error>(self, command: bool) -> Result<Self, E> {
        Ok(self.command(command.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self, A::Error> {
        let full = F::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Self { full: Some(Box::new(full)), ..self })
    }
}

impl<'de> Deserialize<'de> for RawAttempts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Attempts;
        impl Visitor<'_> for Attempts {
            type Value = RawAttempts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of attempts from 1, or `forever`")
            }

            fn visit_u64<E: Error>(self, attempts: u64) -> Result<RawAttempts, E> {
                let unexpected = serde::de::Unexpected::Unsigned(attempts);
                let number = u32::try_from(attempts).ok().filter(|&number| number > 0);
                number.map(RawAttempts::Number).ok_or_else(|| E::invalid_value(unexpected, &self))
            }

            fn visit_i64<E: Error>(self, attempts: i64) -> Result<RawAttempts, E> {
                self.visit_u64(u64::try_from(attempts).unwrap_or(0))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawAttempts, E> {
                match text {
                    "forever" => Ok(RawAttempts::Forever),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        from.deserialize_any(Attempts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        match parse("f.yaml", text) {
            Ok(file) => format!("accepted: {file:?}"),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_known_ones() {
        let said = refusal("saga: x\nsteps:\n  - name: a\n    comand: ls\n");
        assert_eq!(
            said,
            "f.yaml:4:5: unknown key `comand`: known here are name, needs, run, http, undo, because, \
             timeout, retry, idempotent, output, unknown, probe, not_done, env, pivot, secret"
        );
    }

    #[test]
    fn an_unknown_key_inside_a_mapping_that_may_be_a_text_keeps_its_place() {
        let said = refusal("saga: x\nsteps:\n  - name: a\n    undo:\n      rum: ls\n");
        assert_eq!(
            said,
            "f.yaml:5:7: unknown key `rum`: known here are run, http, timeout, retry, idempotent, \
             allow_skip"
        );
    }

    #[test]
    fn a_missing_key_is_named() {
        assert_eq!(refusal("steps: []\n"), "f.yaml:1:1: the key `saga` is missing");
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_known_ones() {
        let said = refusal("saga: x\nsteps:\n  - name: a\n    unknown: perhaps\n");
        assert_eq!(
            said,
            "f.yaml:4:14: `perhaps` is not known here: say one of undo, retry, probe, park"
        );
    }

    #[test]
    fn attempts_are_a_number_or_forever() {
        let said = refusal("saga: x\nsteps:\n  - name: a\n    retry: { attempts: often }\n");
        assert_eq!(
            said,
            "f.yaml:4:14: string \"often\" stands where a number of attempts from 1, or `forever` is \
             expected"
        );
    }

    #[test]
    fn text_that_is_no_yaml_is_refused_with_its_place() {
        assert_eq!(refusal("saga: x\nsteps: [\n"), "f.yaml:2:8: unclosed bracket '['");
    }

    #[test]
    fn what_is_expected_is_said_in_words() {
        let after = |text: &str| refusal(&format!("saga: x\nsteps:{text}\n"));
        assert_eq!(after(" y"), "f.yaml:2:8: a list is expected here");
        assert_eq!(after(" [{name: [y]}]"), "f.yaml:2:16: a text is expected here");
        assert_eq!(after(" [{pivot: yes}]"), "f.yaml:2:17: true or false is expected here");
        let said = "f.yaml:2:21: a whole number from 0 to 65535 is expected here";
        assert_eq!(after(" [{not_done: [-1]}]"), said);
    }

    #[test]
    fn an_empty_file_and_a_second_document_are_refused() {
        assert_eq!(refusal(""), "f.yaml:1:1: the file is empty, or ends in the middle");
        let said = "f.yaml:4:1: a second document begins here: a saga file holds one saga";
        assert_eq!(refusal("saga: x\nsteps: []\n---\nsaga: y\n"), said);
    }

    #[test]
    fn the_same_key_twice_is_refused() {
        assert_eq!(
            refusal("saga: x\nsaga: y\nsteps: []\n"),
            "f.yaml:2:1: the key `saga` stands here twice"
        );
    }

    #[test]
    fn commands_that_yaml_takes_for_booleans_are_commands() {
        let file = parse("f.yaml", "saga: x\nsteps:\n  - name: a\n    run: true\n    undo: true\n");
        let file = file.expect("both are commands");
        let step = &file.steps.value[0];
        assert_eq!(step.run.as_ref().map(|run| run.value.as_str()), Some("true"));
        let undo = step.undo.as_ref().map(|undo| &undo.value);
        assert!(matches!(undo, Some(RawUndo::Command(command)) if command == "true"));
    }
}
