//! The walk inside a workflow: the machine's commands become activities and timers, in the order in which it gives
//! them. That order is part of what histories pin.
//!
//! Everything waits on futures of the SDK only, polled in the order of their start, so that a replay is the same.

use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
};

use compensation::{
    Failure, Status, StepError,
    machine::{Command, Illegal, Task},
    remote::Ended,
};
use futures_util::{FutureExt as _, future::LocalBoxFuture};
use temporalio_workflow::WorkflowCancellationToken;

use super::{
    act,
    json::SagaJson,
    names,
    steering::Steering,
    verdict::{self, What},
    wire::StepCall,
};
use crate::{
    context::{ActivityEnd, SagaContext},
    payload,
};

/// An activity in flight, or the wait before one.
struct Running {
    command: Command,
    /// Cancelled once the saga is being undone; `None` where the attempt is not to be stopped.
    stop: Option<WorkflowCancellationToken>,
    future: LocalBoxFuture<'static, Came>,
}

enum Came {
    Waited,
    Ended(ActivityEnd),
}

struct Drive<'a, C> {
    ctx: &'a C,
    steering: &'a Rc<RefCell<Steering>>,
    running: Vec<Running>,
    /// The workflow's cancel, as long as the saga has not taken it.
    cancel: bool,
}

/// Drives a saga to its end. A stuck one waits for orders.
///
/// # Errors
/// What the machine refused: a defect of this library.
pub(super) async fn drive<C: SagaContext>(
    ctx: &C,
    steering: &Rc<RefCell<Steering>>,
) -> Result<Status, Illegal> {
    let mut drive = Drive { ctx, steering, running: Vec::new(), cancel: false };
    let token = ctx.cancellation();
    loop {
        drive.cancel |= token.is_cancelled();
        if drive.cancel && steering.borrow_mut().cancel() {
            drive.cancel = false;
        }
        drive.start_what_may()?;
        drive.tell_attempts();
        let (status, details) = {
            let steering = steering.borrow();
            (steering.course.machine().status(), steering.details())
        };
        ctx.show(details);
        if status.is_final() {
            return Ok(status);
        }
        let seen = steering.borrow().orders;
        for (command, came) in drive.progress(seen, &token).await {
            drive.end(command, came)?;
        }
    }
}

impl<C: SagaContext> Drive<'_, C> {
    fn start_what_may(&mut self) -> Result<(), Illegal> {
        loop {
            let next = self.steering.borrow_mut().course.next();
            let Some(command) = next else { return Ok(()) };
            if command.failures == 0 {
                self.begin(command)?;
            } else {
                self.wait(command);
            }
        }
    }

    fn wait(&mut self, command: Command) {
        let pause = self.steering.borrow().course.pause(command);
        let timer = self.ctx.sleep(pause, WorkflowCancellationToken::new());
        let future = timer.map(|_| Came::Waited).boxed_local();
        self.running.push(Running { command, stop: None, future });
    }

    fn begin(&mut self, command: Command) -> Result<(), Illegal> {
        let mut steering = self.steering.borrow_mut();
        steering.course.start(command)?;
        let token = WorkflowCancellationToken::new();
        let call = steering.call(command).and_then(|call| {
            let call = SagaJson(call);
            let payloads = payload::encode(self.ctx.converter(), &call);
            payloads.map(|payloads| (call.0, payloads)).map_err(|error| error.to_string())
        });
        let (call, payloads) = match call {
            Ok(call) => call,
            Err(why) => {
                let failure = Failure::from(StepError::not_done(why).terminal());
                return steering.course.end(command, Ended::Failed(failure));
            }
        };
        let options = self.options(&steering, command, &call, token.clone());
        let activity = names::activity(&call.saga, &call.step, command.task);
        let activity = self.ctx.run_activity(&activity, payloads, options);
        let future = activity.map(Came::Ended).boxed_local();
        // An action that is started again in a rollback is to find out what happened.
        let stops = command.task == Task::Act && !steering.course.machine().is_backward();
        self.running.push(Running { command, stop: stops.then_some(token), future });
        Ok(())
    }

    fn options(
        &self,
        steering: &Steering,
        command: Command,
        call: &StepCall,
        token: WorkflowCancellationToken,
    ) -> temporalio_workflow::ActivityOptions {
        let limit = call.limit_ms.map(std::time::Duration::from_millis);
        act::options(steering.course.plan(), &steering.limits, command, limit, token)
    }

    /// Actions in flight are asked to stop once the saga is being undone, and waited for.
    fn tell_attempts(&mut self) {
        if self.steering.borrow().course.machine().is_backward() {
            for running in &mut self.running {
                if let Some(stop) = running.stop.take() {
                    stop.cancel();
                }
            }
        }
    }

    /// Waits until something happens: an attempt or a wait ends, an order is taken, the workflow is cancelled.
    async fn progress(
        &mut self,
        seen: u64,
        token: &WorkflowCancellationToken,
    ) -> Vec<(Command, Came)> {
        let steering = self.steering.clone();
        let ordered = Box::new(move || steering.borrow().orders != seen);
        let mut ordered = self.ctx.wait_until(ordered, WorkflowCancellationToken::new());
        let mut cancelled = (!token.is_cancelled()).then(|| token.cancelled().boxed_local());
        let running = &mut self.running;
        poll_fn(|cx| {
            let ended = poll_all(running, cx);
            let ordered = ordered.poll_unpin(cx).is_ready();
            let cancelled =
                cancelled.as_mut().is_some_and(|cancelled| cancelled.poll_unpin(cx).is_ready());
            match ended.is_empty() && !ordered && !cancelled {
                true => Poll::Pending,
                false => Poll::Ready(ended),
            }
        })
        .await
    }

    fn end(&mut self, command: Command, came: Came) -> Result<(), Illegal> {
        let end = match came {
            Came::Ended(end) => end,
            Came::Waited => {
                let wanted = self.steering.borrow().course.machine().is_wanted(command);
                if wanted {
                    return self.begin(command);
                }
                self.steering.borrow_mut().course.give_back(command);
                return Ok(());
            }
        };
        let mut steering = self.steering.borrow_mut();
        let plan = steering.course.plan().clone();
        let verdict = verdict::read(self.ctx.converter(), end, act::budget(&plan, command));
        steering.count(command, verdict.attempts);
        match verdict.what {
            What::Interrupted => steering.course.interrupt(command.step),
            What::Ended(Ended::Failed(failure)) => {
                // Where the server counts, it has made every attempt that there was to be.
                let spent = act::server_counts(&plan, command) && !verdict.stopped;
                let failure = if spent { failure.worth_another(false) } else { failure };
                steering.course.end(command, Ended::Failed(failure))
            }
            What::Ended(ended) => steering.course.end(command, ended),
        }
    }
}

fn poll_all(running: &mut Vec<Running>, cx: &mut Context<'_>) -> Vec<(Command, Came)> {
    let mut ended = Vec::new();
    running.retain_mut(|one| match one.future.poll_unpin(cx) {
        Poll::Pending => true,
        Poll::Ready(came) => {
            ended.push((one.command, came));
            false
        }
    });
    ended
}
