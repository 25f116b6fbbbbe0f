//! The undo plans of stored sagas as records: a view of their journals, never a second truth. Reads only.

mod derive;

use std::{fmt, sync::Arc};

pub(super) use derive::UndoHistory;

use crate::{
    compensation_status::CompensationStatus,
    id::SagaId,
    records::{RecordError, RecordSummary, UndoRecord},
    repository::{Query, Repository, SagaKey, StoredSaga},
    status::Status,
};

/// The undos of durable sagas as the [records](crate::records) of a
/// [`RecordRepository`](crate::records::RecordRepository): for lists, summaries and consoles. There is one for
/// each step that has an undo, from the start of the saga on, and it is derived from the saga's plan and
/// journal whenever it is asked for. To change one, give an order to the [`Engine`](crate::Engine).
///
/// | a record is | where |
/// |---|---|
/// | pending | the undo is registered, and may yet be needed |
/// | running | an attempt is in flight, or another one is waited for; also where its process has died, until somebody takes the saga over |
/// | completed | the step is undone, or a person declared that it is |
/// | failed | it waits for a person: its attempts are spent or may not be repeated, or nobody knows whether there is anything to undo; or the saga was given up before its next attempt |
/// | skipped | it was passed over, or it is not needed; `reason` says which |
///
/// An undo that is not needed is *skipped*, not pending, so that nobody waits for it: the saga completed or is
/// past its pivot, its step was never started or had no effect, or the saga was given up. One of these may be
/// taken back: a person may [cancel](crate::Engine::cancel) a completed saga without a pivot, and then its undos
/// are pending again.
///
/// A record's `workflowId` is the saga's id, its `activityName` the step, its `compensationData` the step's
/// output, its `revision` the length of the journal; `metadata` has the definition's name as `saga`. Its id is
/// always the same for the same step of the same saga, and was made when the saga was.
///
/// ```
/// use std::sync::Arc;
/// use compensation::{
///     CompensationStatus, Engine, Saga, SagaId, SagaRecords, StepContext, StepError, UndoContext,
///     repository::MemoryRepository,
/// };
///
/// async fn reserve_car(_: StepContext<String>) -> Result<u32, StepError> { Ok(17) }
/// async fn cancel_car(_: UndoContext<String>, _: Option<u32>) -> Result<(), StepError> { Ok(()) }
/// async fn charge_card(_: StepContext<String>) -> Result<(), StepError> {
///     Err(StepError::not_done("the card was refused"))
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut trip = Saga::<String>::builder("book-trip");
/// let car = trip.step("reserve-car", reserve_car).undo(cancel_car).add();
/// trip.step("charge-card", charge_card).no_undo("refunds are manual").after(&car).add();
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let store = Arc::new(MemoryRepository::new());
/// let engine = Engine::open_shared(store.clone()).register(trip.build()?).start().await?;
/// let id = SagaId::new("trip-1")?;
/// let _ = engine.run("book-trip", id.clone(), "Ada").await?;
///
/// let undos = SagaRecords::new(store).history(&id).await?;
/// assert_eq!(undos.len(), 1);
/// assert_eq!(undos[0].activity_name, "reserve-car");
/// assert_eq!(undos[0].status, CompensationStatus::Completed);
/// assert_eq!(undos[0].compensation_data, 17);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SagaRecords {
    repository: Arc<dyn Repository>,
}

/// Which undos of sagas to list. The default lists all of them.
///
/// ```
/// use compensation::{CompensationStatus, SagaRecordQuery};
///
/// let failed = SagaRecordQuery {
///     statuses: vec![CompensationStatus::Failed],
///     ..SagaRecordQuery::default()
/// };
/// assert_eq!(failed.limit, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SagaRecordQuery {
    /// Only sagas of this definition.
    pub saga: Option<String>,
    /// Only the undo of the step of this name.
    pub activity_name: Option<String>,
    /// Only undos that stand so; empty means any.
    pub statuses: Vec<CompensationStatus>,
    /// Only sagas listed after this position: [`SagaRecordPage::next`] of the page before.
    pub after: Option<SagaKey>,
    /// The undos of at most so many sagas; 0 means 50.
    pub limit: usize,
}

/// One page of a listing: the undos of so many sagas, the newest saga first, each saga's undos in the order of
/// its steps. It may be empty while there is a next one.
///
/// ```
/// use std::sync::Arc;
/// use compensation::{SagaRecords, repository::MemoryRepository};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let records = SagaRecords::new(Arc::new(MemoryRepository::new()));
/// let mut after = None;
/// loop {
///     let page = records.pending(after).await?;
///     for undo in &page.records {
///         println!("{} of {} is {}", undo.activity_name, undo.workflow_id, undo.status);
///     }
///     for (saga, why) in &page.unreadable {
///         println!("{saga}: {why}");
///     }
///     after = page.next;
///     if after.is_none() { break }
/// }
/// # Ok::<(), compensation::records::RecordError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SagaRecordPage {
    /// The records.
    pub records: Vec<UndoRecord>,
    /// Sagas on this page whose record can't be read, and why. The others are not held up by them.
    pub unreadable: Vec<(SagaId, String)>,
    /// Where the next page starts, if there may be one.
    pub next: Option<SagaKey>,
}

