//! Orders by letter: to a saga that another living process drives. The store keeps the letter until whoever may act
//! on the saga has answered; the saga's journal says by which letter an order came, so that one that is handed out
//! twice is carried out once.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    control::{self, Ungiven},
    error::{EngineError, Refusal},
    table::Inner,
};
use crate::{
    clock::{self, Timestamp},
    drive::Wish,
    event::Event,
    id::SagaId,
    machine::{Cause, Illegal, Phase},
    outcome::{Applied, Edit, Order},
    records::RecordId,
    repository::{KEEP_ANSWERS, Letter, Posted, Reply, Repository, RepositoryError},
    status::Status,
};

/// How often an engine looks for letters where its store does not tell.
const LOOK: Duration = Duration::from_millis(250);

/// How often whoever posted a letter looks for the answer where the store does not tell.
const LOOK_FOR_ANSWER: Duration = Duration::from_millis(100);

/// How long the process that has a saga is waited for before a letter is withdrawn.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long anybody is waited for who can run a saga that nobody has.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

/// How long an answer to a letter that somebody took is waited for.
const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// Letters taken in one go.
const BATCH: usize = 256;

/// What was made of a letter, as it is stored. A word keeps its meaning: the other process may run another
/// version.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Answer {
    Changed,
    Already,
    Refused {
        status: Status,
        phase: Option<String>,
        /// Absent in answers of versions that did not say.
        #[serde(default)]
        cause: Option<String>,
    },
    BadOutput {
        step: String,
        error: String,
    },
    BadInput {
        saga: String,
        error: String,
    },
    Held {
        reason: String,
    },
    /// Whoever posted it does not wait any more.
    GivenUp,
}

/// Serves letters for as long as the engine lives.
pub(super) async fn serve(engine: Weak<Inner>) {
    while let Some(inner) = engine.upgrade() {
        if inner.is_closing() {
            return;
        }
        let changed = inner.desk.repository.changed();
        if let Err(error) = look(&inner).await {
            tracing::debug!(%error, "the store could not be asked for letters; it is asked again");
        }
        drop(inner);
        tokio::select! {
            biased;
            Ok(()) = changed => {}
            () = clock::sleep(LOOK) => {}
        }
    }
}

async fn look(inner: &Arc<Inner>) -> Result<(), RepositoryError> {
    for letter in inner.desk.repository.inbox(BATCH).await? {
        // An engine that takes nothing over answers for what it drives, and for nothing else.
        let concerns = inner.recovers || inner.is_running(&letter.saga);
        if concerns && inner.take_in_hand(&letter.key) {
            let inner = inner.clone();
            inner.runtime.clone().spawn(async move {
                if let Err(error) = handle(&inner, &letter).await {
                    tracing::warn!(saga = %letter.saga, %error, "a letter could not be answered; it is tried again");
                }
                inner.put_down(&letter.key);
            });
        }
    }
    Ok(())
}

/// Carries a letter out and answers it. One that another process must answer, or that can't be answered now, stays
/// where it is.
async fn handle(inner: &Arc<Inner>, letter: &Letter) -> Result<(), RepositoryError> {
    let repository = &*inner.desk.repository;
    let answer = match open(letter) {
        Err(reason) => Answer::Held { reason },
        Ok(wish) => {
            let given = match control::can_give(inner, &letter.saga, &wish).await {
                Ok(()) if !repository.take(&letter.key).await? => return Ok(()),
                Ok(()) => control::give(inner, &letter.saga, &wish).await,
                Err(ungiven) => Err(ungiven),
            };
            match given {
                Ok(applied) => applied.into(),
                Err(Ungiven::Elsewhere(_)) if is_stale(letter) => Answer::GivenUp,
                Err(Ungiven::Elsewhere(_)) => return Ok(()),
                Err(Ungiven::Failed(error)) => match Answer::of(&error) {
                    Some(answer) => answer,
                    None => return Ok(()),
                },
            }
        }
    };
    repository.answer(&letter.key, answer.text()).await
}

/// Whoever posted such a letter has died: who lives withdraws it. Nobody could carry it out so far, and an order
/// that is found years later may no longer be meant; kept, such letters would crowd the inbox.
fn is_stale(letter: &Letter) -> bool {
    letter.at < Timestamp::now().earlier_by(KEEP_ANSWERS)
}

