//! The sagas under test: their steps do what their input says, and tell the ledger.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use compensation::{
    AnySaga, Probed, RetryPolicy, Saga, StepContext, StepError, UndoContext,
    machine::{Effect, UnknownPolicy},
};
use serde::{Deserialize, Serialize};

use crate::ledger::tell;

/// A saga's input: where the ledger is, and what is not to work. What is not named works.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Town {
    pub(crate) ledger: String,
    pub(crate) does: BTreeMap<String, Does>,
}

/// What a function does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Does {
    /// Fails without an effect, and not worth another attempt.
    Refuses,
    /// Fails so often without an effect, and then works.
    FailsFirst(u32),
    /// Has its effect, fails so, and then refuses.
    EffectThenRefuses,
    FailsForever,
    /// Has its effect, and loses the reply.
    LosesItsReply,
    /// Waits until it is opened; stops without an effect when the saga is undone.
    Waits,
    /// Waits until it is opened, whatever happens.
    WaitsDeaf,
}

impl Town {
    /// Does a word: tells the ledger, unless it is to fail.
    async fn perform(
        &self,
        word: &str,
        told: &str,
        stop: impl Future,
    ) -> Result<String, StepError> {
        let line = format!("{word}{told}");
        let tell = async |line: &str| tell(&self.ledger, line).await.map_err(StepError::from);
        match self.does.get(word) {
            None => {}
            Some(Does::Refuses) => {
                return Err(StepError::not_done(format!("{word} is refused")).terminal());
            }
            Some(Does::FailsFirst(times)) if tell(&format!("#!{word}")).await? >= *times => {}
            Some(Does::FailsFirst(_) | Does::FailsForever) => {
                tell(&format!("!{word}")).await?;
                return Err(StepError::not_done(format!("{word} fails")));
            }
            Some(Does::EffectThenRefuses) => {
                if tell(&format!("#{line}")).await? > 0 {
                    return Err(StepError::not_done(format!("{word} is refused")).terminal());
                }
                tell(&line).await?;
                return Err(StepError::unknown(format!("{word} is lost")));
            }
            Some(Does::LosesItsReply) => {
                tell(&line).await?;
                return Err(StepError::unknown(format!("{word} is lost")));
            }
            Some(does @ (Does::Waits | Does::WaitsDeaf)) => {
                let question = format!("?{word}");
                let mut opened = pin!(tell(&question));
                let mut stop = pin!(stop);
                tokio::select! {
                    opened = &mut opened => drop(opened?),
                    _ = &mut stop, if *does == Does::Waits => {
                        tell(&format!("x{word}")).await?;
                        return Err(StepError::not_done(format!("{word} was stopped")));
                    }
                }
            }
        }
        tell(&line).await?;
        Ok(word.trim_start_matches(['+', '-', '~']).to_owned())
    }
}

async fn act(cx: StepContext<Town>) -> Result<String, StepError> {
    let word = format!("+{}", cx.step_name());
    cx.input().perform(&word, "", cx.cancelled()).await
}

async fn undo(cx: UndoContext<Town>, done: Option<String>) -> Result<(), StepError> {
    let word = format!("-{}", cx.step_name());
    let told = done.map(|done| format!("({done})")).unwrap_or_default();
    assert_eq!(told.is_empty(), cx.effect() == Effect::Maybe, "the output is told with the effect");
    let never = std::future::pending::<()>();
    cx.input().perform(&word, &told, never).await.map(drop)
}

async fn probe(cx: StepContext<Town>) -> Result<Probed<String>, StepError> {
    let name = cx.step_name().to_owned();
    match cx.input().does.get(&format!("~{name}")) {
        Some(_) => {
            cx.input().perform(&format!("~{name}"), "", std::future::pending::<()>()).await?;
            Ok(Probed::NotDone)
        }
        None => match tell(&cx.input().ledger, &format!("#+{name}")).await? {
            0 => Ok(Probed::NotDone),
            _ => Ok(Probed::Done(name)),
        },
    }
}

fn quick(attempts: u32) -> RetryPolicy {
    RetryPolicy::new(attempts).first(Duration::from_millis(20)).without_jitter()
}

/// Car, hotel and flight, one after the other.
pub(crate) fn trip() -> Saga<Town> {
    versioned(0)
}

pub(crate) fn versioned(version: u32) -> Saga<Town> {
    let mut trip = Saga::builder("trip");
    trip.version(version);
    for name in ["car", "hotel", "flight"] {
        trip.step(name, act).undo(undo).undo_retry(quick(3)).add();
    }
    trip.build().expect("a sound saga")
}

/// A step that is attempted three times.
pub(crate) fn stubborn() -> Saga<Town> {
    let mut saga = Saga::builder("stubborn");
    saga.step("car", act).retry(quick(3)).undo(undo).undo_retry(quick(3)).add();
    saga.build().expect("a sound saga")
}

/// A step before two that run side by side, and one after both.
pub(crate) fn diamond() -> Saga<Town> {
    let mut saga = Saga::builder("diamond");
    let top = saga.step("top", act).undo(undo).add();
    let left = saga.step("left", act).independent().after(&top).undo(undo).add();
    let right = saga.step("right", act).independent().after(&top).undo(undo).add();
    saga.step("bottom", act).independent().after(&left).after(&right).undo(undo).add();
    saga.build().expect("a sound saga")
}

/// A step, a pivot, and one after it.
pub(crate) fn pivoted() -> Saga<Town> {
    let mut saga = Saga::builder("pivoted");
    saga.step("car", act).undo(undo).undo_retry(quick(3)).add();
    saga.step("pay", act).pivot().no_undo("the bank refunds").add();
    saga.step("mail", act).retry(quick(3)).no_undo("a mail can't be taken back").add();
    saga.build().expect("a sound saga")
}

/// A step that fails with an unknown outcome, by each policy; named after it.
pub(crate) fn unknown(policy: UnknownPolicy) -> Saga<Town> {
    let name = match policy {
        UnknownPolicy::Undo => "undo",
        UnknownPolicy::Retry => "retry",
        UnknownPolicy::Probe => "probe",
        UnknownPolicy::Park => "park",
    };
    let mut saga = Saga::builder(format!("unknown-{name}"));
    saga.step("car", act).undo(undo).undo_retry(quick(3)).add();
    let step = saga.step("hotel", act).undo(undo).undo_retry(quick(3)).unknown(policy);
    match policy {
        UnknownPolicy::Probe => step.probe(probe).retry(quick(2)).add(),
        UnknownPolicy::Retry => step.retry(quick(2)).add(),
        UnknownPolicy::Undo | UnknownPolicy::Park => step.add(),
    };
    saga.build().expect("a sound saga")
}

/// A step and an undo that must not be repeated.
pub(crate) fn fragile() -> Saga<Town> {
    let mut saga = Saga::builder("fragile");
    saga.step("car", act).undo(undo).undo_not_idempotent().add();
    saga.step("hotel", act).not_idempotent().undo(undo).undo_retry(quick(3)).add();
    saga.build().expect("a sound saga")
}

/// Everything, for a worker.
pub(crate) fn all() -> Vec<AnySaga> {
    let policies =
        [UnknownPolicy::Undo, UnknownPolicy::Retry, UnknownPolicy::Probe, UnknownPolicy::Park];
    let others = [trip(), stubborn(), diamond(), pivoted(), fragile()];
    others.into_iter().chain(policies.map(unknown)).map(AnySaga::from).collect()
}
