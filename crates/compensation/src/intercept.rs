//! A look at, and a say in, every attempt of a definition's functions: for tests that let them fail in every
//! way, and for whatever else must stand around all of them. Costs nothing where it is not used.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use crate::{
    error::StepError,
    event::StepIndex,
    handler::{Attempt, Attempted, Handlers, Run},
    machine::Effect,
    outcome::Part,
    saga::{Definition, Saga},
};

/// Stands around every attempt of a saga's actions, probes and undos. See [`Saga::intercepted`].
pub trait Intercept: Send + Sync + 'static {
    /// Makes one attempt: calls the step's own function once, several times, or not at all, and says how the
    /// attempt ended. What it does counts as the function's own doing: it is dropped at the attempt's time
    /// limit, its panic is the attempt's failure, and it is not called when the future is made but when that
    /// is polled.
    fn attempt(&self, call: Call) -> Intercepted;
}

/// The future of one intercepted attempt, or of one call of a step's function.
pub type Intercepted = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// One attempt that is due: what it is about, and the function that would make it.
#[derive(Clone)]
pub struct Call {
    attempt: Attempt,
    part: Part,
    handlers: Arc<Handlers>,
}

/// How an attempt ended: with an output, which only its own saga can read, or an error.
pub struct Ended {
    step: StepIndex,
    part: Part,
    attempted: Attempted,
}

impl Call {
    /// The step's place in its saga, from 0.
    #[must_use]
    pub fn step(&self) -> StepIndex {
        self.attempt.step
    }

    /// The step's name.
    #[must_use]
    pub fn step_name(&self) -> &str {
        self.attempt.name()
    }

    /// Which of the step's functions is due.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// The attempt's number, from 1, over the whole life of the saga.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// Of an undo: whether the action is known to have had its effect.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.attempt.effect
    }

    /// Calls the step's own function, once for each call. The future may outlive the attempt.
    #[must_use]
    pub fn call(&self) -> Intercepted {
        let Some(function) = self.handlers.function(self.part) else {
            // Only parts that there are come here.
            let ended = self.fail(StepError::not_done("the step has no such function"));
            return Box::pin(async move { ended });
        };
        let (step, part) = (self.step(), self.part);
        let future = function(self.attempt.clone());
        Box::pin(async move { Ended { step, part, attempted: future.await } })
    }

    /// The attempt ends with that error, whatever was called.
    #[must_use]
    pub fn fail(&self, error: StepError) -> Ended {
        let (step, part) = (self.step(), self.part);
        Ended { step, part, attempted: failed(part, error) }
    }
}

impl Ended {
    /// What the attempt failed with, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&StepError> {
        match &self.attempted {
            Attempted::Acted(Err(error))
            | Attempted::Probed(Err(error))
            | Attempted::Undone(Err(error)) => Some(error),
            _ => None,
        }
    }

    /// Of a probe: whether it found that nothing was done.
    #[must_use]
    pub fn found_nothing(&self) -> bool {
        matches!(self.attempted, Attempted::Probed(Ok(None)))
    }
}

impl<I> Saga<I> {
    /// The same saga with something around every attempt of its functions. Its plan is the same, so that
    /// stored sagas go on with either. What is put around last is outermost.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    /// use compensation::{Saga, StepContext, StepError, intercept::{Call, Intercept, Intercepted}};
    ///
    /// /// Lets every first attempt get lost on its way back.
    /// struct LostReplies;
    ///
    /// impl Intercept for LostReplies {
    ///     fn attempt(&self, call: Call) -> Intercepted {
    ///         Box::pin(async move {
    ///             let ended = call.call().await;
    ///             match call.attempt() {
    ///                 1 => call.fail(StepError::unknown("the reply was lost")),
    ///                 _ => ended,
    ///             }
    ///         })
    ///     }
    /// }
    ///
    /// let calls = Arc::new(AtomicU32::new(0));
    /// let counted = calls.clone();
    /// let mut greeting = Saga::<()>::builder("greeting");
    /// greeting
    ///     .step("greet", move |_: StepContext<()>| {
    ///         counted.fetch_add(1, Ordering::Relaxed);
    ///         async { Ok::<_, StepError>(()) }
    ///     })
    ///     .no_undo("words can't be taken back")
    ///     .retry(compensation::RetryPolicy::new(2))
    ///     .add();
    /// let greeting = greeting.build()?.intercepted(Arc::new(LostReplies));
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// assert!(runtime.block_on(greeting.run(())).is_completed());
    /// assert_eq!(calls.load(Ordering::Relaxed), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn intercepted(&self, interceptor: Arc<dyn Intercept>) -> Self {
        let definition = self.definition();
        let around = |handlers: &Arc<Handlers>| {
            Arc::new(Handlers {
                act: around(handlers, Part::Action, &interceptor),
                undo: handlers.undo.as_ref().map(|_| around(handlers, Part::Undo, &interceptor)),
                probe: handlers.probe.as_ref().map(|_| around(handlers, Part::Probe, &interceptor)),
                output: handlers.output,
            })
        };
        Self::new(Definition {
            plan: definition.plan.clone(),
            graph: definition.graph.clone(),
            handlers: definition.handlers.iter().map(around).collect(),
            input: definition.input,
            tag: definition.tag,
        })
    }
}

fn around(handlers: &Arc<Handlers>, part: Part, interceptor: &Arc<dyn Intercept>) -> Run {
    let (handlers, interceptor) = (handlers.clone(), interceptor.clone());
    Box::new(move |attempt| {
        let call = Call { attempt, part, handlers: handlers.clone() };
        let (step, interceptor) = (call.step(), interceptor.clone());
        Box::pin(async move {
            let ended = interceptor.attempt(call).await;
            // The ending of another function's attempt says nothing about this one.
            if (ended.step, ended.part) == (step, part) {
                ended.attempted
            } else {
                let error = "the interceptor answered with the ending of another function";
                failed(part, StepError::unknown(error).terminal())
            }
        })
    })
}

fn failed(part: Part, error: StepError) -> Attempted {
    match part {
        Part::Action => Attempted::Acted(Err(error)),
        Part::Probe => Attempted::Probed(Err(error)),
        Part::Undo => Attempted::Undone(Err(error)),
    }
}

impl Handlers {
    fn function(&self, part: Part) -> Option<&Run> {
        match part {
            Part::Action => Some(&self.act),
            Part::Probe => self.probe.as_ref(),
            Part::Undo => self.undo.as_ref(),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("step", &self.step_name())
            .field("part", &self.part)
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended").field("error", &self.error()).finish_non_exhaustive()
    }
}