/// The order in a letter.
fn open(letter: &Letter) -> Result<Wish, String> {
    let unknown = |why: String| {
        format!("it is run by a program that does not know this order ({why}): update that program")
    };
    let event: Event =
        serde_json::from_str(&letter.body).map_err(|why| unknown(why.to_string()))?;
    let change = event.change().map_err(|why| unknown(why.to_string()))?;
    let order = event.by.zip(event.why).map(|(by, why)| Order { by, why });
    let edit = Edit { input: event.input, output: event.output };
    Ok(Wish { change, order, edit, letter: Some(letter.key.clone()) })
}

/// Sends an order to whoever may carry it out, and waits for the answer. `why` it could not be given here is the
/// error where nobody takes it.
pub(super) async fn send(
    inner: &Arc<Inner>,
    id: &SagaId,
    mut wish: Wish,
    why: EngineError,
) -> Result<Applied, EngineError> {
    let key = RecordId::now().to_string();
    wish.letter = Some(key.clone());
    let repository = &*inner.desk.repository;
    let letter =
        Letter { key: key.clone(), saga: id.clone(), at: Timestamp::now(), body: body(&wish) };
    if repository.post(letter).await? == Posted::Absent {
        return Err(EngineError::NotFound(id.clone()));
    }
    let answered = wait(inner, id, &wish, &key, why).await;
    // Nobody reads it again. Should this fail, it is forgotten in time.
    let _ = repository.withdraw(&key).await;
    answered
}

async fn wait(
    inner: &Arc<Inner>,
    id: &SagaId,
    wish: &Wish,
    key: &str,
    why: EngineError,
) -> Result<Applied, EngineError> {
    let repository = &*inner.desk.repository;
    let held = matches!(why, EngineError::Held { .. });
    let patience = if held { SHORT_PATIENCE } else { PATIENCE };
    let mut waited = Duration::ZERO;
    loop {
        let changed = repository.changed();
        match repository.reply(key).await? {
            Reply::Answered(text) => return Answer::read(&text).into_result(id, wish),
            // It went with its saga.
            Reply::Absent => return Err(EngineError::NotFound(id.clone())),
            Reply::Waits | Reply::Taken => {}
        }
        // Whoever had it may have died, or let it go, before it saw the letter.
        if !is_held(repository, id).await? {
            match control::give(inner, id, wish).await {
                Err(Ungiven::Elsewhere(_)) => {}
                given => return settle(repository, key, given).await,
            }
        }
        let closing = inner.is_closing();
        if (waited >= patience || closing) && repository.withdraw(key).await? {
            return Err(if closing { EngineError::Closing } else { why });
        }
        if waited >= LONG_PATIENCE || closing {
            repository.answer(key, Answer::GivenUp.text()).await?;
            return Err(EngineError::Unanswered(id.clone()));
        }
        tokio::select! {
            biased;
            Ok(()) = changed => {}
            () = clock::sleep(LOOK_FOR_ANSWER) => waited += LOOK_FOR_ANSWER,
        }
    }
}

/// What came of an order that its poster could give after all: it answers its own letter, so that nobody gives it
/// again.
async fn settle(
    repository: &dyn Repository,
    key: &str,
    given: Result<Applied, Ungiven>,
) -> Result<Applied, EngineError> {
    let given = given.map_err(|ungiven| match ungiven {
        Ungiven::Elsewhere(error) | Ungiven::Failed(error) => error,
    });
    let answer = match &given {
        Ok(applied) => Some(Answer::from(*applied)),
        Err(error) => Answer::of(error),
    };
    if let Some(answer) = answer {
        // Handed out once more it would find itself in the journal, or be refused again.
        let _ = repository.answer(key, answer.text()).await;
    }
    given
}

async fn is_held(repository: &dyn Repository, id: &SagaId) -> Result<bool, RepositoryError> {
    Ok(repository.load(id).await?.is_some_and(|saga| saga.summary.owned))
}

/// An order as it is posted: as the journal will have it.
fn body(wish: &Wish) -> String {
    let mut event = Event::new(wish.change);
    event.sign(wish.order.as_ref().map(Order::signature), None);
    event.input.clone_from(&wish.edit.input);
    event.output.clone_from(&wish.edit.output);
    // Plain data whose texts are valid already; there is nothing that could fail.
    serde_json::to_string(&event).unwrap_or_default()
}

