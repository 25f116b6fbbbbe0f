//! The mirror: how the undos of a workflow stand, written to a repository of records by an activity, beside the
//! rollback. It may fail, and be late; the rollback takes no notice. Here is the workflow's side.

mod batch;
#[cfg(feature = "worker")]
mod worker;
#[cfg(feature = "worker")]
mod write;

use std::{future::Future, rc::Rc, time::Duration};

use ::compensation::CompensationStatus;
use temporalio_workflow::{WorkflowCancellationToken, join};

#[cfg(feature = "worker")]
pub use worker::RecordMirror;

use crate::{
    compensation::Undo,
    context::SagaContext,
    entry::Entry,
    failure::ActivityFailure,
    manager::CompensationManager,
    mirror::batch::{Batch, Line, record_id},
    payload,
    policy::ActivityPolicy,
};

/// The name of the activity that writes.
const ACTIVITY: &str = "compensation.mirror";

/// Undos that one activity writes at most: its input stays well below what the server takes.
const BATCH: usize = 100;

/// Why an undo that was mirrored as pending will not run.
const COMPLETED: &str = "the workflow has completed";

/// Mirrors the records of a manager into a [`RecordRepository`](::compensation::records::RecordRepository): there they
/// are listed beside those of other workflows and of sagas that run elsewhere. On the worker, `RecordMirror` has the
/// repository.
///
/// # What may be relied on
/// * It takes no part in a rollback: undos do not wait for it, and no failure of it fails anything. What it could not
///   write is said in the [`Report`](crate::Report).
/// * It costs events: an activity for each change that the last one did not carry. It is written when a rollback begins,
///   as its undos go on, and when it ends; what failed is written once more by the next. The end is waited for, at most
///   twice the policy's total time for each hundred undos. What is registered is written earlier by
///   [`write_records`](CompensationManager::write_records) only.
/// * It is written again without harm, and never goes back: a late writer does not overwrite what is newer, and a record
///   that a person has ended stays so.
///
/// # Defaults
/// 10 s for an attempt, 30 s in all, three attempts; without the inputs of the undos.
#[derive(Clone, Debug)]
pub struct Mirror {
    policy: ActivityPolicy,
    inputs: bool,
}

impl Default for Mirror {
    fn default() -> Self {
        let total = Some(Duration::from_secs(30));
        Self {
            policy: ActivityPolicy { total, ..ActivityPolicy::within(Duration::from_secs(10)) },
            inputs: false,
        }
    }
}

impl Mirror {
    /// With the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All of how its activity is attempted. A policy without a total time gets that of the defaults: the mirror is
    /// bounded.
    #[must_use]
    pub fn policy(mut self, policy: ActivityPolicy) -> Self {
        let total = policy.total.filter(|total| !total.is_zero()).or(self.policy.total);
        self.policy = ActivityPolicy { total, ..policy };
        self
    }

    /// Writes what each undo is given, too, where it is JSON. A codec that encrypts payloads does not reach the
    /// repository: what is secret in them is readable there.
    #[must_use]
    pub fn with_inputs(mut self) -> Self {
        self.inputs = true;
        self
    }
}

impl<C> CompensationManager<C> {
    /// Mirrors the records from now on. It is no part of a snapshot: call it in each run, before anything else.
    pub fn mirror(&self, mirror: Mirror) {
        self.stack.borrow_mut().mirror = Some(mirror);
    }

    /// What the repository would list as left of a workflow that has completed counts as passed over. Without a record
    /// nothing changes.
    fn pass_over(&self) -> bool {
        let mut stack = self.stack.borrow_mut();
        let left = stack.entries.iter().filter(|entry| entry.record_id.is_some());
        let left: Vec<_> = left
            .filter(|entry| !entry.progress.status.is_final())
            .map(|entry| entry.number)
            .collect();
        for number in &left {
            if let Some(entry) = stack.change(*number) {
                entry.progress.status = CompensationStatus::Skipped;
                entry.progress.reason = Some(COMPLETED.to_owned());
            }
        }
        !left.is_empty()
    }
}

impl<C: SagaContext> CompensationManager<C> {
    /// Writes the records as they stand now into the mirror, and waits for it, at most its total time
    /// for each hundred undos. For what is not
    /// to be seen only once a rollback begins. Without a mirror it does nothing.
    ///
    /// When the workflow then completes through [`finish`](Self::finish), its undos are written once more, as skipped.
    ///
    /// # Errors
    /// Why the mirror has not been written: for people; the workflow may go on.
    pub async fn write_records(&self, ctx: &C) -> Result<(), String> {
        let Some(mut writer) = Writer::new(self, ctx) else { return Ok(()) };
        writer.catch_up().await;
        writer.failure.map_or(Ok(()), Err)
    }

