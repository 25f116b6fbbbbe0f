//! `check`: whether saga files are good.

use std::path::PathBuf;

use serde_json::json;

use super::Context;
use crate::{
    error::{Error, Exit},
    file, print,
};

pub(super) fn check(context: &Context, files: &[PathBuf]) -> Result<Exit, Error> {
    let mut good = Vec::new();
    let mut problems = Vec::new();
    for path in files {
        match file::load(path, &context.runner) {
            Ok(file) => good.push((path.display().to_string(), file.model)),
            Err(found) => problems.extend(found),
        }
    }
    if context.json {
        let files = good.iter().map(|(path, model)| {
            let steps: Vec<_> = model.steps.iter().map(|step| &step.name).collect();
            json!({ "file": path, "saga": model.saga, "input": model.input, "steps": steps })
        });
        print::say_json(&json!({ "good": files.collect::<Vec<_>>() }))?;
    } else {
        let line = |(path, model): &(String, file::Model)| {
            let (saga, steps) = (&model.saga, model.steps.len());
            format!(
                "{path}: good: saga `{saga}`, {steps} {}\n",
                if steps == 1 { "step" } else { "steps" }
            )
        };
        let lines: String = good.iter().map(line).collect();
        if !lines.is_empty() {
            print::say(&lines)?;
        }
    }
    if problems.is_empty() { Ok(Exit::Ok) } else { Err(Error::files(problems)) }
}
