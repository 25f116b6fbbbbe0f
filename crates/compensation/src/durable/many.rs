//! Orders to many sagas: first what they would be given to, and what each would do; then given to each by itself.

use tokio::task::JoinHandle;

use super::{
    engine::Engine,
    error::EngineError,
    mask::Mask,
    target::{Looked, Target, Verb, found_in},
};
use crate::{
    clock::Timestamp,
    id::SagaId,
    outcome::{Applied, Order},
    plan::Plan,
    repository::{Query, StoredSaga, Summary},
};

/// Most sagas that one selection finds. Each is held as a few short texts and its plan, the records of a few dozen sagas
/// at a time beside them.
pub const MAX_SELECTED: usize = 10_000;

/// Sagas looked up in one go.
const PAGE: usize = 500;

/// Sagas that are read in one go, so that records do not pile up.
pub(super) const TOGETHER: usize = 32;

/// Which sagas an order is for, and which of their steps. The default finds all that it could be meant for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Which sagas. How they are paged is not looked at: the oldest come first.
    pub query: Query,
    /// Only sagas in which this step waits for a person, and of orders to steps only that one.
    pub step: Option<String>,
    /// Only sagas whose last entry was written by then: those that still stand as they were seen at that moment. It
    /// is compared with the clocks of the processes that wrote.
    pub unchanged_since: Option<Timestamp>,
    /// At most so many sagas; 0 means [`MAX_SELECTED`], and more than that means that.
    pub limit: usize,
    /// At most so many sagas of the query are looked into; 0 means all of them. Each costs a read of its record.
    pub looks: usize,
}

/// What an order would be given to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Targets {
    /// Each saga, or each step of one; those of one saga stand together, the oldest saga first.
    pub list: Vec<Target>,
    /// How many sagas they are.
    pub sagas: usize,
    /// Whether there are, or may be, further sagas beyond the limits.
    pub more: bool,
}

/// An order that was given, and what came of it.
#[derive(Clone, Debug)]
pub struct Given<E = EngineError> {
    /// To what.
    pub target: Target,
    /// What came of it.
    pub answer: Result<Applied, E>,
}