impl SagaRecords {
    /// The undos of the sagas in that store.
    #[must_use]
    pub fn new(repository: Arc<dyn Repository>) -> Self {
        Self { repository }
    }

    /// The undo of one step, if there are such a saga, step and undo.
    ///
    /// # Errors
    /// [`RecordError::Store`], and [`RecordError::Unreadable`] where the saga's record can't be read.
    pub async fn get(&self, id: &SagaId, step: &str) -> Result<Option<UndoRecord>, RecordError> {
        let undos = self.history(id).await?;
        Ok(undos.into_iter().find(|undo| undo.activity_name == step))
    }

    /// Every undo of a saga, in the order of its steps; none where there is no such saga.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn history(&self, id: &SagaId) -> Result<Vec<UndoRecord>, RecordError> {
        match self.repository.load(id).await? {
            Some(saga) => undos(&saga),
            None => Ok(Vec::new()),
        }
    }

    /// How many undos of a saga stand how.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn summary(&self, id: &SagaId) -> Result<RecordSummary, RecordError> {
        Ok(self.history(id).await?.into_iter().map(|undo| undo.status).collect())
    }

    /// Lists undos. Each saga of the page is read from the store.
    ///
    /// # Errors
    /// [`RecordError::Store`].
    pub async fn list(&self, query: SagaRecordQuery) -> Result<SagaRecordPage, RecordError> {
        self.list_of(sagas_with(&query.statuses), query).await
    }

    /// Lists the undos that are not over: pending, running or failed, of sagas that are not.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn pending(&self, after: Option<SagaKey>) -> Result<SagaRecordPage, RecordError> {
        let statuses = vec![
            CompensationStatus::Pending,
            CompensationStatus::Running,
            CompensationStatus::Failed,
        ];
        let sagas = Status::ALL.into_iter().filter(|saga| !saga.is_final()).collect();
        self.list_of(sagas, SagaRecordQuery { statuses, after, ..SagaRecordQuery::default() }).await
    }

    async fn list_of(
        &self,
        status: Vec<Status>,
        query: SagaRecordQuery,
    ) -> Result<SagaRecordPage, RecordError> {
        let SagaRecordQuery { saga: name, activity_name, statuses, after, limit } = query;
        let sagas = Query { status, name, after, limit, ..Query::default() };
        let found = self.repository.list(sagas).await?;
        let mut page = SagaRecordPage { next: found.next, ..SagaRecordPage::default() };
        for summary in found.sagas {
            // Deleted meanwhile: nothing is left of it.
            let Some(saga) = self.repository.load(&summary.id).await? else { continue };
            match derive::derive(&saga) {
                Ok(undos) => page.records.extend(undos.into_iter().filter(|undo| {
                    (statuses.is_empty() || statuses.contains(&undo.status))
                        && activity_name.as_ref().is_none_or(|name| *name == undo.activity_name)
                })),
                Err(unreadable) => page.unreadable.push((summary.id, unreadable.to_string())),
            }
        }
        Ok(page)
    }
}

/// The undos of a saga as records.
fn undos(saga: &StoredSaga) -> Result<Vec<UndoRecord>, RecordError> {
    derive::derive(saga).map_err(|unreadable| RecordError::Unreadable {
        workflow_id: saga.summary.id.to_string(),
        why: unreadable.to_string(),
    })
}

/// How sagas stand that may have undos that stand so; empty means any. One that was parked by an engine is
/// stuck, whatever its journal says.
fn sagas_with(statuses: &[CompensationStatus]) -> Vec<Status> {
    let may_have = |saga: Status, undo: CompensationStatus| match undo {
        CompensationStatus::Pending => !saga.is_final(),
        CompensationStatus::Running => matches!(saga, Status::Compensating | Status::Stuck),
        CompensationStatus::Completed => !matches!(saga, Status::Running | Status::Completed),
        CompensationStatus::Failed => {
            matches!(saga, Status::Compensating | Status::Stuck | Status::Abandoned)
        }
        CompensationStatus::Skipped => true,
    };
    let wanted = |&saga: &Status| statuses.iter().any(|&undo| may_have(saga, undo));
    if statuses.is_empty() { Vec::new() } else { Status::ALL.into_iter().filter(wanted).collect() }
}

impl fmt::Debug for SagaRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaRecords").finish_non_exhaustive()
    }
}
