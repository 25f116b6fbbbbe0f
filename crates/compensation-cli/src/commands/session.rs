//! A store and an engine on it, for as long as one verb needs them.

use std::sync::Arc;

use compensation::{
    AnySaga, Engine, EngineError, Mask, Plan, SagaId, Status,
    repository::{Repository, StoredSaga},
};

use super::Context;
use crate::{
    error::{Error, Exit},
    file::{self, Model},
    print::Record,
};

pub(super) struct Session {
    pub(super) engine: Engine,
    pub(super) store: Arc<dyn Repository>,
}

impl Session {
    /// Opens the store, which must be there.
    pub(super) async fn open(context: &Context) -> Result<Self, Error> {
        Self::start(context, false, None, |store| store).await
    }

    /// The same with something put around the store.
    pub(super) async fn around(
        context: &Context,
        put: impl FnOnce(Arc<dyn Repository>) -> Arc<dyn Repository>,
    ) -> Result<Self, Error> {
        Self::start(context, false, None, put).await
    }

    /// Opens the store, and creates it where there is none, to run that saga.
    pub(super) async fn create(context: &Context, saga: AnySaga) -> Result<Self, Error> {
        Self::start(context, true, Some(saga), |store| store).await
    }

    /// The engine takes nothing over by itself: it runs the sagas that it is asked to.
    async fn start(
        context: &Context,
        create: bool,
        saga: Option<AnySaga>,
        put: impl FnOnce(Arc<dyn Repository>) -> Arc<dyn Repository>,
    ) -> Result<Self, Error> {
        let opened = context.db.open(create).await;
        let store = opened.map_err(|error| Error::unopened(&error))?;
        let store = put(store);
        let runner = context.runner.clone();
        let mut engine = Engine::open_shared(store.clone())
            .without_recovery()
            .resolve_with(move |plan| file::remake(plan, &runner));
        if let Some(saga) = saga {
            engine = engine.register(saga);
        }
        Ok(Self { engine: engine.start().await?, store })
    }

    /// A saga as the store has it.
    pub(super) async fn load(&self, id: &SagaId) -> Result<StoredSaga, Error> {
        let found = self.store.load(id).await?;
        found.ok_or_else(|| EngineError::NotFound(id.clone()).into())
    }

    /// A saga as the store has it, and what that means.
    pub(super) async fn record(&self, id: &SagaId) -> Result<Record, Error> {
        let stored = self.load(id).await?;
        let mask = mask_of(&stored);
        let report = match self.engine.report(id).await {
            Ok(report) => Ok(report),
            Err(EngineError::Held { reason, .. }) => Err(reason),
            Err(error) => return Err(error.into()),
        };
        Ok(Record { stored, report, mask })
    }

    /// The file of a saga that is to be driven on: what its steps and undos need must be there, unless another
    /// process drives it. `None`: it was made by a program, which may carry an order out.
    pub(super) async fn drivable(&self, id: &SagaId) -> Result<Option<Model>, Error> {
        let saga = self.load(id).await?;
        let model = file_of(&saga).ok();
        if let Some(model) = &model
            && !saga.summary.owned
        {
            check_secrets(model)?;
        }
        Ok(model)
    }

    /// What is secret of a saga.
    pub(super) async fn mask(&self, id: &SagaId) -> Mask {
        let found = self.store.load(id).await.ok().flatten();
        found.map(|saga| mask_of(&saga)).unwrap_or_default()
    }
}

/// What is secret of a saga: what it declares, and what its secret variables hold here.
pub(super) fn mask_of(saga: &StoredSaga) -> Mask {
    let mut mask = Mask::of(saga);
    if let Ok(plan) = serde_json::from_str(&saga.plan) {
        hide_variables(&mut mask, &plan);
    }
    mask
}

/// Hides what the secret variables of a saga hold here.
pub(super) fn hide_variables(mask: &mut Mask, plan: &Plan) {
    for secret in file::stored(plan).map(|model| model.secrets).unwrap_or_default() {
        if let Ok(value) = std::env::var(secret) {
            mask.hide(&value);
        }
    }
}

/// Without a secret each of its requests would fail, and a saga that only lacks a variable be undone.
pub(super) fn check_secrets(model: &Model) -> Result<(), Error> {
    match model.secrets.iter().find(|secret| std::env::var(secret).is_err()) {
        None => Ok(()),
        Some(secret) => Err(Error::input(format!(
            "saga `{}` needs the environment variable {secret}: set it",
            model.saga
        ))),
    }
}

/// The file that a saga was made from.
pub(super) fn file_of(saga: &StoredSaga) -> Result<Model, Error> {
    let plan: Option<Plan> = serde_json::from_str(&saga.plan).ok();
    plan.as_ref().and_then(file::stored).ok_or_else(|| {
        Error::input(format!(
            "saga `{}` was not made from a saga file that this version knows: use the program that \
             started it",
            saga.summary.id
        ))
    })
}

/// What the program ends with where a saga stands so.
pub(super) fn exit(status: Status) -> Exit {
    match status {
        Status::Completed => Exit::Ok,
        Status::Compensated => Exit::Compensated,
        Status::Stuck => Exit::Stuck,
        Status::Running | Status::Compensating | Status::Abandoned => Exit::Other,
    }
}
