//! A saga that is to be started by whoever claims it, as the data that a store keeps: for starts that belong to a
//! transaction of the caller's.

use std::sync::Arc;

use super::{engine::MAX_INPUT_BYTES, error::EngineError, registry::Registered};
use crate::{
    clock::Timestamp,
    handler::Value,
    id::SagaId,
    repository::{Entry, Head, NewSaga},
    saga::{AnySaga, Saga},
    status::Status,
};

/// The journal of a saga of which nothing has happened yet.
const NOTHING: &str = "[]";

impl<I: Value> Saga<I> {
    /// A run of this saga as data, of which nothing has been stored or started. A store that can write it in a
    /// transaction of the caller's says so; an engine on that store drives it then.
    ///
    /// ```
    /// use compensation::{Saga, SagaId, StepContext, StepError};
    ///
    /// async fn greet(_: StepContext<String>) -> Result<(), StepError> { Ok(()) }
    ///
    /// let mut greeting = Saga::<String>::builder("greeting");
    /// greeting.step("greet", greet).no_undo("words can't be taken back").add();
    /// let greeting = greeting.build()?;
    ///
    /// let first = greeting.prepare(SagaId::new("first")?, &"world".to_owned())?;
    /// assert_eq!((&*first.name, &*first.input), ("greeting", r#""world""#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::BadInput`] where the input does not serialize, [`EngineError::InputTooLarge`].
    pub fn prepare(&self, id: SagaId, input: &I) -> Result<NewSaga, EngineError> {
        let bad =
            |error| EngineError::BadInput { saga: self.name().to_owned(), error: Arc::new(error) };
        let input = serde_json::to_string(input).map_err(bad)?;
        if input.len() > MAX_INPUT_BYTES {
            return Err(EngineError::InputTooLarge { bytes: input.len(), limit: MAX_INPUT_BYTES });
        }
        let plan = Registered::new(AnySaga::from(self.clone())).map_err(bad)?.text;
        Ok(NewSaga {
            id,
            name: self.name().into(),
            plan,
            input,
            head: Head { status: Status::Running, reason: None },
            entry: Entry { at: Timestamp::now(), body: NOTHING.to_owned() },
        })
    }
}
