//! What an order would be given to, and what it would do: judged by the machine, on a copy that nobody keeps.

use std::sync::Arc;

use super::{
    control::unknown_step,
    error::{EngineError, Refusal},
    mask::Mask,
    preview, record,
};
use crate::{
    event::{Change, StepIndex},
    id::SagaId,
    machine::Phase,
    plan::Plan,
    repository::{StoredSaga, Summary},
    status::Status,
    told::Told,
};

/// What a person may order of a saga, or of one of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// [`Engine::retry`](crate::Engine::retry).
    Retry,
    /// [`Engine::skip`](crate::Engine::skip).
    Skip,
    /// [`Engine::mark_done`](crate::Engine::mark_done).
    Done,
    /// [`Engine::mark_undone`](crate::Engine::mark_undone).
    Undone,
    /// [`Engine::cancel`](crate::Engine::cancel).
    Undo,
    /// [`Engine::resume_by`](crate::Engine::resume_by).
    Resume,
    /// [`Engine::abandon`](crate::Engine::abandon).
    Abandon,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 7] = [
        Self::Retry,
        Self::Skip,
        Self::Done,
        Self::Undone,
        Self::Undo,
        Self::Resume,
        Self::Abandon,
    ];

    /// The word for it, such as `undone`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Done => "done",
            Self::Undone => "undone",
            Self::Undo => "undo",
            Self::Resume => "resume",
            Self::Abandon => "abandon",
        }
    }

    /// The verb of that word.
    ///
    /// ```
    /// use compensation::Verb;
    ///
    /// assert_eq!(Verb::parse("undone"), Some(Verb::Undone));
    /// assert!(Verb::ALL.into_iter().all(|verb| Verb::parse(verb.as_str()) == Some(verb)));
    /// ```
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == word)
    }

    /// Whether it is about single steps, not about whole sagas.
    #[must_use]
    pub fn is_of_steps(self) -> bool {
        matches!(self, Self::Retry | Self::Skip | Self::Done | Self::Undone)
    }

    /// Whether it could be meant for sagas that stand so.
    pub(super) fn may_be_for(self) -> Vec<Status> {
        match self {
            Self::Retry | Self::Skip | Self::Done | Self::Undone | Self::Resume => {
                vec![Status::Stuck, Status::Running, Status::Compensating]
            }
            Self::Undo | Self::Abandon => Vec::new(),
        }
    }

    fn change(self, step: StepIndex) -> Change {
        match self {
            Self::Retry => Change::RetryOrdered(step),
            Self::Skip => Change::SkipOrdered(step),
            Self::Done => Change::DoneDeclared(step),
            Self::Undone => Change::UndoneDeclared(step),
            Self::Undo => Change::CancelRequested,
            Self::Resume => Change::ResumeOrdered,
            Self::Abandon => Change::Abandoned,
        }
    }
}

/// A saga, or a step of one, that an order is for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Target {
    /// The saga.
    pub id: SagaId,
    /// Its definition's name.
    pub saga: Arc<str>,
    /// How it stands.
    pub status: Status,
    /// The plan that it was started with, as the store has it: a [`Plan`] as JSON.
    pub plan: Arc<str>,
    /// The step; `None` where the whole saga is meant.
    pub step: Option<Arc<str>>,
    /// How the step stands.
    pub phase: Option<Phase>,
    /// Why it waits, or stands so. What is secret is masked.
    pub why: Option<String>,
    /// What the order would do now.
    pub expected: Expected,
    /// Of an order to undo the saga, the undos that would run, in their order.
    pub undoes: Vec<Arc<str>>,
}

/// What an order would do as a saga stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It would change it.
    Changed,
    /// It is so already.
    Already,
    /// It would be refused, and why.
    Refused(String),
}

pub(super) fn found_in(
    verb: Verb,
    step: Option<&str>,
    saga: &StoredSaga,
    hide: &impl Fn(&mut Mask, &Plan),
) -> Vec<Target> {
    let looked = Looked::at(saga, hide);
    if verb.is_of_steps() {
        return looked.steps(verb, step);
    }
    let waits = |step: &str| looked.parked().any(|(_, name)| *name == *step);
    let is_meant = step.is_none_or(waits) && (verb != Verb::Resume || looked.is_left());
    if is_meant { vec![looked.whole(verb)] } else { Vec::new() }
}

/// A saga that is looked at.
pub(super) struct Looked<'a> {
    saga: &'a StoredSaga,
    /// `Err`: why its record can't be read.
    told: Result<Told, String>,
    mask: Mask,
}

