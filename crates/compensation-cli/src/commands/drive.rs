//! Waits for sagas that this process drives, says what happens meanwhile, and ends cleanly when told to.

use std::{future::Future, pin::pin};

use compensation::{Applied, EngineError, News, Notice, Report, SagaId, repository::Summary};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::broadcast::error::RecvError,
    task::JoinHandle,
};

use super::{
    Context,
    session::{Session, exit},
};
use crate::{
    error::{Error, Exit},
    print::{self, Tone},
};

/// Waits for that work. A first signal lets what is in flight finish, a second stops at once. Where the work
/// fails, what is in flight of other sagas finishes too.
pub(super) async fn to_the_end<T>(
    context: &Context,
    session: &Session,
    ids: &[SagaId],
    work: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    let mut notices = session.engine.subscribe();
    let mut signals = Signals::listen()?;
    let mut drained: Option<JoinHandle<()>> = None;
    let mut failed: Option<Error> = None;
    let several = ids.len() > 1;
    loop {
        tokio::select! {
            biased;
            notice = notices.recv() => tell(context, session, notice, several).await,
            ended = &mut work, if failed.is_none() => {
                while let Ok(notice) = notices.try_recv() {
                    tell(context, session, Ok(notice), several).await;
                }
                match ended {
                    Ok(ended) => return Ok(ended),
                    Err(EngineError::Closing) => return Err(stopped(context, ids)),
                    Err(error) => failed = Some(error.into()),
                }
                if drained.is_none() {
                    if session.engine.running() > 0 {
                        say(context, "one failed; finishing what is in flight of the others");
                    }
                    drained = Some(drain(session));
                }
            }
            () = signals.next() => {
                if drained.is_some() {
                    return Err(failed.unwrap_or_else(|| stopped(context, ids)));
                }
                say(context, "finishing what is in flight; again to stop at once");
                drained = Some(drain(session));
            }
            // Nothing is driven here any more, and what is waited for is driven elsewhere.
            () = over(&mut drained), if drained.is_some() => {
                return Err(failed.unwrap_or_else(|| stopped(context, ids)));
            }
        }
    }
}

/// Says how a saga ended, and ends so.
pub(super) async fn result(
    context: &Context,
    session: &Session,
    id: &SagaId,
) -> Result<Exit, Error> {
    result_of(context, session, id, None).await
}

/// The same after an order, which changed something or did not.
pub(super) async fn result_of(
    context: &Context,
    session: &Session,
    id: &SagaId,
    applied: Option<Applied>,
) -> Result<Exit, Error> {
    let record = session.record(id).await?;
    let exit = exit(record.stored.summary.head.status);
    if context.json {
        let mut all = record.brief_json();
        all["exit"] = exit.code().into();
        if let Some(applied) = applied {
            all["applied"] = print::applied(applied).into();
        }
        print::say_json(&all)?;
    } else {
        if applied == Some(Applied::Already) {
            say(context, "it was so already: nothing was changed");
        }
        print::say(&print::brief(&record, true))?;
        if let Some((step, _)) = record.report.iter().flat_map(Report::parked).next() {
            let order =
                with_flags(&[id.as_str(), step], &format!("--reason WHY --db {}", db(context)));
            say(
                context,
                &format!(
                    "once it is mended: compensation retry {order} (or skip, done, undo, abandon)"
                ),
            );
        }
    }
    Ok(exit)
}

/// Words of a command and its flags, to be copied. A word that begins with a dash would be taken for a flag.
fn with_flags(words: &[&str], flags: &str) -> String {
    let quoted: Vec<_> = words.iter().map(|word| print::quoted(word)).collect();
    let quoted = quoted.join(" ");
    match words.iter().any(|word| word.starts_with('-')) {
        true => format!("{flags} -- {quoted}"),
        false => format!("{quoted} {flags}").trim_start().to_owned(),
    }
}

fn db(context: &Context) -> String {
    print::quoted(&context.db.to_string())
}

/// What is said beside the result; programs get the result only.
pub(super) fn say(context: &Context, text: &str) {
    if !context.json {
        print::note(Tone::Plain, text);
    }
}

/// Says something beside the result, also to programs.
pub(super) fn note(text: &str) {
    print::note(Tone::Plain, text);
}

/// Says that somebody else drives a saga, whose end is waited for.
pub(super) fn say_waits(context: &Context, saga: &Summary) {
    if saga.owned && saga.head.status.is_open() {
        let id = print::quoted(saga.id.as_str());
        say(context, &format!("{id}: another process drives it; waiting for its end"));
    }
}

async fn tell(
    context: &Context,
    session: &Session,
    notice: Result<Notice, RecvError>,
    several: bool,
) {
    match notice {
        Ok(mut notice) if !context.json => {
            if let News::Failed { message, .. } = &mut notice.news {
                *message = session.mask(&notice.id).await.text(message);
            }
            print::progress(&notice, several);
        }
        Err(RecvError::Lagged(missed)) => {
            say(context, &format!("({missed} lines of progress were passed over)"));
        }
        _ => {}
    }
}

fn drain(session: &Session) -> JoinHandle<()> {
    let engine = session.engine.clone();
    tokio::spawn(async move { engine.drain().await })
}

async fn over(drained: &mut Option<JoinHandle<()>>) {
    if let Some(drained) = drained {
        let _ = drained.await;
    }
}

fn stopped(context: &Context, ids: &[SagaId]) -> Error {
    let ids: Vec<_> = ids.iter().map(SagaId::as_str).collect();
    let which = with_flags(&ids, &format!("--db {}", db(context)));
    Error::stopped(format!("stopped before the end; to go on: compensation resume {which}"))
}

/// Signals that ask the program to end.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Error> {
        let listen = |kind| {
            signal(kind).map_err(|error| Error::other(format!("signals can't be heard: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_begins_with_a_dash_is_no_flag_quoted_or_not() {
        assert_eq!(with_flags(&["x", "a"], "--db f"), "x a --db f");
        assert_eq!(with_flags(&["--all"], "--db f"), "--db f -- --all");
        assert_eq!(with_flags(&["x", "- a"], "--db f"), "--db f -- x '- a'");
        assert_eq!(with_flags(&[], "--db f"), "--db f");
    }
}