impl From<Applied> for Answer {
    fn from(applied: Applied) -> Self {
        match applied {
            Applied::Changed => Self::Changed,
            Applied::Already => Self::Already,
        }
    }
}

impl Answer {
    /// What is answered for an error; `None` where the letter is to be tried again.
    fn of(error: &EngineError) -> Option<Self> {
        Some(match error {
            EngineError::Refused { why: Refusal(illegal), .. } => Self::Refused {
                status: illegal.status,
                phase: illegal.phase.map(|phase| format!("{phase:?}")),
                cause: Some(format!("{:?}", illegal.cause)),
            },
            EngineError::BadOutput { step, error, .. } => {
                Self::BadOutput { step: step.clone(), error: error.to_string() }
            }
            EngineError::BadInput { saga, error } => {
                Self::BadInput { saga: saga.clone(), error: error.to_string() }
            }
            EngineError::Held { reason, .. } => Self::Held { reason: reason.clone() },
            _ => return None,
        })
    }

    fn text(&self) -> String {
        // As for the body.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn read(text: &str) -> Self {
        let unread = |error| Self::Held { reason: format!("the answer can't be read: {error}") };
        serde_json::from_str(text).unwrap_or_else(unread)
    }

    /// The same as if it had been answered here.
    fn into_result(self, id: &SagaId, wish: &Wish) -> Result<Applied, EngineError> {
        let id = id.clone();
        let told = |error: String| Arc::new(serde::de::Error::custom(error));
        Err(match self {
            Self::Changed => return Ok(Applied::Changed),
            Self::Already => return Ok(Applied::Already),
            Self::Refused { status, phase, cause } => {
                let phase = phase.and_then(|phase| Phase::named(&phase));
                let cause = cause.and_then(|cause| Cause::named(&cause)).unwrap_or(Cause::Standing);
                let illegal = Illegal { change: wish.change, status, phase, cause };
                EngineError::Refused { id, why: Refusal(illegal) }
            }
            Self::BadOutput { step, error } => {
                EngineError::BadOutput { id, step, error: told(error) }
            }
            Self::BadInput { saga, error } => EngineError::BadInput { saga, error: told(error) },
            Self::Held { reason } => EngineError::Held { id, reason },
            Self::GivenUp => EngineError::Unanswered(id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, Park};

    #[test]
    fn a_refusal_comes_out_of_a_letter_as_it_went_in() {
        let id = SagaId::new("a").expect("an id");
        let change = Change::SkipOrdered(3);
        let phase = Some(Phase::Parked(Park::ProbeFailed));
        let illegal = Illegal { change, status: Status::Stuck, phase, cause: Cause::Settling };
        let error = EngineError::Refused { id: id.clone(), why: Refusal(illegal.clone()) };
        let text = Answer::of(&error).expect("an answer").text();
        let back = Answer::read(&text).into_result(&id, &Wish::of(change));
        let Err(EngineError::Refused { why: Refusal(told), .. }) = back else {
            panic!("another error: {back:?}")
        };
        assert_eq!(told, illegal);
    }

    #[test]
    fn an_order_comes_out_of_a_letter_as_it_went_in() {
        let raw = |text: &str| Some(serde_json::value::to_raw_value(text).expect("a text"));
        let wish = Wish {
            change: Change::RetryOrdered(2),
            order: Some(Order::new("Ada", "the bank is back")),
            edit: Edit { input: raw("in"), output: raw("out") },
            letter: None,
        };
        let letter = Letter {
            key: "l".to_owned(),
            saga: SagaId::new("a").expect("an id"),
            at: Timestamp::from_millis(0),
            body: body(&wish),
        };
        let back = open(&letter).expect("an order");
        assert_eq!((back.change, &back.order), (wish.change, &wish.order));
        let text = |raw: &Option<Box<_>>| raw.as_ref().map(ToString::to_string);
        assert_eq!(text(&back.edit.input), text(&wish.edit.input));
        assert_eq!(text(&back.edit.output), text(&wish.edit.output));
        assert_eq!(back.letter.as_deref(), Some("l"));
    }
}