impl<'a> Looked<'a> {
    pub(super) fn at(saga: &'a StoredSaga, hide: &impl Fn(&mut Mask, &Plan)) -> Self {
        let told = record::read(saga).map_err(|unreadable| unreadable.to_string());
        let told = told.and_then(|told| record::agrees(saga, &told).map(|()| told));
        let mask = match &told {
            Ok(told) => {
                let mut mask = Mask::by(&told.plan, saga);
                hide(&mut mask, &told.plan);
                mask
            }
            Err(_) => Mask::of(saga),
        };
        Self { saga, told, mask }
    }

    /// Of a saga that was given up nobody waits for anything.
    fn told(&self) -> Option<&Told> {
        self.told.as_ref().ok().filter(|_| !self.saga.summary.head.status.is_final())
    }

    fn parked(&self) -> impl Iterator<Item = (StepIndex, &str)> {
        self.told().into_iter().flat_map(|told| {
            told.machine.parked().map(|(step, _)| (step, &*told.plan.steps[usize::from(step)].name))
        })
    }

    /// Nobody drives it, and it would go on: a dead process left it, or an engine parked it for want of its definition.
    fn is_left(&self) -> bool {
        let drives = self.saga.summary.owned;
        !drives && self.told().is_some_and(|told| told.machine.status().is_open())
    }

    /// Those that wait for a person first, then those that wait out a failure.
    fn steps(&self, verb: Verb, only: Option<&str>) -> Vec<Target> {
        let Some(told) = self.told() else { return Vec::new() };
        let phases =
            || (0..).take(told.plan.steps.len()).map(|step| (step, told.machine.phase(step)));
        let parked = phases().filter(|(_, phase)| match phase {
            Phase::Parked(_) => verb != Verb::Undone,
            Phase::UndoParked(_) => verb != Verb::Done,
            _ => false,
        });
        let waits = phases().filter(|(_, phase)| {
            let waits = matches!(phase, Phase::Retrying | Phase::ProbeDue | Phase::UndoRetrying);
            verb == Verb::Retry && waits
        });
        let name = |step: StepIndex| &*told.plan.steps[usize::from(step)].name;
        let meant = parked.chain(waits).filter(|&(step, _)| only.is_none_or(|it| it == name(step)));
        meant.map(|(step, _)| self.step(verb, told, step)).collect()
    }

    /// That step, whether it waits for somebody or not.
    pub(super) fn named(&self, verb: Verb, step: &str) -> Result<Target, EngineError> {
        let id = &self.saga.summary.id;
        let told = self.told.as_ref();
        let told =
            told.map_err(|reason| EngineError::Held { id: id.clone(), reason: reason.clone() })?;
        let index = told.plan.find(step).ok_or_else(|| unknown_step(id, step, &told.plan))?;
        Ok(self.step(verb, told, index))
    }

    fn step(&self, verb: Verb, told: &Told, step: StepIndex) -> Target {
        let phase = told.machine.phase(step);
        let why = match phase {
            Phase::Parked(park) | Phase::UndoParked(park) => park.to_string(),
            Phase::Retrying | Phase::ProbeDue | Phase::UndoRetrying => phase.to_string(),
            _ => "it does not wait for a person".to_owned(),
        };
        Target {
            step: Some(told.plan.steps[usize::from(step)].name.as_str().into()),
            phase: Some(phase),
            why: Some(why),
            expected: self.expected(told, verb.change(step)),
            ..self.whole_of(Expected::Changed)
        }
    }

    /// What the machine would make of it.
    fn expected(&self, told: &Told, change: Change) -> Expected {
        let mut machine = told.machine.clone();
        if !self.saga.summary.owned {
            // What was in flight died with its process; whoever carries the order out says so first.
            for step in told.machine.live() {
                // What is in flight can be interrupted.
                let _ = machine.apply(Change::Interrupted(step));
            }
        }
        match machine.apply(change) {
            Ok(()) => Expected::Changed,
            Err(_) if machine.is_so(change) => Expected::Already,
            Err(illegal) => Expected::Refused(Refusal(illegal).to_string()),
        }
    }

    fn whole(&self, verb: Verb) -> Target {
        let told = match &self.told {
            Ok(told) => told,
            Err(unreadable) => return self.whole_of(Expected::Refused(unreadable.clone())),
        };
        let mut target = self.whole_of(self.expected(told, verb.change(0)));
        if verb == Verb::Undo && target.expected == Expected::Changed {
            let undos = preview::preview(self.saga, told).map(|preview| preview.undos);
            let undos = undos.unwrap_or_default();
            target.undoes = undos.into_iter().map(|undo| undo.step).collect();
        }
        target
    }

    fn whole_of(&self, expected: Expected) -> Target {
        let Summary { id, name, head, .. } = &self.saga.summary;
        Target {
            id: id.clone(),
            saga: name.clone(),
            status: head.status,
            plan: self.saga.plan.clone(),
            step: None,
            phase: None,
            why: head.reason.as_deref().map(|reason| self.mask.text(reason)),
            expected,
            undoes: Vec::new(),
        }
    }
}
