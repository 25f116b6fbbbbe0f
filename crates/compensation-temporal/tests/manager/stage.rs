//! A workflow context without a workflow: activities end as a script says, time stands still but for timers, and
//! everything that is done is written down. Retries are made as the server makes them.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use compensation_temporal::{ActivityEnd, SagaContext};
use futures::future::LocalBoxFuture;
use serde::Serialize;
use temporalio_workflow::{
    ActivityOptions, WorkflowCancellationToken,
    common::{
        ActivityDefinition,
        data_converters::{
            ActivityExecutionDecodeHint, DataConverter, PayloadConverter, SerializationContextData,
        },
        protos::temporal::api::{
            common::v1::Payload,
            enums::v1::{RetryState, TimeoutType},
            failure::v1::{
                ActivityFailureInfo, ApplicationFailureInfo, CanceledFailureInfo, Failure,
                TimeoutFailureInfo, failure::FailureInfo,
            },
        },
    },
};

/// How one attempt ends.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Gives(serde_json::Value),
    Fails,
    Refuses(&'static str),
    TimesOut,
    /// No worker takes it.
    NoWorker,
    /// Goes on until it is released or its token is cancelled.
    Hangs,
    /// Cancels the workflow, and then is done.
    CancelsWorkflow,
}

#[derive(Clone)]
pub(crate) struct Stage(Rc<Inner>);

struct Inner {
    converter: PayloadConverter,
    token: WorkflowCancellationToken,
    now: Cell<Duration>,
    script: RefCell<HashMap<String, VecDeque<End>>>,
    released: Cell<bool>,
    log: RefCell<Vec<String>>,
    options: RefCell<HashMap<String, ActivityOptions>>,
    shown: RefCell<String>,
    /// How long each attempt takes.
    pace: Cell<Duration>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self(Rc::new(Inner {
            converter: PayloadConverter::default(),
            token: WorkflowCancellationToken::new(),
            now: Cell::new(Duration::from_secs(1_000)),
            script: RefCell::default(),
            released: Cell::new(false),
            log: RefCell::default(),
            options: RefCell::default(),
            shown: RefCell::default(),
            pace: Cell::default(),
        }))
    }

    /// Every attempt takes so long from now on.
    pub(crate) fn pace(&self, span: Duration) {
        self.0.pace.set(span);
    }

    /// What Temporal's pages show.
    pub(crate) fn shown(&self) -> String {
        self.0.shown.borrow().clone()
    }

    /// The attempts of that activity end so, one after the other; further ones give null.
    pub(crate) fn script(&self, activity: &str, ends: impl IntoIterator<Item = End>) {
        let mut script = self.0.script.borrow_mut();
        script.entry(activity.to_owned()).or_default().extend(ends);
    }

    pub(crate) fn cancel(&self) {
        self.0.token.cancel();
    }

    pub(crate) fn release(&self) {
        self.0.released.set(true);
    }

    /// What was done, and forgets it: one word for each attempt, with its input, and one for each timer.
    pub(crate) fn log(&self) -> Vec<String> {
        self.0.log.take()
    }

    pub(crate) fn options(&self, activity: &str) -> ActivityOptions {
        self.0.options.borrow().get(activity).expect("it was run").clone()
    }

    fn note(&self, text: String) {
        self.0.log.borrow_mut().push(text);
    }

    async fn attempts(
        &self,
        activity: &str,
        input: &str,
        options: &ActivityOptions,
    ) -> ActivityEnd {
        let token = options.cancellation_token.clone().expect("every activity has a token");
        let budget = options.retry_policy.as_ref().expect("a policy").maximum_attempts();
        let mut made = 0;
        loop {
            if token.is_cancelled() {
                return Err(cancelled());
            }
            made += 1;
            self.note(format!("{activity}({input})"));
            self.0.now.set(self.0.now.get() + self.0.pace.get());
            let end = self.0.script.borrow_mut().get_mut(activity).and_then(VecDeque::pop_front);
            let cause = match end.unwrap_or(End::Gives(serde_json::Value::Null)) {
                End::Gives(value) => return Ok(self.payload(&value)),
                End::Fails => application("", false),
                End::Refuses(kind) => {
                    return Err(failed(application(kind, true), RetryState::NonRetryableFailure));
                }
                End::TimesOut => timeout(TimeoutType::StartToClose),
                End::NoWorker => {
                    return Err(failed(
                        timeout(TimeoutType::ScheduleToStart),
                        RetryState::NonRetryableFailure,
                    ));
                }
                End::CancelsWorkflow => {
                    self.cancel();
                    return Ok(self.payload(&serde_json::Value::Null));
                }
                End::Hangs => {
                    let over = || self.0.released.get() || token.is_cancelled();
                    poll_fn(|_| if over() { Poll::Ready(()) } else { Poll::Pending }).await;
                    if token.is_cancelled() {
                        self.note(format!("{activity} cancelled"));
                        return Err(cancelled());
                    }
                    self.note(format!("{activity} released"));
                    return Ok(self.payload(&serde_json::Value::Null));
                }
            };
            if budget != 0 && made >= budget {
                return Err(failed(cause, RetryState::MaximumAttemptsReached));
            }
        }
    }

    fn payload(&self, value: &impl Serialize) -> Payload {
        let data = serde_json::to_vec(value).expect("plain data");
        let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
        Payload { metadata, data, ..Payload::default() }
    }
}

