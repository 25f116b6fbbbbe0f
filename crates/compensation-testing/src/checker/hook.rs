//! What stands around every attempt of the saga under test: it lets befall it what the schedule says.

use std::{
    future::{Future, pending},
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use compensation::{
    StepError,
    intercept::{Call, Ended, Intercept, Intercepted},
};

use super::{
    log::{Answer, What},
    schedule::{How, Site},
    stage::Stage,
};
use crate::clock;

/// How long a call without a time limit hangs.
const HANGS: Duration = Duration::from_secs(60);

/// Around the saga of one life of the process.
pub(super) struct Hook {
    pub(super) stage: Stage,
    pub(super) life: u32,
}

impl Intercept for Hook {
    fn attempt(&self, call: Call) -> Intercepted {
        let (stage, life) = (self.stage.clone(), self.life);
        Box::pin(async move {
            if !stage.is_alive(life) {
                return pending().await;
            }
            let site = Site::of(call.part(), call.step());
            let (nth, how) = stage.called(site);
            stage.state().watch.begins(site);
            stage.note(What::Called { site, nth, how });
            let told = Told {
                stage: stage.clone(),
                life,
                site,
                nth,
                slow: how.is_some(),
                begun: stage.at(),
                ended: false,
            };
            let one = One { stage, life, site, call };
            let ended = one.befall(how).await;
            told.end(&ended);
            ended
        })
    }
}

/// Keeps in the log how an attempt ended, also where it is dropped.
struct Told {
    stage: Stage,
    life: u32,
    site: Site,
    nth: u32,
    /// It may miss its time limit without being to blame.
    slow: bool,
    begun: u64,
    ended: bool,
}

impl Told {
    fn end(mut self, ended: &Ended) {
        self.ended = true;
        let answer = match ended.error() {
            Some(error) => {
                let why = error.to_string();
                self.stage.state().watch.failed(self.site, &why);
                Answer::Failed(why)
            }
            None if ended.found_nothing() => Answer::NotDone,
            None => Answer::Done,
        };
        self.say(answer);
    }

    fn say(&self, answer: Answer) {
        self.stage.state().watch.ends(self.site);
        self.stage.note(What::Answered { site: self.site, nth: self.nth, answer });
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if self.ended || !self.stage.is_alive(self.life) {
            return;
        }
        if std::thread::panicking() {
            self.stage.state().watch.failed(self.site, "a panic");
            self.say(Answer::Panicked);
        } else if self
            .stage
            .limit(self.site)
            .is_some_and(|limit| self.begun + limit <= self.stage.at())
        {
            if !self.slow {
                self.stage.state().watch.failed(self.site, "no answer within its time limit");
            }
            self.say(Answer::TimedOut);
        } else {
            // Its driver has ended: the store refused what it had to write.
            self.say(Answer::Dropped);
        }
    }
}

/// One attempt.
struct One {
    stage: Stage,
    life: u32,
    site: Site,
    call: Call,
}

impl One {
    async fn befall(&self, how: Option<How>) -> Ended {
        let Some(how) = how else { return self.call().await };
        if !matches!(how, How::Twice | How::Slow(_)) {
            self.stage.state().watch.excuse(self.site);
        }
        match how {
            How::Refuse => self.fail(StepError::not_done("refused").terminal()),
            How::LoseRequest => self.fail(StepError::unknown("the request was lost")),
            How::LoseReply => {
                let ended = self.call().await;
                self.lost(ended, "the reply was lost")
            }
            How::Hang => {
                let ended = self.call().await;
                if self.stage.limit(self.site).is_some() {
                    return pending().await;
                }
                clock::sleep(HANGS).await;
                self.lost(ended, "the reply did not come")
            }
            How::Cut(awaits) => match self.cut(awaits).await {
                Some(ended) => ended,
                None => self.fail(StepError::unknown("the connection broke in the middle")),
            },
            How::Slow(millis) => {
                clock::sleep(Duration::from_millis(millis.into())).await;
                self.call().await
            }
            How::Late(millis) => {
                self.late(millis);
                self.fail(StepError::unknown("given up; the request is still on its way"))
            }
            How::Panic => resume_unwind(Box::new("a panic before its effect")),
            How::PanicAfter => {
                self.call().await;
                resume_unwind(Box::new("a panic after its effect"))
            }
            How::Twice => {
                self.call().await;
                self.call().await
            }
            How::Die(awaits) => match self.cut(awaits).await {
                Some(ended) => ended,
                None => {
                    self.stage.die();
                    pending().await
                }
            },
        }
    }

    fn fail(&self, error: StepError) -> Ended {
        self.call.fail(error)
    }

    /// A success whose reply is lost; a failure stays as it is.
    fn lost(&self, ended: Ended, why: &'static str) -> Ended {
        match ended.error() {
            Some(_) => ended,
            None => self.fail(StepError::unknown(why)),
        }
    }

    fn call(&self) -> Mortal<'_> {
        Mortal { one: self, call: Some(self.call.call()), awaits: 0, most: None }
    }

    /// Calls the function and drops it at its so-manieth await. `None`: it was dropped.
    async fn cut(&self, awaits: u32) -> Option<Ended> {
        if awaits == 0 {
            return None;
        }
        let mut call = Mortal { most: Some(awaits), ..self.call() };
        std::future::poll_fn(|cx| match Pin::new(&mut call).poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if call.awaits >= awaits && call.call.is_none() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Calls the function later, whoever lives then.
    fn late(&self, millis: u32) {
        let (stage, site, call) = (self.stage.clone(), self.site, self.call.clone());
        stage.state().late += 1;
        tokio::spawn(async move {
            clock::sleep(Duration::from_millis(millis.into())).await;
            stage.note(What::Comes(site));
            let mut call = call.call();
            // In a task of its own, so that a panic there leaves the count right.
            let _ = tokio::spawn(std::future::poll_fn({
                let stage = stage.clone();
                move |cx| stage.doing(site, || call.as_mut().poll(cx)).map(drop)
            }))
            .await;
            stage.state().late -= 1;
            stage.wake();
        });
    }
}

/// A call of a step's function that ends with its process.
struct Mortal<'a> {
    one: &'a One,
    call: Option<Intercepted>,
    awaits: u32,
    /// Dropped at this await.
    most: Option<u32>,
}

impl Future for Mortal<'_> {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let one = self.one;
        if !one.stage.is_alive(one.life) {
            self.call = None;
        }
        let Some(call) = &mut self.call else { return Poll::Pending };
        let polled = one.stage.doing(one.site, || call.as_mut().poll(cx));
        if polled.is_pending() {
            self.awaits += 1;
            one.stage.awaited(one.site, self.awaits);
            one.stage.wakes(cx.waker());
            if self.most.is_some_and(|most| self.awaits >= most) {
                self.call = None;
            }
        }
        polled
    }
}
