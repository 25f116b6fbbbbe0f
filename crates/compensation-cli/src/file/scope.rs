//! Which names the calls of a step may use: inputs, secrets, facts, and outputs of the steps before it.

use std::collections::BTreeMap;

use super::{
    model::{Call as Written, Model, Output, Step, Undo},
    names,
    template::read_by_shell,
};
use crate::exec::Call;

/// The names of one saga.
pub(crate) struct Scope<'a> {
    model: &'a Model,
    /// Variable of an output -> the step that has it.
    outputs: BTreeMap<String, &'a Step>,
    ancestors: Vec<Vec<usize>>,
}

impl<'a> Scope<'a> {
    /// `Err`: two steps whose outputs would be one variable.
    pub(crate) fn of(model: &'a Model) -> Result<Self, (usize, String)> {
        let mut outputs: BTreeMap<String, &Step> = BTreeMap::new();
        for (place, step) in model.steps.iter().enumerate() {
            let variable = names::of_output(&step.name);
            let other = outputs.insert(variable.clone(), step);
            // Two steps of one name are the library's to refuse.
            if let Some(other) = other.filter(|other| other.name != step.name) {
                let message = format!(
                    "its output would be {variable}, as that of step `{}`: rename one of them",
                    other.name
                );
                return Err((place, message));
            }
        }
        Ok(Self { model, outputs, ancestors: model.ancestors() })
    }

    /// The steps whose outputs a step may read, by their places.
    pub(crate) fn before(&self, place: usize) -> Vec<usize> {
        let has_output = |before: &usize| self.model.steps[*before].output != Output::None;
        self.ancestors[place].iter().copied().filter(has_output).collect()
    }

    /// What is wrong with the names that a call uses, if anything.
    pub(crate) fn check(
        &self,
        place: usize,
        undoes: bool,
        written: &Written,
        call: &Call,
    ) -> Option<String> {
        match written {
            Written::Run(command) => {
                // A command may have variables of its own; only what is another step's is judged.
                let foreign = |name: &&str| {
                    self.outputs.get(*name).is_some_and(|of| of.name != self.step(place).name)
                        && !command.contains(&format!("{name}="))
                };
                read_by_shell(command)
                    .filter(foreign)
                    .find_map(|name| self.unreadable(place, undoes, name))
            }
            Written::Http(_) => {
                call.templates().into_iter().flat_map(|template| template.names()).find_map(
                    |name| {
                        let known = self.known(place, undoes).iter().any(|known| known == name);
                        if known { None } else { self.unreadable(place, undoes, name) }
                    },
                )
            }
        }
    }

    /// Why a call can't read a name; `None` if it can.
    fn unreadable(&self, place: usize, undoes: bool, name: &str) -> Option<String> {
        let known = self.known(place, undoes);
        if known.iter().any(|known| known == name) {
            return None;
        }
        let own = self.step(place);
        if name == names::OUTPUT || name == names::EFFECT {
            return Some(format!("${name} is known to undos only"));
        }
        if let Some(of) = self.outputs.get(name) {
            return Some(if of.output == Output::None {
                format!("${name} is never set: step `{}` says `output: none`", of.name)
            } else if of.name == own.name {
                format!("${name} is the step's own output: only its undo can read that")
            } else {
                format!(
                    "${name} is the output of step `{}`, which this step doesn't come after: name \
                     that in `needs`",
                    of.name
                )
            });
        }
        let known: Vec<_> = known.iter().map(|name| format!("${name}")).collect();
        Some(format!("nothing is called ${name} here: known are {}", known.join(", ")))
    }

    fn known(&self, place: usize, undoes: bool) -> Vec<String> {
        let model = self.model;
        let mut known: Vec<_> = model.input.iter().map(|input| names::of_input(input)).collect();
        known.extend(model.secrets.iter().cloned());
        known.extend(self.step(place).env.keys().cloned());
        let before = self.before(place);
        known.extend(before.iter().map(|&before| names::of_output(&model.steps[before].name)));
        known.extend(names::FACTS.map(ToOwned::to_owned));
        if undoes {
            known.push(names::EFFECT.to_owned());
            if self.step(place).output != Output::None {
                known.push(names::OUTPUT.to_owned());
                known.push(names::of_output(&self.step(place).name));
            }
        }
        known
    }

    fn step(&self, place: usize) -> &'a Step {
        &self.model.steps[place]
    }
}

impl Undo {
    /// How it is done, if it is.
    pub(crate) fn call(&self) -> Option<&Written> {
        match self {
            Self::Call { call, .. } => Some(call),
            Self::None { .. } => None,
        }
    }
}