/// Orders to many.
///
/// ```
/// use compensation::{Engine, Order, Selection, Verb, repository::{MemoryRepository, Query}};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let engine = Engine::open(MemoryRepository::new()).start().await?;
/// let query = Query { name: Some("book-trip".to_owned()), ..Query::default() };
/// let selection = Selection { query, step: Some("reserve-car".to_owned()), ..Selection::default() };
/// let targets = engine.select(Verb::Retry, &selection, |_, _| {}).await?;
/// println!("{} steps of {} sagas", targets.list.len(), targets.sagas);
/// let order = Order::new("Ada", "the line is up again");
/// for target in targets.list {
///     match engine.give(Verb::Retry, &target, order.clone()).await {
///         Ok(applied) => println!("{}: {applied:?}", target.id),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Engine {
    /// What an order would be given to: exactly which sagas and steps, and what it would do to each. Nothing is
    /// changed. Steps are those that wait for a person, and of a retry also those that wait out a failure; a saga to
    /// be resumed is one that nobody drives and that does not wait for a person.
    ///
    /// `hide` adds to what is masked in the texts beside what the saga's definition declares secret.
    ///
    /// # Errors
    /// [`EngineError::Store`]. A saga whose record can't be read is found by orders to whole sagas only, and would
    /// refuse them.
    pub async fn select(
        &self,
        verb: Verb,
        selection: &Selection,
        hide: impl Fn(&mut Mask, &Plan) + Send + Sync,
    ) -> Result<Targets, EngineError> {
        let limit = match selection.limit {
            0 => MAX_SELECTED,
            limit => limit.min(MAX_SELECTED),
        };
        let mut query = Query { oldest_first: true, after: None, ..selection.query.clone() };
        if query.status.is_empty() {
            let waits = if selection.step.is_some() { Verb::Retry } else { verb };
            query.status = waits.may_be_for();
        }
        query.limit = PAGE.min(limit.saturating_add(1));
        let mut left = if selection.looks == 0 { usize::MAX } else { selection.looks };
        let mut targets = Targets::default();
        loop {
            let page = self.list(query.clone()).await?;
            let is_cut = page.sagas.len() > left;
            let looked = page.sagas.into_iter().take(left);
            left = left.saturating_sub(looked.len());
            let still =
                |saga: &Summary| selection.unchanged_since.is_none_or(|at| saga.updated <= at);
            let ids: Vec<SagaId> = looked.filter(still).map(|saga| saga.id).collect();
            let mut parts = ids.chunks(TOGETHER).map(|ids| self.fetch(ids.to_vec()));
            let mut ahead = parts.next();
            while let Some(fetched) = ahead {
                ahead = parts.next();
                // One that went meanwhile is nothing.
                for saga in fetched.await.unwrap_or(Err(EngineError::Closing))? {
                    let found = found_in(verb, selection.step.as_deref(), &saga, &hide);
                    if found.is_empty() {
                        continue;
                    }
                    if targets.sagas == limit {
                        targets.more = true;
                        return Ok(targets);
                    }
                    targets.sagas += 1;
                    targets.list.extend(found);
                }
            }
            if is_cut {
                targets.more = true;
                return Ok(targets);
            }
            query.after = page.next;
            if query.after.is_none() {
                return Ok(targets);
            }
        }
    }

    /// The same for one saga. With a step, that one is meant whether it waits or not.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::UnknownStep`], [`EngineError::Store`]; with a step also
    /// [`EngineError::Held`] where the record can't be read.
    pub async fn select_one(
        &self,
        verb: Verb,
        id: &SagaId,
        step: Option<&str>,
        hide: impl Fn(&mut Mask, &Plan) + Send + Sync,
    ) -> Result<Targets, EngineError> {
        let saga = self.load(id).await?;
        let mut list = found_in(verb, None, &saga, &hide);
        if let Some(step) = step {
            let named = list.iter().position(|target| target.step.as_deref() == Some(step));
            list = match named {
                Some(place) => vec![list.swap_remove(place)],
                None => vec![Looked::at(&saga, &hide).named(verb, step)?],
            };
        }
        Ok(Targets { sagas: usize::from(!list.is_empty()), list, more: false })
    }

    /// Gives an order to one target.
    ///
    /// # Errors
    /// As the call that the verb names.
    pub async fn give(
        &self,
        verb: Verb,
        target: &Target,
        order: Order,
    ) -> Result<Applied, EngineError> {
        let id = &target.id;
        let step = target.step.as_deref().unwrap_or_default();
        match verb {
            Verb::Retry => self.retry(id, step, order).await,
            Verb::Skip => self.skip(id, step, order).await,
            Verb::Done => self.mark_done(id, step, None, order).await,
            Verb::Undone => self.mark_undone(id, step, order).await,
            Verb::Undo => self.cancel(id, order).await,
            Verb::Resume => self.resume_by(id, order).await,
            Verb::Abandon => self.abandon(id, order).await,
        }
    }

    /// Gives an order to each target, one after the other, and goes on after refusals. `may` is asked before each
    /// whether it may be given at all; what it says instead is what came of that one.
    ///
    /// # Cancel safety
    /// Orders that were given stay given; those that were not are not.
    pub async fn give_all<E, F>(
        &self,
        verb: Verb,
        targets: Vec<Target>,
        order: &Order,
        may: impl Fn(SagaId) -> F + Send,
    ) -> Vec<Given<E>>
    where
        E: From<EngineError> + Send,
        F: Future<Output = Result<(), E>> + Send,
    {
        let mut given = Vec::with_capacity(targets.len());
        for target in targets {
            let answer = match may(target.id.clone()).await {
                Ok(()) => self.give(verb, &target, order.clone()).await.map_err(E::from),
                Err(why) => Err(why),
            };
            given.push(Given { target, answer });
        }
        given
    }

    /// Reads sagas beside whatever else is done.
    fn fetch(&self, ids: Vec<SagaId>) -> JoinHandle<Result<Vec<StoredSaga>, EngineError>> {
        let inner = self.inner().clone();
        let runtime = inner.runtime.clone();
        runtime.spawn(async move { Ok(inner.desk.repository.load_all(ids).await?) })
    }
}
