//! From a checked model to a `compensation::Saga`.

use std::sync::{Arc, OnceLock};

use compensation::{DefinitionError, Saga, UndoContext, machine::OnUndoFailure};
use serde_json::{Value, value::RawValue};

use super::{
    input::Input,
    model::{Call as Written, Model, Step, Undo},
    scope::Scope,
};
use crate::exec::{Call, Runner, Shared, StepCalls};

/// Why a model is no saga.
#[derive(Debug)]
pub(crate) enum Unbuildable {
    /// Something is wrong with one part of one step.
    Part { place: usize, part: Part, message: String },
    /// The steps do not make a saga.
    Definition(DefinitionError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Name,
    Call,
    Undo,
    Probe,
}

/// Makes the saga; `source` is the model as it is stored, or is to be.
pub(crate) fn build(
    model: &Model,
    source: Box<RawValue>,
    runner: &Arc<Runner>,
) -> Result<Saga<Input>, Unbuildable> {
    let shared = Arc::new(Shared {
        runner: runner.clone(),
        saga: model.saga.clone(),
        dir: model.dir.clone(),
        secrets: model.secrets.clone(),
        steps: OnceLock::new(),
    });
    let calls = calls(model, &shared)?;
    let mut saga = Saga::<Input>::builder(&model.saga);
    saga.version(model.version).source(source);
    if let Some(parallel) = model.parallel {
        saga.parallel(parallel);
    }
    if model.on_undo_failure == OnUndoFailure::Halt {
        saga.halt_on_undo_failure();
    }
    for input in &model.secret_inputs {
        saga.secret_input(input);
    }
    let mut handles = Vec::new();
    for (step, calls) in model.steps.iter().zip(calls) {
        handles.push((step.name.clone(), add(&mut saga, step, &Arc::new(calls))));
    }
    // Nobody else has it yet.
    let _ = shared.steps.set(handles);
    saga.build().map_err(Unbuildable::Definition)
}

/// Prepares every call and checks the names that it uses.
fn calls(model: &Model, shared: &Arc<Shared>) -> Result<Vec<StepCalls>, Unbuildable> {
    let wrong = |place, part| move |message| Unbuildable::Part { place, part, message };
    let scope = Scope::of(model).map_err(|(place, message)| wrong(place, Part::Name)(message))?;
    let prepare = |place, part, written: &Written| {
        let call = Call::prepare(written).map_err(wrong(place, part))?;
        match scope.check(place, part == Part::Undo, written, &call) {
            Some(message) => Err(wrong(place, part)(message)),
            None => Ok(call),
        }
    };
    let step = |(place, step): (usize, &Step)| {
        let undo = step.undo.call().map(|undo| prepare(place, Part::Undo, undo)).transpose()?;
        let probe = step.probe.as_ref().map(|probe| {
            Ok::<_, Unbuildable>((
                prepare(place, Part::Probe, &probe.call)?,
                probe.not_done.clone(),
            ))
        });
        Ok(StepCalls {
            shared: shared.clone(),
            act: prepare(place, Part::Call, &step.call)?,
            not_done: step.not_done.clone(),
            undo,
            probe: probe.transpose()?,
            output: step.output,
            env: step.env.clone(),
            before: scope.before(place),
        })
    };
    model.steps.iter().enumerate().map(step).collect()
}

fn add(
    saga: &mut compensation::Builder<Input>,
    step: &Step,
    calls: &Arc<StepCalls>,
) -> compensation::StepRef<Value> {
    let act = calls.clone();
    let mut draft = saga.step(&step.name, move |cx| act.clone().act(cx)).independent();
    for before in &step.after {
        draft = draft.after_named(before);
    }
    if let Some(retry) = &step.retry {
        draft = draft.retry(retry.clone());
    }
    if let Some(limit) = step.timeout_ms {
        draft = draft.timeout(std::time::Duration::from_millis(limit));
    }
    if !step.idempotent {
        draft = draft.not_idempotent();
    }
    if step.secret {
        draft = draft.secret_output();
    }
    if step.pivot {
        draft = draft.pivot();
    }
    if step.probe.is_some() {
        let probe = calls.clone();
        draft = draft.probe(move |cx| probe.clone().probe(cx));
    }
    draft = draft.unknown(step.unknown);
    match &step.undo {
        Undo::None { because } => draft.no_undo(because),
        Undo::Call { timeout_ms, retry, idempotent, allow_skip, .. } => {
            let undo = calls.clone();
            draft = draft.undo(move |cx: UndoContext<Input>, output| undo.clone().undo(cx, output));
            if let Some(retry) = retry {
                draft = draft.undo_retry(retry.clone());
            }
            if let Some(limit) = timeout_ms {
                draft = draft.undo_timeout(std::time::Duration::from_millis(*limit));
            }
            if !idempotent {
                draft = draft.undo_not_idempotent();
            }
            if *allow_skip {
                draft = draft.allow_skip();
            }
            draft
        }
    }
    .add()
}
