//! The line between the saga's functions and the world under test: calls over it get lost, late or doubled.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    log::{Answer, What},
    schedule::{How, Site, SiteKind},
    stage::Stage,
};
use crate::clock;

/// How long a call without an answer lasts.
const HANGS: Duration = Duration::from_secs(60);

/// The line over which a saga's functions reach the world under test. Given to whatever makes a world; cheap
/// to clone.
///
/// A step that calls its partners over a line is tested with what happens *below* it: a request that never
/// arrives, a reply that never comes, a request that arrives long after its sender gave up. So its own reading
/// of errors and its own time limits are tested too.
#[derive(Clone)]
pub struct Line {
    names: Names,
    stage: Stage,
}

/// The connection broke, or no answer came within a minute. Whether the request arrived is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{call}`: {what}")]
pub struct LineError {
    call: String,
    what: &'static str,
}

/// The names of calls over the line, numbered in the order of their first use.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<Mutex<Vec<String>>>);

impl Names {
    pub(super) fn number(&self, name: &str) -> u16 {
        let name = plain(name);
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        found as u16
    }

    pub(super) fn name(&self, number: u16) -> String {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(usize::from(number)).cloned().unwrap_or_default()
    }
}

/// A name as it stands in the text of a schedule.
pub(super) fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
    name.chars().map(plain).collect()
}

impl Line {
    pub(super) fn new(names: Names, stage: Stage) -> Self {
        Self { names, stage }
    }

    /// Makes a call of that name: `effect` is what the other side does when the request arrives. It may be
    /// done not at all, later, or twice; the caller may hear of it or not.
    ///
    /// # Errors
    /// [`LineError`] where the schedule loses the request or the reply.
    ///
    /// # Cancel safety
    /// Dropped before the request arrived, nothing arrives, unless it is on its way already.
    pub async fn call<T>(
        &self,
        name: &str,
        effect: impl Fn() -> T + Send + Sync + 'static,
    ) -> Result<T, LineError> {
        let site = Site { kind: SiteKind::Line, index: self.names.number(name) };
        let (nth, how) = self.stage.called(site);
        if how.is_some() {
            self.stage.excuse_caller();
        }
        self.stage.note(What::Called { site, nth, how });
        let lost = |what| Err(LineError { call: name.to_owned(), what });
        let answer = match how {
            Some(How::LoseRequest) => lost("the request was lost"),
            Some(How::LoseReply) => {
                effect();
                lost("the reply was lost")
            }
            Some(How::Hang) => {
                effect();
                clock::sleep(HANGS).await;
                lost("no answer within a minute")
            }
            Some(How::Late(millis)) => {
                self.late(site, millis, effect);
                lost("the connection broke")
            }
            Some(How::Slow(millis)) => {
                clock::sleep(Duration::from_millis(millis.into())).await;
                Ok(effect())
            }
            Some(How::Twice) => {
                effect();
                Ok(effect())
            }
            _ => Ok(effect()),
        };
        let told = match &answer {
            Ok(_) => Answer::Done,
            Err(error) => Answer::Failed(error.what.to_owned()),
        };
        self.stage.note(What::Answered { site, nth, answer: told });
        answer
    }

    fn late<T>(&self, site: Site, millis: u32, effect: impl Fn() -> T + Send + 'static) {
        let stage = self.stage.clone();
        stage.state().late += 1;
        tokio::spawn(async move {
            clock::sleep(Duration::from_millis(millis.into())).await;
            stage.note(What::Comes(site));
            effect();
            stage.state().late -= 1;
            stage.wake();
        });
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}