    /// Mirrors the end of a workflow that has completed, if it is in the mirror at all.
    pub(crate) async fn mirror_completion(&self, ctx: &C) {
        if self.stack.borrow().mirror.is_some() && self.pass_over() {
            // There is nobody left to tell; Temporal's pages show an activity that failed.
            drop(self.write_records(ctx).await);
        }
    }

    /// Runs the work, and beside it the mirror, if there is one. Returns why the mirror is behind.
    pub(crate) async fn mirrored(&self, ctx: &C, work: impl Future<Output = ()>) -> Option<String> {
        let Some(mut writer) = Writer::new(self, ctx) else {
            work.await;
            return None;
        };
        let over = Rc::new(std::cell::Cell::new(false));
        let work = async {
            work.await;
            over.set(true);
            ctx.changed();
        };
        let mirror = async {
            loop {
                let last = over.get();
                writer.catch_up().await;
                if last {
                    break;
                }
                let (stack, over, tried) = (self.stack.clone(), over.clone(), writer.tried);
                let more = Box::new(move || over.get() || stack.borrow().changes > tried);
                ctx.wait_until(more, WorkflowCancellationToken::new()).await;
            }
        };
        join!(work, mirror);
        writer.failure
    }
}

/// Writes what has changed since it wrote last.
struct Writer<'a, C> {
    manager: &'a CompensationManager<C>,
    ctx: &'a C,
    mirror: Mirror,
    /// The change up to which all is written.
    written: u64,
    /// The change up to which it has tried.
    tried: u64,
    /// How its last activity failed.
    failure: Option<String>,
}

impl<'a, C: SagaContext> Writer<'a, C> {
    fn new(manager: &'a CompensationManager<C>, ctx: &'a C) -> Option<Self> {
        let mirror = manager.stack.borrow().mirror.clone()?;
        Some(Self { manager, ctx, mirror, written: 0, tried: 0, failure: None })
    }

    /// Writes until nothing is left to write, or an activity fails. What that one had is written by the next call.
    async fn catch_up(&mut self) {
        while let Some((batch, written)) = self.batch() {
            self.tried = self.manager.stack.borrow().changes;
            self.failure = self.write(&batch).await.err();
            if self.failure.is_some() {
                return;
            }
            self.written = written;
        }
    }

    async fn write(&self, batch: &Batch) -> Result<(), String> {
        let input =
            payload::encode(self.ctx.converter(), batch).map_err(|error| error.to_string())?;
        let token = WorkflowCancellationToken::new();
        let options = self.mirror.policy.to_options(token, "records".to_owned());
        let ended = self.ctx.run_activity(ACTIVITY, input, options).await;
        ended.map(drop).map_err(|error| ActivityFailure::of(&error).to_string())
    }

    /// The oldest changes that are not written, and up to which.
    fn batch(&self) -> Option<(Batch, u64)> {
        let now = self.ctx.now().unwrap_or(std::time::UNIX_EPOCH);
        let mut stack = self.manager.stack.borrow_mut();
        let changes = stack.changes;
        let mut changed: Vec<_> =
            stack.entries.iter_mut().filter(|entry| entry.changed > self.written).collect();
        if changed.is_empty() {
            return None;
        }
        changed.sort_by_key(|entry| entry.changed);
        let written = match changed.get(BATCH) {
            Some(_) => changed[BATCH - 1].changed,
            None => changes,
        };
        let lines = changed.into_iter().take(BATCH).map(|entry| {
            let id = *entry
                .record_id
                .get_or_insert_with(|| record_id(now, self.ctx.workflow_id(), entry.number));
            let input = if self.mirror.inputs { input(entry) } else { None };
            Line::new(id, entry, input)
        });
        Some((Batch { lines: lines.collect() }, written))
    }
}

/// What an undo is given, where it is JSON.
fn input<C>(entry: &Entry<C>) -> Option<serde_json::Value> {
    let Undo::Activity { input, .. } = &entry.undo else { return None };
    let [input] = &input[..] else { return None };
    serde_json::from_slice(&input.data).ok()
}
