//! Saga files: from text to a checked model, and from a model to a `compensation::Saga`. Runs nothing.

mod build;
mod check;
mod check_step;
mod duration;
mod explain;
mod input;
mod model;
pub(crate) mod names;
mod problem;
mod raw;
mod scope;
mod template;

use std::{path::Path, sync::Arc};

use compensation::{AnySaga, Edit, Plan, Saga};

pub(crate) use duration::parse as parse_duration;
pub(crate) use input::Input;
pub(crate) use model::{Body, Call, Http, Model, Output};
pub(crate) use problem::Problem;
pub(crate) use template::{Template, percent};

use crate::exec::Runner;

/// A saga file that is good.
#[derive(Debug)]
pub(crate) struct SagaFile {
    pub(crate) model: Model,
    pub(crate) saga: Saga<Input>,
}

/// Reads a saga file.
pub(crate) fn load(path: &Path, runner: &Arc<Runner>) -> Result<SagaFile, Vec<Problem>> {
    let name = path.display().to_string();
    let unreadable = |error: &dyn std::fmt::Display| {
        vec![Problem::new(&name, None, format!("the file can't be read: {error}"))]
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    let whole = std::path::absolute(path).map_err(|error| unreadable(&error))?;
    let dir = whole.parent().unwrap_or(Path::new("/"));
    read(&name, dir, &text, runner)
}

fn read(
    name: &str,
    dir: &Path,
    text: &str,
    runner: &Arc<Runner>,
) -> Result<SagaFile, Vec<Problem>> {
    let raw = raw::parse(name, text).map_err(|problem| vec![problem])?;
    let placed = check::check(name, dir, raw)?;
    let unwritable = |error| {
        vec![Problem::new(name, None, format!("the file can't be stored with its sagas: {error}"))]
    };
    let source = placed.model.source().map_err(unwritable)?;
    let saga = build::build(&placed.model, source, runner)
        .map_err(|unbuildable| vec![explain::explain(name, &placed, unbuildable)])?;
    Ok(SagaFile { model: placed.model, saga })
}

/// The file that a stored saga was made from; `None` where it was made by a program.
pub(crate) fn stored(plan: &Plan) -> Option<Model> {
    Model::of_source(plan.source.as_deref()?)
}

/// Whether a step of a stored saga could be given that, as JSON, in place of what is recorded: a step reads any input,
/// and one that lacks a name would find an empty variable.
pub(crate) fn check_edit(plan: &Plan, step: &str, edit: &Edit) -> Result<(), String> {
    let Some(model) = stored(plan) else { return Ok(()) };
    if let Some(input) = &edit.input {
        let input = Input::read(&[], Some(input.get())).map_err(|_| {
            "The input must be a JSON object with all inputs of the saga.".to_owned()
        })?;
        input
            .check(&model.saga, &model.input)
            .map_err(|why| format!("The input won't do: {why}."))?;
    }
    let (Some(output), Some(step)) = (&edit.output, model.step(step)) else { return Ok(()) };
    let is_text = output.get().starts_with('"');
    match step.output {
        Output::None => {
            Err(format!("Step `{}` says `output: none`: leave the output empty.", step.name))
        }
        Output::Text if !is_text => {
            Err(format!("The output of step `{}` is text: put it in quotes.", step.name))
        }
        _ => Ok(()),
    }
}

/// Makes a stored saga's definition again.
pub(crate) fn remake(plan: &Plan, runner: &Arc<Runner>) -> Option<AnySaga> {
    let source = plan.source.as_ref()?;
    let model = Model::of_source(source)?;
    let saga = build::build(&model, source.clone(), runner).ok()?;
    Some(saga.into())
}

#[cfg(test)]
mod tests;
