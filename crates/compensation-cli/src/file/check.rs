//! From a file as it is written to a checked model: defaults are filled in, and what contradicts itself
//! is refused. What concerns the order of steps is left to the library, see `build`.

use std::{path::Path, time::Duration};

use compensation::RetryPolicy;
use serde_saphyr::{Location, Spanned};

use super::{
    check_step, duration,
    model::{FORM, Model},
    names,
    problem::Problem,
    raw::{RawAttempts, RawFile, RawInput, RawRetry},
};

/// Collects what is wrong with a file.
pub(super) struct Check<'a> {
    file: &'a str,
    step: Option<String>,
    problems: Vec<Problem>,
}

/// Where the parts of a step stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) name: Location,
    pub(crate) call: Location,
    pub(crate) undo: Location,
    pub(crate) probe: Location,
}

/// A model and where its steps stand.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) model: Model,
    pub(crate) saga: Location,
    pub(crate) steps: Vec<Places>,
}

/// Checks a file that stands in that directory.
pub(crate) fn check(file: &str, dir: &Path, raw: RawFile) -> Result<Placed, Vec<Problem>> {
    let mut check = Check { file, step: None, problems: Vec::new() };
    let dir = dir.to_str().map(ToOwned::to_owned).unwrap_or_else(|| {
        check.refuse(None, "the name of its directory is not UTF-8, so it can't be stored");
        String::new()
    });
    let saga = raw.saga.referenced;
    let input = check.inputs(&raw.input);
    let secret = raw.input.iter().filter(|input| input.value.secret);
    let secret_inputs = secret.map(|input| input.value.name.clone()).collect();
    let secrets = check.secrets(&raw.secrets, &input);
    let parallel = raw.parallel.map(|parallel| {
        if parallel.value == 0 {
            check.refuse(
                Some(parallel.referenced),
                "`parallel` is how many may run at once: at least 1",
            );
        }
        parallel.value
    });
    let mut steps = Vec::new();
    let mut places = Vec::new();
    let mut before = None;
    for raw in raw.steps.value {
        check.step = Some(raw.name.value.clone());
        let taken: Vec<_> =
            input.iter().map(|input| names::of_input(input)).chain(secrets.clone()).collect();
        let (step, place) = check_step::step(&mut check, raw, before.take(), &taken);
        before = Some(step.name.clone());
        steps.push(step);
        places.push(place);
    }
    if check.problems.is_empty() {
        let model = Model {
            form: FORM,
            dir,
            saga: raw.saga.value,
            version: raw.version,
            input,
            secrets,
            secret_inputs,
            parallel,
            on_undo_failure: raw.on_undo_failure,
            steps,
        };
        Ok(Placed { model, saga, steps: places })
    } else {
        Err(check.problems)
    }
}

impl Check<'_> {
    /// Something is wrong there, with the step at hand if there is one.
    pub(super) fn refuse(&mut self, at: Option<Location>, message: impl Into<String>) {
        let problem = Problem::new(self.file, at, message);
        self.problems.push(match &self.step {
            Some(step) => problem.of_step(step),
            None => problem,
        });
    }

    fn inputs(&mut self, raw: &[Spanned<RawInput>]) -> Vec<String> {
        let mut inputs: Vec<String> = Vec::new();
        for Spanned { value: RawInput { name: input, .. }, referenced: at, .. } in raw {
            let variable = names::of_input(input);
            if !names::is_input(input) {
                self.refuse(
                    Some(*at),
                    format!(
                        "`{input}` is no name for an input: use small letters, digits and \
                         underscores, a letter first"
                    ),
                );
            } else if names::is_reserved(&variable) || names::is_dangerous(&variable) {
                self.refuse(
                    Some(*at),
                    format!(
                        "an input can't be called `{input}`: commands would get it as {variable}, \
                         which means something else"
                    ),
                );
            } else if inputs.contains(input) {
                self.refuse(Some(*at), format!("the input `{input}` stands here twice"));
            }
            inputs.push(input.clone());
        }
        inputs
    }

    fn secrets(&mut self, raw: &[Spanned<String>], inputs: &[String]) -> Vec<String> {
        for Spanned { value: secret, referenced: at, .. } in raw {
            if !names::is_variable(secret) || names::is_reserved(secret) {
                self.refuse(
                    Some(*at),
                    format!(
                        "`{secret}` is no name for a secret: it is read from the environment \
                         variable of that name"
                    ),
                );
            } else if inputs.iter().any(|input| names::of_input(input) == *secret) {
                self.refuse(Some(*at), format!("the secret `{secret}` is an input as well"));
            }
        }
        raw.iter().map(|secret| secret.value.clone()).collect()
    }

    /// A duration that some time passes in.
    pub(super) fn duration(&mut self, at: Location, text: &str) -> Option<Duration> {
        match duration::parse(text) {
            Ok(span) if span.is_zero() => {
                self.refuse(Some(at), format!("`{text}` is no time at all"));
                None
            }
            Ok(span) => Some(span),
            Err(message) => {
                self.refuse(Some(at), message);
                None
            }
        }
    }

    pub(super) fn millis(&mut self, raw: Option<&Spanned<String>>) -> Option<u64> {
        let Spanned { value, referenced, .. } = raw?;
        let span = self.duration(*referenced, value)?;
        // At most a hundred years.
        Some(span.as_millis() as u64)
    }

    pub(super) fn retry(&mut self, raw: Spanned<RawRetry>) -> RetryPolicy {
        let RawRetry { attempts, first, factor, max } = raw.value;
        let at = raw.referenced;
        let mut policy = match attempts {
            RawAttempts::Forever => RetryPolicy::forever(),
            RawAttempts::Number(attempts) => RetryPolicy::new(attempts),
        };
        if let Some(first) = first.and_then(|first| self.duration(at, &first)) {
            policy = policy.first(first);
        }
        if let Some(max) = max.and_then(|max| self.duration(at, &max)) {
            policy = policy.max(max);
        }
        if let Some(factor) = factor {
            if !factor.is_finite() || factor < 1.0 {
                self.refuse(
                    Some(at),
                    format!("`factor: {factor}` would shorten the waits: at least 1"),
                );
            }
            policy = policy.factor(factor);
        }
        policy
    }
}