impl SagaContext for Stage {
    fn run_activity(
        &self,
        activity: &str,
        input: Vec<Payload>,
        options: ActivityOptions,
    ) -> LocalBoxFuture<'static, ActivityEnd> {
        let (this, activity) = (self.clone(), activity.to_owned());
        let input: Vec<_> =
            input.iter().map(|part| String::from_utf8_lossy(&part.data).into_owned()).collect();
        Box::pin(async move {
            this.0.options.borrow_mut().insert(activity.clone(), options.clone());
            this.attempts(&activity, &input.join(","), &options).await
        })
    }

    fn sleep(
        &self,
        span: Duration,
        token: WorkflowCancellationToken,
    ) -> LocalBoxFuture<'static, bool> {
        let this = self.clone();
        Box::pin(async move {
            if token.is_cancelled() {
                return false;
            }
            this.note(format!("sleep {}s", span.as_secs()));
            this.0.now.set(this.0.now.get() + span);
            true
        })
    }

    fn wait_until(
        &self,
        mut condition: Box<dyn FnMut() -> bool>,
        _: WorkflowCancellationToken,
    ) -> LocalBoxFuture<'static, ()> {
        Box::pin(poll_fn(move |_| if condition() { Poll::Ready(()) } else { Poll::Pending }))
    }

    fn now(&self) -> Option<SystemTime> {
        Some(UNIX_EPOCH + self.0.now.get())
    }

    fn converter(&self) -> &PayloadConverter {
        &self.0.converter
    }

    fn cancellation(&self) -> WorkflowCancellationToken {
        self.0.token.clone()
    }

    fn changed(&self) {}

    fn workflow_id(&self) -> &str {
        "trip-1"
    }

    fn show(&self, details: String) {
        *self.0.shown.borrow_mut() = details;
    }
}

fn application(kind: &str, non_retryable: bool) -> Failure {
    let info = ApplicationFailureInfo {
        r#type: kind.to_owned(),
        non_retryable,
        ..ApplicationFailureInfo::default()
    };
    plain("it went wrong", FailureInfo::ApplicationFailureInfo(info))
}

fn timeout(kind: TimeoutType) -> Failure {
    let info = TimeoutFailureInfo { timeout_type: kind.into(), ..TimeoutFailureInfo::default() };
    plain("activity timeout", FailureInfo::TimeoutFailureInfo(info))
}

fn plain(message: &str, info: FailureInfo) -> Failure {
    Failure { message: message.to_owned(), failure_info: Some(info), ..Failure::default() }
}

fn failed(cause: Failure, state: RetryState) -> Box<temporalio_workflow::ActivityExecutionError> {
    let info = ActivityFailureInfo { retry_state: state.into(), ..ActivityFailureInfo::default() };
    let mut failure = plain("Activity task failed", FailureInfo::ActivityFailureInfo(info));
    failure.cause = Some(Box::new(cause));
    error(failure, false)
}

fn cancelled() -> Box<temporalio_workflow::ActivityExecutionError> {
    error(
        plain("cancelled", FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default())),
        true,
    )
}

fn error(failure: Failure, cancelled: bool) -> Box<temporalio_workflow::ActivityExecutionError> {
    let hint = ActivityExecutionDecodeHint::new(cancelled);
    let decoded = DataConverter::default().to_error(&SerializationContextData::None, failure, hint);
    Box::new(decoded.expect("a plain failure"))
}

/// Polls to the end. What waits for something that nobody will do is a failed test.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for ever"),
    }
}

/// Polls once; it is to wait.
pub(crate) fn waits<F: Future + Unpin>(future: &mut F) {
    let polled = std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "it did not wait");
}

/// An activity of that name, from any text to any JSON.
#[derive(Clone, Copy)]
pub(crate) struct Act(pub(crate) &'static str);

impl ActivityDefinition for Act {
    type Input = String;
    type Output = serde_json::Value;

    fn name(&self) -> &str {
        self.0
    }
}

/// An activity that gives a number.
#[derive(Clone, Copy)]
pub(crate) struct Number(pub(crate) &'static str);

impl ActivityDefinition for Number {
    type Input = ();
    type Output = u32;

    fn name(&self) -> &str {
        self.0
    }
}

/// An activity whose input never serializes.
pub(crate) struct Bad;

#[derive(serde::Deserialize)]
pub(crate) struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("this can't be written"))
    }
}

impl ActivityDefinition for Bad {
    type Input = Unwritable;
    type Output = ();

    fn name(&self) -> &str {
        "bad"
    }
}
