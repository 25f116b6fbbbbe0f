//! The definitions that an engine can run, and which of them fits a stored saga.

use std::{collections::HashMap, sync::Arc};

use crate::{
    error::StepError,
    handler::{Attempted, Codec, Handlers},
    plan::{Plan, UndoPlan},
    saga::{AnySaga, Definition},
    told::Told,
};

type Resolver = Box<dyn Fn(&Plan) -> Option<AnySaga> + Send + Sync>;

/// A definition with its plan as text.
#[derive(Clone)]
pub(super) struct Registered {
    pub(super) definition: Arc<Definition>,
    pub(super) text: Arc<str>,
}

#[derive(Default)]
pub(super) struct Registry {
    /// Several definitions may share a name: the last is the one that is started.
    named: HashMap<String, Vec<Registered>>,
    resolver: Option<Resolver>,
}

/// How a stored saga is to be run.
pub(super) enum Fit {
    /// By this definition.
    Runs(Arc<Definition>),
    /// Its definition has changed under it: it is to be undone by this one, which has the stored
    /// plan and the functions of the same names.
    Undoes(Arc<Definition>),
    /// Not at all, for this reason.
    None(String),
}

impl Registry {
    pub(super) fn register(&mut self, saga: AnySaga) -> serde_json::Result<()> {
        let registered = Registered::new(saga)?;
        let name = registered.definition.plan.saga.clone();
        self.named.entry(name).or_default().push(registered);
        Ok(())
    }

    pub(super) fn resolve_with(&mut self, resolver: Resolver) {
        self.resolver = Some(resolver);
    }

    /// What is started under that name.
    pub(super) fn latest(&self, name: &str) -> Option<&Registered> {
        self.named.get(name)?.last()
    }

    /// Finds what can run a stored saga.
    pub(super) fn fit(&self, text: &str, told: &Told) -> Fit {
        let known = self.named.get(&told.plan.saga).map_or(&[][..], Vec::as_slice);
        if let Some(same) = known.iter().find(|known| *known.text == *text) {
            return Fit::Runs(same.definition.clone());
        }
        let fingerprint = told.plan.fingerprint();
        let fits = |known: &&Registered| known.definition.plan.fingerprint() == fingerprint;
        if let Some(same) = known.iter().rev().find(fits) {
            return Fit::Runs(with_functions_of(&same.definition, told));
        }
        if let Some(AnySaga(made)) = self.resolver.as_ref().and_then(|make| make(&told.plan))
            && made.plan.fingerprint() == fingerprint
        {
            return Fit::Runs(with_functions_of(&made, told));
        }
        match known.last() {
            Some(changed) => undo_by_stored_plan(&changed.definition, told),
            None => Fit::None(format!(
                "this program does not have the saga `{}`: the program that made it, or another one that registers it, must \
                 be running",
                told.plan.saga
            )),
        }
    }
}

impl Registered {
    pub(super) fn new(saga: AnySaga) -> serde_json::Result<Self> {
        let text = serde_json::to_string(&*saga.0.plan)?.into();
        Ok(Self { definition: saga.0, text })
    }
}

/// The stored plan, budgets and all, carried out by a definition of the same shape.
fn with_functions_of(definition: &Definition, told: &Told) -> Arc<Definition> {
    Arc::new(Definition {
        plan: told.plan.clone(),
        graph: told.graph.clone(),
        handlers: definition.handlers.clone(),
        input: definition.input,
        tag: definition.tag,
    })
}

/// The stored plan, for undoing only: functions are found by their step's name.
fn undo_by_stored_plan(changed: &Definition, told: &Told) -> Fit {
    let mut handlers = Vec::with_capacity(told.plan.steps.len());
    for (step, index) in told.plan.steps.iter().zip(0..) {
        let found = changed.plan.find(&step.name).map(usize::from);
        let found = found.map(|found| &changed.handlers[found]);
        let owes =
            matches!(step.undo, UndoPlan::Run { .. }) && told.machine.phase(index).may_be_done();
        match found {
            Some(found) if !owes || found.undo.is_some() => handlers.push(found.clone()),
            _ if owes => {
                return Fit::None(format!(
                    "its definition has changed, and the one registered has no undo for step `{}`: \
                     register the definition that it was started with",
                    step.name
                ));
            }
            _ => handlers.push(Arc::new(absent())),
        }
    }
    Fit::Undoes(Arc::new(Definition {
        plan: told.plan.clone(),
        graph: told.graph.clone(),
        handlers,
        input: changed.input,
        // Handles of the changed definition must not read by index.
        tag: u64::MAX,
    }))
}

/// The stored plan with nothing to carry it out: for a saga that is given up.
pub(super) fn without_functions(told: &Told) -> Arc<Definition> {
    Arc::new(Definition {
        plan: told.plan.clone(),
        graph: told.graph.clone(),
        handlers: told.plan.steps.iter().map(|_| Arc::new(absent())).collect(),
        input: Codec::of::<()>(),
        tag: u64::MAX,
    })
}

/// Stands in for a step that has nothing to undo and will never run.
fn absent() -> Handlers {
    Handlers {
        act: Box::new(|_| {
            Box::pin(async {
                let error = StepError::not_done("the definition has no such step any more");
                Attempted::Acted(Err(error.terminal()))
            })
        }),
        undo: None,
        probe: None,
        output: Codec::of::<serde_json::Value>(),
    }
}
